//! The life of one step of a pipeline run.

use crate::{
    machine::{Illegal, Machine},
    text::text_enum,
};

text_enum! {
    /// Where a step stands.
    StepStatus("step status") {
        /// Not started.
        Pending = "pending",
        /// A worker is on it.
        Running = "running",
        /// It waits for a person.
        Waiting = "waiting",
        /// Done; its output is recorded and never computed again.
        Completed = "completed",
        /// Its outcome is a failure of the work, not of the machinery.
        Failed = "failed",
        /// The pipeline went around it.
        Skipped = "skipped",
        /// Its order was cancelled.
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// What can happen to a step.
    StepEvent("step event") {
        /// A worker began it, or began it again after the machinery failed under it.
        Started = "started",
        /// It put a question to a person.
        Asked = "asked",
        /// The person's answer reached a worker.
        Answered = "answered",
        /// Its output is recorded.
        Completed = "completed",
        /// The work failed.
        Failed = "failed",
        /// The pipeline went around it.
        Skipped = "skipped",
        /// Its order was cancelled.
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// What a step does.
    StepKind("step kind") {
        /// Checks code before it may run.
        Critic = "critic",
        /// Runs code in a sandbox.
        Sandbox = "sandbox",
        /// Puts a question to a person.
        Ask = "ask",
        /// Asks a person to approve or reject.
        Approval = "approval",
        /// An agent's loop. Reserved: the engine does not run it yet.
        Agent = "agent",
        /// Several steps side by side. Reserved: the engine does not run it yet.
        Parallel = "parallel",
    }
}

impl Machine for StepStatus {
    type Event = StepEvent;
    const NAME: &'static str = "Step";
    const INITIAL: Self = Self::Pending;
    const STATES: &'static [Self] = Self::ALL;
    const EVENTS: &'static [StepEvent] = StepEvent::ALL;

    fn step(self, event: StepEvent) -> Result<Self, Illegal<Self, StepEvent>> {
        use StepEvent as E;
        use StepStatus as S;
        match (self, event) {
            (S::Pending | S::Running, E::Started) => Ok(S::Running),
            (S::Running, E::Asked) => Ok(S::Waiting),
            (S::Waiting, E::Answered) => Ok(S::Running),
            (S::Running, E::Completed) => Ok(S::Completed),
            (S::Running, E::Failed) => Ok(S::Failed),
            (S::Pending, E::Skipped) => Ok(S::Skipped),
            (S::Pending | S::Running | S::Waiting, E::Cancelled) => Ok(S::Cancelled),
            (state, event) => Err(Illegal { state, event }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::machine::laws::machine_laws! {
        StepStatus, StepEvent,
        final [Completed, Failed, Skipped, Cancelled],
        moves {
            Pending + Started => Running,
            Pending + Skipped => Skipped,
            Pending + Cancelled => Cancelled,
            Running + Started => Running,
            Running + Asked => Waiting,
            Running + Completed => Completed,
            Running + Failed => Failed,
            Running + Cancelled => Cancelled,
            Waiting + Answered => Running,
            Waiting + Cancelled => Cancelled,
        }
    }

    #[test]
    fn a_finished_step_is_never_started_again() {
        for state in [StepStatus::Completed, StepStatus::Failed, StepStatus::Skipped, StepStatus::Cancelled] {
            assert!(state.step(StepEvent::Started).is_err(), "{state}");
        }
    }
}
