//! The work that is handed in.

use std::time::Duration;

use rand::{Rng, RngExt as _};
use serde_json::{Value, json};

/// The pipeline: two steps that run the task's code, both of which may ask.
pub(crate) const PIPELINE: &str = r#"
name = "chaos"
description = "Runs the code twice."
needs = ["python"]

[[steps]]
name = "first"
kind = "sandbox"
may_ask = true

[[steps]]
name = "second"
kind = "sandbox"
may_ask = true
"#;
/// The name of the project with a limit.
pub(crate) const LIMITED: &str = "limited";

/// What a task's code does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Quick,
    /// Sleeps, in ms.
    Slow(u64),
    /// Asks, and is answered.
    Ask,
    /// Asks, and its deadline answers.
    AskInVain,
    Fail,
}

/// A task to hand in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) number: usize,
    pub(crate) at: Duration,
    pub(crate) kind: Kind,
    pub(crate) limited: bool,
    priority: &'static str,
    delay_seconds: u64,
    /// When its cancellation is asked for, after it was acknowledged.
    pub(crate) cancel_after: Option<Duration>,
}

impl Job {
    pub(crate) fn draw(rng: &mut impl Rng, number: usize) -> Self {
        let kind = match rng.random_range(0..10_u32) {
            0..=3 => Kind::Quick,
            4..=5 => Kind::Slow(rng.random_range(300..=1500)),
            6..=7 => Kind::Ask,
            8 => Kind::AskInVain,
            _ => Kind::Fail,
        };
        Self {
            number,
            at: Duration::from_millis(rng.random_range(0..=14_000)),
            kind,
            limited: rng.random_bool(0.3),
            priority: ["high", "normal", "low"][rng.random_range(0..3)],
            delay_seconds: if rng.random_bool(0.15) { rng.random_range(1..=4) } else { 0 },
            cancel_after: rng.random_bool(0.1).then(|| Duration::from_millis(rng.random_range(0..=4000))),
        }
    }

    /// The request that hands it in.
    pub(crate) fn body(&self) -> Value {
        let code = match self.kind {
            Kind::Quick => "print('done')".to_owned(),
            Kind::Slow(ms) => format!("import time\ntime.sleep({ms} / 1000)\nprint('done')"),
            Kind::Ask => ask(120),
            Kind::AskInVain => ask(3),
            Kind::Fail => "raise SystemExit(3)".to_owned(),
        };
        json!({
            "title": format!("{:?}", self.kind),
            "pipeline": "chaos",
            "project": if self.limited { LIMITED } else { "default" },
            "priority": self.priority,
            "delay_seconds": self.delay_seconds,
            "max_attempts": 20,
            "input": {"code": code},
        })
    }
}

fn ask(deadline: u32) -> String {
    format!("import shopfloor\nprint(shopfloor.ask('How many?', default='none', deadline_seconds={deadline}))")
}
