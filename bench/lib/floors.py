"""The floor: what the stores themselves do when asked for an equally sized piece of work, without any queue on top."""

import re
import subprocess

from .measure import SLOTS

#: Enqueue, claim and complete one job of 112 bytes: a list and a lease set.
REDIS_SCRIPT = (
    "redis.call('LPUSH', KEYS[1], ARGV[1]) local job = redis.call('RPOP', KEYS[1]) "
    "redis.call('ZADD', KEYS[2], 1, job) return redis.call('ZREM', KEYS[2], job)"
)
#: The least that a durable queue does: insert and commit, claim and commit, delete and commit. Each client takes what it put
#: in: with SKIP LOCKED one of them would now and then find nothing, and pgbench takes that for a failure.
PGBENCH_SCRIPT = """
INSERT INTO floor (payload) VALUES (repeat('x', 112)) RETURNING id \\gset
UPDATE floor SET claimed = true WHERE id = :id AND NOT claimed;
DELETE FROM floor WHERE id = :id;
"""


def redis_floor(servers, n):
    """Scripts per second, one job each."""
    servers.redis("FLUSHALL")
    command = ["redis-benchmark", "-p", str(servers.redis_port), "-n", str(n), "-c", str(SLOTS), "--csv", "EVAL"]
    command += [REDIS_SCRIPT, "2", "floor", "floor-leases", "x" * 112]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(ran.stdout.strip().splitlines()[-1].split('","')[1].strip('"'))


def postgres_floor(servers, seconds):
    """Jobs per second, three transactions each."""
    servers.reset("postgres")
    servers.sql("CREATE TABLE floor (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload text NOT NULL, "
                "claimed boolean NOT NULL DEFAULT false); CREATE INDEX ON floor (id) WHERE NOT claimed")
    script = servers.dir / "floor.sql"
    script.write_text(PGBENCH_SCRIPT)
    servers.checkpoint("postgres")
    command = [servers.bin / "pgbench", "-n", "-M", "prepared", "-c", str(SLOTS), "-j", "2", "-T", str(seconds)]
    command += ["-h", "127.0.0.1", "-p", str(servers.postgres_port), "-U", "bench", "-f", script, "bench"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(re.search(r"tps = ([0-9.]+)", ran.stdout).group(1))
