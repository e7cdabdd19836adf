//! Wake-up calls.

use futures::FutureExt as _;
use shopfloor_domain::OrderId;
use shopfloor_store::{
    Backend, StoreError, orders,
    orders::Verdict,
    tasks::{self, NewTask},
};
use shopfloor_testkit::{T0, TestStore, name, new_task, soon};

use super::common::{claimed, submit};

pub(crate) async fn a_commit_rings_the_orders_bell(store: &TestStore) {
    let (mut orders_ear, mut events_ear) = (store.orders_bell().ear(), store.events_bell().ear());
    submit(store, new_task("a task")).await;
    soon("the orders' bell", orders_ear.heard()).await;
    soon("the events' bell", events_ear.heard()).await;
}

pub(crate) async fn another_process_hears_the_bells(store: &TestStore) {
    if store.backend() == Backend::Sqlite {
        // SQLite has no line between processes: they look by themselves.
        return;
    }
    let other = store.reopen().await;
    let (mut orders_ear, mut events_ear) = (other.orders_bell().ear(), other.events_bell().ear());
    // Until the other process's line stands it hears nothing, and nobody tells when that is: so commit until it has heard.
    let heard = async {
        orders_ear.heard().await;
        events_ear.heard().await;
    };
    let committing = async {
        loop {
            submit(store, new_task("a task")).await;
        }
    };
    tokio::select! {
        () = soon("the line", heard) => {}
        () = committing => {}
    }
    submit(store, new_task("a task")).await;
    soon("the other process's orders' bell", orders_ear.heard()).await;
    soon("the other process's events' bell", events_ear.heard()).await;
}

pub(crate) async fn nothing_committed_rings_nothing(store: &TestStore) {
    let (_, held) = claimed(store).await;
    orders::finish(store, held.fence(), Verdict::Cancelled, T0).await.expect("finishing");
    if store.backend() == Backend::Postgres {
        // Let the line's own ring pass.
        let mut ear = store.orders_bell().ear();
        store.orders_bell().ring();
        ear.heard().await;
    }
    let mut ear = store.orders_bell().ear();
    let late = orders::finish(store, held.fence(), Verdict::Cancelled, T0).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
    let unknown = orders::requeue_dead(store, OrderId::new(), None, "someone", T0).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })), "{unknown:?}");
    let refused = tasks::submit(store, NewTask { project: name("nowhere"), ..new_task("bad") }, T0).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    if store.backend() == Backend::Sqlite {
        assert!(ear.heard().now_or_never().is_none());
    }
}
