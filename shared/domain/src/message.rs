//! Chat messages.

use crate::text::text_enum;

text_enum! {
    /// Who wrote a message.
    SenderType("sender type") {
        /// A worker, on behalf of its order.
        Worker = "worker",
        /// A person.
        Human = "human",
        /// Shopfloor itself.
        System = "system",
    }
}

text_enum! {
    /// What a message is for.
    MessageType("message type") {
        /// It asks for something.
        Request = "request",
        /// It answers or instructs.
        Response = "response",
        /// It reports.
        Status = "status",
    }
}
