//! Who leads.

use std::{sync::Arc, time::Duration};

use shopfloor_orchestrator::{Candidate, StoreBallot};
use shopfloor_store::Store;
use shopfloor_testkit::TestStore;

use crate::floor::{Floor, SECOND};

const TTL: Duration = Duration::from_secs(3);

fn candidate(floor: &Floor, store: &Store) -> Candidate {
    Candidate::new(Arc::new(StoreBallot(store.clone())), floor.clock.clone(), TTL)
}

/// Asks for the lead once.
async fn leads(candidate: &Candidate) -> bool {
    candidate.campaign().await.unwrap().is_some()
}

pub(crate) async fn a_silent_leader_is_replaced_when_its_lease_ends(store: &TestStore) {
    let floor = Floor::new(store);
    let (old, new) = (candidate(&floor, store), candidate(&floor, &store.reopen().await));
    assert!(leads(&old).await);
    assert!(!leads(&new).await, "one at a time");
    floor.clock.advance(TTL - SECOND);
    assert!(leads(&old).await, "it renews");
    floor.clock.advance(TTL - SECOND);
    assert!(!leads(&new).await, "the renewal counts");
    floor.clock.advance(SECOND);
    assert!(leads(&new).await, "the lease has ended");
    assert!(!leads(&old).await, "and the old leader learns it");
    old.resign().await;
    assert!(!leads(&old).await && leads(&new).await, "only the leader can resign");
}

pub(crate) async fn a_resigned_lead_is_taken_at_once(store: &TestStore) {
    let floor = Floor::new(store);
    let (old, new) = (candidate(&floor, store), candidate(&floor, store));
    assert!(leads(&old).await);
    old.resign().await;
    assert!(leads(&new).await);
}

pub(crate) async fn of_many_candidates_one_wins(store: &TestStore) {
    let floor = Floor::new(store);
    let elsewhere = store.reopen().await;
    let candidates: Vec<_> = (0..8).map(|n| candidate(&floor, if n % 2 == 0 { store } else { &elsewhere })).collect();
    for round in 0..3 {
        let mut votes = tokio::task::JoinSet::new();
        for candidate in candidates.clone() {
            votes.spawn(async move { leads(&candidate).await });
        }
        let won = votes.join_all().await.into_iter().filter(|won| *won).count();
        assert_eq!(won, 1, "round {round}");
        floor.clock.advance(TTL);
    }
}
