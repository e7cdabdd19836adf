"""What only Shopfloor is asked: does a dead worker's work run again in time, does a long backlog slow claims down, what does
an order cost in Redis, and what happens when Redis is emptied?"""

import itertools
import json
import os
import signal
import statistics
import time

from .measure import Failed, Round, percentile


def rescue(servers, system, orders, times):
    """Seconds from the death of a worker to the new start of each order it held."""
    seconds = []
    for _ in range(times):
        with Round(servers, system, None) as this:
            this.reset()
            system_slots = ["--slots", str(orders)]
            victim = this.spawn_worker([*system_slots, "--hold", "1"])
            this.enqueue(orders, orders)
            this.wait_started(orders)
            this.spawn_worker([*system_slots, "--rescue", "1"])
            time.sleep(0.5)
            killed = time.time_ns()
            os.killpg(victim.pid, signal.SIGKILL)
            victim.wait()
            this.workers.remove(victim)
            this.wait_started(2 * orders)
            seconds += [(start - killed) / 1e9 for _, start in this.records() if start > killed]
    return {"orders": len(seconds), "p50_s": statistics.median(seconds), "p99_s": percentile(seconds, 0.99)}


#: How long filling a long backlog, or waiting for Redis to be filled from it, may take.
LONG = 900.0


def used(servers):
    """Bytes of Redis in use."""
    lines = servers.redis("INFO", "memory").splitlines()
    return int(next(line.split(":")[1] for line in lines if line.startswith("used_memory:")))


def growth(servers, system, sizes, claims):
    """One backlog that grows, submitted in bulk by four clients through the queue on Redis and looked at by both queues: the
    record is the same. At each size: claims of one order, bytes of Redis, and how it gets over FLUSHALL."""
    rows, have = [], 0
    with Round(servers, system, None) as this:
        this.reset()
        empty = used(servers)
        for size in sizes:
            speed = this.enqueue(size - have, 500, "--clients", 4, patience=LONG)
            have = size
            row = {"backlog": size, "submit_bulk": speed, "bytes_per_order": (used(servers) - empty) / size}
            servers.checkpoint(system.store)
            for queue in ("redis", "sql"):
                times = this.drive("claims", "--n", claims, "--queue", queue, patience=LONG)["milliseconds"]
                row[f"{queue}_claim_p50_ms"] = statistics.median(times)
                row[f"{queue}_claim_p99_ms"] = percentile(times, 0.99)
            rows.append({**row, **emptied(servers, this)})
    return rows


def emptied(servers, this):
    """FLUSHALL while somebody claims one order after another: seconds until dispatch goes on without Redis, the longest
    pause between two claims from then on, and seconds until Redis is complete and dispatch goes through it again."""
    claimer = this.spawn("through", "--patience", int(LONG))
    try:
        this.wait_ready(claimer)
        time.sleep(1.0)
        flushed = time.time_ns()
        servers.redis("FLUSHALL")
        said, _ = claimer.communicate(timeout=LONG + 30)
    finally:
        if claimer.poll() is None:
            claimer.kill()
    if claimer.returncode:
        raise Failed(f"{this.system.name} through: ended with {claimer.returncode}")
    claims = json.loads(said.splitlines()[-1])["claims"]
    after = [(end, through) for _, end, through in claims if end > flushed]
    left = next((at for at, (_, through) in enumerate(after) if not through), None)
    if left is None or not after[-1][1]:
        raise Failed(f"{this.system.name}: dispatch did not leave Redis and come back within {LONG:.0f} s")
    ends = [flushed, *(end for end, _ in after)]
    return {
        "flush_resumed_s": (after[left][0] - flushed) / 1e9,
        "flush_pause_s": max(later - sooner for sooner, later in itertools.pairwise(ends)) / 1e9,
        "flush_complete_s": (after[-1][0] - flushed) / 1e9,
    }


STATEMENTS = """
SELECT round(calls::numeric / {n}, 3), round((total_exec_time * 1000 / {n})::numeric, 1),
       round((wal_bytes / {n})::numeric), left(regexp_replace(query, '\\s+', ' ', 'g'), 110)
FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid AND d.datname = 'bench'
WHERE query NOT LIKE '%pg_stat_statements%' ORDER BY total_exec_time DESC LIMIT 30
"""


def statements(servers, system, n):
    """Where PostgreSQL's time goes per job, for submitting one by one and for claiming and completing; as text."""
    shown = []
    with Round(servers, system, None) as this:
        this.reset()
        for what in ("submit one by one", "claim and complete"):
            servers.sql("SELECT pg_stat_statements_reset()")
            if what == "submit one by one":
                this.enqueue(n, 1)
            else:
                this.start_workers()
                this.wait_started(n)
            shown += [f"{system.name}: {what}", "calls|us|WAL bytes, each per job|statement"]
            shown += [servers.sql(STATEMENTS.format(n=n)), ""]
    return "\n".join(shown)
