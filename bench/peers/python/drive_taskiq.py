"""The driver of taskiq with its list broker (the fast one: it does not acknowledge). There is no bulk call."""

import asyncio
import os

import kit


async def submit(args):
    """Submits."""
    from taskiq_app import broker, noop

    await broker.startup()
    await kit.submit_async(args, noop.kiq)
    await broker.shutdown()


def main():
    """Runs one command."""
    args = kit.arguments()
    os.environ["BENCH_URL"] = args.url
    if args.command in ("enqueue", "paced"):
        asyncio.run(submit(args))
    elif args.command == "worker":
        half = str(args.slots // 2)
        options = ["--workers", "2", "--max-async-tasks", half, "--log-level", "ERROR", "--no-configure-logging"]
        kit.become("taskiq", "worker", "taskiq_app:broker", *options)


if __name__ == "__main__":
    main()
