"""Driving one system through one round."""

import json
import os
import select
import shutil
import signal
import statistics
import struct
import subprocess
import time

SLOTS = 16
#: A round that takes longer than this is given up and reported as failed.
PATIENCE = 120.0


class Failed(Exception):
    """A driver did not do what it should."""


class Round:
    """One system, one round: its folder and its processes."""

    def __init__(self, servers, system, sizes):
        self.servers, self.system, self.sizes = servers, system, sizes
        self.out = servers.dir / "out"
        self.workers = []

    def __enter__(self):
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()
        return self

    def __exit__(self, *_):
        self.stop_workers()

    def command(self, *words):
        """A driver's command line."""
        url = self.servers.url(self.system.store)
        common = ["--url", url, "--out", str(self.out), *self.system.options]
        if self.system.with_redis:
            common += ["--redis-url", self.servers.url("redis")]
        return [*self.system.driver, words[0], *common, *map(str, words[1:])]

    def environment(self):
        """What every driver finds in its environment."""
        return {**os.environ, "BENCH_OUT": str(self.out), "RUST_LOG": "error", **self.system.environment}

    def drive(self, *words, patience=PATIENCE):
        """Runs a driver to its end and returns what it said."""
        ran = subprocess.run(self.command(*words), capture_output=True, text=True, env=self.environment(),
                             timeout=patience, check=False)
        if ran.returncode:
            raise Failed(f"{self.system.name} {words[0]}: {ran.stderr.strip()[-800:]}")
        lines = [line for line in ran.stdout.splitlines() if line.startswith("{")]
        return json.loads(lines[-1]) if lines else {}

    def reset(self):
        """Empties and sets up the store."""
        self.servers.reset(self.system.store)
        self.drive("setup")
        self.servers.checkpoint(self.system.store)

    def enqueue(self, n, bulk, *options, patience=PATIENCE):
        """Submits and returns jobs per second."""
        done = self.drive("enqueue", "--n", n, "--bulk", bulk, *options, patience=patience)
        return done["n"] / done["seconds"]

    def start_workers(self):
        """Starts the fleet: the slots divided among its processes."""
        slots = SLOTS // self.system.processes
        for _ in range(self.system.processes):
            self.spawn_worker(["--slots", slots, *self.system.worker_options], wait=False)
        for worker in self.workers:
            self.wait_ready(worker)

    def spawn(self, *words):
        """Starts a driver, in a process group of its own."""
        with open(self.servers.dir / f"{self.system.name}.log", "ab") as log:
            return subprocess.Popen(self.command(*words), stdout=subprocess.PIPE, stderr=log, env=self.environment(),
                                    start_new_session=True)

    def spawn_worker(self, options, wait=True):
        """Starts one process of the fleet."""
        worker = self.spawn("worker", *options)
        self.workers.append(worker)
        if wait:
            self.wait_ready(worker)
        return worker

    def wait_ready(self, worker):
        """Waits for the line that says so, where there is one."""
        if not self.system.says_ready:
            return
        if not select.select([worker.stdout], [], [], 30)[0] or not worker.stdout.readline():
            raise Failed(f"{self.system.name}: a worker did not become ready")

    def stop_workers(self):
        """Ends the fleet."""
        for how, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            for worker in self.workers:
                try:
                    os.killpg(worker.pid, how)
                except ProcessLookupError:
                    pass
            end = time.monotonic() + seconds
            while time.monotonic() < end and any(worker.poll() is None for worker in self.workers):
                time.sleep(0.02)
        self.workers = []

    def started(self):
        """How many jobs have started."""
        return sum(path.stat().st_size for path in self.out.glob("*.bin")) // 16

    def records(self):
        """(submitted, started) of every job, in nanoseconds, in the order of their starts."""
        records = []
        for path in self.out.glob("*.bin"):
            records += struct.iter_unpack("<QQ", path.read_bytes())
        return sorted(records, key=lambda record: record[1])

    def wait_started(self, n):
        """Waits until `n` jobs have started."""
        end = time.monotonic() + PATIENCE
        while self.started() < n:
            if time.monotonic() > end:
                raise Failed(f"{self.system.name}: {self.started()} of {n} jobs ran within {PATIENCE:.0f} s")
            dead = [worker.returncode for worker in self.workers if worker.poll() is not None]
            if dead:
                raise Failed(f"{self.system.name}: a worker ended with {dead[0]}")
            time.sleep(0.01)
        time.sleep(0.3)
        if self.started() > n:
            raise Failed(f"{self.system.name}: {self.started()} starts of {n} jobs")

    def paced(self, rate, n):
        """Submits evenly and returns each job's time from submission to start, in milliseconds."""
        before = self.started()
        submitted = self.drive("paced", "--rate", f"{rate:.3f}", "--n", n)
        self.wait_started(before + n)
        times = [(start - submit) / 1e6 for submit, start in self.records()[-n:]]
        return times, n / submitted["seconds"]


def percentile(values, part):
    """The value below which `part` of them lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def measure(servers, system, sizes):
    """One round of one system; every figure it is compared by."""
    with Round(servers, system, sizes) as this:
        backlog = max(200, int(system.backlog * 1000 * sizes.scale))
        figures = {"backlog": backlog}
        this.reset()
        single = backlog if system.bulk is None else max(200, min(backlog, int(4000 * sizes.scale)))
        figures["enqueue_single"] = this.enqueue(single, 1)
        if system.bulk is not None:
            this.reset()
            figures["enqueue_bulk"] = this.enqueue(backlog, system.bulk)
        servers.checkpoint(system.store)
        this.start_workers()
        this.wait_started(backlog)
        # Without the first third: not every process of a fleet is there from the first job on.
        starts = [start for _, start in this.records()][backlog // 3:]
        figures["work"] = (len(starts) - 1) / ((starts[-1] - starts[0]) / 1e9)
        servers.checkpoint(system.store)
        idle, _ = this.paced(23.0, sizes.idle)
        figures["idle_p50_ms"] = statistics.median(idle)
        figures["idle_p99_ms"] = percentile(idle, 0.99)
        rate = 0.7 / (1 / figures["enqueue_single"] + 1 / figures["work"])
        loaded, reached = this.paced(rate, max(50, int(rate * sizes.load_seconds)))
        # The first tenth warms up.
        loaded = loaded[len(loaded) // 10:]
        figures.update(load_rate=rate, load_reached=reached)
        figures["load_p50_ms"] = statistics.median(loaded)
        figures["load_p99_ms"] = percentile(loaded, 0.99)
        return figures
