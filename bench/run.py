#!/usr/bin/env python3
"""Measures Shopfloor and its peers in one session on one machine and writes docs/benchmarks.md.

    bench/run.py                     # everything, 5 rounds
    bench/run.py --only shopfloor-sql,graphile-worker --rounds 3
    bench/run.py --quick             # a few hundred jobs each: does it run?
"""

import argparse
import json
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

from lib import extras, floors, install, report
from lib.measure import Failed, measure
from lib.servers import Servers
from lib.systems import systems

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Sizes:
    """How much is measured."""

    #: Of every system's backlog.
    scale: float
    #: Jobs on an idle fleet.
    idle: int
    #: Seconds under 70 % load.
    load_seconds: float
    #: Scripts for Redis's floor and seconds for PostgreSQL's.
    redis_floor: int
    postgres_floor: int
    #: Ours only: orders and deaths for the rescue, sizes of the growing backlog, claims looked at for each.
    rescue: tuple
    growth: list
    claims: int


FULL = Sizes(scale=1.0, idle=100, load_seconds=4.0, redis_floor=100_000, postgres_floor=4,
             rescue=(16, 4), growth=[10_000, 100_000, 1_000_000], claims=500)
QUICK = Sizes(scale=0.05, idle=10, load_seconds=0.5, redis_floor=2_000, postgres_floor=1,
              rescue=(4, 1), growth=[500], claims=20)


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds over all systems (default 5)")
    parser.add_argument("--only", default="", help="names of systems, separated by commas")
    parser.add_argument("--quick", action="store_true", help="one tiny round of debug builds; fails when one of ours does not run")
    parser.add_argument("--growth", default="", help="sizes of our own growing backlog, separated by commas; 0 for none")
    parser.add_argument("--statements", action="store_true", help="only show what each asks PostgreSQL for per job")
    parser.add_argument("--binaries", type=Path, help="a folder with the built drivers; without it they are built")
    parser.add_argument("--raw", type=Path, help="where the raw figures go (default docs/benchmarks/results.json)")
    parser.add_argument("--no-report", action="store_true", help="write the raw figures only")
    parser.add_argument("--report-only", action="store_true", help="rewrite the document from the raw figures")
    return parser.parse_args()


def prepare(only, binaries, debug):
    """Installs and builds what is needed; returns the systems, and why others cannot be had here."""
    cache = install.cache_folder()
    install.install_debian()
    folder, missing = (binaries, {}) if binaries else install.build(only, debug)
    chosen = []
    for system in systems(cache, folder):
        if only and system.name not in only:
            continue
        try:
            why = missing.get(system.name) or install.install_peer(cache, system.name)
        except (subprocess.CalledProcessError, OSError) as error:
            why = str(error)
        if why:
            install.say(f"{system.name} cannot be had here: {why}")
            missing[system.name] = why
        else:
            chosen.append(system)
    return chosen, missing


def ours_only(servers, chosen, sizes, failed):
    """What only Shopfloor is asked."""
    figures = {}
    with_record = [system for system in chosen if system.is_ours and system.store == "postgres"]
    asked = [(system, "rescue", lambda system: extras.rescue(servers, system, *sizes.rescue)) for system in with_record]
    # Both queues look at the same record.
    asked += [(system, "growth", lambda system: extras.growth(servers, system, sizes.growth, sizes.claims))
              for system in with_record if system.with_redis and sizes.growth]
    for system, what, ask in asked:
        begin = time.monotonic()
        try:
            figures.setdefault(system.name, {})[what] = ask(system)
        except (Failed, subprocess.TimeoutExpired, RuntimeError) as error:
            failed.append({"round": 0, "system": system.name, "why": f"{what}: {error}"})
            install.say(f"{system.name} FAILED: {what}: {error}")
            continue
        install.say(f"{system.name}: {what} ({time.monotonic() - begin:.0f} s) {json.dumps(figures[system.name][what])}")
    return figures


def main():
    """Prepares, measures, reports."""
    args = arguments()
    raw = args.raw or ROOT / "docs" / "benchmarks" / "results.json"
    if args.report_only:
        report.write(ROOT / "docs", json.loads(raw.read_text()))
        return 0
    sizes, rounds = (QUICK, 1) if args.quick else (FULL, args.rounds)
    if args.growth:
        sizes = replace(sizes, growth=[int(size) for size in args.growth.split(",") if int(size)])
    chosen, missing = prepare([name for name in args.only.split(",") if name], args.binaries, args.quick)
    if args.statements:
        with Servers() as servers:
            for system in (system for system in chosen if system.store == "postgres"):
                print(extras.statements(servers, system, 3000))
        return 0
    results = {"systems": {s.name: [] for s in chosen}, "floors": {"redis": [], "postgres": []}, "failed": []}
    with Servers() as servers:
        results["machine"] = report.machine(servers)
        results["rounds"] = rounds
        for number in range(rounds):
            results["floors"]["redis"].append(floors.redis_floor(servers, sizes.redis_floor))
            results["floors"]["postgres"].append(floors.postgres_floor(servers, sizes.postgres_floor))
            # In turn, the order reversed every second round, so that slow drifts of the machine hit everybody alike.
            for system in chosen if number % 2 == 0 else chosen[::-1]:
                begin = time.monotonic()
                try:
                    figures = measure(servers, system, sizes)
                except (Failed, subprocess.TimeoutExpired, RuntimeError) as error:
                    results["failed"].append({"round": number + 1, "system": system.name, "why": str(error)})
                    install.say(f"round {number + 1}: {system.name} FAILED: {error}")
                    if not isinstance(error, Failed):
                        traceback.print_exc()
                    continue
                results["systems"][system.name].append(figures)
                shown = "  ".join(f"{key} {value:.1f}" for key, value in figures.items())
                install.say(f"round {number + 1}: {system.name} ({time.monotonic() - begin:.0f} s)  {shown}")
        results["ours"] = ours_only(servers, chosen, sizes, results["failed"])
    results.update(about=report.about(chosen), missing=missing)
    if not args.quick or args.raw:
        raw.parent.mkdir(parents=True, exist_ok=True)
        raw.write_text(json.dumps(results, indent=1) + "\n")
        if not args.no_report and not args.quick:
            report.write(ROOT / "docs", results)
    # What a peer fails at is reported; the quick run is there to show that ours runs.
    ours = {system.name for system in chosen if system.is_ours}
    return 1 if any(failure["system"] in ours or not args.quick for failure in results["failed"]) else 0


if __name__ == "__main__":
    sys.exit(main())
