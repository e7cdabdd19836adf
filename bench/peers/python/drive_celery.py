"""The driver of Celery. Fast settings: results ignored, no events, gossip, mingle or heartbeat, prefetching, a thread pool
(the job is too small to be worth a pipe to another process), one producer kept open. There is no bulk call."""

import os

import kit


def main():
    """Runs one command."""
    args = kit.arguments()
    os.environ["BENCH_URL"] = args.url
    if args.command in ("enqueue", "paced"):
        from celery_app import app, noop

        with app.producer_pool.acquire(block=True) as producer:
            kit.submit(args, lambda job: noop.apply_async((job,), producer=producer))
    elif args.command == "worker":
        options = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=ERROR"]
        name = f"--hostname=bench-{os.getpid()}@localhost"
        kit.become("celery", "-A", "celery_app", "worker", "-P", "threads", "-c", str(args.slots), name, *options)


if __name__ == "__main__":
    main()
