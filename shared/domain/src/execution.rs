//! One attempt of an order on one worker.

use crate::text::text_enum;

text_enum! {
    /// How an attempt stands.
    ExecutionStatus("execution status") {
        /// Going on.
        Running = "running",
        /// The order completed.
        Completed = "completed",
        /// The attempt failed; the order may be tried again.
        Failed = "failed",
        /// The order was parked for a person.
        Parked = "parked",
        /// The worker handed the order back.
        Released = "released",
        /// The lease expired under it.
        Lost = "lost",
        /// The order was cancelled.
        Cancelled = "cancelled",
    }
}
