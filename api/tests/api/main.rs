//! The HTTP surface through the router, over a real record. Only `serve`, `socket` and parts of `stream` open a socket.

mod bad_input;
mod chat;
mod desk;
mod documents;
mod downloads;
mod external;
mod garbage;
mod journey;
mod questions;
mod roles;
mod serving;
mod socket;
mod stream;
mod tasks;
mod uploads;
mod watch;
mod worker;
