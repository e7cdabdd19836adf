//! Claims through Redis: it chooses, the record decides.

use std::collections::BTreeSet;

use shopfloor_domain::{OrderId, Timestamp};
use shopfloor_store::{
    Result,
    orders::{self, Admitted, ClaimRequest, ClaimedOrder},
    queues,
};

use super::{RedisQueue, dispatch::Chosen};

/// How often one claim asks Redis again after orders that turned out not to be there.
const ROUNDS: u32 = 8;

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
            let chosen = self.dispatch.claim(request, limit - claimed.len(), claimed.is_empty(), now).await;
            let Some(chosen) = chosen else {
                self.give_back(&doubtful, now).await?;
                return Ok((!claimed.is_empty()).then_some(claimed));
            };
            // A limit may have been changed in the record alone, and then another order goes first.
            let in_question = !chosen.full.is_empty() || (chosen.ids.is_empty() && !chosen.paused.is_empty());
            if in_question && !verified {
                verified = true;
                if self.verify(&chosen, now).await? {
                    self.give_back(&chosen.ids, now).await?;
                    continue;
                }
            }
            if chosen.ids.is_empty() {
                self.looks.put(request.worker_id, chosen.look);
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
            // Asking again for what has come meanwhile would keep waiting what is in hand already.
            if claimed.len() >= limit || admitted.refused.is_empty() {
                break;
            }
        }
        self.give_back(&doubtful, now).await?;
        Ok(Some(claimed))
    }

    /// Holds what kept lanes back against the record, and corrects Redis. Whether anything was wrong.
    async fn verify(&self, chosen: &Chosen, now: Timestamp) -> Result<bool> {
        let mut wrong = false;
        if !chosen.full.is_empty() {
            let projects: Vec<_> = chosen.full.iter().copied().collect();
            let rooms = orders::rooms(&self.store, &projects).await?;
            wrong = rooms.iter().any(|room| room.is_free(now));
            if wrong {
                self.dispatch.note_rooms(&rooms).await;
            }
        }
        if !chosen.paused.is_empty() {
            let known = queues::list(&self.store).await?;
            let paused: BTreeSet<_> = known.iter().filter(|queue| queue.paused_at.is_some()).map(|q| &q.name).collect();
            for queue in chosen.paused.iter().filter(|queue| !paused.contains(queue)) {
                self.dispatch.note_pause(queue, false).await;
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
            self.dispatch.note_rooms(&orders::rooms(&self.store, &limited).await?).await;
        }
        for queue in &admitted.paused {
            self.dispatch.note_pause(queue, true).await;
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
            self.dispatch.publish(&places, now).await;
        }
        Ok(())
    }

    /// As [`Self::give_back`], when the record has just failed: if it fails again, Redis is in doubt.
    async fn give_back_unless_gone(&self, ids: &[OrderId], now: Timestamp) {
        if let Err(error) = self.give_back(ids, now).await {
            tracing::warn!(%error, "Cannot give chosen orders back; the queue will be filled anew");
            self.dispatch.doubt().await;
        }
    }
}
