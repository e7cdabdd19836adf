//! The event log: one row per change, written in the transaction that made the change, read by a gap-free cursor.
//!
//! On PostgreSQL transactions commit out of the order of their sequence numbers. Each row therefore carries a transaction
//! id, the cursor is `(transaction id, sequence)`, and a reader sees only rows of transactions older than every
//! transaction still running (`pg_snapshot_xmin`). The id is such that of two changes that waited for one another (of one
//! order, say) the later one also stands later in the log; the migration says how. SQLite has one writer, and 0 for the
//! transaction id.
//!
//! One row may tell two events: a submission that of its order's birth, an order's move that of its task's. They are half of
//! all events, and a row costs as much as the change it tells of. A cursor therefore has a part as well.
//!
//! So on PostgreSQL a reader that was woken may see nothing yet, while an older transaction still runs (in any database
//! of the server): it has to look again shortly. What it must never do is to skip ahead.

use std::{collections::BTreeSet, fmt, str::FromStr};

use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    prelude::{Expr, Uuid},
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

/// In the payload of a `task.submitted` row: the payload of the `order.status` event that comes with it.
pub(crate) const ORDER_BORN: &str = "order";
/// In the payload of an `order.status` row: the payload of the `task.status` event that comes with it.
pub(crate) const TASK_MOVE: &str = "task";

/// A place in the event log. Text form `XID-SEQ`, or `XID-SEQ.PART`; [`Cursor::START`] is before everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Cursor {
    /// The writing transaction's id or a later one's; 0 on SQLite.
    pub xid: i64,
    /// The sequence number.
    pub seq: i64,
    /// Which of the events that the row tells, from 0.
    pub part: u8,
}

impl Cursor {
    /// Before the first event.
    pub const START: Self = Self { xid: 0, seq: 0, part: 0 };
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.xid, self.seq)?;
        if self.part > 0 { write!(f, ".{}", self.part) } else { Ok(()) }
    }
}

impl FromStr for Cursor {
    type Err = StoreError;
    fn from_str(text: &str) -> Result<Self> {
        let problem = "expected `NUMBER-NUMBER` or `NUMBER-NUMBER.NUMBER`";
        let invalid = || StoreError::Invalid { field: "cursor", problem: problem.to_owned() };
        let (xid, place) = text.split_once('-').ok_or_else(invalid)?;
        let (seq, part) = place.split_once('.').unwrap_or((place, "0"));
        let digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
        let number = |text: &str| Some(text).filter(digits)?.parse::<i64>().ok();
        let part = number(part).and_then(|part| u8::try_from(part).ok()).ok_or_else(invalid)?;
        Ok(Self { xid: number(xid).ok_or_else(invalid)?, seq: number(seq).ok_or_else(invalid)?, part })
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
    let limit = limit.clamp(1, MAX_READ);
    let wanted = |event: &Event| filter.kinds.is_empty() || filter.kinds.contains(&event.kind);
    let (mut events, mut from) = (Vec::new(), after);
    loop {
        let rows = rows_from(store, from, filter, limit).await?;
        let (more, last) = (rows.len() == limit as usize, rows.last().map(|row| (row.xid, row.seq)));
        for row in rows {
            events.extend(told(row)?.into_iter().filter(|event| event.cursor > after && wanted(event)));
        }
        events.truncate(limit as usize);
        match last {
            // A page of rows may tell nothing that is wanted, and the reader takes an empty answer for the end.
            Some((xid, seq)) if more && events.is_empty() => from = Cursor { xid, seq, part: LAST_PART },
            _ => return Ok(events),
        }
    }
}

/// The rows from a place on, its own among them when it may have more to tell.
async fn rows_from(store: &Store, from: Cursor, filter: &EventFilter, limit: u32) -> Result<Vec<Model>> {
    // Kinds that only a newer version knows are passed over, never an error.
    let kinds = if filter.kinds.is_empty() { EventKind::ALL } else { filter.kinds.as_slice() };
    let tellers = kinds.iter().flat_map(|kind| [Some(*kind), teller(*kind)]).flatten();
    let mut rows = settled(store, from).limit(u64::from(limit));
    rows = rows.filter(Column::Kind.is_in(tellers.map(EventKind::as_str).collect::<BTreeSet<_>>()));
    if let Some(task) = filter.task_id {
        rows = rows.filter(Column::TaskId.eq(task.0));
    }
    let rows = match store.backend() {
        Backend::Postgres => rows.order_by_asc(Column::Xid).order_by_asc(Column::Seq),
        Backend::Sqlite => rows.order_by_asc(Column::Seq),
    };
    rows.all(store.read()).await.doing("reading the event log")
}

/// The kind of row that tells events of this kind along with its own.
fn teller(kind: EventKind) -> Option<EventKind> {
    match kind {
        EventKind::OrderStatus => Some(EventKind::TaskSubmitted),
        EventKind::TaskStatus => Some(EventKind::OrderStatus),
        _ => None,
    }
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
    let Some(row) = last else { return Ok(Cursor::START) };
    let place = Cursor { xid: row.xid, seq: row.seq, part: 0 };
    // A kind that only a newer version knows tells one event as far as this one can see.
    Ok(told(row).ok().and_then(|told| told.last().map(|event| event.cursor)).unwrap_or(place))
}

/// The last part that a row can have.
const LAST_PART: u8 = 1;

/// The rows from a place on, before which nothing can appear any more.
fn settled(store: &Store, from: Cursor) -> Select<Entity> {
    let place = Expr::tuple([from.xid.into(), from.seq.into()]);
    let row = Expr::tuple([Expr::col(Column::Xid), Expr::col(Column::Seq)]);
    let done = from == Cursor::START || from.part >= LAST_PART;
    match store.backend() {
        Backend::Postgres => Entity::find()
            .filter(if done { row.gt(place) } else { row.gte(place) })
            .filter(Expr::cust("xid < CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)")),
        Backend::Sqlite if done => Entity::find().filter(Column::Seq.gt(from.seq)),
        Backend::Sqlite => Entity::find().filter(Column::Seq.gte(from.seq)),
    }
}

/// The events that a row tells, in their order.
fn told(row: Model) -> Result<Vec<Event>> {
    let mut first = Event::try_from(row)?;
    let (field, kind) = match first.kind {
        EventKind::TaskSubmitted => (ORDER_BORN, EventKind::OrderStatus),
        EventKind::OrderStatus => (TASK_MOVE, EventKind::TaskStatus),
        _ => return Ok(vec![first]),
    };
    let Some(payload) = first.payload.as_object_mut().and_then(|fields| fields.remove(field)) else {
        return Ok(vec![first]);
    };
    let second = Event {
        cursor: Cursor { part: 1, ..first.cursor },
        id: EventId(Uuid::from_u128(first.id.0.as_u128() ^ 1)),
        kind,
        payload,
        ..first.clone()
    };
    if first.kind == EventKind::TaskSubmitted {
        first.order_id = None;
    }
    Ok(vec![first, second])
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
            cursor: Cursor { xid: row.xid, seq: row.seq, part: 0 },
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
        let far = Cursor { xid: i64::MAX, seq: i64::MAX, part: 1 };
        for cursor in [Cursor::START, Cursor { xid: 7, seq: 9, part: 0 }, Cursor { xid: 7, seq: 9, part: 1 }, far] {
            assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in [
            "",
            "-",
            "1",
            "1-",
            "-1-2",
            "1--2",
            "a-b",
            "1-2-3",
            "1-2.",
            "1-.3",
            "1-2.3.4",
            "1-2.999",
            "99999999999999999999-1",
            "+1-2",
            " 1-2",
        ] {
            assert!(text.parse::<Cursor>().is_err(), "{text:?}");
        }
    }
}
