//! The rules of Shopfloor, free of I/O: ids, enums, state machines, the priority score, backoff and policies.
//!
//! Nothing here reads a clock, a file or a socket except [`time::SystemClock`], the one door to the wall clock.
//! Every other crate builds on this one, and this one builds on none of them.

mod text;

pub mod backoff;
pub mod capability;
pub mod event;
pub mod execution;
pub mod fence;
pub mod ids;
pub mod lease;
pub mod machine;
pub mod message;
pub mod name;
pub mod order;
pub mod pace;
pub mod priority;
pub mod question;
pub mod role;
pub mod sandbox;
pub mod session;
pub mod step;
pub mod task;
pub mod time;
pub mod why;
pub mod worker;

pub use capability::Capabilities;
pub use fence::{Epoch, Fence};
pub use ids::*;
pub use name::{InvalidName, Name};
pub use priority::Priority;
pub use text::UnknownText;
pub use time::{Clock, Timestamp};
