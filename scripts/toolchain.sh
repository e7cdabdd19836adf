#!/usr/bin/env bash
# Makes the Python toolchain that code runs with in the sandbox: a virtual environment with the packages of
# toolchain-requirements.txt. Says nothing to do when it is up to date. Prints where it is on the last line.
#
#   SHOPFLOOR_TOOLCHAIN   where to put it; default ${XDG_CACHE_HOME:-~/.cache}/shopfloor/toolchain
#                         (for root a link to /var/cache/shopfloor/toolchain when others cannot enter that folder)
#   SHOPFLOOR_PYTHON      the interpreter to base it on; default /usr/bin/python3, else python3 in PATH; 3.11 or newer
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
requirements=$here/toolchain-requirements.txt
say() { printf 'toolchain: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo -n "$@"; else return 1; fi; }

target=${SHOPFLOOR_TOOLCHAIN:-${XDG_CACHE_HOME:-$HOME/.cache}/shopfloor/toolchain}
case $target in /*) ;; *) target=$PWD/$target ;; esac
# Started by root, jobs run as an unprivileged user, who cannot look into root's home: then it goes elsewhere, with a link.
link=
open_to_all() {
    local folder=$1
    while [ "$folder" != / ]; do
        folder=$(dirname "$folder")
        if [ -d "$folder" ]; then case $(stat -Lc %A "$folder") in *x) ;; *) return 1 ;; esac; fi
    done
}
if [ "$(id -u)" = 0 ] && ! open_to_all "$target"; then
    link=$target
    target=/var/cache/shopfloor/toolchain
fi

python_ok() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
find_python() {
    local candidate
    for candidate in ${SHOPFLOOR_PYTHON:-/usr/bin/python3 python3}; do
        candidate=$(command -v "$candidate") && python_ok "$candidate" && { printf '%s\n' "$candidate"; return; }
    done
    return 1
}
apt_install() {
    command -v apt-get >/dev/null || return 1
    say "installing $* with apt-get"
    as_root apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 && return
    as_root apt-get update -qq >/dev/null && as_root apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

python=$(find_python) || { apt_install python3 python3-venv && python=$(find_python); } ||
    fail "no Python 3.11 or newer found; install one, or name it in SHOPFLOOR_PYTHON"
stamp=$({ cat "$requirements" "${BASH_SOURCE[0]}"; "$python" -c 'import sys; print(sys.version, sys.executable)'; } |
    sha256sum | cut -d' ' -f1)
up_to_date() { [ "$(cat "$target/.stamp" 2>/dev/null)" = "$stamp" ] && "$target/bin/python" -c '' 2>/dev/null; }
make_link() {
    if [ -z "$link" ] || [ "$(readlink "$link" 2>/dev/null)" = "$target" ]; then return; fi
    if [ -e "$link" ] && [ ! -L "$link" ]; then say "left $link alone: it is not a link to $target"; return; fi
    mkdir -p "$(dirname "$link")" && ln -sfn "$target" "$link"
}
done_with() { make_link; say "$1"; printf '%s\n' "$target"; exit 0; }

if up_to_date; then done_with "up to date in $target"; fi

umask 022
mkdir -p "$(dirname "$target")" 2>/dev/null || fail "cannot write to $(dirname "$target"); set SHOPFLOOR_TOOLCHAIN"
exec 9>"$target.lock"
if ! flock -n 9; then say "waiting for another run of this script"; flock 9; fi
if up_to_date; then done_with "up to date in $target"; fi

"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    apt_install python3-venv "$("$python" -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')" ||
    fail "Python's venv module is missing; install the package python3-venv"

new=$target.new
rm -rf "$new"
trap 'rm -rf "$new"' EXIT
say "installing $(grep -c '==' "$requirements") packages for $("$python" --version) into $target"
"$python" -m venv --clear "$new"
"$new/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --only-binary=:all: -r "$requirements"

say "building the font cache"
fonts=$new/share/shopfloor/matplotlib
mkdir -p "$fonts"
MPLBACKEND=Agg MPLCONFIGDIR=$fonts "$new/bin/python" -W ignore -c 'import matplotlib.pyplot, pandas' 2>/dev/null

# The scripts name the folder they were installed to; from here on it has its final name.
grep -lIrF "$new" "$new/bin" "$new/pyvenv.cfg" | xargs -r sed -i "s|$new|$target|g"
chmod -R a+rX "$new"
printf '%s\n' "$stamp" >"$new/.stamp"
rm -rf "$target.old"
if [ -e "$target" ]; then mv -T "$target" "$target.old"; fi
mv -T "$new" "$target"
rm -rf "$target.old"
done_with "ready in $target"
