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
/// Where orders go.
pub(crate) const QUEUES: [&str; 2] = ["default", "side"];

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

impl Kind {
    /// Whether somebody answers the question of a task with this title.
    pub(crate) fn wants_answer(title: &str) -> bool {
        title.ends_with(" Ask")
    }
}

/// A task to hand in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) number: usize,
    pub(crate) at: Duration,
    pub(crate) kind: Kind,
    pub(crate) limited: bool,
    queue: &'static str,
    /// Whether it is handed in under an idempotency key. Without one, a job whose acknowledgement is lost makes two tasks.
    pub(crate) keyed: bool,
    priority: &'static str,
    delay_seconds: u64,
    /// When its cancellation is asked for, after it was acknowledged.
    pub(crate) cancel_after: Option<Duration>,
}

impl Job {
    /// With `one_lane`, it goes where all others go.
    pub(crate) fn draw(rng: &mut impl Rng, number: usize, one_lane: bool) -> Self {
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
            limited: rng.random_bool(0.3) && !one_lane,
            queue: if rng.random_bool(0.3) && !one_lane { QUEUES[1] } else { QUEUES[0] },
            keyed: rng.random_bool(0.7),
            priority: ["high", "normal", "low"][rng.random_range(0..3)],
            delay_seconds: if rng.random_bool(0.15) { rng.random_range(1..=4) } else { 0 },
            cancel_after: rng.random_bool(0.1).then(|| Duration::from_millis(rng.random_range(0..=4000))),
        }
    }

    /// The title of its task. It ends as [`Kind::wants_answer`] expects.
    pub(crate) fn title(&self) -> String {
        format!("{} {:?}", self.number, self.kind)
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
            "title": self.title(),
            "pipeline": "chaos",
            "queue": self.queue,
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
