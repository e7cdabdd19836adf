#!/usr/bin/env python3
"""Shows that the campaign of faults can fail: breaks the program on purpose, one guard at a time, and runs seeds until one
notices.

All mutations are built into one binary, from a copy of the sources; CHAOS_MUTATION chooses one of them, and without it
the copy is the program as it is. What came of it is written in docs/faults.md.

    scripts/chaos-mutations.py              every mutation, seeds 1 to 5
    scripts/chaos-mutations.py -s 8 no-limit    one of them, seeds 1 to 8
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ORDERS = "shared/store/src/orders"


def on(name):
    """The Rust expression that says whether this mutation is chosen."""
    return f'std::env::var("CHAOS_MUTATION").is_ok_and(|chosen| chosen == "{name}")'


def without(name, sql, guard, instead=""):
    """The Rust expression of an SQL text without one of its guards."""
    return f'{sql}.replace("{guard}", if {on(name)} {{ "{instead}" }} else {{ "{guard}" }})'


def grant():
    text = "sql"
    for name, guard, instead in [
        ("claim-without-lock", "FOR UPDATE SKIP LOCKED", ""),
        ("no-limit", "AND (SELECT count(*) FROM projects WHERE max_concurrency IS NOT NULL) = 0", ""),
        ("no-limit", "AND (SELECT p.max_concurrency FROM projects p WHERE p.id = o.project_id) IS NULL", ""),
        ("same-epoch", "epoch = o.epoch + 1", "epoch = greatest(o.epoch, 1)"),
    ]:
        text = without(name, text, guard, instead)
    return text


# name: what is broken
MUTATIONS = {
    "stale-completion": "a completion is accepted whatever epoch it shows",
    "stale-step": "a step's write is accepted whatever epoch it shows, while anybody holds the order",
    "claim-without-lock": "claims neither lock what they choose nor pass by what others have locked",
    "no-limit": "the one statement of a claim does not ask for the project's limit",
    "same-epoch": "a claim after the first one does not raise the epoch",
    "lost-answer": "an order is parked though its question was answered meanwhile",
    "no-reconcile": "nothing publishes what was committed and not pushed",
}

# file, text that occurs once, what stands there instead
EDITS = [
    (
        f"{ORDERS}/complete.rs",
        "Statement::from_sql_and_values(db.get_database_backend(), COMPLETE, values)",
        "Statement::from_sql_and_values(db.get_database_backend(), "
        + without("stale-completion", "COMPLETE", "AND o.epoch = g.epoch")
        + ", values)",
    ),
    (
        f"{ORDERS}/lock.rs",
        "order.epoch == fence.epoch)",
        f"(order.epoch == fence.epoch || {on('stale-step')}))",
    ),
    (
        f"{ORDERS}/grant.rs",
        "Statement::from_sql_and_values(db.get_database_backend(), sql, values)",
        f"Statement::from_sql_and_values(db.get_database_backend(), {grant()}, values)",
    ),
    (
        f"{ORDERS}/finish.rs",
        "let event = if waits(tx, order.id).await?",
        f"let event = if waits(tx, order.id).await? || {on('lost-answer')}",
    ),
    (
        "orchestrator/src/loops/reconcile.rs",
        "let drift =",
        f"if {on('no-reconcile')} {{ return Ok(Work::default()); }}\n        let drift =",
    ),
]


def run(command, **options):
    return subprocess.run(command, check=True, text=True, **options)


def mutate(copy):
    """A copy of the sources (of the work tree, as it is) with every mutation in it."""
    files = run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True).stdout.split("\0")
    for name in filter(None, files):
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copy2(ROOT / name, target, follow_symlinks=False)
    for name, old, new in EDITS:
        path = copy / name
        text = path.read_text()
        if text.count(old) != 1:
            sys.exit(f"{name}: `{old}` occurs {text.count(old)} times; this script needs to be brought up to date")
        path.write_text(text.replace(old, new))


def build(copy):
    """Builds the mutated program, and puts it where no other build replaces it."""
    run(["cargo", "build", "--locked", "--bin", "shopfloor"], cwd=copy)
    described = run(["cargo", "metadata", "--no-deps", "--format-version=1"], cwd=copy, capture_output=True).stdout
    target = os.environ.get("CARGO_TARGET_DIR") or described.split('"target_directory":"')[1].split('"')[0]
    return shutil.copy2(Path(target) / "debug/shopfloor", copy / "mutated")


def campaign(program, mutation, seed):
    """Runs one seed. What the check found; nothing when it let everything pass."""
    environment = {
        **os.environ,
        "SHOPFLOOR_CHAOS_PROGRAM": str(program),
        "SHOPFLOOR_CHAOS_SEEDS": "1",
        "SHOPFLOOR_CHAOS_FROM": str(seed),
    }
    if mutation:
        environment["CHAOS_MUTATION"] = mutation
    command = ["cargo", "test", "--locked", "-q", "-p", "shopfloor", "--test", "chaos", "--"]
    ran = subprocess.run(
        [*command, "--nocapture", "whatever_breaks"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    if ran.returncode == 0:
        return None
    lines = ran.stdout.splitlines()
    failed = next((place for place, line in enumerate(lines) if " FAILED; logs in " in line), None)
    if failed is None:
        sys.exit(f"seed {seed} did not run: {ran.stdout[-2000:]}{ran.stderr[-2000:]}")
    # The plan is indented; what was found is not.
    found = [line for line in lines[failed + 1 :] if line and not line.startswith(" ")]
    return found[0] if found else "something"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("-s", "--seeds", type=int, default=5, help="how many seeds a mutation may survive")
    arguments.add_argument("mutations", nargs="*", help=", ".join(MUTATIONS))
    chosen = arguments.parse_args()
    unknown = set(chosen.mutations) - set(MUTATIONS)
    if unknown:
        arguments.error(f"no such mutation: {', '.join(unknown)}")
    survived = []
    with tempfile.TemporaryDirectory(prefix="chaos-mutations-") as folder:
        copy = Path(folder)
        mutate(copy)
        program = build(copy)
        if found := campaign(program, None, 1):
            sys.exit(f"without a mutation, seed 1 must pass: {found}")
        for mutation in chosen.mutations or MUTATIONS:
            for seed in range(1, chosen.seeds + 1):
                if found := campaign(program, mutation, seed):
                    print(f"{mutation}: seed {seed}: {found[:300]}", flush=True)
                    break
            else:
                print(f"{mutation}: SURVIVED seeds 1 to {chosen.seeds}", flush=True)
                survived.append(mutation)
    sys.exit(1 if survived else 0)


if __name__ == "__main__":
    main()
