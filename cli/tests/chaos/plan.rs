//! What a seed stands for: a workload and a schedule of faults, drawn before anything starts.

use std::{fmt, time::Duration};

use rand::{Rng, RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{
    ops::{Op, Role},
    workload::{Job, QUEUES},
};

/// How long things are broken. Then everything is healed, and what is left must come to its end.
pub(crate) const TROUBLE: Duration = Duration::from_secs(20);
const JOBS: usize = 18;
const FAULTS: std::ops::RangeInclusive<usize> = 5..=9;

/// Everything that is drawn.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Whether dispatch goes through Redis.
    pub(crate) redis: bool,
    /// How many orders of the limited project may run at once. Without any limit claims go shorter ways.
    pub(crate) limit: Option<u32>,
    /// When sessions end, if sooner than anything takes here.
    pub(crate) session_max_age: Option<Duration>,
    /// How many workers an order may cost.
    pub(crate) max_kills: u32,
    pub(crate) jobs: Vec<Job>,
    /// Whether a remote worker goes about that lets leases run out and reports nevertheless.
    pub(crate) ghost: bool,
    /// What is done to the system, and when, the earliest first.
    pub(crate) ops: Vec<(Duration, Op)>,
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let redis = rng.random_bool(0.6);
        let limit = rng.random_bool(if redis { 0.6 } else { 0.3 }).then(|| rng.random_range(1..=2));
        let session_max_age = rng.random_bool(0.25).then(|| millis(&mut rng, 5000..=9000));
        let max_kills = if rng.random_bool(0.3) { 2 } else { 20 };
        let one_lane = limit.is_none() && rng.random_bool(0.5);
        let mut jobs: Vec<_> = (0..JOBS).map(|number| Job::draw(&mut rng, number, one_lane)).collect();
        if !redis {
            // Many at once, so that workers fight for the same orders.
            jobs.iter_mut().for_each(|job| job.at = Duration::from_secs(job.at.as_secs() / 4 * 4));
        }
        let mut ops = Vec::new();
        for _ in 0..rng.random_range(FAULTS) {
            let at = millis(&mut rng, 1000..=15_000);
            fault(&mut rng, at, &mut ops);
        }
        ops.retain(|(_, op)| redis || !op.needs_redis());
        ops.sort_by_key(|(at, _)| *at);
        let ghost = rng.random_bool(0.4);
        Self { seed, redis, limit, session_max_age, max_kills, jobs, ghost, ops }
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
    match rng.random_range(0..28_u32) {
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
        19 => span(Op::Terminate(worker), Op::Start(worker)),
        20 => span(Op::Terminate(role), Op::Start(role)),
        21 | 22 => {
            let queue = QUEUES[rng.random_range(0..QUEUES.len())];
            span(Op::Pause(queue), Op::Resume(queue));
        }
        23 => ops.push((at, Op::EndSession(rng.random_range(0..6)))),
        24 | 25 => late(rng, at, worker, ops),
        26 => late(rng, at, role, ops),
        _ => {
            ops.extend([(at, Op::RedisKill), (at, Op::PostgresCrash)]);
            ops.extend([(end, Op::PostgresStart), (end + millis(rng, 0..=1000), Op::RedisStart)]);
        }
    }
}

/// A commit of `role` arrives when its lease is over, while the others are so slow that they may hold what it held.
fn late(rng: &mut impl Rng, at: Duration, role: Role, ops: &mut Vec<(Duration, Op)>) {
    let commit = role.commits()[rng.random_range(0..role.commits().len())];
    let end = at + millis(rng, 2800..=5500);
    ops.extend([(at, Op::Hold(role, commit)), (end, Op::Heal(role))]);
    for other in (0..3).map(Role::Worker).filter(|other| *other != role) {
        ops.extend([(at, Op::Slow(other, millis(rng, 50..=200))), (end + millis(rng, 500..=2000), Op::Heal(other))]);
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, redis, limit, session_max_age, max_kills, ghost, .. } = self;
        writeln!(f, "  seed {seed}, Redis {redis}, limit {limit:?}, max kills {max_kills}")?;
        writeln!(f, "  sessions {session_max_age:?}, ghost {ghost}")?;
        for job in &self.jobs {
            writeln!(f, "  {job:?}")?;
        }
        for (at, op) in &self.ops {
            writeln!(f, "  {:>6} ms  {op:?}", at.as_millis())?;
        }
        Ok(())
    }
}
