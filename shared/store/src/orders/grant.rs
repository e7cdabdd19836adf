//! A claim made true on PostgreSQL: one statement mints the epochs, counts the attempts, starts the tasks, opens the
//! sessions and writes the log. What [`super::claim`] does on SQLite statement by statement; the contract suites hold the
//! two against each other. One round trip and, outside a transaction, one flush to disk, however many orders.

use sea_orm::{ConnectionTrait, FromQueryResult as _, QueryResult, Statement, Value, prelude::Uuid};
use shopfloor_domain::{Name, SessionRowId, Timestamp, task::TaskStatus};

use super::{
    ClaimRequest, ClaimedOrder, Order,
    claim::DOING,
    lanes::{LANES, Quota},
};
use crate::{
    Result,
    entity::work_order::Model,
    error::Doing as _,
    rows::{list, word},
    runs::Run,
};

/// Which orders to hand out. Those that are not queued and due, or that others hold locked, are passed by.
#[derive(Debug)]
pub(super) enum Chosen {
    /// The first ones of the one lane that holds orders, if the worker may serve it and no project has a limit. None at all
    /// otherwise: then the lanes have to be looked at first.
    First,
    /// The first ones of these lanes.
    Lanes(Vec<Quota>),
    /// Those that this transaction has locked.
    Locked(Vec<Uuid>),
    /// Those of an unpaused queue, of a project without a limit, that the worker covers, if it is wanted.
    Free(Vec<Uuid>),
}

/// After [`LANES`]: `$most` orders at most. With several lanes the lowest scores of all would have to be locked to choose among them, and
/// others would pass by what is locked here and not taken.
const FIRST: &str = "
    two AS (SELECT lane FROM lanes WHERE lane IS NOT NULL LIMIT 2),
    served AS MATERIALIZED (
        SELECT lane FROM two
        WHERE (SELECT count(*) FROM two) = 1
            AND (SELECT count(*) FROM projects
                 WHERE max_concurrency IS NOT NULL OR max_starts_per_minute IS NOT NULL) = 0
            AND (SELECT w.removed_at IS NULL FROM workers w WHERE w.id = $1)
            AND ($queues = '' OR split_part(lane, '/', 1) = ANY(string_to_array($queues, ',')))
            AND split_part(lane, '/', 1) NOT IN (SELECT name FROM queues WHERE paused_at IS NOT NULL)
            AND string_to_array(split_part(lane, '/', 3), ',') <@ string_to_array($able, ',')
    ), chosen AS (
        SELECT o.id FROM work_orders o
        WHERE o.status = 'queued' AND o.lane = (SELECT lane FROM served) AND o.score <= $2 AND o.run_at <= $2
        ORDER BY o.score, o.id LIMIT $most FOR UPDATE SKIP LOCKED
    )";

/// `chosen` holds locked, queued orders, so their status need not be asked again; asking would lead the planner to the
/// indexes of queued orders, which it takes for small and which are full of entries of those that are gone. The first claim
/// of an order is what starts its task.
const GRANT: &str = "
    claimed AS (
        UPDATE work_orders AS o
        SET status = 'claimed', epoch = o.epoch + 1, attempt = o.attempt + 1, worker_id = $1, claimed_at = $2,
            lease_expires_at = $3
        WHERE o.id = ANY(ARRAY(SELECT id FROM chosen))
        RETURNING o.*
    ), numbered AS (
        SELECT claimed.*, row_number() OVER (ORDER BY score, id) AS number FROM claimed
    ), started AS (
        UPDATE tasks SET status = 'in_progress', updated_at = $2
        WHERE id = ANY(ARRAY(SELECT task_id FROM claimed WHERE epoch = 1)) AND status = 'queued'
    ), held AS (
        INSERT INTO sessions (id, worker_id, task_id, order_id, epoch, status, last_activity_at, created_at, outcome)
        SELECT ($4)[number], $1, task_id, id, epoch, 'active', $2, $2, 'running' FROM numbered
    ), told AS (
        INSERT INTO events (id, kind, task_id, order_id, payload, created_at)
        SELECT ($5)[n.number], 'order.status', n.task_id, n.id,
               jsonb_build_object(
                   'from', 'queued', 'to', 'claimed', 'event', 'claimed', 'epoch', n.epoch, 'attempt', n.attempt,
                   'worker_id', n.worker_id, 'session_id', ($4)[n.number], 'end_reason', NULL, 'error', n.error)
               || CASE WHEN n.epoch = 1 THEN '{\"task\": {\"from\": \"queued\", \"to\": \"in_progress\"}}'
                       ELSE '{}' END::jsonb,
               $2
        FROM numbered n
        ORDER BY n.number
    )
    SELECT n.*, r.title AS run_title, r.template AS run_template, r.version AS run_version,
           r.definition AS run_definition, r.input AS run_input, r.branch AS run_branch,
           r.created_at AS run_created_at, r.updated_at AS run_updated_at
    FROM numbered n JOIN pipelines r ON r.id = n.run_id
    ORDER BY n.number";

/// Hands these orders to the worker, in the order of their scores. `most`: no more than so many are chosen.
pub(super) async fn grant<C: ConnectionTrait>(
    db: &C,
    request: &ClaimRequest,
    chosen: Chosen,
    most: usize,
    now: Timestamp,
) -> Result<Vec<ClaimedOrder>> {
    let sessions: Vec<SessionRowId> = (0..most).map(|_| SessionRowId::new()).collect();
    let mut values: Vec<Value> = vec![
        request.worker_id.0.into(),
        now.0.into(),
        (now + request.lease).0.into(),
        list(sessions.iter().map(|session| session.0)),
        list((0..most).map(|_| Uuid::now_v7())),
    ];
    let sql = format!("WITH {}, {GRANT}", chosen.sql(request, most, &mut values));
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let rows = db.query_all_raw(statement).await.doing(DOING)?;
    rows.iter().zip(sessions).map(|(row, session)| claimed(row, session)).collect()
}

impl Chosen {
    /// The common table expressions up to `chosen`, which locks the orders. `$2` is the time.
    fn sql(self, request: &ClaimRequest, most: usize, values: &mut Vec<Value>) -> String {
        let mut bind = |value: Value| {
            values.push(value);
            format!("${}", values.len())
        };
        match self {
            Self::First => {
                let most = bind(i64::try_from(most).unwrap_or(i64::MAX).into());
                let queues: Vec<&str> = request.queues.iter().map(Name::as_str).collect();
                let (queues, able) = (bind(queues.join(",").into()), bind(request.capabilities.to_key().into()));
                let first = FIRST.replace("$most", &most).replace("$queues", &queues).replace("$able", &able);
                format!("{LANES}, {first}")
            }
            Self::Lanes(quotas) => {
                let lanes = quotas.iter().enumerate().map(|(place, quota)| {
                    let lane = bind(quota.lane.key.clone().into());
                    let take = bind(i64::try_from(quota.take).unwrap_or(i64::MAX).into());
                    format!(
                        "lane_{place} AS (SELECT id FROM work_orders WHERE status = 'queued' AND lane = {lane} \
                         AND score <= $2 AND run_at <= $2 ORDER BY score, id LIMIT {take} FOR UPDATE SKIP LOCKED)"
                    )
                });
                let lanes: Vec<String> = lanes.collect();
                let all: Vec<String> = (0..lanes.len()).map(|place| format!("SELECT id FROM lane_{place}")).collect();
                format!("{}, chosen AS ({})", lanes.join(", "), all.join(" UNION ALL "))
            }
            Self::Locked(ids) => format!("chosen AS (SELECT unnest({}) AS id)", bind(list(ids))),
            Self::Free(ids) => {
                let (ids, able) = (bind(list(ids)), bind(request.capabilities.to_key().into()));
                format!(
                    "chosen AS (SELECT o.id FROM work_orders o WHERE o.id = ANY({ids}) AND o.status = 'queued' \
                     AND o.run_at <= $2 AND (SELECT w.removed_at IS NULL FROM workers w WHERE w.id = $1) \
                     AND string_to_array(o.needs, ',') <@ string_to_array({able}, ',') \
                     AND (SELECT q.paused_at FROM queues q WHERE q.name = o.queue) IS NULL \
                     AND (SELECT coalesce(p.max_concurrency, p.max_starts_per_minute) FROM projects p \
                          WHERE p.id = o.project_id) IS NULL \
                     FOR UPDATE SKIP LOCKED)"
                )
            }
        }
    }
}

fn claimed(row: &QueryResult, session: SessionRowId) -> Result<ClaimedOrder> {
    let order = Order::try_from(Model::from_query_result(row, "").doing(DOING)?)?;
    let text = |column: &str| row.try_get::<String>("", column).doing(DOING);
    let run = Run {
        id: order.run_id,
        task_id: order.task_id,
        title: text("run_title")?,
        template: word("pipelines.template", &text("run_template")?)?,
        version: text("run_version")?,
        definition: row.try_get("", "run_definition").doing(DOING)?,
        input: row.try_get("", "run_input").doing(DOING)?,
        branch: row.try_get("", "run_branch").doing(DOING)?,
        status: TaskStatus::InProgress,
        created_at: Timestamp(row.try_get("", "run_created_at").doing(DOING)?),
        updated_at: Timestamp(row.try_get("", "run_updated_at").doing(DOING)?),
    };
    Ok(ClaimedOrder { order, run, session_id: session })
}
