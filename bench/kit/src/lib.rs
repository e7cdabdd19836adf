//! What the drivers written in Rust share: arguments, the payload, the record of what ran when, pacing.
//!
//! Every driver, in any language, is one program with the same three commands; `bench/README.md` has the contract.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    future::Future,
    io::Write as _,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, anyhow};
use serde::{Deserialize, Serialize};

/// `COMMAND --name value …`.
#[derive(Debug)]
pub struct Args {
    /// What to do.
    pub command: String,
    values: HashMap<String, String>,
}

impl Args {
    /// From the process's command line.
    ///
    /// # Errors
    /// When there is no command, or an option without its value.
    pub fn parse() -> Result<Self> {
        let mut words = std::env::args().skip(1);
        let command = words.next().context("expected a command")?;
        let mut values = HashMap::new();
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").ok_or_else(|| anyhow!("expected an option, not `{word}`"))?;
            let value = words.next().ok_or_else(|| anyhow!("--{name} needs a value"))?;
            values.insert(name.to_owned(), value);
        }
        Ok(Self { command, values })
    }

    /// An option as text.
    ///
    /// # Errors
    /// When it is not there.
    pub fn text(&self, name: &str) -> Result<&str> {
        self.values.get(name).map(String::as_str).ok_or_else(|| anyhow!("--{name} is missing"))
    }

    /// An option as a number.
    ///
    /// # Errors
    /// When it is not there or no number.
    pub fn number(&self, name: &str) -> Result<u64> {
        self.text(name)?.parse().with_context(|| format!("--{name} is no number"))
    }

    /// An option as a number, or `default` when it is not there.
    ///
    /// # Errors
    /// When it is no number.
    pub fn number_or(&self, name: &str, default: u64) -> Result<u64> {
        if self.values.contains_key(name) { self.number(name) } else { Ok(default) }
    }

    /// An option as text, or `default` when it is not there.
    #[must_use]
    pub fn text_or<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.values.get(name).map_or(default, String::as_str)
    }
}

/// What every job carries: when it was submitted, and about 80 bytes of nothing. 112 bytes as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Payload {
    /// Nanoseconds since 1970.
    pub t: u64,
    /// Nothing.
    pub pad: String,
}

impl Payload {
    /// A payload that is submitted now.
    #[must_use]
    pub fn now() -> Self {
        Self { t: now_ns(), pad: "x".repeat(80) }
    }
}

/// The wall clock, for comparing submitter and worker on one machine.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "measuring across processes needs the wall clock")]
pub fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Notes every job that starts: two little-endian 64-bit numbers each, submitted and started, appended to a file of
/// this process's own.
#[derive(Debug)]
pub struct Recorder(File);

impl Recorder {
    /// A recorder in this folder.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(dir: &str) -> Result<Self> {
        let path = Path::new(dir).join(format!("{}.bin", std::process::id()));
        let file = OpenOptions::new().create(true).append(true).open(&path);
        Ok(Self(file.with_context(|| format!("making {}", path.display()))?))
    }

    /// A job that was submitted at `submitted` starts now.
    ///
    /// # Panics
    /// When the file cannot be written: the measurement is void then.
    pub fn started(&self, submitted: u64) {
        let mut record = [0; 16];
        record[..8].copy_from_slice(&submitted.to_le_bytes());
        record[8..].copy_from_slice(&now_ns().to_le_bytes());
        let written = (&self.0).write(&record);
        assert!(matches!(written, Ok(16)), "writing the record: {written:?}");
    }
}

/// Calls `submit` `n` times at `rate` a second, evenly spaced, whether or not earlier ones took longer (an open loop).
///
/// # Errors
/// The first failure of `submit`.
pub async fn paced<F, Fut>(n: u64, rate: f64, mut submit: F) -> Result<()>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<()>>,
{
    let begin = tokio::time::Instant::now();
    for i in 0..n {
        #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
        let due = begin + Duration::from_secs_f64(i as f64 / rate);
        tokio::time::sleep_until(due).await;
        submit().await?;
    }
    Ok(())
}

/// Runs `work` and prints how long it took as one line of JSON.
///
/// # Errors
/// When `work` fails.
pub async fn timed(n: u64, work: impl Future<Output = Result<()>>) -> Result<()> {
    let begin = Instant::now();
    work.await?;
    say(&serde_json::json!({ "n": n, "seconds": begin.elapsed().as_secs_f64() }));
    Ok(())
}

/// Prints one line of JSON for the orchestrating script.
pub fn say(line: &serde_json::Value) {
    println!("{line}");
}

/// Says that the worker is ready and waits for SIGTERM.
///
/// # Errors
/// When the signal cannot be waited for.
pub async fn until_terminated() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("waiting for SIGTERM")?;
    say(&serde_json::json!({ "ready": true }));
    terminate.recv().await;
    Ok(())
}
