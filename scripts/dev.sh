#!/usr/bin/env bash
# Runs a debug build and restarts it whenever a source file changes. Ends with Ctrl-C.
set -euo pipefail
cd "$(dirname "$0")/.."
state() { find shared sandbox worker orchestrator api cli migrations pipelines Cargo.lock -name '*.rs' -o -name '*.toml' -o -name '*.lock' | xargs stat -c '%Y %n' | sha256sum; }
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait' EXIT
while :; do
    seen=$(state)
    if cargo build --bin shopfloor; then
        "$CARGO_TARGET_DIR/debug/shopfloor" up & server=$!
    fi
    while [ "$(state)" = "$seen" ]; do sleep 1; done
    [ -z "$server" ] || { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; server=; }
done
