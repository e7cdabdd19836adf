"""The driver of RQ. Fast settings: `enqueue_many` (one pipeline), workers that do not fork, no results kept."""

import kit
from redis import Redis
from rq import Queue, SimpleWorker


def noop(job):
    """The job."""
    kit.started(job)


def main():
    """Runs one command."""
    args = kit.arguments()
    connection = Redis.from_url(args.url)
    queue = Queue("bench", connection=connection)
    function = "drive_rq.noop"
    options = {"result_ttl": 0, "failure_ttl": 0}

    def one(job):
        queue.enqueue_call(function, args=(job,), **options)

    def many(jobs):
        queue.enqueue_many([Queue.prepare_data(function, args=(job,), **options) for job in jobs])

    if args.command in ("enqueue", "paced"):
        kit.submit(args, one, many)
    elif args.command == "worker":
        kit.say(ready=True)
        SimpleWorker([queue], connection=connection).work(logging_level="ERROR")


if __name__ == "__main__":
    main()
