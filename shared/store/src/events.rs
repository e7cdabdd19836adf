//! The event log: one row per change, written in the transaction that made the change, read by a gap-free cursor.
//!
//! On PostgreSQL transactions commit out of the order of their sequence numbers. Each row therefore carries a transaction
//! id, the cursor is `(transaction id, sequence)`, and a reader sees only rows of transactions older than every
//! transaction still running (`pg_snapshot_xmin`). The id is such that of two changes that waited for one another (of one
//! order, say) the later one also stands later in the log; the migration says how. SQLite has one writer, and 0 for the
//! transaction id.
//!
//! So on PostgreSQL a reader that was woken may see nothing yet, while an older transaction still runs (in any database
//! of the server): it has to look again shortly. What it must never do is to skip ahead.

use std::{fmt, str::FromStr};

use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    prelude::Expr,
    sea_query::ExprTrait as _,
};
use serde::{Deserialize, Serialize};
use shopfloor_domain::{EventId, Fence, OrderId, TaskId, Timestamp, event::EventKind};

use crate::{
    Backend, Result, Store, StoreError,
    entity::event::{ActiveModel, Column, Entity, Model},
    error::Doing as _,
    orders,
    rows::{clean_json, word},
    tx::{NewEvent, Tx, retrying},
};

/// Events read at once, at most.
const MAX_READ: u32 = 1000;
/// Events per insert statement: few enough that their values stay below the number that one statement may hold.
const BATCH: usize = 500;

/// A place in the event log. Text form `XID-SEQ`; [`Cursor::START`] is before everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Cursor {
    /// The writing transaction's id or a later one's; 0 on SQLite.
    pub xid: i64,
    /// The sequence number.
    pub seq: i64,
}

impl Cursor {
    /// Before the first event.
    pub const START: Self = Self { xid: 0, seq: 0 };
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.xid, self.seq)
    }
}

impl FromStr for Cursor {
    type Err = StoreError;
    fn from_str(text: &str) -> Result<Self> {
        let invalid = || StoreError::Invalid { field: "cursor", problem: "expected `NUMBER-NUMBER`".to_owned() };
        let (xid, seq) = text.split_once('-').ok_or_else(invalid)?;
        let digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
        let number = |text: &str| Some(text).filter(digits)?.parse::<i64>().ok();
        Ok(Self { xid: number(xid).ok_or_else(invalid)?, seq: number(seq).ok_or_else(invalid)? })
    }
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Where it stands; the SSE id.
    #[serde(skip)]
    pub cursor: Cursor,
    /// Its id.
    pub id: EventId,
    /// What it is about.
    pub kind: EventKind,
    /// The task it concerns.
    pub task_id: Option<TaskId>,
    /// The order it concerns.
    pub order_id: Option<OrderId>,
    /// The rest; the shape is the kind's.
    pub payload: serde_json::Value,
    /// When it happened.
    pub created_at: Timestamp,
}

/// Which events to read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventFilter {
    /// Of this task only.
    pub task_id: Option<TaskId>,
    /// Of these kinds; empty for all.
    pub kinds: Vec<EventKind>,
}

/// At most `limit` events after `after`, in log order. Empty when the reader is up to date.
///
/// # Errors
/// `Database`.
pub async fn read(store: &Store, after: Cursor, filter: &EventFilter, limit: u32) -> Result<Vec<Event>> {
    // Kinds that only a newer version knows are passed over, never an error.
    let kinds = if filter.kinds.is_empty() { EventKind::ALL } else { filter.kinds.as_slice() };
    let mut rows = settled(store, after).limit(u64::from(limit.clamp(1, MAX_READ)));
    rows = rows.filter(Column::Kind.is_in(kinds.iter().map(|kind| kind.as_str())));
    if let Some(task) = filter.task_id {
        rows = rows.filter(Column::TaskId.eq(task.0));
    }
    let rows = match store.backend() {
        Backend::Postgres => rows.order_by_asc(Column::Xid).order_by_asc(Column::Seq),
        Backend::Sqlite => rows.order_by_asc(Column::Seq),
    };
    let rows = rows.all(store.read()).await.doing("reading the event log")?;
    rows.into_iter().map(Event::try_from).collect()
}

/// The end of the log as a reader sees it now.
///
/// # Errors
/// `Database`.
pub async fn tail(store: &Store) -> Result<Cursor> {
    let rows = settled(store, Cursor::START);
    let rows = match store.backend() {
        Backend::Postgres => rows.order_by_desc(Column::Xid).order_by_desc(Column::Seq),
        Backend::Sqlite => rows.order_by_desc(Column::Seq),
    };
    let last = rows.one(store.read()).await.doing("finding the end of the event log")?;
    Ok(last.map_or(Cursor::START, |row| Cursor { xid: row.xid, seq: row.seq }))
}

/// The events after a place before which nothing can appear any more.
fn settled(store: &Store, after: Cursor) -> Select<Entity> {
    let place = Expr::tuple([after.xid.into(), after.seq.into()]);
    match store.backend() {
        Backend::Postgres => Entity::find()
            .filter(Expr::tuple([Expr::col(Column::Xid), Expr::col(Column::Seq)]).gt(place))
            .filter(Expr::cust("xid < CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)")),
        Backend::Sqlite => Entity::find().filter(Column::Seq.gt(after.seq)),
    }
}

/// Appends events that belong to a claimed order (live output of a step), guarded by its epoch.
///
/// # Errors
/// `Fenced`, `Database`.
pub async fn append(
    store: &Store,
    fence: Fence,
    kind: EventKind,
    payloads: Vec<serde_json::Value>,
    now: Timestamp,
) -> Result<()> {
    retrying(|| append_once(store, fence, kind, &payloads, now)).await
}

async fn append_once(
    store: &Store,
    fence: Fence,
    kind: EventKind,
    payloads: &[serde_json::Value],
    now: Timestamp,
) -> Result<()> {
    let tx = store.begin("appending to the event log").await?;
    let order = orders::lock_claimed(&tx, fence, "event", now).await?;
    for payload in payloads {
        tx.event(kind, Some(order.task_id), Some(order.id), payload.clone(), now);
    }
    tx.commit().await
}

/// Writes the events that a transaction collected with `Tx::event`; called by `Tx::commit`.
pub(crate) async fn insert_all(tx: &Tx, events: Vec<NewEvent>) -> Result<()> {
    let mut rows = events.into_iter().map(active).peekable();
    while rows.peek().is_some() {
        let batch: Vec<_> = rows.by_ref().take(BATCH).collect();
        Entity::insert_many(batch).exec_without_returning(tx.db()).await.doing("writing to the event log")?;
    }
    Ok(())
}

fn active(event: NewEvent) -> ActiveModel {
    ActiveModel {
        seq: NotSet,
        xid: NotSet,
        id: Set(EventId::new().0),
        kind: Set(event.kind.to_string()),
        task_id: Set(event.task_id.map(|id| id.0)),
        order_id: Set(event.order_id.map(|id| id.0)),
        payload: Set(clean_json(event.payload)),
        created_at: Set(event.now.0),
    }
}

impl TryFrom<Model> for Event {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Self {
            cursor: Cursor { xid: row.xid, seq: row.seq },
            id: row.id.into(),
            kind: word("events.kind", &row.kind)?,
            task_id: row.task_id.map(Into::into),
            order_id: row.order_id.map(Into::into),
            payload: row.payload,
            created_at: Timestamp(row.created_at),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_from_its_text() {
        for cursor in [Cursor::START, Cursor { xid: 7, seq: 9 }, Cursor { xid: i64::MAX, seq: i64::MAX }] {
            assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "-", "1", "1-", "-1-2", "1--2", "a-b", "1-2-3", "99999999999999999999-1", "+1-2", " 1-2"] {
            assert!(text.parse::<Cursor>().is_err(), "{text:?}");
        }
    }
}
