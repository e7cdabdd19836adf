//! The kinds of entries in the event log.

use crate::text::text_enum;

text_enum! {
    /// What an entry of the event log is about. The words are public API.
    EventKind("event kind") {
        /// A task was submitted.
        TaskSubmitted = "task.submitted",
        /// A task's fields were edited.
        TaskUpdated = "task.updated",
        /// A task changed its status.
        TaskStatus = "task.status",
        /// An order changed its status.
        OrderStatus = "order.status",
        /// Somebody asked for an order's cancellation.
        OrderCancelRequested = "order.cancel_requested",
        /// A step changed its status.
        StepStatus = "step.status",
        /// A step printed something.
        StepOutput = "step.output",
        /// A question was put to a person.
        QuestionAsked = "question.asked",
        /// A question was reminded of or escalated, or its deadline was moved.
        QuestionPrompted = "question.prompted",
        /// A question was answered, expired or was cancelled.
        QuestionClosed = "question.closed",
        /// A chat message was written.
        MessagePosted = "message.posted",
        /// An artifact was stored.
        ArtifactStored = "artifact.stored",
        /// A worker registered, changed its status or left.
        WorkerStatus = "worker.status",
        /// A session began, went idle or ended.
        SessionStatus = "session.status",
        /// A queue was paused or resumed.
        QueueStatus = "queue.status",
    }
}
