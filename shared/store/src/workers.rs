//! Workers: who is there, what they can do, when they were last heard of.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shopfloor_domain::{Capabilities, Name, Timestamp, WorkerId, worker::WorkerStatus};

use crate::{Page, PageRequest, Result, Store};

/// A worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Worker {
    /// Its id: one per process incarnation.
    pub id: WorkerId,
    /// Its name, for people; not unique.
    pub name: String,
    /// Where it stands.
    pub status: WorkerStatus,
    /// What it can do.
    pub capabilities: Capabilities,
    /// The queues it serves; empty for all.
    pub queues: Vec<Name>,
    /// How many orders it works on at once.
    pub slots: u32,
    /// How many it holds now.
    pub held: u32,
    /// The program's version.
    pub version: String,
    /// When it was last heard of.
    pub last_heartbeat_at: Timestamp,
    /// When it registered.
    pub created_at: Timestamp,
    /// When its row last changed.
    pub updated_at: Timestamp,
    /// When somebody removed it (it is told to drain at its next heartbeat).
    pub removed_at: Option<Timestamp>,
}

/// A worker to register.
#[derive(Debug, Clone, PartialEq)]
pub struct NewWorker {
    /// Its id, made by the worker itself when it started.
    pub id: WorkerId,
    /// Its name.
    pub name: String,
    /// What it can do.
    pub capabilities: Capabilities,
    /// The queues it serves.
    pub queues: Vec<Name>,
    /// How many orders it works on at once.
    pub slots: u32,
    /// The program's version.
    pub version: String,
}

/// Registers a worker, or refreshes it when the same id registers again.
pub async fn register(_store: &Store, _new: NewWorker, _now: Timestamp) -> Result<Worker> {
    todo!()
}

/// Notes that a worker lives. `NotFound` when it never registered; a removed worker learns it from `removed_at`.
pub async fn heartbeat(_store: &Store, _id: WorkerId, _status: WorkerStatus, _now: Timestamp) -> Result<Worker> {
    todo!()
}

/// One worker.
pub async fn get(_store: &Store, _id: WorkerId) -> Result<Worker> {
    todo!()
}

/// Workers, newest first; those that are offline only when `include_offline`.
pub async fn list(_store: &Store, _include_offline: bool, _page: &PageRequest) -> Result<Page<Worker>> {
    todo!()
}

/// Removes a worker: it is told to drain at its next heartbeat and gets no more orders.
pub async fn remove(_store: &Store, _id: WorkerId, _now: Timestamp) -> Result<Worker> {
    todo!()
}

/// Says goodbye: the worker is offline.
pub async fn leave(_store: &Store, _id: WorkerId, _now: Timestamp) -> Result<()> {
    todo!()
}

/// Marks workers as offline that have been silent for longer than `silence`. Returns them.
pub async fn mark_offline(_store: &Store, _silence: Duration, _now: Timestamp) -> Result<Vec<Worker>> {
    todo!()
}
