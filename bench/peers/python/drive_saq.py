"""The driver of SAQ. Fast settings: uvloop, no results kept, no limit of its own on concurrent operations."""

import asyncio

import kit
import uvloop
from saq import Queue, Worker


async def noop(_context, *, job):
    """The job."""
    kit.started(job)


async def submit(args):
    """Submits."""
    queue = Queue.from_url(args.url)
    await queue.connect()
    await kit.submit_async(args, lambda job: queue.enqueue("noop", job=job, ttl=-1))


async def work(args):
    """Works until it is ended."""
    queue = Queue.from_url(args.url, max_concurrent_ops=100)
    await queue.connect()
    worker = Worker(queue, functions=[noop], concurrency=args.slots)
    kit.say(ready=True)
    await worker.start()


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
