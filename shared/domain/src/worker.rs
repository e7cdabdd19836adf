//! Workers as the record knows them.

use crate::text::text_enum;

text_enum! {
    /// What a worker says of itself, or what its silence says.
    WorkerStatus("worker status") {
        /// Every slot is free.
        Idle = "idle",
        /// At least one slot works.
        Busy = "busy",
        /// It holds on to an order in the short grace before parking it.
        Waiting = "waiting",
        /// It reported that it cannot work.
        Error = "error",
        /// It left, or its heartbeats stopped.
        Offline = "offline",
    }
}
