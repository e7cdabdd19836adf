"""The driver of dramatiq: its own worker program with two processes. There is no bulk call."""

import os

import kit


def main():
    """Runs one command."""
    args = kit.arguments()
    os.environ["BENCH_URL"] = args.url
    if args.command in ("enqueue", "paced"):
        from dramatiq_app import noop

        kit.submit(args, noop.send)
    elif args.command == "worker":
        kit.become("dramatiq", "-p", "2", "-t", str(args.slots // 2), "dramatiq_app")


if __name__ == "__main__":
    main()
