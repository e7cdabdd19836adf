# Keeps one private PostgreSQL for the tests of this user. Writes `ready`, or what went wrong, to its standard output.
# Arguments: 1 the folder, 2 PostgreSQL's programs, 3 the user and 4 the group to run the server as (empty: this one),
# 5 for how many seconds the server may be unused before it ends.
#
# Whoever wants the server holds `users.lock` shared. `start.lock` serialises starting, joining and ending, and
# `supervisor.lock` shows that this script lives. Should this script be killed, the kernel takes the server along.
set -u
dir=$1 bin=$2 user=$3 group=$4 linger=$5
cd "$dir" || exit 1
exec 8>supervisor.lock
flock -n 8 || { echo "another supervisor holds $dir/supervisor.lock"; exit 1; }
echo $$ >&8

if [ -n "$user" ]; then
    run() { exec 8>&-; exec setpriv --pdeathsig QUIT --reuid "$user" --regid "$group" --clear-groups "$@"; }
else
    run() { exec 8>&-; exec setpriv --pdeathsig QUIT "$@"; }
fi

server=
end() {
    [ -z "$server" ] || { kill -QUIT "$server" 2>/dev/null; wait "$server"; }
    rm -rf "$dir"
    exit "$1"
}
fail() { echo "$1"; tail -n 20 pg/log 2>/dev/null; end 1; }
trap 'end 1' TERM INT HUP

(run "$bin/initdb" -D pg/data -U shopfloor -A trust --encoding=UTF8 --locale=C --no-sync --no-instructions) >pg/log 2>&1 ||
    fail "initdb failed"
(run "$bin/postgres" -D pg/data -F -c listen_addresses= -c unix_socket_directories="$dir/pg" \
    -c unix_socket_permissions=0700 -c max_connections=300 -c shared_buffers=64MB -c full_page_writes=off \
    -c synchronous_commit=off -c wal_level=minimal -c max_wal_senders=0 -c autovacuum=off -c jit=off \
    -c checkpoint_timeout=1h) >pg/log 2>&1 &
server=$!
tries=0
until "$bin/pg_isready" -q -h "$dir/pg" -U shopfloor 8>&-; do
    kill -0 "$server" 2>/dev/null || fail "the server ended"
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || fail "the server did not answer within a minute"
    sleep 0.1 8>&-
done
echo ready
exec >/dev/null 2>&1

unused=0
while kill -0 "$server" && [ -e supervisor.lock ]; do
    sleep 2 8>&-
    if flock -n -x users.lock true 8>&-; then unused=$((unused + 2)); else unused=0; fi
    [ "$unused" -ge "$linger" ] || continue
    exec 9>start.lock
    flock 9
    # Nobody can join while we hold the start lock: look once more, then end for good.
    if flock -n -x users.lock true 8>&- 9>&-; then end 0; fi
    exec 9>&-
    unused=0
done
end 1
