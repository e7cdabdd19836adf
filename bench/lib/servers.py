"""Private servers for one run: PostgreSQL and Redis, with the durability stated in the report, the same for everybody."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

POSTGRES_SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "max_connections": "200",
    "shared_preload_libraries": "pg_stat_statements",
}
REDIS_SETTINGS = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "save": ""}


def free_port():
    """A TCP port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def postgres_programs():
    """The folder of the newest PostgreSQL's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        raise SystemExit("bench: PostgreSQL is not installed (Debian: apt-get install postgresql)")
    return Path(on_path).parent


class Servers:
    """Both servers, in a folder that goes away with them."""

    def __init__(self):
        self.dir = Path(tempfile.mkdtemp(prefix="shopfloor-bench-"))
        self.dir.chmod(0o755)
        self.bin = postgres_programs()
        self.processes = []
        # PostgreSQL refuses to run as root.
        self.account = pwd.getpwnam("postgres") if os.getuid() == 0 else None

    def __enter__(self):
        try:
            self.start_postgres()
            self.start_redis()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process, how in reversed(self.processes):
            process.send_signal(how)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def spawn(self, command, stop, account=None):
        """Starts a server in the background."""
        log = open(self.dir / f"{Path(command[0]).name}.log", "ab")
        ids = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **ids)
        self.processes.append((process, stop))
        return process

    def start_postgres(self):
        """PostgreSQL with full durability."""
        data = self.dir / "postgres"
        data.mkdir()
        ids = {}
        if self.account:
            os.chown(data, self.account.pw_uid, self.account.pw_gid)
            ids = {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}
        initdb = [self.bin / "initdb", "-D", data / "data", "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd="/", **ids)
        self.postgres_port = free_port()
        options = [f"-c{name}={value}" for name, value in POSTGRES_SETTINGS.items()]
        options += ["-k", str(data), "-p", str(self.postgres_port), "-h", "127.0.0.1"]
        self.spawn([str(self.bin / "postgres"), "-D", str(data / "data"), *options], signal.SIGINT, self.account)
        ready = [self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.postgres_port)]
        wait_for("PostgreSQL", lambda: subprocess.run(ready).returncode == 0)

    def start_redis(self):
        """Redis with an append-only file that is flushed every second."""
        program = shutil.which("redis-server")
        if program is None:
            raise SystemExit("bench: Redis is not installed (Debian: apt-get install redis-server)")
        data = self.dir / "redis"
        data.mkdir()
        self.redis_port = free_port()
        options = [word for name, value in REDIS_SETTINGS.items() for word in (f"--{name}", value)]
        options += ["--port", str(self.redis_port), "--bind", "127.0.0.1", "--dir", str(data)]
        self.spawn([program, *options], signal.SIGTERM)
        wait_for("Redis", lambda: self.redis("PING") == "PONG")

    def url(self, store):
        """Where a driver connects."""
        if store == "redis":
            return f"redis://127.0.0.1:{self.redis_port}/0"
        return f"postgres://bench@127.0.0.1:{self.postgres_port}/bench"

    def redis(self, *command):
        """Runs one Redis command."""
        cli = ["redis-cli", "-p", str(self.redis_port), *command]
        return subprocess.run(cli, capture_output=True, text=True, check=False).stdout.strip()

    def sql(self, text, database="bench"):
        """Runs SQL."""
        psql = [self.bin / "psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"]
        psql += ["-p", str(self.postgres_port), "-U", "bench", "-d", database, "-c", text]
        ran = subprocess.run(psql, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise RuntimeError(f"psql: {ran.stderr.strip()}")
        return ran.stdout.strip()

    def reset(self, store):
        """An empty store, its leftovers on disk: nobody pays for what the one before wrote."""
        self.redis("FLUSHALL")
        self.sql("DROP DATABASE IF EXISTS bench WITH (FORCE)", "postgres")
        if store == "postgres":
            self.sql("CREATE DATABASE bench", "postgres")
            self.sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            self.sql("CREATE EXTENSION IF NOT EXISTS hstore")

    def checkpoint(self, store):
        """Writes back what is dirty, so that no measured stretch pays for the one before it."""
        if store == "postgres":
            self.sql("CHECKPOINT")


def wait_for(what, done, seconds=30.0):
    """Waits until `done()` is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if done():
                return
        time.sleep(0.02)
    raise RuntimeError(f"waited in vain for {what}")
