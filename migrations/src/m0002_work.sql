-- What a run does and leaves behind. Times are milliseconds since 1970 (BIGINT).

CREATE TABLE steps (
    id          {uuid} NOT NULL PRIMARY KEY,
    run_id      {uuid} NOT NULL REFERENCES pipelines (id),
    task_id     {uuid} NOT NULL REFERENCES tasks (id),
    order_id    {uuid} NOT NULL REFERENCES work_orders (id),
    order_index INTEGER NOT NULL CHECK (order_index >= 0),
    name        TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('critic', 'sandbox', 'ask', 'approval', 'agent', 'parallel')),
    agent_name  TEXT,
    round       INTEGER NOT NULL CHECK (round >= 0),
    status      TEXT NOT NULL CHECK
                (status IN ('pending', 'running', 'waiting', 'completed', 'failed', 'skipped', 'cancelled')),
    epoch       BIGINT NOT NULL CHECK (epoch > 0),
    attempt     INTEGER NOT NULL CHECK (attempt >= 0),
    input       {json} NOT NULL,
    output      {json},
    error       TEXT,
    started_at  BIGINT,
    finished_at BIGINT,
    CONSTRAINT finished_iff_final
        CHECK ((status IN ('completed', 'failed', 'skipped', 'cancelled')) = (finished_at IS NOT NULL)),
    CONSTRAINT started_when_worked_on
        CHECK (status NOT IN ('running', 'waiting', 'completed', 'failed') OR started_at IS NOT NULL),
    CONSTRAINT output_when_completed CHECK (status <> 'completed' OR output IS NOT NULL),
    CONSTRAINT error_iff_failed CHECK ((status = 'failed') = (error IS NOT NULL)),
    UNIQUE (run_id, order_index)
);
CREATE INDEX steps_by_task ON steps (task_id, run_id, order_index);

CREATE TABLE handoffs (
    id         {uuid} NOT NULL PRIMARY KEY,
    step_id    {uuid} NOT NULL UNIQUE REFERENCES steps (id),
    content_md TEXT NOT NULL,
    metadata   {json} NOT NULL,
    created_at BIGINT NOT NULL
);

-- `next_rung_at` is when the deadline's ladder has to be looked at next.
CREATE TABLE questions (
    id           {uuid} NOT NULL PRIMARY KEY,
    task_id      {uuid} NOT NULL REFERENCES tasks (id),
    order_id     {uuid} NOT NULL REFERENCES work_orders (id),
    step_id      {uuid} NOT NULL REFERENCES steps (id),
    epoch        BIGINT NOT NULL CHECK (epoch > 0),
    kind         TEXT NOT NULL CHECK (kind IN ('clarification', 'approval', 'budget')),
    prompt       TEXT NOT NULL,
    schema       {json} NOT NULL,
    options      {json} NOT NULL,
    audience     TEXT NOT NULL,
    "default"    {json},
    on_deadline  TEXT NOT NULL CHECK (on_deadline IN ('default', 'reject', 'extend')),
    status       TEXT NOT NULL CHECK (status IN ('open', 'answered', 'expired', 'cancelled')),
    rung         TEXT NOT NULL CHECK (rung IN ('asked', 'reminded', 'escalated', 'due')),
    next_rung_at BIGINT,
    created_at   BIGINT NOT NULL,
    asked_at     BIGINT NOT NULL,
    deadline_at  BIGINT NOT NULL,
    answer       {json},
    answered_by  TEXT,
    answered_at  BIGINT,
    CONSTRAINT climbing_iff_open CHECK ((status = 'open') = (next_rung_at IS NOT NULL)),
    CONSTRAINT answer_iff_closed CHECK ((status IN ('answered', 'expired')) = (answer IS NOT NULL)),
    CONSTRAINT answerer_iff_answer CHECK ((answer IS NULL) = (answered_by IS NULL)),
    CONSTRAINT answer_time_iff_answer CHECK ((answer IS NULL) = (answered_at IS NULL))
);
-- A step asks once; only when its question was cancelled with a dead order may it ask anew.
CREATE UNIQUE INDEX one_question_per_step ON questions (step_id) WHERE status <> 'cancelled';
CREATE INDEX questions_ladder ON questions (next_rung_at) WHERE status = 'open';
CREATE INDEX questions_open_of_order ON questions (order_id) WHERE status = 'open';
CREATE INDEX questions_by_deadline ON questions (deadline_at, id);
CREATE INDEX questions_by_task ON questions (task_id, deadline_at, id);

CREATE TABLE approvals (
    id          {uuid} NOT NULL PRIMARY KEY,
    step_id     {uuid} NOT NULL REFERENCES steps (id),
    question_id {uuid} NOT NULL UNIQUE REFERENCES questions (id),
    status      TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'rejected', 'cancelled')),
    comment     TEXT,
    decided_by  TEXT,
    decided_at  BIGINT,
    CONSTRAINT decided_iff_not_pending CHECK ((status = 'pending') = (decided_at IS NULL)),
    CONSTRAINT decider_when_decided CHECK ((status IN ('approved', 'rejected')) = (decided_by IS NOT NULL))
);

-- Made by the first message of a task. `last_message_id` is locked and moved by every new message, so that ids grow in the
-- order of commits.
CREATE TABLE conversations (
    id              {uuid} NOT NULL PRIMARY KEY,
    task_id         {uuid} UNIQUE REFERENCES tasks (id),
    last_message_id {uuid},
    created_at      BIGINT NOT NULL
);

CREATE TABLE messages (
    id                {uuid} NOT NULL PRIMARY KEY,
    conversation_id   {uuid} NOT NULL REFERENCES conversations (id),
    sender_type       TEXT NOT NULL CHECK (sender_type IN ('worker', 'human', 'system')),
    sender_id         TEXT NOT NULL,
    message           TEXT NOT NULL,
    message_type      TEXT NOT NULL CHECK (message_type IN ('request', 'response', 'status')),
    parent_message_id {uuid} REFERENCES messages (id),
    question_id       {uuid} REFERENCES questions (id),
    created_at        BIGINT NOT NULL
);
CREATE INDEX messages_by_conversation ON messages (conversation_id, id);
CREATE INDEX messages_by_question ON messages (question_id, id) WHERE question_id IS NOT NULL;

CREATE TABLE files (
    id           {uuid} NOT NULL PRIMARY KEY,
    project_id   {uuid} NOT NULL REFERENCES projects (id),
    name         TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size         BIGINT NOT NULL CHECK (size >= 0),
    sha256       TEXT NOT NULL CHECK (length(sha256) = 64),
    storage_key  TEXT NOT NULL,
    created_by   TEXT NOT NULL,
    created_at   BIGINT NOT NULL
);

CREATE INDEX files_by_content ON files (sha256);

CREATE TABLE artifacts (
    id           {uuid} NOT NULL PRIMARY KEY,
    task_id      {uuid} NOT NULL REFERENCES tasks (id),
    order_id     {uuid} NOT NULL REFERENCES work_orders (id),
    step_id      {uuid} NOT NULL REFERENCES steps (id),
    epoch        BIGINT NOT NULL CHECK (epoch > 0),
    name         TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size         BIGINT NOT NULL CHECK (size >= 0),
    sha256       TEXT NOT NULL CHECK (length(sha256) = 64),
    storage_key  TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    UNIQUE (step_id, name)
);
CREATE INDEX artifacts_by_task ON artifacts (task_id, id);

CREATE TABLE model_calls (
    id               {uuid} NOT NULL PRIMARY KEY,
    task_id          {uuid} NOT NULL REFERENCES tasks (id),
    step_id          {uuid} NOT NULL REFERENCES steps (id),
    role             TEXT NOT NULL,
    endpoint         TEXT NOT NULL,
    model            TEXT NOT NULL,
    request          {json} NOT NULL,
    response         {json},
    input_tokens     BIGINT NOT NULL CHECK (input_tokens >= 0),
    output_tokens    BIGINT NOT NULL CHECK (output_tokens >= 0),
    cost_nanodollars BIGINT NOT NULL CHECK (cost_nanodollars >= 0),
    latency_ms       BIGINT NOT NULL CHECK (latency_ms >= 0),
    outcome          TEXT NOT NULL,
    created_at       BIGINT NOT NULL
);
CREATE INDEX model_calls_by_task ON model_calls (task_id, id);

CREATE TABLE api_keys (
    id         {uuid} NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    prefix     TEXT NOT NULL,
    role       TEXT NOT NULL CHECK (role IN ('admin', 'operator', 'worker', 'viewer')),
    hash       TEXT NOT NULL UNIQUE CHECK (length(hash) = 64),
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);
