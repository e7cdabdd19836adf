"""Writes docs/benchmarks.md and its plots from the raw figures."""

import os
import platform
import shutil
import statistics
from pathlib import Path

from .bars import bars_met
from .measure import SLOTS
from .plot import bars
from .servers import POSTGRES_SETTINGS, REDIS_SETTINGS
from .systems import CLASSES, FIGURES

HERE = Path(__file__).resolve().parent.parent

PLOTS = {
    "work": "Claim and complete, jobs per second (more is better)",
    "enqueue_bulk": "Submit in bulk, jobs per second (more is better)",
    "idle_p99_ms": "Submission to start on an idle fleet, p99 in ms (less is better)",
    "load_p99_ms": "Submission to start at 70 % load, p99 in ms (less is better)",
}


def processor():
    """The model of the processor."""
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def machine(servers):
    """The machine, in words that fit any other of its kind."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = platform.freedesktop_os_release()
    node = shutil.which("node")
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory),
        "system": f"{system.get('NAME', 'Linux')} {system.get('VERSION_ID', '')}".strip(),
        "kernel": ".".join(platform.release().split(".")[:2]),
        "python": platform.python_version(),
        "node": os.popen("node --version").read().strip().lstrip("v") if node else None,
        "postgres": servers.sql("SHOW server_version", "postgres").split(" ")[0],
        "redis": next(line.split(":")[1] for line in servers.redis("INFO", "server").splitlines()
                      if line.startswith("redis_version")),
        "load_before": round(os.getloadavg()[0], 1),
    }


def about(systems):
    """What the document says about each system."""
    return {s.name: {"title": s.title, "durability": s.durability, "note": s.note, "bulk": s.bulk} for s in systems}


def medians(rounds):
    """The median of each figure over the rounds."""
    keys = {key for figures in rounds for key in figures}
    return {key: statistics.median(f[key] for f in rounds if key in f) for key in keys}


def number(value, digits):
    """A figure for people."""
    return "–" if value is None else f"{value:,.{digits}f}"


def ratio(ours, theirs, more_is_better):
    """How many times better ours is."""
    if ours is None or theirs is None or not ours or not theirs:
        return ""
    times = ours / theirs if more_is_better else theirs / ours
    return f" ({times:.2f}×)"


def table(results, names, middle, ours):
    """One table: a row per system, each figure with how many times better ours is."""
    rows = ["| system | " + " | ".join(heading for _, heading, _, _ in FIGURES) + " |"]
    rows.append("|---" * (len(FIGURES) + 1) + "|")
    for name in names:
        cells = []
        for key, _, more, digits in FIGURES:
            mine, value = middle[ours].get(key), middle[name].get(key)
            cells.append(number(value, digits) + ("" if name == ours else ratio(mine, value, more)))
        title = results["about"][name]["title"]
        rows.append(f"| {'**' + title + '**' if name.startswith('shopfloor') else title} | " + " | ".join(cells) + " |")
    for mine in (name for name in names if name.startswith("shopfloor")):
        cells = []
        for key, _, more, _ in FIGURES:
            best = best_peer(names, middle, key, more)
            cells.append(ratio(middle[mine].get(key), best and middle[best][key], more).strip(" ()") or "–")
        rows.append(f"| *{results['about'][mine]['title']} against the best peer* | " + " | ".join(cells) + " |")
    return rows


def best_peer(names, middle, key, more):
    """The peer that is best at this."""
    peers = [name for name in names if not name.startswith("shopfloor") and middle[name].get(key) is not None]
    return (max if more else min)(peers, key=lambda name: middle[name][key]) if peers else None


def ours_of(names):
    """The system of ours that a class is compared with."""
    mine = [name for name in names if name.startswith("shopfloor")]
    return mine[0] if mine else None


def write(docs, results):
    """Writes everything."""
    (docs / "benchmarks").mkdir(parents=True, exist_ok=True)
    middle = {name: medians(rounds) for name, rounds in results["systems"].items() if rounds}
    box = results["machine"]
    out = (HERE / "benchmarks.head.md").read_text().splitlines()
    settings = {"postgres": POSTGRES_SETTINGS, "redis": REDIS_SETTINGS}
    shown = {which: ", ".join(f"`{k}={v}`" for k, v in all_.items() if v and "preload" not in k)
             for which, all_ in settings.items()}
    out += [
        "", "## The machine and the rules", "",
        f"{box['processor']}, {box['cores']} cores, {box['memory_gb']} GB, {box['system']}, Linux {box['kernel']}; PostgreSQL "
        f"{box['postgres']}, Redis {box['redis']}, Python {box['python']}, Node {box['node']}. Medians of "
        f"{results['rounds']} rounds in one session, the systems in turn; the load average before the session was "
        f"{box['load_before']}. Figures of different machines or sessions must not be compared; ratios within one may.", "",
        f"PostgreSQL: {shown['postgres']}. Redis: {shown['redis']}. Worker slots: {SLOTS} for everybody.",
        "", "In brackets beside a peer: how many times better Shopfloor's first row of the table is (below 1: worse). The row "
        "*against the best peer* compares with the best peer of each column, whoever that is.",
    ]
    for durability, meaning in CLASSES.items():
        names = [name for name in middle if results["about"][name]["durability"] == durability]
        if not names:
            continue
        ours = ours_of(names) or ours_of(middle)
        listed = names if ours in names or ours is None else [ours, *names]
        out += ["", f"## {meaning}", ""]
        if ours and ours not in names:
            out += ["For scale, the first row is Shopfloor in its own, stricter class.", ""]
        out += table(results, listed, middle, ours or names[0])
    out += ["", "## The floor", ""]
    floors = {key: statistics.median(values) for key, values in results["floors"].items() if values}
    out += [f"- Redis: {number(floors.get('redis'), 0)} jobs/s as one script of four commands each, 16 clients.",
            f"- PostgreSQL: {number(floors.get('postgres'), 0)} jobs/s as three durable transactions each (insert, claim, "
            "delete), 16 clients."]
    out += alone(results)
    out += ["", "## Bars", "", *bars_met(results, middle)]
    out += ["", "## What the limit is", "", *(HERE / "benchmarks.limits.md").read_text().splitlines()]
    out += ["", "## How each was run", ""]
    out += [f"- **{about['title']}**: {about['note']}; {results_backlog(results, name)} jobs"
            + (f", bulk calls of {about['bulk']}." if about["bulk"] else ", no bulk call.")
            for name, about in results["about"].items() if name in middle]
    out += [f"- Not measured, {name}: {why}" for name, why in results.get("missing", {}).items()]
    for failure in results["failed"]:
        out.append(f"- Failed: {failure['system']}, round {failure['round']}: {failure['why'].splitlines()[0]}")
    out += ["", "## Plots", ""]
    for key, title in PLOTS.items():
        plotted = [(results["about"][n]["title"], middle[n][key], n.startswith("shopfloor"),
                    results["about"][n]["durability"]) for n in middle if key in middle[n]]
        if plotted:
            (docs / "benchmarks" / f"{key}.svg").write_text(bars(title, plotted))
            out.append(f"![{title}](benchmarks/{key}.svg)")
    (docs / "benchmarks.md").write_text("\n".join(out) + "\n")


def alone(results):
    """What only Shopfloor was asked."""
    lines = []
    ours = results.get("ours", {})
    for name, figures in ours.items():
        if "rescue" in figures:
            rescue = figures["rescue"]
            lines += [f"- {results['about'][name]['title']}: p50 {rescue['p50_s']:.1f} s, p99 {rescue['p99_s']:.1f} s "
                      f"({rescue['orders']} orders)."]
    if lines:
        lines = ["", "## From the death of a worker (`kill -9`) to the new start of what it held", "", *lines]
    rows = [row for figures in ours.values() for row in figures.get("growth", [])]
    if rows:
        lines += ["", "## As the backlog grows", "",
                  "One record, filled by bulk submission of four clients and claimed from by both queues (one order at a time, each "
                  "handed back). Redis per order is the growth of `used_memory`. FLUSHALL comes while one worker claims "
                  "without a break: *goes on* is the first claim without Redis, *pause* the longest stretch without a claim "
                  "until Redis has been filled again from the record, *complete* when dispatch is back on it.", "",
                  "| backlog | submit /s | claim p50 / p99, Redis, ms | claim p50 / p99, SQL, ms | Redis per order, bytes | "
                  "FLUSHALL: goes on, s | pause, s | complete, s |", "|---|---|---|---|---|---|---|---|"]
        lines += [f"| {row['backlog']:,} | {row['submit_bulk']:,.0f} | {row['redis_claim_p50_ms']:.2f} / "
                  f"{row['redis_claim_p99_ms']:.2f} | {row['sql_claim_p50_ms']:.2f} / {row['sql_claim_p99_ms']:.2f} | "
                  f"{row['bytes_per_order']:.0f} | {row['flush_resumed_s']:.2f} | {row['flush_pause_s']:.2f} | "
                  f"{row['flush_complete_s']:.1f} |" for row in rows]
    return lines


def results_backlog(results, name):
    """How many jobs the backlog had."""
    return f"{results['systems'][name][0]['backlog']:,}"
