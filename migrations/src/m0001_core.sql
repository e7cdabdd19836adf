-- Times are milliseconds since 1970 (BIGINT). CHECK constraints repeat the state machines of `shopfloor-domain`.
--
-- The rows that every order writes (tasks, pipelines, work_orders, sessions) carry no foreign keys: each would cost a
-- look-up per row and a lock on the row referred to, which all submitters share. The store writes them together, in one
-- statement or transaction, and deletes none of them (docs/adr/011).

CREATE TABLE projects (
    id              {uuid} NOT NULL PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    max_concurrency INTEGER CHECK (max_concurrency >= 0),
    -- A rate of starts, and until when (microseconds since 1970) what was started has used it up.
    max_starts_per_minute INTEGER CHECK (max_starts_per_minute > 0),
    starts_spent_until    BIGINT,
    created_at      BIGINT NOT NULL
);
INSERT INTO projects (id, name, created_at) VALUES ({default_id}, 'default', {now});

CREATE TABLE queues (
    name      TEXT NOT NULL PRIMARY KEY,
    paused_at BIGINT,
    paused_by TEXT,
    CONSTRAINT pauser_iff_paused CHECK ((paused_at IS NULL) = (paused_by IS NULL))
);
INSERT INTO queues (name) VALUES ('default');

CREATE TABLE workers (
    id                {uuid} NOT NULL PRIMARY KEY,
    name              TEXT NOT NULL,
    status            TEXT NOT NULL CHECK (status IN ('idle', 'busy', 'waiting', 'error', 'offline')),
    capabilities      TEXT NOT NULL,
    queues            TEXT NOT NULL,
    slots             INTEGER NOT NULL CHECK (slots >= 0),
    version           TEXT NOT NULL,
    last_heartbeat_at BIGINT NOT NULL,
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    removed_at        BIGINT
);
CREATE INDEX workers_live ON workers (last_heartbeat_at) WHERE status <> 'offline';

CREATE TABLE tasks (
    id             {uuid} NOT NULL PRIMARY KEY,
    project_id     {uuid} NOT NULL,
    title          TEXT NOT NULL,
    description    TEXT NOT NULL,
    task_type      TEXT NOT NULL
                   CHECK (task_type IN ('feature', 'bugfix', 'test', 'docs', 'code', 'image', 'quick_fix')),
    status         TEXT NOT NULL CHECK (status IN ('queued', 'in_progress', 'completed', 'failed', 'cancelled')),
    priority       TEXT NOT NULL CHECK (priority IN ('high', 'normal', 'low')),
    repository_url TEXT,
    branch_name    TEXT,
    pipeline       TEXT NOT NULL,
    input          {json} NOT NULL,
    result         {json},
    error          TEXT,
    created_by     TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    completed_at   BIGINT,
    CONSTRAINT completed_iff_final
        CHECK ((status IN ('completed', 'failed', 'cancelled')) = (completed_at IS NOT NULL))
);
CREATE INDEX tasks_by_status ON tasks (status, id);
CREATE INDEX tasks_by_project ON tasks (project_id, id);

-- One row per run of a pipeline.
CREATE TABLE pipelines (
    id         {uuid} NOT NULL PRIMARY KEY,
    task_id    {uuid} NOT NULL,
    title      TEXT NOT NULL,
    template   TEXT NOT NULL,
    version    TEXT NOT NULL,
    definition {json} NOT NULL,
    input      {json} NOT NULL,
    branch     TEXT,
    status     TEXT NOT NULL CHECK (status IN ('queued', 'in_progress', 'completed', 'failed', 'cancelled')),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
) {hot};
CREATE INDEX pipelines_by_task ON pipelines (task_id, id);

-- `lane` is `queue/project_id/needs`: the orders of one lane differ only in who goes first. A claim looks at the head of
-- each lane it may serve, so a paused queue or a project at its limit costs it nothing, however long the queue behind.
CREATE TABLE work_orders (
    id                  {uuid} NOT NULL PRIMARY KEY,
    task_id             {uuid} NOT NULL,
    run_id              {uuid} NOT NULL,
    project_id          {uuid} NOT NULL,
    queue               TEXT NOT NULL,
    lane                TEXT NOT NULL,
    worker_id           {uuid},
    status              TEXT NOT NULL CHECK
                        (status IN ('queued', 'claimed', 'parked', 'completed', 'failed', 'dead', 'cancelled')),
    priority            TEXT NOT NULL CHECK (priority IN ('high', 'normal', 'low')),
    score               BIGINT NOT NULL,
    needs               TEXT NOT NULL,
    run_at              BIGINT NOT NULL,
    enqueued_at         BIGINT NOT NULL,
    claimed_at          BIGINT,
    completed_at        BIGINT,
    parked_at           BIGINT,
    lease_expires_at    BIGINT,
    cancel_requested_at BIGINT,
    epoch               BIGINT NOT NULL CHECK (epoch >= 0),
    attempt             INTEGER NOT NULL CHECK (attempt >= 0),
    max_attempts        INTEGER NOT NULL CHECK (max_attempts >= 1),
    retry_count         INTEGER GENERATED ALWAYS AS (CASE WHEN attempt > 0 THEN attempt - 1 ELSE 0 END) STORED,
    kills               INTEGER NOT NULL CHECK (kills >= 0),
    error               TEXT,
    requeued_as         {uuid},
    CONSTRAINT lease_iff_claimed CHECK ((status = 'claimed') = (lease_expires_at IS NOT NULL)),
    CONSTRAINT parked_iff_parked CHECK ((status = 'parked') = (parked_at IS NOT NULL)),
    CONSTRAINT completed_iff_final
        CHECK ((status IN ('completed', 'failed', 'dead', 'cancelled')) = (completed_at IS NOT NULL)),
    CONSTRAINT held_when_claimed
        CHECK (status <> 'claimed' OR (worker_id IS NOT NULL AND claimed_at IS NOT NULL AND epoch > 0)),
    CONSTRAINT attempts_within_claims CHECK (attempt <= epoch)
) {hot};
CREATE INDEX work_orders_by_lane ON work_orders (lane, score, id, run_at) WHERE status = 'queued';
CREATE INDEX work_orders_due ON work_orders (run_at, id) WHERE status = 'queued';
-- There are never more claimed orders than slots, so one small index serves who looks for them by project, by worker or by
-- lease; and as the lease is not in it, renewing writes to no index.
CREATE INDEX work_orders_claimed ON work_orders (project_id, worker_id) WHERE status = 'claimed';
CREATE INDEX work_orders_parked ON work_orders (queue, priority) WHERE status = 'parked';
CREATE INDEX work_orders_dead ON work_orders (id) WHERE status = 'dead' AND requeued_as IS NULL;
CREATE INDEX work_orders_by_task ON work_orders (task_id, id);
CREATE UNIQUE INDEX one_live_order_per_task ON work_orders (task_id) WHERE status IN ('queued', 'claimed', 'parked');

-- A worker's hold on a task. A claim opens one, and it is the record of that attempt too: `epoch`, `outcome` and `output`
-- are set for those of claims only. Those that were opened on request have a name instead.
CREATE TABLE sessions (
    id               {uuid} NOT NULL PRIMARY KEY,
    session_id       TEXT,
    worker_id        {uuid} NOT NULL,
    task_id          {uuid},
    order_id         {uuid},
    epoch            BIGINT CHECK (epoch > 0),
    status           TEXT NOT NULL CHECK (status IN ('active', 'idle', 'terminated')),
    last_activity_at BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    terminated_at    BIGINT,
    end_reason       TEXT CHECK (end_reason IN
                     ('finished', 'idle_timeout', 'max_age', 'parked', 'worker_lost', 'released', 'requested')),
    outcome          TEXT CHECK (outcome IN
                     ('running', 'completed', 'failed', 'parked', 'released', 'lost', 'cancelled')),
    output           {json},
    CONSTRAINT terminated_iff_terminated CHECK ((status = 'terminated') = (terminated_at IS NOT NULL)),
    CONSTRAINT reason_iff_terminated CHECK ((status = 'terminated') = (end_reason IS NOT NULL)),
    CONSTRAINT named_iff_on_request CHECK ((order_id IS NULL) = (session_id IS NOT NULL)),
    CONSTRAINT attempt_iff_claim
        CHECK ((order_id IS NULL) = (epoch IS NULL) AND (order_id IS NULL) = (outcome IS NULL)),
    CONSTRAINT running_iff_live CHECK (outcome IS NULL OR (outcome = 'running') = (status <> 'terminated')),
    CONSTRAINT output_of_attempts CHECK (output IS NULL OR outcome IS NOT NULL)
) {hot};
CREATE UNIQUE INDEX sessions_by_name ON sessions (session_id) WHERE session_id IS NOT NULL;
CREATE UNIQUE INDEX one_live_session_per_order ON sessions (order_id) WHERE status <> 'terminated';
CREATE INDEX sessions_by_worker ON sessions (worker_id, id);
CREATE INDEX sessions_by_task ON sessions (task_id, id);

CREATE VIEW executions AS
    SELECT id, task_id, order_id, worker_id, id AS session_id, epoch, outcome AS status, created_at AS started_at,
           terminated_at AS completed_at, output
    FROM sessions WHERE order_id IS NOT NULL;

CREATE TABLE leader_leases (
    name       TEXT NOT NULL PRIMARY KEY,
    holder     TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- `scope` keeps the keys of different submitters apart.
CREATE TABLE idempotency_keys (
    scope        TEXT NOT NULL,
    key          TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    task_id      {uuid} NOT NULL,
    order_id     {uuid} NOT NULL,
    run_id       {uuid} NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
