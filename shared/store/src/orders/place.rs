//! What a queue beside the record needs to know about waiting orders: where each belongs, and what projects may run.

use std::collections::HashMap;

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    prelude::{Expr, Uuid},
};
use shopfloor_domain::{Capabilities, Name, OrderId, ProjectId, Timestamp, pace::Pace};

use super::{Order, row::needs};
use crate::{
    Result, Store,
    entity::{
        project,
        work_order::{Column, Entity},
    },
    error::Doing as _,
    projects::pace,
    rows::{counter, word},
};

/// Ids in one statement, at most.
const BATCH: usize = 1000;

/// Where a queued order belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The order.
    pub id: OrderId,
    /// Its queue.
    pub queue: Name,
    /// Its project.
    pub project: ProjectId,
    /// What a worker needs to run it.
    pub needs: Capabilities,
    /// Its rank; lowest first.
    pub score: i64,
    /// Not before this time.
    pub run_at: Timestamp,
}

impl From<&Order> for Place {
    fn from(order: &Order) -> Self {
        Self {
            id: order.id,
            queue: order.queue.clone(),
            project: order.project_id,
            needs: order.needs.clone(),
            score: order.score,
            run_at: order.run_at,
        }
    }
}

/// What a project may run and start, and what it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectRoom {
    /// The project.
    pub project: ProjectId,
    /// How many of its orders may run at once; `None` for no limit.
    pub limit: Option<u32>,
    /// Those that run now; empty when there is no limit.
    pub held: Vec<OrderId>,
    /// How fast its orders may start; `None` for no limit.
    pub pace: Option<Pace>,
    /// Until when what was started has used up the pace, in microseconds since 1970.
    pub spent_until: Option<i64>,
}

impl ProjectRoom {
    /// Whether another of its orders may start.
    #[must_use]
    pub fn is_free(&self, now: Timestamp) -> bool {
        self.limit.is_none_or(|limit| self.held.len() < limit as usize)
            && self.pace.is_none_or(|pace| pace.room(self.spent_until, now) > 0)
    }
}

/// A place in the list of queued orders by due time, for going through them in pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueCursor {
    /// The due time of the last order seen.
    pub run_at: Timestamp,
    /// Its id.
    pub id: OrderId,
}

#[derive(Debug, FromQueryResult)]
struct Row {
    id: Uuid,
    queue: String,
    project_id: Uuid,
    needs: String,
    score: i64,
    run_at: i64,
}

impl TryFrom<Row> for Place {
    type Error = crate::StoreError;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            queue: word("work_orders.queue", &row.queue)?,
            project: row.project_id.into(),
            needs: needs(&row.needs)?,
            score: row.score,
            run_at: Timestamp(row.run_at),
        })
    }
}

/// Where those of these orders belong that are queued; the others are left out.
///
/// # Errors
/// `Database`.
pub async fn places(store: &Store, ids: &[OrderId]) -> Result<Vec<Place>> {
    let mut places = Vec::with_capacity(ids.len());
    for batch in ids.chunks(BATCH) {
        let rows = selected().filter(Column::Id.is_in(batch.iter().map(|id| id.0)));
        let rows: Vec<Row> = rows.into_model().all(store.read()).await.doing("looking up where orders belong")?;
        for row in rows {
            places.push(row.try_into()?);
        }
    }
    Ok(places)
}

/// Where the orders belong that were queued and are due later than `after`, the earliest first, at most `limit`.
///
/// # Errors
/// `Database`.
pub async fn queued_after(store: &Store, after: Option<DueCursor>, limit: u64) -> Result<Vec<Place>> {
    let mut rows = selected().order_by_asc(Column::RunAt).order_by_asc(Column::Id).limit(limit);
    if let Some(after) = after {
        let later = Condition::any()
            .add(Column::RunAt.gt(after.run_at.0))
            .add(Condition::all().add(Column::RunAt.eq(after.run_at.0)).add(Column::Id.gt(after.id.0)));
        // The first condition alone lets the index be entered at the right place.
        rows = rows.filter(Column::RunAt.gte(after.run_at.0)).filter(later);
    }
    let rows: Vec<Row> = rows.into_model().all(store.read()).await.doing("going through the queued orders")?;
    rows.into_iter().map(Place::try_from).collect()
}

/// Where the orders belong that came due last, at most `limit`.
///
/// # Errors
/// `Database`.
pub async fn due_last(store: &Store, now: Timestamp, limit: u64) -> Result<Vec<Place>> {
    let rows = selected().filter(Column::RunAt.lte(now.0)).order_by_desc(Column::RunAt).limit(limit);
    let rows: Vec<Row> = rows.into_model().all(store.read()).await.doing("looking at the newest queued orders")?;
    rows.into_iter().map(Place::try_from).collect()
}

fn selected() -> sea_orm::Select<Entity> {
    Entity::find()
        .select_only()
        .columns([Column::Id, Column::Queue, Column::ProjectId, Column::Needs, Column::Score, Column::RunAt])
        .filter(Expr::cust("status = 'queued'"))
}

/// What these projects may run, and what limited ones run now.
///
/// # Errors
/// `Database`.
pub async fn rooms(store: &Store, projects: &[ProjectId]) -> Result<Vec<ProjectRoom>> {
    const DOING: &str = "looking up projects' limits";
    let ids = || projects.iter().map(|project| project.0);
    let rows = project::Entity::find().filter(project::Column::Id.is_in(ids())).all(store.read()).await.doing(DOING)?;
    let mut held: HashMap<Uuid, Vec<OrderId>> = HashMap::new();
    let limited: Vec<Uuid> = rows.iter().filter(|row| row.max_concurrency.is_some()).map(|row| row.id).collect();
    if !limited.is_empty() {
        let running: Vec<(Uuid, Uuid)> = Entity::find()
            .select_only()
            .columns([Column::ProjectId, Column::Id])
            .filter(Expr::cust("status = 'claimed'"))
            .filter(Column::ProjectId.is_in(limited))
            .into_tuple()
            .all(store.read())
            .await
            .doing(DOING)?;
        for (project, order) in running {
            held.entry(project).or_default().push(order.into());
        }
    }
    let room = |row: project::Model| {
        let limit = row.max_concurrency.map(|limit| counter("projects.max_concurrency", limit)).transpose()?;
        Ok(ProjectRoom {
            project: row.id.into(),
            limit,
            held: held.remove(&row.id).unwrap_or_default(),
            pace: pace(row.max_starts_per_minute)?,
            spent_until: row.starts_spent_until,
        })
    };
    rows.into_iter().map(room).collect()
}
