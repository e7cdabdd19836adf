//! The whole orchestrator, running.

use std::time::Duration;

use shopfloor_domain::order::OrderStatus;
use shopfloor_orchestrator::{Settings, run};
use shopfloor_testkit::{TestStore, soon};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::floor::{Floor, SECOND};

const LEADS: &str = "shopfloor_leader";

/// Starts an orchestrator that looks often.
fn start(floor: &Floor) -> (JoinHandle<()>, CancellationToken) {
    let stop = CancellationToken::new();
    let settings = Settings { every: Duration::from_millis(20), leader_ttl: SECOND, ..Settings::default() };
    (tokio::spawn(run(settings, floor.deps.clone(), stop.clone())), stop)
}

/// Waits until this floor's orchestrator leads. Its process has no other way to tell.
async fn leads(floor: &Floor) {
    let leads = async {
        while floor.metric(LEADS) != 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("the orchestrator to lead", leads).await;
}

pub(crate) async fn a_lost_lease_is_rescued_by_the_running_loops(store: &TestStore) {
    let floor = Floor::new(store);
    let lost = floor.busy(SECOND).await;
    let (running, stop) = start(&floor);
    leads(&floor).await;
    let mut ear = store.orders_bell().ear();
    floor.clock.advance(2 * SECOND);
    let queued = async {
        while floor.order(&lost).await.status != OrderStatus::Queued {
            ear.heard().await;
        }
    };
    soon("the order to be rescued", queued).await;
    stop.cancel();
    soon("the orchestrator to stop", running).await.unwrap();
    assert_eq!(floor.metric(LEADS), 0);
}

pub(crate) async fn another_takes_over_when_the_leader_stops(store: &TestStore) {
    let floor = Floor::new(store);
    let other = floor.neighbour(store).await;
    let (first, stop_first) = start(&floor);
    leads(&floor).await;
    let (second, stop_second) = start(&other);
    stop_first.cancel();
    soon("the leader to stop", first).await.unwrap();
    // The clock stands still: only a resignation can have ended the lease.
    leads(&other).await;
    stop_second.cancel();
    soon("the other to stop", second).await.unwrap();
}

pub(crate) async fn another_takes_over_when_the_leader_dies(store: &TestStore) {
    let floor = Floor::new(store);
    let other = floor.neighbour(store).await;
    let (first, _) = start(&floor);
    leads(&floor).await;
    let (second, stop) = start(&other);
    first.abort();
    assert!(first.await.is_err_and(|error| error.is_cancelled()));
    floor.clock.advance(2 * SECOND);
    leads(&other).await;
    stop.cancel();
    soon("the other to stop", second).await.unwrap();
}
