"""What only Shopfloor is asked: does a dead worker's work run again in time, does a long backlog slow claims down?"""

import os
import signal
import statistics
import time

from .measure import Round, percentile


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


def growth(servers, system, sizes):
    """Claim latency and the speed of submitting as the backlog grows."""
    rows, have = [], 0
    with Round(servers, system, None) as this:
        this.reset()
        for size in sizes:
            speed = this.enqueue(size - have, 500)
            have = size
            servers.checkpoint(system.store)
            claims = this.drive("claims", "--n", "300")["milliseconds"]
            rows.append({
                "backlog": size,
                "submit_bulk": speed,
                "claim_p50_ms": statistics.median(claims),
                "claim_p99_ms": percentile(claims, 0.99),
            })
    return rows


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
