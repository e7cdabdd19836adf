//! Claims through Redis: it chooses, the record decides.

use std::collections::BTreeSet;

use shopfloor_domain::{Name, OrderId, ProjectId, Timestamp};
use shopfloor_store::{
    Ear, Result,
    orders::{self, Admitted, ClaimRequest, ClaimedOrder},
    queues,
};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    RedisQueue,
    arguments::{capability_list, project_from, queue_list},
    library::{Move, bytes},
};

/// How often one claim asks Redis again after orders that turned out not to be there.
const ROUNDS: u32 = 8;

/// What the claim move answers.
type Reply = (u8, Vec<Vec<u8>>, String, Vec<String>, Vec<String>);

/// What one look found.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) ids: Vec<OrderId>,
    pub(super) next_due: Option<Timestamp>,
    full: BTreeSet<ProjectId>,
    paused: BTreeSet<Name>,
}

/// A worker that looked and found nothing.
#[derive(Debug)]
pub(super) struct Look {
    /// Hears everything since before the look.
    pub(super) ear: Ear,
    /// When the first delayed order is due, on this process's clock.
    pub(super) due: Option<Instant>,
}

impl RedisQueue {
    /// Claims through Redis; `None` when Redis is away or not complete, and the record has to answer alone. What was
    /// claimed before Redis went away is returned.
    pub(super) async fn claim_chosen(
        &self,
        request: &ClaimRequest,
        now: Timestamp,
    ) -> Result<Option<Vec<ClaimedOrder>>> {
        let limit = request.limit.clamp(1, ClaimRequest::MAX) as usize;
        let (mut claimed, mut doubtful, mut verified) = (Vec::new(), Vec::new(), false);
        for _ in 0..ROUNDS {
            let ear = self.link.ear(request.worker_id);
            let at = Instant::now();
            let chosen = self.choose(request, limit - claimed.len(), claimed.is_empty(), now).await;
            let Some(chosen) = chosen else {
                self.give_back(&doubtful, now).await?;
                return Ok((!claimed.is_empty()).then_some(claimed));
            };
            // A limit may have been changed in the record alone, and then another order goes first.
            let in_question = !chosen.full.is_empty() || (chosen.ids.is_empty() && !chosen.paused.is_empty());
            if in_question && !verified {
                verified = true;
                if self.verify(&chosen).await? {
                    self.give_back(&chosen.ids, now).await?;
                    continue;
                }
            }
            if chosen.ids.is_empty() {
                let due = chosen.next_due.map(|due| at + due.since(now));
                self.looks.put(request.worker_id, Look { ear, due });
                break;
            }
            let admitted = match orders::admit(&self.store, request, &chosen.ids, now).await {
                Ok(admitted) => admitted,
                Err(error) => {
                    // They are queued still, or claimed and to be rescued; Redis must know of the former.
                    self.give_back_unless_gone(&chosen.ids, now).await;
                    return if claimed.is_empty() { Err(error) } else { Ok(Some(claimed)) };
                }
            };
            self.settle(&admitted, now, &mut doubtful).await?;
            claimed.extend(admitted.claimed);
            if claimed.len() >= limit {
                break;
            }
        }
        self.give_back(&doubtful, now).await?;
        Ok(Some(claimed))
    }

    /// Asks Redis for orders. `arm`: let the worker wait when there are none.
    async fn choose(&self, request: &ClaimRequest, limit: usize, arm: bool, now: Timestamp) -> Option<Chosen> {
        let arguments = [
            bytes(now.0),
            bytes(limit),
            bytes(request.worker_id.to_string()),
            bytes(self.link.instance()),
            bytes(queue_list(&request.queues)),
            bytes(capability_list(&request.capabilities)),
            bytes(self.fairness.as_str()),
            bytes(u8::from(arm)),
        ];
        let was_up = self.link.is_up();
        let Some(reply) = self.link.call::<Reply>(Move::Claim, &arguments).await else {
            // It may have chosen, and nobody was told: what it chose is missing there now.
            if was_up {
                self.link.doubt();
            }
            return None;
        };
        let (complete, ids, next_due, full, paused) = reply;
        self.link.note_complete(complete == 1);
        if complete == 0 {
            return None;
        }
        Some(Chosen {
            ids: ids.iter().filter_map(|id| Uuid::from_slice(id).ok()).map(OrderId::from).collect(),
            next_due: next_due.parse::<f64>().ok().map(|ms| Timestamp(ms as i64)),
            full: full.iter().filter_map(|project| project_from(project)).collect(),
            paused: paused.iter().filter_map(|queue| queue.parse().ok()).collect(),
        })
    }

    /// Holds what kept lanes back against the record, and corrects Redis. Whether anything was wrong.
    async fn verify(&self, chosen: &Chosen) -> Result<bool> {
        let mut wrong = false;
        if !chosen.full.is_empty() {
            let projects: Vec<_> = chosen.full.iter().copied().collect();
            let rooms = orders::rooms(&self.store, &projects).await?;
            wrong = rooms.iter().any(|room| room.limit.is_none_or(|limit| room.held.len() < limit as usize));
            if wrong {
                self.note_rooms(&rooms).await;
            }
        }
        if !chosen.paused.is_empty() {
            let known = queues::list(&self.store).await?;
            let paused: BTreeSet<_> = known.iter().filter(|queue| queue.paused_at.is_some()).map(|q| &q.name).collect();
            for queue in chosen.paused.iter().filter(|queue| !paused.contains(queue)) {
                self.note_pause(queue, false).await;
                wrong = true;
            }
        }
        Ok(wrong)
    }

    /// Tells Redis what the record decided. Orders that were refused without a reason that Redis can know go to
    /// `doubtful`: they are given back when the claim is over, or it would meet them again.
    async fn settle(&self, admitted: &Admitted, now: Timestamp, doubtful: &mut Vec<OrderId>) -> Result<()> {
        // The claim move has noted what it took of limited projects; only what the record refused makes that wrong.
        if !admitted.limited.is_empty() && !admitted.refused.is_empty() {
            let limited: Vec<_> = admitted.limited.iter().copied().collect();
            self.note_rooms(&orders::rooms(&self.store, &limited).await?).await;
        }
        for queue in &admitted.paused {
            self.note_pause(queue, true).await;
        }
        if admitted.full.is_empty() && admitted.paused.is_empty() {
            doubtful.extend(&admitted.refused);
            return Ok(());
        }
        // Redis knows now why these have to wait, so it will not choose them again.
        self.give_back(&admitted.refused, now).await
    }

    /// Makes those of these orders visible again that are queued.
    async fn give_back(&self, ids: &[OrderId], now: Timestamp) -> Result<()> {
        if !ids.is_empty() {
            let places = orders::places(&self.store, ids).await?;
            self.publish_places(&places, now).await;
        }
        Ok(())
    }

    /// As [`Self::give_back`], when the record has just failed: if it fails again, Redis is in doubt.
    async fn give_back_unless_gone(&self, ids: &[OrderId], now: Timestamp) {
        if let Err(error) = self.give_back(ids, now).await {
            tracing::warn!(%error, "Cannot give chosen orders back; the queue will be filled anew");
            self.doubt().await;
        }
    }
}
