#!/usr/bin/env bash
# Proves compose.yml from a clean clone, on a machine that can pull no image: makes the base image, builds everything,
# brings up a stack of its own with 3 workers, checks it (compose_checks.py), and takes it down, volumes included.
#
#   KEEP=1   leaves the stack up afterwards; `docker compose -p shopfloor-test down -v` ends it
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }

free_port() { python3 -c 'import socket; it = socket.socket(); it.bind(("127.0.0.1", 0)); print(it.getsockname()[1])'; }

# buildx asks whether the build may read the authorities, which are outside of this folder; nobody is there to answer.
export BUILDX_BAKE_ENTITLEMENTS_FS=0
export BASE_IMAGE=${BASE_IMAGE:-shopfloor-base:bookworm}
say "docker and the base image"
docker info >/dev/null 2>&1 || ours=yes
scripts/docker.sh base

# Not the images, secrets and ports of a stack that someone may run here.
work=$(mktemp -d)
cat >"$work/env" <<ENV
POSTGRES_PASSWORD=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
REDIS_PASSWORD=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
BASE_IMAGE=$BASE_IMAGE
BUILD_CA_FILE=${BUILD_CA_FILE:-/etc/ssl/certs/ca-certificates.crt}
SHOPFLOOR_VERSION=test
API_PORT=$(free_port)
PROMETHEUS_PORT=$(free_port)
POSTGRES_CPUS=0.5
REDIS_CPUS=0.5
PROMETHEUS_CPUS=0.5
WORKERS=3
ENV
compose=(docker compose -p shopfloor-test --env-file "$work/env" -f compose.yml -f deploy/local/compose.yml)

finish() {
    local code=$?
    trap - EXIT
    if [ $code != 0 ]; then
        "${compose[@]}" ps -a || true
        "${compose[@]}" logs --no-color --tail 60 >"$work/logs" 2>&1 || true
        tail -n 200 "$work/logs"
    fi
    if [ -z "${KEEP:-}" ]; then
        say "taking it down"
        "${compose[@]}" down --volumes --remove-orphans --timeout 20 >/dev/null 2>&1 || code=1
        rm -rf "$work"
        if [ -n "${ours:-}" ]; then scripts/docker.sh stop; fi
    fi
    if [ $code = 0 ]; then say "compose-test passed"; else say "compose-test failed"; fi
    exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

say "building the images"
"${compose[@]}" build --quiet
docker image ls --format '{{.Repository}}:{{.Tag}}  {{.Size}}' | grep -E '^shopfloor-(server|worker):test' || true

say "starting the stack"
"${compose[@]}" up --detach --no-build --pull never --quiet-pull

say "checking it"
COMPOSE="${compose[*]}" OUT="$work/out" SHOPFLOOR_SERVER_IMAGE=shopfloor-server:test python3 -B scripts/compose_checks.py
