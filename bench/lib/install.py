"""Installs the peers into a cache folder outside the clone. Does nothing when they are there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
#: One environment each: they disagree about the version of the Redis client.
PYTHON = {
    "rq": ["rq==3.0.0", "hiredis==3.5.0"],
    "celery": ["celery[redis]==5.7.0", "hiredis==3.5.0"],
    "dramatiq": ["dramatiq[redis]==2.2.1", "hiredis==3.5.0"],
    "arq": ["arq==0.28.0", "hiredis==3.5.0", "uvloop==0.23.0"],
    "saq": ["saq[redis,hiredis]==0.26.4", "typing_extensions", "uvloop==0.23.0"],
    "taskiq": ["taskiq==0.13.0", "taskiq-redis==1.2.4", "hiredis==3.5.0", "uvloop==0.23.0", "orjson==3.13.0"],
}
RUST_PEERS = ["graphile-worker", "apalis-postgres", "apalis-redis"]
NODE = {"bullmq": "6.7.0", "ioredis": "6.0.0"}


def say(text):
    """Progress, for people."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def cache_folder():
    """Where the peers are kept."""
    root = os.environ.get("SHOPFLOOR_BENCH_CACHE")
    if root is None:
        root = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "shopfloor" / "bench"
    Path(root).mkdir(parents=True, exist_ok=True)
    return Path(root).resolve()


def install_python(cache, name):
    """One virtual environment."""
    wanted = "\n".join(PYTHON[name])
    home, stamp = cache / f"venv-{name}", cache / f"venv-{name}" / "installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say(f"installing {name} from PyPI")
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    pip = [home / "bin" / "pip", "install", "-q", "--disable-pip-version-check", *PYTHON[name]]
    subprocess.run(pip, check=True)
    stamp.write_text(wanted)


def install_node(cache):
    """BullMQ and its client."""
    home = cache / "npm"
    wanted = json.dumps({"name": "bench", "private": True, "dependencies": NODE}, indent=2)
    stamp = home / "installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say("installing bullmq from npm")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    (home / "package.json").write_text(wanted)
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=home, check=True)
    stamp.write_text(wanted)


def install_debian():
    """What comes from Debian: servers, Node, Sidekiq."""
    missing = [package for program, package in (
        ("redis-server", "redis-server"), ("redis-benchmark", "redis-tools"), ("node", "nodejs"), ("npm", "npm"),
        ("sidekiq", "ruby-sidekiq"),
    ) if shutil.which(program) is None]
    if not list(Path("/usr/lib/postgresql").glob("*/bin/pgbench")) and shutil.which("pgbench") is None:
        missing.append("postgresql")
    if not missing:
        return
    if shutil.which("apt-get") is None or os.getuid() != 0:
        say(f"not installed, and cannot be installed from here: {' '.join(missing)}")
        return
    say(f"installing Debian packages: {' '.join(missing)}")
    quiet = {"check": True, "stdout": subprocess.DEVNULL}
    subprocess.run(["apt-get", "update", "-qq"], **quiet)
    apt = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    subprocess.run(apt, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, **quiet)


def install_peer(cache, name):
    """Installs a peer that is not built here; returns why it cannot be had, if so."""
    if name in PYTHON:
        install_python(cache, name)
    if name == "bullmq":
        if shutil.which("npm") is None:
            return "npm is not installed"
        install_node(cache)
    if name == "sidekiq" and shutil.which("sidekiq") is None:
        return "sidekiq is not installed"
    return None


def build(only, debug):
    """Builds the drivers written in Rust; returns the folder of the programs, and why others are not there."""
    say(f"building the drivers ({'debug' if debug else 'release'})")
    command = ["cargo", "build", "--locked", *([] if debug else ["--release"])]
    missing = {}
    # All at once, so that they share their dependencies; one by one only to find out which of them cannot be built.
    if subprocess.run([*command, "--workspace"], cwd=HERE, check=False).returncode:
        subprocess.run([*command, "-p", "shopfloor-bench-ours"], cwd=HERE, check=True)
        for name in RUST_PEERS:
            if not only or name in only:
                built = subprocess.run([*command, "-p", f"shopfloor-bench-{name}"], cwd=HERE, check=False)
                if built.returncode:
                    missing[name] = "cargo cannot build it"
    target = os.environ.get("CARGO_TARGET_DIR")
    return (Path(target) if target else HERE / "target") / ("debug" if debug else "release"), missing
