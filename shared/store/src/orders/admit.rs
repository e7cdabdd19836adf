//! The second half of a claim that a queue beside the record began: the record decides which of the chosen orders are
//! really handed out.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    prelude::{Expr, Uuid},
    sea_query::{ExprTrait as _, LockBehavior, LockType},
};
use shopfloor_domain::{Name, OrderId, ProjectId, Timestamp};

use super::{
    ClaimRequest, ClaimedOrder,
    claim::{DOING, granted, hand_out, lock_room, may_claim, spend},
    grant::Chosen,
    row::needs,
};
use crate::{
    Backend, Result, Store,
    entity::{
        project, queue,
        work_order::{Column, Entity, Model},
    },
    error::Doing as _,
    rows::word,
    tx::{Tx, retrying},
};

/// What became of the orders that a queue chose.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Admitted {
    /// Handed out.
    pub claimed: Vec<ClaimedOrder>,
    /// Projects of the chosen orders that have a limit.
    pub limited: BTreeSet<ProjectId>,
    /// Projects at their limit: at least one of the chosen orders has to wait for room.
    pub full: BTreeSet<ProjectId>,
    /// Paused queues of chosen orders.
    pub paused: BTreeSet<Name>,
    /// Chosen, and not handed out, for whatever reason.
    pub refused: Vec<OrderId>,
}

/// Claims those of `ids` that are queued, due, of an unpaused queue, within their project's limit and covered by the
/// request. One transaction mints each epoch, counts the attempt, opens the session and begins the execution. An order
/// that somebody else holds locked at this moment is refused like one that is gone; look again later.
///
/// # Errors
/// `NotFound` for a worker that never registered, `Database`.
pub async fn admit(store: &Store, request: &ClaimRequest, ids: &[OrderId], now: Timestamp) -> Result<Admitted> {
    let mut free = Vec::new();
    if store.backend() == Backend::Postgres {
        let chosen = || Chosen::Free(ids.iter().map(|id| id.0).collect());
        // Those that nothing stands in the way of go in one statement.
        free = retrying(|| granted(store, request, chosen(), ids.len(), now)).await?;
    }
    if free.len() == ids.len() {
        return Ok(Admitted { claimed: free, ..Admitted::default() });
    }
    let taken: BTreeSet<OrderId> = free.iter().map(|claimed| claimed.order.id).collect();
    let rest: Vec<OrderId> = ids.iter().copied().filter(|id| !taken.contains(id)).collect();
    let looked = async {
        if !may_claim(store, request).await? {
            return Ok(Admitted { refused: rest.clone(), ..Admitted::default() });
        }
        retrying(|| admit_once(store, request, &rest, now)).await
    };
    match looked.await {
        Ok(mut admitted) => {
            admitted.claimed.splice(0..0, free);
            admitted.claimed.sort_by_key(|claimed| (claimed.order.score, claimed.order.id));
            Ok(admitted)
        }
        // What is claimed already must reach the worker; the rest is looked at again later.
        Err(error) if !free.is_empty() => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "Some of the chosen orders could not be looked at"
            );
            Ok(Admitted { claimed: free, refused: rest, ..Admitted::default() })
        }
        Err(error) => Err(error),
    }
}

async fn admit_once(store: &Store, request: &ClaimRequest, ids: &[OrderId], now: Timestamp) -> Result<Admitted> {
    let tx = store.begin(DOING).await?;
    let found = lock_chosen(&tx, ids, now).await?;
    let mut admitted = Admitted { paused: paused(&tx, &found).await?, ..Admitted::default() };
    let (mut room, mut starts) = (room(&tx, &found, now).await?, BTreeMap::new());
    admitted.limited = room.keys().copied().collect();
    let mut chosen = Vec::with_capacity(found.len());
    for row in found {
        let project = ProjectId::from(row.project_id);
        if admitted.paused.contains(&word::<Name>("work_orders.queue", &row.queue)?)
            || !request.capabilities.cover(&needs(&row.needs)?)
        {
            continue;
        }
        match room.get_mut(&project) {
            Some(room) if *room <= 0 => {
                admitted.full.insert(project);
                continue;
            }
            Some(room) => {
                *room -= 1;
                *starts.entry(project).or_insert(0) += 1;
            }
            None => {}
        }
        chosen.push(row.id);
    }
    if !chosen.is_empty() {
        spend(&tx, &starts, now).await?;
        admitted.claimed = hand_out(&tx, request, chosen, now).await?;
        tx.commit().await?;
    }
    let taken: BTreeSet<OrderId> = admitted.claimed.iter().map(|claimed| claimed.order.id).collect();
    admitted.refused = ids.iter().copied().filter(|id| !taken.contains(id)).collect();
    Ok(admitted)
}

/// Locks those that are queued and due, in the order in which they should go, passing by those that others hold.
async fn lock_chosen(tx: &Tx, ids: &[OrderId], now: Timestamp) -> Result<Vec<Model>> {
    let rows = Entity::find()
        .filter(Column::Id.is_in(ids.iter().map(|id| id.0)))
        .filter(Expr::cust("status = 'queued'"))
        .filter(Column::RunAt.lte(now.0))
        .order_by_asc(Column::Score)
        .order_by_asc(Column::Id)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    rows.all(tx.db()).await.doing(DOING)
}

async fn paused(tx: &Tx, rows: &[Model]) -> Result<BTreeSet<Name>> {
    let names: BTreeSet<&str> = rows.iter().map(|row| row.queue.as_str()).collect();
    if names.is_empty() {
        return Ok(BTreeSet::new());
    }
    let paused =
        queue::Entity::find().filter(queue::Column::PausedAt.is_not_null()).filter(queue::Column::Name.is_in(names));
    let paused = paused.all(tx.db()).await.doing(DOING)?;
    paused.iter().map(|row| word("queues.name", &row.name)).collect()
}

/// How many more orders each limited project among these may run. Their rows stay locked until the end of the
/// transaction, so that claims of one project come one after another; always in the same order, so that they cannot
/// block each other.
async fn room(tx: &Tx, rows: &[Model], now: Timestamp) -> Result<BTreeMap<ProjectId, i64>> {
    let projects: BTreeSet<Uuid> = rows.iter().map(|row| row.project_id).collect();
    if projects.is_empty() {
        return Ok(BTreeMap::new());
    }
    let limited: Vec<Uuid> = project::Entity::find()
        .select_only()
        .column(project::Column::Id)
        .filter(project::Column::Id.is_in(projects))
        .filter(project::Column::MaxConcurrency.is_not_null().or(project::Column::MaxStartsPerMinute.is_not_null()))
        .order_by_asc(project::Column::Id)
        .into_tuple()
        .all(tx.db())
        .await
        .doing(DOING)?;
    let mut room = BTreeMap::new();
    for project in limited {
        room.extend(lock_room(tx, project.into(), now).await?);
    }
    Ok(room)
}
