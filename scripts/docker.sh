#!/usr/bin/env bash
# Sees to it that Docker with compose v2 and buildx works here, and leaves alone what does already.
#
#   docker.sh         installs what is missing and starts dockerd if none answers
#   docker.sh base    the same, and makes the base image $BASE_IMAGE from Debian's packages, without pulling anything
#   docker.sh stop    stops the dockerd that this script started, if it did
#
#   BASE_IMAGE        default shopfloor-base:bookworm
#   DEBIAN_MIRROR, DEBIAN_SECURITY_MIRROR   where the base image comes from
set -euo pipefail

base=${BASE_IMAGE:-shopfloor-base:bookworm}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
security=${DEBIAN_SECURITY_MIRROR:-http://deb.debian.org/debian-security}
plugins=/usr/local/lib/docker/cli-plugins
pid_file=/run/shopfloor-dockerd.pid
log=/var/log/shopfloor-dockerd.log

say() { printf 'docker: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else fail "needs root for: $*"; fi; }
updated=no
apt_install() {
    command -v apt-get >/dev/null || fail "please install $*: this machine is no Debian"
    say "installing $*"
    [ $updated = yes ] || as_root apt-get update -qq
    updated=yes
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
scratches=()
trap 'for folder in "${scratches[@]}"; do as_root rm -rf "$folder"; done' EXIT
answers() { docker info >/dev/null 2>&1; }

# Debian 12 has neither compose v2 nor buildx. Those of Debian's development branch are single static programs: they are
# taken out of their packages, which are not installed, by a private apt that knows only that branch.
install_plugins() {
    local root=$1 options name
    say "fetching the plugins compose and buildx"
    mkdir -p "$root"/{etc/preferences.d,lists/partial,archives/partial,out}
    : >"$root/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >"$root/etc/sources.list"
    options=(-qq -o "Dir::Etc=$root/etc" -o Dir::Etc::sourceparts=- -o "Dir::State=$root" -o "Dir::State::lists=$root/lists"
        -o "Dir::State::status=$root/status" -o "Dir::Cache=$root" -o "Dir::Cache::archives=$root/archives"
        -o APT::Sandbox::User=root -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o Acquire::Languages=none)
    apt-get "${options[@]}" update
    (cd "$root/archives" && apt-get "${options[@]}" download docker-compose docker-buildx)
    for name in compose buildx; do
        dpkg-deb -x "$root"/archives/docker-${name}_*.deb "$root/out"
        as_root install -D -m 0755 "$root/out/usr/libexec/docker/cli-plugins/docker-$name" "$plugins/docker-$name"
    done
}

install_missing() {
    local missing=() scratch
    command -v dockerd >/dev/null || answers || missing+=(docker.io)
    command -v docker >/dev/null || [ ${#missing[@]} != 0 ] || missing+=(docker.io)
    command -v iptables >/dev/null || answers || missing+=(iptables)
    [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"
    if docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1; then return; fi
    [ -r /usr/share/keyrings/debian-archive-keyring.gpg ] && command -v apt-get >/dev/null ||
        fail "please install the Docker plugins compose (v2) and buildx"
    scratch=$(mktemp -d)
    scratches+=("$scratch")
    install_plugins "$scratch"
}

start() {
    answers && return
    if [ -d /run/systemd/system ]; then
        as_root systemctl start docker
    else
        say "starting dockerd; its log is $log"
        as_root sh -c "setsid dockerd >'$log' 2>&1 </dev/null & echo \$! >'$pid_file'"
    fi
    for _ in $(seq 100); do
        answers && return
        sleep 0.2
    done
    fail "dockerd does not answer; see $log, or whether you may use it (group docker)"
}

stop() {
    [ -s $pid_file ] || return 0
    local pid
    pid=$(cat $pid_file)
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]; then
        say "stopping dockerd"
        as_root kill "$pid"
        for _ in $(seq 150); do [ -d "/proc/$pid" ] || break; sleep 0.2; done
    fi
    as_root rm -f $pid_file
}

make_base() {
    docker image inspect "$base" >/dev/null 2>&1 && return
    command -v debootstrap >/dev/null || apt_install debootstrap
    local scratch
    scratch=$(mktemp -d /var/tmp/shopfloor-base.XXXXXX)
    scratches+=("$scratch")
    say "making the image $base from Debian's packages"
    as_root debootstrap --variant=minbase --include=ca-certificates bookworm "$scratch/root" "$mirror" >"$scratch/log" ||
        { tail -20 "$scratch/log" >&2; fail "debootstrap failed"; }
    as_root tee "$scratch/root/etc/apt/sources.list" >/dev/null <<LIST
deb $mirror bookworm main
deb $mirror bookworm-updates main
deb $security bookworm-security main
LIST
    as_root sh -c "cd '$scratch/root' && rm -rf var/cache/apt/archives/*.deb var/lib/apt/lists/* usr/share/doc/* \
        usr/share/man/* usr/share/locale/* var/log/* dev/*"
    as_root tar -C "$scratch/root" -c . | docker import --change 'CMD ["bash"]' - "$base" >/dev/null
}

case ${1:-} in
    "") install_missing; start ;;
    base) install_missing; start; make_base ;;
    stop) stop ;;
    *) fail "unknown: $1; see the head of $0" ;;
esac
