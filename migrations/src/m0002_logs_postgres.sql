-- The event log and the audit log on PostgreSQL.

-- Events have to be told in the order in which they came about, and a reader must not pass over one that is committed
-- late. `xid` is therefore the writing transaction's 64-bit id, or the largest id that had ended when the event was
-- written, if that is larger. The first makes it safe: readers go by (xid, seq) and leave out whatever is not older than
-- every running transaction. The second keeps the order: a transaction that waited for another one's row lock may have
-- the smaller id, but it writes its events after the other one has ended.
-- The kinds are a growing list and have no CHECK. No foreign keys either: the log locks nothing and outlives what it
-- tells of. A dump restored into another cluster, where transaction ids begin anew, needs `UPDATE events SET xid = 0`.
CREATE TABLE events (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY,
    xid        BIGINT NOT NULL DEFAULT greatest(
                   pg_current_xact_id()::text::bigint,
                   pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1
               ),
    id         UUID NOT NULL,
    kind       TEXT NOT NULL,
    task_id    UUID,
    order_id   UUID,
    payload    JSONB NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (xid, seq)
);
CREATE INDEX events_by_task ON events (task_id, xid, seq);
-- Times grow with the table, so a few summary rows are enough to find the old end.
CREATE INDEX events_by_age ON events USING brin (created_at) WITH (pages_per_range = 32, autosummarize = on);

-- `payload` is text, because the hash is over its very bytes.
CREATE TABLE audit_events (
    seq        BIGINT NOT NULL PRIMARY KEY CHECK (seq > 0),
    run_id     UUID,
    step_id    UUID,
    event_type TEXT NOT NULL,
    actor      TEXT NOT NULL,
    payload    TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    prev_hash  TEXT NOT NULL,
    hash       TEXT NOT NULL
);
CREATE FUNCTION audit_events_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_events is append-only';
END $$;
CREATE TRIGGER audit_events_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_are_append_only();
