//! The event log: one row per change, written in the transaction that made the change, read by a gap-free cursor.
//!
//! On PostgreSQL transactions commit out of the order of their sequence numbers. Each row therefore carries its
//! transaction's id, the cursor is `(transaction id, sequence)`, and a reader sees only rows of transactions older than
//! every transaction still running (`pg_snapshot_xmin`). SQLite has one writer, and 0 for the transaction id.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use shopfloor_domain::{EventId, Fence, OrderId, TaskId, Timestamp, event::EventKind};

use crate::{Result, Store, StoreError};

/// A place in the event log. Text form `XID-SEQ`; [`Cursor::START`] is before everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Cursor {
    /// The writing transaction's id; 0 on SQLite.
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
        let number =
            |text: &str| text.parse::<u32>().map(i64::from).or_else(|_| text.parse::<i64>()).ok().filter(|n| *n >= 0);
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
pub async fn read(_store: &Store, _after: Cursor, _filter: &EventFilter, _limit: u32) -> Result<Vec<Event>> {
    todo!()
}

/// The end of the log as a reader sees it now.
pub async fn tail(_store: &Store) -> Result<Cursor> {
    todo!()
}

/// Appends events that belong to a claimed order (live output of a step), guarded by its epoch.
pub async fn append(
    _store: &Store,
    _fence: Fence,
    _kind: EventKind,
    _payloads: Vec<serde_json::Value>,
    _now: Timestamp,
) -> Result<()> {
    todo!()
}
