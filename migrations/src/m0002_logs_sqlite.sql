-- The event log and the audit log on SQLite; see their PostgreSQL twins for what the columns are for.

-- One writer at a time: rows are committed in the order of `seq`, and `xid` is always 0.
CREATE TABLE events (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    xid        BIGINT NOT NULL DEFAULT 0 CHECK (xid = 0),
    id         uuid_text NOT NULL,
    kind       TEXT NOT NULL,
    task_id    uuid_text,
    order_id   uuid_text,
    payload    jsonb_text NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX events_by_task ON events (task_id, seq);
CREATE INDEX events_by_age ON events (created_at);

CREATE TABLE audit_events (
    seq        INTEGER PRIMARY KEY CHECK (seq > 0),
    run_id     uuid_text,
    step_id    uuid_text,
    event_type TEXT NOT NULL,
    actor      TEXT NOT NULL,
    payload    TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    prev_hash  TEXT NOT NULL,
    hash       TEXT NOT NULL
);
CREATE TRIGGER audit_events_stay_as_written BEFORE UPDATE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'audit_events is append-only');
END;
CREATE TRIGGER audit_events_stay BEFORE DELETE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'audit_events is append-only');
END;
