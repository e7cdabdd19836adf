//! The `local` level with the real bubblewrap, as the user who runs the tests; `ordinary` repeats all of it as an ordinary
//! user when that user is root.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "local/artifacts.rs"]
mod artifacts;
#[path = "local/ask.rs"]
mod ask;
#[path = "local/ends.rs"]
mod ends;
#[path = "local/isolation.rs"]
mod isolation;
#[path = "local/kit.rs"]
mod kit;
#[path = "local/limits.rs"]
mod limits;
#[path = "local/ordinary.rs"]
mod ordinary;
#[path = "local/output.rs"]
mod output;
#[path = "local/probing.rs"]
mod probing;
#[path = "local/results.rs"]
mod results;
