//! One leader at a time, by a lease in the record.
//!
//! The lead saves work; it does not make the loops correct, which they are without it. A leader that cannot renew stops
//! before its lease ends, by its own monotonic clock, so that two leaders are rare even when the record is out of reach.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use shopfloor_domain::Timestamp;
use shopfloor_store::{Result, Store, leader};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

/// The lead's name in the record.
const NAME: &str = "orchestrator";

/// Where the lead is voted on.
#[async_trait]
pub trait Ballot: Send + Sync {
    /// Takes or renews the lead for `holder`; whether it leads until `now + ttl`.
    async fn lead(&self, holder: &str, ttl: Duration, now: Timestamp) -> Result<bool>;

    /// Gives the lead up.
    async fn resign(&self, holder: &str) -> Result<()>;
}

/// The ballot in the record.
#[derive(Debug)]
pub struct StoreBallot(pub Store);

#[async_trait]
impl Ballot for StoreBallot {
    async fn lead(&self, holder: &str, ttl: Duration, now: Timestamp) -> Result<bool> {
        leader::lead(&self.0, NAME, holder, ttl, now).await
    }

    async fn resign(&self, holder: &str) -> Result<()> {
        leader::resign(&self.0, NAME, holder).await
    }
}

/// The time for which a leader may act without asking again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term(Instant);

impl Term {
    /// The term of a lease that was asked for at `asked`: it ends a tenth before the lease may end in the record.
    #[must_use]
    pub fn of(asked: Instant, ttl: Duration) -> Self {
        Self(asked + ttl - ttl / 10)
    }

    /// When it ends.
    #[must_use]
    pub const fn ends(self) -> Instant {
        self.0
    }
}

/// One process incarnation that would like to lead.
#[derive(Clone)]
pub struct Candidate {
    ballot: Arc<dyn Ballot>,
    clock: Arc<dyn shopfloor_domain::Clock>,
    holder: String,
    ttl: Duration,
}

/// Why a leader stopped leading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was asked to stop.
    Stopped,
    /// Another one leads.
    Ousted,
    /// It could not renew in time.
    Expired,
}

impl Candidate {
    /// A candidate with a name of its own.
    #[must_use]
    pub fn new(ballot: Arc<dyn Ballot>, clock: Arc<dyn shopfloor_domain::Clock>, ttl: Duration) -> Self {
        Self { ballot, clock, holder: format!("orchestrator-{}", Uuid::now_v7()), ttl }
    }

    /// How often it asks.
    pub(crate) fn every(&self) -> Duration {
        self.ttl / 3
    }

    /// Asks for the lead once, or for more of it; `None` when another one has it.
    ///
    /// # Errors
    /// [`shopfloor_store::StoreError`] when the record failed; nobody knows then who leads.
    pub async fn campaign(&self) -> Result<Option<Term>> {
        // Looked at before asking: the lease cannot begin earlier than that.
        let asked = Instant::now();
        let won = self.ballot.lead(&self.holder, self.ttl, self.clock.now()).await?;
        Ok(won.then(|| Term::of(asked, self.ttl)))
    }

    /// Campaigns until it leads; `None` when it was stopped before.
    pub(crate) async fn wins(&self, stop: &CancellationToken) -> Option<Term> {
        let won = async {
            loop {
                match self.campaign().await {
                    Ok(Some(term)) if term.ends() > Instant::now() => return term,
                    Ok(_) => {}
                    Err(error) => warn!(error = ?error, "Cannot ask for the lead: {error}"),
                }
                sleep(self.every()).await;
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => None,
            term = won => Some(term),
        }
    }

    /// Keeps the lead until that is over, and says why. Never returns later than the term allows, even when the ballot
    /// hangs.
    pub(crate) async fn reign(&self, mut term: Term, stop: &CancellationToken) -> Ended {
        loop {
            let renewed = async {
                sleep(self.every()).await;
                self.campaign().await
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ended::Stopped,
                () = sleep_until(term.ends()) => return Ended::Expired,
                renewed = renewed => match renewed {
                    Ok(Some(longer)) => term = longer,
                    Ok(None) => return Ended::Ousted,
                    Err(error) => warn!(error = ?error, "Cannot renew the lead: {error}"),
                },
            }
        }
    }

    /// Gives the lead up, so that another candidate need not wait for the lease to end. A failure only delays that.
    pub async fn resign(&self) {
        match self.ballot.resign(&self.holder).await {
            Ok(()) => info!(holder = self.holder, "Gave the lead up"),
            Err(error) => warn!(error = ?error, "Could not give the lead up; it ends with its lease: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;
