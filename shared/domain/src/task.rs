//! The life of a task: what somebody asked for, over all of its orders.

use crate::{
    machine::{Illegal, Machine},
    text::text_enum,
};

text_enum! {
    /// Where a task stands. `cancelled` and `failed` can be retried; only `completed` is final.
    TaskStatus("task status") {
        /// No worker has started it yet.
        Queued = "queued",
        /// A worker works on it, or it waits for a person or for its next attempt.
        InProgress = "in_progress",
        /// Finished with a result.
        Completed = "completed",
        /// Its order failed or is dead.
        Failed = "failed",
        /// Stopped on request, confirmed.
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// What can happen to a task.
    TaskEvent("task event") {
        /// Its order was claimed for the first time.
        Started = "started",
        /// Its order completed.
        Completed = "completed",
        /// Its order failed or died.
        Failed = "failed",
        /// Its order was cancelled.
        Cancelled = "cancelled",
        /// A person asked for another run: a new order.
        Retried = "retried",
    }
}

text_enum! {
    /// What kind of work a task is.
    #[derive(Default)]
    TaskType("task type") {
        /// New behaviour.
        Feature = "feature",
        /// Something is broken.
        Bugfix = "bugfix",
        /// Tests are wanted.
        Test = "test",
        /// Documentation is wanted.
        Docs = "docs",
        /// Code to be run as it is.
        #[default]
        Code = "code",
        /// An image to be turned into code.
        Image = "image",
        /// A small change without ceremony.
        QuickFix = "quick_fix",
    }
}

impl Machine for TaskStatus {
    type Event = TaskEvent;
    const NAME: &'static str = "Task";
    const INITIAL: Self = Self::Queued;
    const STATES: &'static [Self] = Self::ALL;
    const EVENTS: &'static [TaskEvent] = TaskEvent::ALL;

    fn step(self, event: TaskEvent) -> Result<Self, Illegal<Self, TaskEvent>> {
        use TaskEvent as E;
        use TaskStatus as S;
        match (self, event) {
            (S::Queued | S::InProgress, E::Started) => Ok(S::InProgress),
            (S::InProgress, E::Completed) => Ok(S::Completed),
            (S::InProgress, E::Failed) => Ok(S::Failed),
            (S::Queued | S::InProgress, E::Cancelled) => Ok(S::Cancelled),
            (S::Failed | S::Cancelled, E::Retried) => Ok(S::Queued),
            (state, event) => Err(Illegal { state, event }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // `failed` and `cancelled` are not final: a person may ask for another run. A result, once there, is never replaced.
    crate::machine::laws::machine_laws! {
        TaskStatus, TaskEvent,
        final [Completed],
        moves {
            Queued + Started => InProgress,
            Queued + Cancelled => Cancelled,
            InProgress + Started => InProgress,
            InProgress + Completed => Completed,
            InProgress + Failed => Failed,
            InProgress + Cancelled => Cancelled,
            Failed + Retried => Queued,
            Cancelled + Retried => Queued,
        }
    }

    #[test]
    fn only_a_person_leads_out_of_failed_and_cancelled() {
        for (from, event, _) in TaskStatus::moves() {
            let over = matches!(from, TaskStatus::Failed | TaskStatus::Cancelled);
            assert_eq!(over, event == TaskEvent::Retried, "{from} + {event}");
        }
    }
}
