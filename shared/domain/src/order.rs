//! The life of a work order.

use crate::{
    machine::{Illegal, Machine},
    text::text_enum,
};

text_enum! {
    /// Where an order stands.
    OrderStatus("order status") {
        /// Waiting to be claimed, now or at its due time.
        Queued = "queued",
        /// Leased to a worker.
        Claimed = "claimed",
        /// Waiting for a person; holds no lease, slot or sandbox.
        Parked = "parked",
        /// Finished with a result.
        Completed = "completed",
        /// Finished: the work itself is wrong and trying again would not help.
        Failed = "failed",
        /// Given up: attempts used up, or it cost too many workers. Kept for a person to look at.
        Dead = "dead",
        /// Stopped on request, confirmed.
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// What can happen to an order.
    OrderEvent("order event") {
        /// A worker took it; its epoch and attempt counter went up.
        Claimed = "claimed",
        /// The work is done.
        Completed = "completed",
        /// The work cannot succeed.
        Failed = "failed",
        /// The attempt failed and another one is due later.
        RetryScheduled = "retry_scheduled",
        /// The last attempt failed, or the order cost too many workers.
        Exhausted = "exhausted",
        /// The worker handed it back unharmed; no attempt is burnt.
        Released = "released",
        /// Its lease ran out; somebody else may have it.
        LeaseExpired = "lease_expired",
        /// It waits for a person.
        Parked = "parked",
        /// What it waited for is there.
        Resumed = "resumed",
        /// It was stopped on request.
        Cancelled = "cancelled",
    }
}

impl Machine for OrderStatus {
    type Event = OrderEvent;
    const NAME: &'static str = "Order";
    const INITIAL: Self = Self::Queued;
    const STATES: &'static [Self] = Self::ALL;
    const EVENTS: &'static [OrderEvent] = OrderEvent::ALL;

    fn step(self, event: OrderEvent) -> Result<Self, Illegal<Self, OrderEvent>> {
        use OrderEvent as E;
        use OrderStatus as S;
        match (self, event) {
            (S::Queued, E::Claimed) => Ok(S::Claimed),
            (S::Claimed, E::Completed) => Ok(S::Completed),
            (S::Claimed, E::Failed) => Ok(S::Failed),
            (S::Claimed, E::Exhausted) => Ok(S::Dead),
            (S::Claimed, E::RetryScheduled | E::Released | E::LeaseExpired) => Ok(S::Queued),
            (S::Claimed, E::Parked) => Ok(S::Parked),
            (S::Parked, E::Resumed) => Ok(S::Queued),
            (S::Queued | S::Claimed | S::Parked, E::Cancelled) => Ok(S::Cancelled),
            (state, event) => Err(Illegal { state, event }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::machine::laws::machine_laws! {
        OrderStatus, OrderEvent,
        final [Completed, Failed, Dead, Cancelled],
        moves {
            Queued + Claimed => Claimed,
            Queued + Cancelled => Cancelled,
            Claimed + Completed => Completed,
            Claimed + Failed => Failed,
            Claimed + RetryScheduled => Queued,
            Claimed + Exhausted => Dead,
            Claimed + Released => Queued,
            Claimed + LeaseExpired => Queued,
            Claimed + Parked => Parked,
            Claimed + Cancelled => Cancelled,
            Parked + Resumed => Queued,
            Parked + Cancelled => Cancelled,
        }
    }

    #[test]
    fn only_a_claim_leads_to_claimed() {
        for (from, event, to) in OrderStatus::moves() {
            assert_eq!(to == OrderStatus::Claimed, event == OrderEvent::Claimed, "{from} + {event}");
        }
    }

    #[test]
    fn an_illegal_event_names_the_state() {
        let error = OrderStatus::Dead.step(OrderEvent::Claimed).unwrap_err();
        insta::assert_snapshot!(error, @"`claimed` is not a legal event in state `dead`");
    }
}
