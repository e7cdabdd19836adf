"""The Celery application of the benchmark."""

import os

import kit
from celery import Celery

app = Celery("bench", broker=os.environ["BENCH_URL"])
app.conf.update(
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    worker_prefetch_multiplier=8,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    task_compression=None,
)


@app.task(name="noop")
def noop(job):
    """The job."""
    kit.started(job)
