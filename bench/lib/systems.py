"""What is compared: how each system is started, and what its figures mean."""

from dataclasses import dataclass, field
from pathlib import Path

from .install import RUST_PEERS

HERE = Path(__file__).resolve().parent.parent

#: What a confirmed job survives; systems are compared within a class.
CLASSES = {
    "disk": "PostgreSQL, every commit flushed to disk before it is confirmed",
    "second": "Redis, append-only file flushed every second: a crash loses up to one second of confirmed jobs",
}

#: What is compared: key, heading, whether more is better, digits.
FIGURES = [
    ("enqueue_single", "submit, one by one /s", True, 0),
    ("enqueue_bulk", "submit, in bulk /s", True, 0),
    ("work", "claim + complete /s", True, 0),
    ("idle_p50_ms", "idle p50, ms", False, 2),
    ("idle_p99_ms", "idle p99, ms", False, 2),
    ("load_p50_ms", "70 % load p50, ms", False, 2),
    ("load_p99_ms", "70 % load p99, ms", False, 2),
]


@dataclass
class System:
    """One system under test."""

    name: str
    title: str
    #: `redis` or `postgres`: what is reset before it runs and where it connects.
    store: str
    durability: str
    #: The driver's command line, before the command; see README.md for the contract.
    driver: list
    #: Jobs of the prefilled backlog, in thousands: enough for about a second or more.
    backlog: int
    #: Jobs per call, where there is a call for many.
    bulk: int | None = None
    #: Worker processes; the slots are divided among them.
    processes: int = 1
    #: Whether it needs Redis beside its store.
    with_redis: bool = False
    #: Whether the driver's process says when it is ready.
    says_ready: bool = True
    options: list = field(default_factory=list)
    worker_options: list = field(default_factory=list)
    environment: dict = field(default_factory=dict)
    note: str = ""

    @property
    def is_ours(self):
        """Whether it is Shopfloor."""
        return self.name.startswith("shopfloor")


def python(cache, name):
    """The driver of a Python peer, run by the interpreter of its own environment."""
    return [str(cache / f"venv-{name}" / "bin" / "python"), str(HERE / "peers" / "python" / f"drive_{name}.py")]


def systems(cache, binaries):
    """Every system, ours first."""
    rust = {name: [str(binaries / f"shopfloor-bench-{name}")] for name in RUST}
    node = {"BENCH_NODE_MODULES": str(cache / "npm" / "package.json")}
    return [
        System("shopfloor-sql", "Shopfloor, SQL queue", "postgres", "disk", rust["ours"], 16, 500,
               options=["--queue", "sql"], worker_options=["--prefetch", "184"],
               note="task, run, order, session and event log are kept (7 rows per job); every write carries its epoch; "
                    "200 in hand at most, claims of 100, completions grouped"),
        System("shopfloor-redis", "Shopfloor, Redis queue", "postgres", "disk", rust["ours"], 16, 500, with_redis=True,
               options=["--queue", "redis"], worker_options=["--prefetch", "184"],
               note="the same record; Redis ranks ids and wakes workers, projects take turns"),
        System("shopfloor-queue", "Shopfloor, Redis dispatch alone", "redis", "second", rust["ours"], 64, 500,
               options=["--queue", "redis-alone"], worker_options=["--prefetch", "112"],
               note="no record and no SQL: the same moves (publish, claim, wake-up, release), the payload in a hash beside "
                    "them, written in the publishing call, fetched once per batch, deleted at completion; leases, epochs and "
                    "attempts are the record's, so an order is lost when its process dies"),
        System("graphile-worker", "graphile_worker (Rust)", "postgres", "disk", rust["graphile-worker"], 16, 500,
               note="local queue of 100, completions batched for 5 ms; finished jobs are deleted"),
        System("apalis-postgres", "apalis-postgres", "postgres", "disk", rust["apalis-postgres"], 16, 500,
               note="batches of 64, no locks, no results, LISTEN plus a poll of 100 ms"),
        System("apalis-redis", "apalis-redis", "redis", "second", rust["apalis-redis"], 7, 500,
               note="batches of 64, no locks, no results, poll of 10 ms; its worker ends with an error when it finds a longer "
                    "backlog than about 8,000 (`too many results to unpack`)"),
        System("bullmq", "BullMQ", "redis", "second", ["node", str(HERE / "peers/node/drive_bullmq.mjs")], 16, 500,
               processes=2, environment=node, note="2 processes with concurrency 8, removeOnComplete"),
        System("sidekiq", "Sidekiq 6.4", "redis", "second", ["ruby", str(HERE / "peers/ruby/drive_sidekiq.rb")], 16,
               500, processes=2, says_ready=False, note="2 processes with 8 threads; a job is lost when its process dies"),
        System("rq", "RQ", "redis", "second", python(cache, "rq"), 3, 500, processes=16,
               note="16 workers that do not fork, no results"),
        System("celery", "Celery", "redis", "second", python(cache, "celery"), 6, None, processes=2, says_ready=False,
               note="2 processes with 8 threads, prefetch 8, early acknowledgement: a job is lost when its process dies"),
        System("dramatiq", "dramatiq", "redis", "second", python(cache, "dramatiq"), 6, None, says_ready=False,
               note="2 processes with 8 threads"),
        System("arq", "arq", "redis", "second", python(cache, "arq"), 4, None, processes=2,
               note="2 processes with 8 jobs, poll of 10 ms, no results"),
        System("saq", "SAQ", "redis", "second", python(cache, "saq"), 6, None, processes=2,
               note="2 processes with 8 jobs, no results"),
        System("taskiq", "taskiq", "redis", "second", python(cache, "taskiq"), 8, None, says_ready=False,
               note="list broker: a job is lost when its process dies; 2 processes with 8 tasks"),
    ]


RUST = ["ours", *RUST_PEERS]
