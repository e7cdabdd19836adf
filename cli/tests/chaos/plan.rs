//! What a seed stands for: a workload and a schedule of faults, drawn before anything starts.

use std::{fmt, time::Duration};

use rand::{Rng, RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{
    ops::{Op, Role},
    workload::Job,
};

/// How long things are broken. Then everything is healed, and what is left must come to its end.
pub(crate) const TROUBLE: Duration = Duration::from_secs(20);
const JOBS: usize = 18;
const FAULTS: std::ops::RangeInclusive<usize> = 5..=9;

/// Everything that is drawn.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// How many orders of the limited project may run at once.
    pub(crate) limit: u32,
    /// How many workers an order may cost.
    pub(crate) max_kills: u32,
    pub(crate) jobs: Vec<Job>,
    /// What is done to the system, and when, the earliest first.
    pub(crate) ops: Vec<(Duration, Op)>,
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let limit = rng.random_range(1..=2);
        let max_kills = if rng.random_bool(0.3) { 2 } else { 20 };
        let jobs = (0..JOBS).map(|number| Job::draw(&mut rng, number)).collect();
        let mut ops = Vec::new();
        for _ in 0..rng.random_range(FAULTS) {
            let at = millis(&mut rng, 1000..=15_000);
            fault(&mut rng, at, &mut ops);
        }
        ops.sort_by_key(|(at, _)| *at);
        Self { seed, limit, max_kills, jobs, ops }
    }
}

fn millis(rng: &mut impl Rng, range: std::ops::RangeInclusive<u64>) -> Duration {
    Duration::from_millis(rng.random_range(range))
}

/// Draws one fault that begins at `at`, with its end.
fn fault(rng: &mut impl Rng, at: Duration, ops: &mut Vec<(Duration, Op)>) {
    let role = Role::ALL[rng.random_range(0..Role::ALL.len())];
    let worker = Role::Worker(rng.random_range(0..3));
    // Longer than the lease half of the time.
    let end = at + millis(rng, 500..=6000);
    let mut span = |begin: Op, finish: Op| ops.extend([(at, begin), (end, finish)]);
    match rng.random_range(0..20_u32) {
        0 | 1 => span(Op::Kill(worker), Op::Start(worker)),
        2 => span(Op::Kill(role), Op::Start(role)),
        3 | 4 => span(Op::Stop(worker), Op::GoOn(worker)),
        5 => span(Op::Stop(role), Op::GoOn(role)),
        6 => span(Op::RedisKill, Op::RedisStart),
        7 => span(Op::RedisStop, Op::RedisGoOn),
        8 => ops.push((at, Op::RedisFlush)),
        9 => ops.push((at, Op::RedisCut(role))),
        10 => span(Op::PostgresCrash, Op::PostgresStart),
        11 => span(Op::PostgresShutDown, Op::PostgresStart),
        12 => ops.push((at, Op::PostgresCut(role))),
        13 | 14 => span(Op::LoseCommits(role, rng.random_range(1..=4)), Op::Heal(role)),
        15 => span(Op::Stall(role), Op::Heal(role)),
        16 => span(Op::Slow(role, millis(rng, 20..=200)), Op::Heal(role)),
        17 => span(Op::Clock(rng.random_range(-7200..=7200)), Op::Clock(0)),
        18 => ops.push((at, Op::Clock(rng.random_range(-10..=10)))),
        _ => {
            ops.extend([(at, Op::RedisKill), (at, Op::PostgresCrash)]);
            ops.extend([(end, Op::PostgresStart), (end + millis(rng, 0..=1000), Op::RedisStart)]);
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  seed {}, limit {}, max kills {}", self.seed, self.limit, self.max_kills)?;
        for job in &self.jobs {
            writeln!(f, "  {job:?}")?;
        }
        for (at, op) in &self.ops {
            writeln!(f, "  {:>6} ms  {op:?}", at.as_millis())?;
        }
        Ok(())
    }
}
