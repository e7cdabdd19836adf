-- Times are milliseconds since 1970 (BIGINT). CHECK constraints repeat the state machines of `shopfloor-domain`.

CREATE TABLE projects (
    id              {uuid} NOT NULL PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    max_concurrency INTEGER CHECK (max_concurrency >= 0),
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
    project_id     {uuid} NOT NULL REFERENCES projects (id),
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
    task_id    {uuid} NOT NULL REFERENCES tasks (id),
    title      TEXT NOT NULL,
    template   TEXT NOT NULL,
    version    TEXT NOT NULL,
    definition {json} NOT NULL,
    input      {json} NOT NULL,
    branch     TEXT,
    status     TEXT NOT NULL CHECK (status IN ('queued', 'in_progress', 'completed', 'failed', 'cancelled')),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX pipelines_by_task ON pipelines (task_id, id);

-- `lane` is `queue/project_id/needs`: the orders of one lane differ only in who goes first. A claim looks at the head of
-- each lane it may serve, so a paused queue or a project at its limit costs it nothing, however long the queue behind.
CREATE TABLE work_orders (
    id                  {uuid} NOT NULL PRIMARY KEY,
    task_id             {uuid} NOT NULL REFERENCES tasks (id),
    run_id              {uuid} NOT NULL REFERENCES pipelines (id),
    project_id          {uuid} NOT NULL REFERENCES projects (id),
    queue               TEXT NOT NULL REFERENCES queues (name),
    lane                TEXT NOT NULL,
    worker_id           {uuid} REFERENCES workers (id),
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
    requeued_as         {uuid} REFERENCES work_orders (id),
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
CREATE INDEX work_orders_leases ON work_orders (lease_expires_at) WHERE status = 'claimed';
CREATE INDEX work_orders_claimed_by_project ON work_orders (project_id) WHERE status = 'claimed';
CREATE INDEX work_orders_held ON work_orders (worker_id) WHERE status = 'claimed';
CREATE INDEX work_orders_parked ON work_orders (queue, priority) WHERE status = 'parked';
CREATE INDEX work_orders_dead ON work_orders (id) WHERE status = 'dead' AND requeued_as IS NULL;
CREATE INDEX work_orders_by_task ON work_orders (task_id, id);
CREATE UNIQUE INDEX one_live_order_per_task ON work_orders (task_id) WHERE status IN ('queued', 'claimed', 'parked');

CREATE TABLE sessions (
    id               {uuid} NOT NULL PRIMARY KEY,
    session_id       TEXT NOT NULL UNIQUE,
    worker_id        {uuid} NOT NULL REFERENCES workers (id),
    task_id          {uuid} REFERENCES tasks (id),
    order_id         {uuid} REFERENCES work_orders (id),
    status           TEXT NOT NULL CHECK (status IN ('active', 'idle', 'terminated')),
    last_activity_at BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    terminated_at    BIGINT,
    end_reason       TEXT CHECK (end_reason IN
                     ('finished', 'idle_timeout', 'max_age', 'parked', 'worker_lost', 'released', 'requested')),
    CONSTRAINT terminated_iff_terminated CHECK ((status = 'terminated') = (terminated_at IS NOT NULL)),
    CONSTRAINT reason_iff_terminated CHECK ((status = 'terminated') = (end_reason IS NOT NULL))
);
CREATE INDEX sessions_live ON sessions (last_activity_at) WHERE status <> 'terminated';
CREATE UNIQUE INDEX one_live_session_per_order ON sessions (order_id) WHERE status <> 'terminated';
CREATE INDEX sessions_by_worker ON sessions (worker_id, id);
CREATE INDEX sessions_by_task ON sessions (task_id, id);

CREATE TABLE executions (
    id           {uuid} NOT NULL PRIMARY KEY,
    task_id      {uuid} NOT NULL REFERENCES tasks (id),
    order_id     {uuid} NOT NULL REFERENCES work_orders (id),
    worker_id    {uuid} NOT NULL REFERENCES workers (id),
    session_id   {uuid} NOT NULL REFERENCES sessions (id),
    epoch        BIGINT NOT NULL CHECK (epoch > 0),
    status       TEXT NOT NULL CHECK
                 (status IN ('running', 'completed', 'failed', 'parked', 'released', 'lost', 'cancelled')),
    started_at   BIGINT NOT NULL,
    completed_at BIGINT,
    output       {json},
    CONSTRAINT ended_iff_not_running CHECK ((status = 'running') = (completed_at IS NULL)),
    UNIQUE (order_id, epoch)
);
CREATE INDEX executions_by_task ON executions (task_id, id);
CREATE INDEX executions_by_worker ON executions (worker_id);
CREATE UNIQUE INDEX one_running_execution_per_order ON executions (order_id) WHERE status = 'running';

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
    task_id      {uuid} NOT NULL REFERENCES tasks (id),
    order_id     {uuid} NOT NULL REFERENCES work_orders (id),
    run_id       {uuid} NOT NULL REFERENCES pipelines (id),
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
