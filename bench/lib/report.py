"""Writes docs/benchmarks.md and its plots from the raw figures."""

import os
import platform
import shutil
import statistics
from pathlib import Path

from .measure import SLOTS
from .plot import bars
from .servers import POSTGRES_SETTINGS, REDIS_SETTINGS
from .systems import CLASSES

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
PLOTS = {
    "work": "Claim and complete, jobs per second (more is better)",
    "enqueue_bulk": "Submit in bulk, jobs per second (more is better)",
    "idle_p99_ms": "Submission to start on an idle fleet, p99 in ms (less is better)",
    "load_p99_ms": "Submission to start at 70 % load, p99 in ms (less is better)",
}


def machine(servers):
    """The machine, in words that fit any other of its kind."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = platform.freedesktop_os_release()
    node = shutil.which("node")
    return {
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
        rows.append(f"| {'**' + title + '**' if name == ours else title} | " + " | ".join(cells) + " |")
    return rows


def verdicts(results, names, middle, ours):
    """Where ours loses within its class, in plain words."""
    lines = []
    for key, heading, more, _ in FIGURES:
        mine = middle[ours].get(key)
        better = [n for n in names if n != ours and middle[n].get(key) is not None and mine is not None
                  and (middle[n][key] > mine) == more and middle[n][key] != mine]
        if better:
            best = (max if more else min)(better, key=lambda n: middle[n][key])
            factor = middle[best][key] / mine if more else mine / middle[best][key]
            who = ", ".join(results["about"][n]["title"] for n in better)
            lines.append(f"- {heading}: behind {who}; the best is {factor:.1f} × better.")
    return lines or ["- Nowhere in this class."]


def ours_of(names):
    """The system of ours that a class is compared with."""
    mine = [name for name in names if name.startswith("shopfloor")]
    return mine[0] if mine else None


def write(docs, results):
    """Writes everything."""
    (docs / "benchmarks").mkdir(parents=True, exist_ok=True)
    middle = {name: medians(rounds) for name, rounds in results["systems"].items() if rounds}
    box = results["machine"]
    out = (Path(__file__).resolve().parent.parent / "benchmarks.head.md").read_text().splitlines()
    settings = {"postgres": POSTGRES_SETTINGS, "redis": REDIS_SETTINGS}
    shown = {which: ", ".join(f"`{k}={v}`" for k, v in all_.items() if v and "preload" not in k)
             for which, all_ in settings.items()}
    out += [
        "", "## The machine and the rules", "",
        f"{box['cores']} cores, {box['memory_gb']} GB, {box['system']}, Linux {box['kernel']}; PostgreSQL "
        f"{box['postgres']}, Redis {box['redis']}, Python {box['python']}, Node {box['node']}. Medians of "
        f"{results['rounds']} rounds in one session, the systems in turn; the load average before the session was "
        f"{box['load_before']}. Figures of different machines or sessions must not be compared; ratios within one may.", "",
        f"PostgreSQL: {shown['postgres']}. Redis: {shown['redis']}. Worker slots: {SLOTS} for everybody.",
        "", "In brackets: how many times better Shopfloor is (below 1: worse).",
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
        if ours in names:
            out += ["", "Where Shopfloor is behind:", "", *verdicts(results, names, middle, ours)]
    out += ["", "## The floor", ""]
    floors = {key: statistics.median(values) for key, values in results["floors"].items() if values}
    out += [f"- Redis: {number(floors.get('redis'), 0)} jobs/s as one script of four commands each, 16 clients.",
            f"- PostgreSQL: {number(floors.get('postgres'), 0)} jobs/s as three durable transactions each (insert, claim, "
            "delete), 16 clients."]
    for name, figures in results.get("ours", {}).items():
        out += ["", f"## {results['about'][name]['title']} alone", "", *alone(figures)]
    out += ["", "## How each was run", ""]
    out += [f"- **{about['title']}**: {about['note']}; {results_backlog(results, name)} jobs"
            + (f", bulk calls of {about['bulk']}." if about["bulk"] else ", no bulk call.")
            for name, about in results["about"].items() if name in middle]
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


def alone(figures):
    """What only Shopfloor was asked."""
    rescue = figures["rescue"]
    lines = [f"- From the death (`kill -9`) of a worker to the new start of what it held: p50 {rescue['p50_s']:.1f} s, "
             f"p99 {rescue['p99_s']:.1f} s ({rescue['orders']} orders).", "",
             "| backlog | submit, in bulk /s | claim p50, ms | claim p99, ms |", "|---|---|---|---|"]
    for row in figures["growth"]:
        lines.append(f"| {row['backlog']:,} | {row['submit_bulk']:,.0f} | {row['claim_p50_ms']:.2f} | "
                     f"{row['claim_p99_ms']:.2f} |")
    return lines


def results_backlog(results, name):
    """How many jobs the backlog had."""
    return f"{results['systems'][name][0]['backlog']:,}"
