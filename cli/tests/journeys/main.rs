//! Whole journeys: the real binary, over HTTP and through its own commands, killed and restarted on the way.
//!
//! Each test has a server of its own on a free port and a data folder of its own. They need the Python toolchain and a
//! sandbox, as `make test` sets them up.

#[cfg(test)]
mod commands;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod people;
#[cfg(test)]
mod remote;
#[cfg(test)]
mod replicas;
#[cfg(test)]
mod start;
#[cfg(test)]
mod support;
#[cfg(test)]
mod watched;
