#!/usr/bin/env bash
# Every invariant of the architecture names its proof, and every test named there exists.
set -euo pipefail
cd "$(dirname "$0")/.."
page=docs/architecture.md
bad=0
complain() { printf '%s\n' "$*" >&2; bad=1; }

# One invariant per line: list items of the section, with their continuation lines joined.
invariants=$(awk '/^## /{on = ($0 == "## Invariants")}
    on && /^- /{if (item) print item; item = $0; next}
    on && item && /^  /{sub(/^ +/, " "); item = item $0; next}
    item {print item; item = ""}' "$page")
[ -n "$invariants" ] || complain "$page lists no invariants"

while IFS= read -r invariant; do
    proofs=$(sed -n 's/.*Proof: //p' <<<"$invariant" | grep -o '`[^`]*`' | tr -d '`' || true)
    [ -n "$proofs" ] || complain "no proof is named: $invariant"
    for proof in $proofs; do
        case $proof in
        *.toml) [ -f "$proof" ] || complain "there is no file $proof" ;;
        *) git grep -qE --untracked "fn $proof\b" -- '*.rs' || complain "there is no test $proof" ;;
        esac
    done
done <<<"$invariants"
[ $bad = 0 ] && printf '%s invariants, every proof is there\n' "$(wc -l <<<"$invariants")"
exit $bad
