//! Writing new tasks with all that belongs to them: run, order, and one entry of the log that tells of task and order.

use sea_orm::{ConnectionTrait, EntityTrait as _, Statement, Value};
use serde_json::json;
use shopfloor_domain::{EventId, Name, Timestamp, event::EventKind};

use super::{Task, row::active};
use crate::{
    Backend, Result, Store,
    entity::task,
    error::Doing as _,
    events::ORDER_BORN,
    orders::{self, Order},
    rows::{list, sql_counter},
    runs::{self, Run},
    tx::{Tx, retrying},
};

const DOING: &str = "submitting tasks";
/// Rows per statement on SQLite: few enough that their values stay below the number that one statement may hold.
const BATCH: usize = 500;

/// What one submission makes.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) task: Task,
    pub(super) run: Run,
    pub(super) order: Order,
}

impl Planned {
    /// What the log says of it.
    fn told(&self) -> serde_json::Value {
        let Self { task, run, order } = self;
        let mut payload = json!({
            "title": task.title,
            "task_type": task.task_type,
            "priority": task.priority,
            "project": task.project,
            "pipeline": task.pipeline,
            "run_id": run.id,
            "created_by": task.created_by,
        });
        payload[ORDER_BORN] = orders::born(order);
        payload
    }
}

/// Writes them with whatever else the transaction writes.
pub(super) async fn create(tx: &Tx, planned: &[Planned], now: Timestamp) -> Result<()> {
    if planned.is_empty() {
        return Ok(());
    }
    tx.ring_orders();
    for queue in queues(planned) {
        orders::ensure_queue(tx, queue).await?;
    }
    if tx.backend() == Backend::Postgres {
        tx.events_were_written();
        return insert(tx.db(), planned, now).await;
    }
    for batch in planned.chunks(BATCH) {
        let rows = batch.iter().map(|planned| active(&planned.task));
        task::Entity::insert_many(rows).exec_without_returning(tx.db()).await.doing(DOING)?;
    }
    runs::insert(tx, planned.iter().map(|planned| &planned.run)).await?;
    orders::insert_rows(tx, planned.iter().map(|planned| &planned.order)).await?;
    for planned in planned {
        let (task, order) = (Some(planned.task.id), Some(planned.order.id));
        tx.event(EventKind::TaskSubmitted, task, order, planned.told(), now);
    }
    Ok(())
}

/// Whether [`create_alone`] can write them.
pub(super) fn may_stand_alone(store: &Store, planned: &[Planned]) -> bool {
    store.backend() == Backend::Postgres && !planned.is_empty() && queues(planned).is_empty()
}

/// Writes them and nothing else, on PostgreSQL: one statement, one round trip, one flush to disk.
pub(super) async fn create_alone(store: &Store, planned: &[Planned], now: Timestamp) -> Result<()> {
    retrying(|| insert(store.writer(), planned, now)).await?;
    store.announce_orders();
    store.announce_events();
    Ok(())
}

/// The queues that may have to be made; the default one is always there.
fn queues(planned: &[Planned]) -> Vec<&Name> {
    let mut queues: Vec<&Name> = planned.iter().map(|planned| &planned.order.queue).collect();
    queues.sort();
    queues.dedup();
    queues.retain(|name| **name != Name::DEFAULT);
    queues
}

/// Each column is one array. Arrays hold no NULL here: `=` stands before a text that is there.
const INSERT: &str = "
    WITH new AS (
        SELECT * FROM unnest(
            $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
            $10::jsonb[], $11::text[], $12::uuid[], $13::text[], $14::jsonb[], $15::uuid[], $16::text[], $17::text[],
            $18::bigint[], $19::text[], $20::bigint[], $21::int[], $22::uuid[], $23::jsonb[]
        ) AS new (
            task, project, title, description, task_type, priority, repository, branch, pipeline,
            input, created_by, run, version, definition, work_order, queue, lane,
            score, needs, run_at, max_attempts, event, told
        )
    ), task AS (
        INSERT INTO tasks (id, project_id, title, description, task_type, status, priority, repository_url, branch_name,
                           pipeline, input, created_by, created_at, updated_at)
        SELECT task, project, title, description, task_type, 'queued', priority, substr(nullif(repository, ''), 2),
               substr(nullif(branch, ''), 2), pipeline, input, created_by, $24, $24
        FROM new
    ), run AS (
        INSERT INTO pipelines (id, task_id, title, template, version, definition, input, branch, status, created_at,
                               updated_at)
        SELECT run, task, title, pipeline, version, definition, input, substr(nullif(branch, ''), 2), 'queued', $24, $24
        FROM new
    ), work_order AS (
        INSERT INTO work_orders (id, task_id, run_id, project_id, queue, lane, status, priority, score, needs, run_at,
                                 enqueued_at, epoch, attempt, max_attempts, kills)
        SELECT work_order, task, run, project, queue, lane, 'queued', priority, score, needs, run_at, $24, 0, 0,
               max_attempts, 0
        FROM new
    )
    INSERT INTO events (id, kind, task_id, order_id, payload, created_at)
    SELECT event, 'task.submitted', task, work_order, told, $24 FROM new";

async fn insert<C: ConnectionTrait>(db: &C, planned: &[Planned], now: Timestamp) -> Result<()> {
    fn column<'a, T>(planned: &'a [Planned], value: impl Fn(&'a Planned) -> T) -> Value
    where
        Vec<T>: Into<Value>,
    {
        list(planned.iter().map(value))
    }
    let perhaps = |text: &Option<String>| text.as_ref().map_or_else(String::new, |text| format!("={text}"));
    let values = [
        column(planned, |new| new.task.id.0),
        column(planned, |new| new.task.project_id.0),
        column(planned, |new| new.task.title.clone()),
        column(planned, |new| new.task.description.clone()),
        column(planned, |new| new.task.task_type.to_string()),
        column(planned, |new| new.task.priority.to_string()),
        column(planned, |new| perhaps(&new.task.repository_url)),
        column(planned, |new| perhaps(&new.task.branch_name)),
        column(planned, |new| new.task.pipeline.to_string()),
        column(planned, |new| new.task.input.clone()),
        column(planned, |new| new.task.created_by.clone()),
        column(planned, |new| new.run.id.0),
        column(planned, |new| new.run.version.clone()),
        column(planned, |new| new.run.definition.clone()),
        column(planned, |new| new.order.id.0),
        column(planned, |new| new.order.queue.to_string()),
        column(planned, |new| orders::lane_of(&new.order)),
        column(planned, |new| new.order.score),
        column(planned, |new| new.order.needs.to_key()),
        column(planned, |new| new.order.run_at.0),
        column(planned, |new| sql_counter(new.order.max_attempts)),
        column(planned, |_| EventId::new().0),
        column(planned, Planned::told),
        now.0.into(),
    ];
    let statement = Statement::from_sql_and_values(db.get_database_backend(), INSERT, values);
    db.execute_raw(statement).await.doing(DOING).map(|_| ())
}
