#!/bin/bash
# Makes the database on the first start, by the variables of the public image, then becomes the server.
set -euo pipefail
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    # shellcheck disable=SC2086 # several options in one variable, as the public image has it
    initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s' "$POSTGRES_PASSWORD") --encoding=UTF8 --locale=C.UTF-8 \
        --auth-local=trust ${POSTGRES_INITDB_ARGS:-} >/dev/null
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
    # Nobody is let in over the network before the database is there.
    pg_ctl -w -s -o "-c listen_addresses=''" start
    psql -q -d postgres -U "$POSTGRES_USER" -v ON_ERROR_STOP=1 -v name="$POSTGRES_DB" <<<'CREATE DATABASE :"name"'
    pg_ctl -w -s -m fast stop
fi
exec "$@" -c 'listen_addresses=*'
