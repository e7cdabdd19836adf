"""The dramatiq broker and actor of the benchmark."""

import os

import dramatiq
import kit
from dramatiq.brokers.redis import RedisBroker

broker = RedisBroker(url=os.environ["BENCH_URL"])
dramatiq.set_broker(broker)


@dramatiq.actor(max_retries=0)
def noop(job):
    """The job."""
    kit.started(job)
