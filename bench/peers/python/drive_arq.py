"""The driver of arq. Fast settings: uvloop, no results kept, a poll of 10 ms instead of 500. There is no bulk call."""

import asyncio

import kit
import uvloop
from arq import Worker, create_pool
from arq.connections import RedisSettings


async def noop(_context, job):
    """The job."""
    kit.started(job)


async def submit(args):
    """Submits."""
    pool = await create_pool(RedisSettings.from_dsn(args.url))
    await kit.submit_async(args, lambda job: pool.enqueue_job("noop", job))


async def work(args):
    """Works until it is ended."""
    worker = Worker(
        functions=[noop],
        redis_settings=RedisSettings.from_dsn(args.url),
        max_jobs=args.slots,
        poll_delay=0.01,
        keep_result=0,
        queue_read_limit=args.slots * 4,
        handle_signals=False,
    )
    kit.say(ready=True)
    await worker.main()


def main():
    """Runs one command."""
    args = kit.arguments()
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    if args.command in ("enqueue", "paced"):
        asyncio.run(submit(args))
    elif args.command == "worker":
        asyncio.run(work(args))


if __name__ == "__main__":
    main()
