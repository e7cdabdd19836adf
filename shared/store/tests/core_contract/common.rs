//! What the cases share.

use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr};
use shopfloor_store::{
    Store,
    orders::{self, ClaimRequest, ClaimedOrder},
    tasks::{self, NewTask, Submitted},
    workers,
};
use shopfloor_testkit::{T0, TestStore, new_task, worker};

pub(crate) const LEASE: Duration = Duration::from_secs(8);

/// A registered worker's request for one order.
pub(crate) async fn ready_worker(store: &Store) -> ClaimRequest {
    let new = worker();
    let capabilities = new.capabilities.clone();
    let worker = workers::register(store, new, T0).await.expect("registering a worker");
    ClaimRequest { worker_id: worker.id, queues: Vec::new(), capabilities, limit: 1, lease: LEASE }
}

pub(crate) async fn submit(store: &Store, new: NewTask) -> Submitted {
    tasks::submit(store, new, T0).await.expect("submitting")
}

/// A claimed order and its worker.
pub(crate) async fn claimed(store: &Store) -> (ClaimRequest, ClaimedOrder) {
    let request = ready_worker(store).await;
    submit(store, new_task("a task")).await;
    let mut claimed = orders::claim(store, &request, T0).await.expect("claiming");
    (request, claimed.remove(0))
}

/// A connection past the store, to do what the store never would.
pub(crate) async fn raw(store: &TestStore) -> DatabaseConnection {
    let mut options = ConnectOptions::new(store.settings().database_url.clone());
    options.max_connections(1);
    Database::connect(options).await.expect("connecting past the store")
}

/// Runs a statement past the store.
pub(crate) async fn sql(db: &DatabaseConnection, sql: &str) -> Result<u64, DbErr> {
    db.execute_unprepared(sql).await.map(|done| done.rows_affected())
}
