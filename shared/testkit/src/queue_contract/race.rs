//! Many at once: what must hold whoever comes first.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use shopfloor_domain::{OrderId, order::OrderStatus};
use shopfloor_store::{
    StoreError,
    orders::{ClaimRequest, ClaimedOrder},
    tasks::{self, NewTask},
};
use tokio::{sync::Barrier, task::JoinSet};

use super::{
    Bench,
    bench::{LEASE, completed},
};
use crate::{name, new_task};

const CLAIMERS: usize = 12;

async fn submit_many(bench: &Bench, new: NewTask, count: usize) -> Vec<OrderId> {
    let bulk = std::iter::repeat_n(new, count).collect();
    let submitted = tasks::submit_bulk(&bench.store, bulk, bench.now()).await.expect("submitting");
    let ids: Vec<_> = submitted.into_iter().map(|s| s.order_id).collect();
    bench.publish(&ids).await;
    ids
}

/// Every claimer, from the same moment on, claims until nothing is left.
async fn claim_all_at_once(bench: &Bench, limit: u32) -> Vec<ClaimedOrder> {
    let start = Arc::new(Barrier::new(CLAIMERS));
    let mut claimers = JoinSet::new();
    for _ in 0..CLAIMERS {
        let (bench, start) = (bench.clone(), start.clone());
        let request = ClaimRequest { limit, ..bench.worker().await };
        claimers.spawn(async move {
            start.wait().await;
            let mut all = Vec::new();
            loop {
                let claimed = bench.claim(&request).await;
                assert!(claimed.len() <= limit as usize);
                if claimed.is_empty() {
                    return all;
                }
                all.extend(claimed);
            }
        });
    }
    claimers.join_all().await.into_iter().flatten().collect()
}

/// Concurrent claimers get each order once and leave none behind.
pub async fn nothing_is_claimed_twice(bench: &Bench) {
    let ids = submit_many(bench, new_task("contested"), 120).await;
    let mut claimed: Vec<_> = claim_all_at_once(bench, 4).await;
    // A claimer may find nothing while others hold the last rows locked; what is left is there for the next look.
    let worker = bench.worker().await;
    claimed.extend(bench.claim(&ClaimRequest { limit: 100, ..worker }).await);
    let mut seen: Vec<_> = claimed.iter().map(|c| c.order.id).collect();
    seen.sort();
    let mut expected = ids;
    expected.sort();
    assert_eq!(seen, expected);
    assert!(claimed.iter().all(|c| c.order.epoch.0 == 1 && c.order.attempt == 1));
}

/// However many claim at once, a project runs exactly as many orders as it may.
pub async fn a_project_limit_is_exact_under_concurrent_claims(bench: &Bench) {
    let mut left = BTreeMap::new();
    for (project, limit) in [("one", 1), ("three", 3), ("seven", 7)] {
        let id = bench.project(&name(project), Some(limit)).await;
        submit_many(bench, NewTask { project: name(project), ..new_task("limited") }, 15).await;
        left.insert(id, (limit as usize, 15_usize));
    }
    let worker = ClaimRequest { limit: 100, ..bench.worker().await };
    while left.values().any(|(_, left)| *left > 0) {
        let mut claimed = claim_all_at_once(bench, 3).await;
        claimed.extend(bench.claim(&worker).await);
        for (project, (limit, left)) in &mut left {
            let running = claimed.iter().filter(|c| c.order.project_id == *project).count();
            assert_eq!(running, (*left).min(*limit));
            *left -= running;
        }
        for order in claimed {
            bench.complete(order.fence()).await;
        }
    }
}

/// Of many concurrent words about one claim, one counts.
pub async fn one_of_many_finishes_wins(bench: &Bench) {
    let worker = bench.worker().await;
    bench.submit_one().await;
    let fence = bench.claim_one(&worker).await.fence();
    let start = Arc::new(Barrier::new(CLAIMERS));
    let mut finishers = JoinSet::new();
    for _ in 0..CLAIMERS {
        let (bench, start) = (bench.clone(), start.clone());
        finishers.spawn(async move {
            start.wait().await;
            bench.queue.finish(fence, completed(), bench.now()).await
        });
    }
    let outcomes = finishers.join_all().await;
    let fenced = outcomes.iter().filter(|o| matches!(o, Err(StoreError::Fenced { .. }))).count();
    assert_eq!((outcomes.iter().filter(|o| o.is_ok()).count(), fenced), (1, CLAIMERS - 1), "{outcomes:?}");
}

/// Submitters, claimers that die, claimers that complete and a rescuer, all at once: every order completes once.
pub async fn claims_and_submits_and_rescues_at_once_lose_nothing(bench: &Bench) {
    let mut submitters = JoinSet::new();
    for _ in 0..4 {
        let bench = bench.clone();
        let new = NewTask { max_attempts: 1000, ..new_task("busy") };
        submitters.spawn(async move {
            let mut ids = Vec::new();
            for _ in 0..10 {
                ids.push(bench.submit(new.clone()).await.order_id);
            }
            ids
        });
    }
    let mut workers = JoinSet::new();
    for _ in 0..4 {
        let bench = bench.clone();
        let request = ClaimRequest { limit: 2, ..bench.worker().await };
        workers.spawn(async move {
            for turn in 0..10 {
                for claimed in bench.claim(&request).await {
                    // Every third claim is forgotten, as if its worker had been killed.
                    if (turn + claimed.order.epoch.0) % 3 != 0 {
                        let _ = bench.queue.finish(claimed.fence(), completed(), bench.now()).await;
                    }
                }
                bench.clock.advance(LEASE / 4);
                bench.rescue().await;
            }
        });
    }
    let ids: BTreeSet<_> = submitters.join_all().await.into_iter().flatten().collect();
    workers.join_all().await;
    // Whatever is still out is dead or waiting; bring it home.
    let worker = ClaimRequest { limit: 100, ..bench.worker().await };
    for _ in 0..4 {
        bench.clock.advance(Duration::from_secs(3600));
        bench.rescue().await;
        bench.clock.advance(Duration::from_secs(3600));
        for claimed in bench.claim(&worker).await {
            bench.complete(claimed.fence()).await;
        }
    }
    let mut ends: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for &id in &ids {
        ends.entry(bench.status(id).await).or_default().push(id);
    }
    let dead = ends.remove(&OrderStatus::Dead).unwrap_or_default();
    assert_eq!(ends.keys().collect::<Vec<_>>(), [&OrderStatus::Completed], "{ends:?}");
    for id in dead {
        assert!(bench.order(id).await.kills >= super::bench::POLICY.max_kills);
    }
    assert_eq!(ids.len(), 40);
}
