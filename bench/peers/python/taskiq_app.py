"""The taskiq broker and task of the benchmark."""

import os

import kit
from taskiq_redis import ListQueueBroker

broker = ListQueueBroker(os.environ["BENCH_URL"])


@broker.task(task_name="noop")
async def noop(job: dict) -> None:
    """The job."""
    kit.started(job)
