//! A scripted ballot: what the leader does when it cannot renew.

use std::{collections::VecDeque, sync::Mutex};

use shopfloor_domain::time::ManualClock;
use shopfloor_store::StoreError;

use super::*;

/// What the ballot says; afterwards it hangs.
#[derive(Default)]
struct Scripted(Mutex<VecDeque<Result<bool>>>);

#[async_trait]
impl Ballot for Scripted {
    async fn lead(&self, _holder: &str, _ttl: Duration, _now: Timestamp) -> Result<bool> {
        let said = self.0.lock().unwrap().pop_front();
        match said {
            Some(said) => said,
            None => std::future::pending().await,
        }
    }

    async fn resign(&self, _holder: &str) -> Result<()> {
        Ok(())
    }
}

fn unreachable() -> Result<bool> {
    Err(StoreError::Invalid { field: "record", problem: "out of reach".into() })
}

fn candidate(said: Vec<Result<bool>>, ttl: Duration) -> Candidate {
    let ballot = Arc::new(Scripted(Mutex::new(said.into())));
    Candidate::new(ballot, Arc::new(ManualClock::at(Timestamp(0))), ttl)
}

/// Campaigns, reigns, and says why that ended.
async fn reign(said: Vec<Result<bool>>) -> Ended {
    let (candidate, stop) = (candidate(said, Duration::from_millis(60)), CancellationToken::new());
    let reign = async {
        let term = candidate.wins(&stop).await.expect("it wins");
        candidate.reign(term, &stop).await
    };
    tokio::time::timeout(Duration::from_secs(20), reign).await.expect("it ends")
}

#[test]
fn a_term_ends_before_its_lease() {
    let (asked, ttl) = (Instant::now(), Duration::from_secs(3));
    assert!(Term::of(asked, ttl).ends() < asked + ttl);
    assert!(Term::of(asked, ttl).ends() > asked + ttl / 3 * 2, "two renewals fit into a term");
}

#[tokio::test]
async fn a_leader_that_cannot_renew_stops_leading() {
    assert_eq!(reign(vec![Ok(true), unreachable(), unreachable(), unreachable()]).await, Ended::Expired);
}

#[tokio::test]
async fn a_hanging_record_does_not_lengthen_a_term() {
    assert_eq!(reign(vec![Ok(true)]).await, Ended::Expired);
}

#[tokio::test]
async fn a_leader_that_is_voted_out_stops_at_once() {
    let said = vec![Ok(false), unreachable(), Ok(true), Ok(false)];
    // On a crowded machine the term may end before the vote is heard: either way it leads no longer.
    assert_ne!(reign(said).await, Ended::Stopped);
}

#[tokio::test]
async fn stopping_ends_a_campaign_and_a_reign() {
    let (candidate, stop) = (candidate(vec![], Duration::from_secs(60)), CancellationToken::new());
    stop.cancel();
    assert_eq!(candidate.wins(&stop).await, None);
    assert_eq!(candidate.reign(Term::of(Instant::now(), Duration::from_secs(60)), &stop).await, Ended::Stopped);
}
