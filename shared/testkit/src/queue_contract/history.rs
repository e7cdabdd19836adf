//! Random histories, played against a queue and the model at once.

use std::{future::Future, time::Duration};

use proptest::{
    prelude::{Just, Strategy, any, prop_oneof},
    test_runner::{Config, TestRunner},
};
use shopfloor_domain::{Priority, session::EndReason};
use shopfloor_store::orders::Verdict;

use super::{
    Bench,
    bench::{completed, retry},
    play::Play,
};
use crate::Backend;

const MOVES: usize = 40;
/// Histories on a database in a file, and on a server.
const CASES: (u32, u32) = (48, 12);

/// One move. Numbers of orders and claims pick from what there is, modulo.
#[derive(Debug, Clone)]
pub(super) enum Move {
    Submit { priority: Priority, queue: usize, project: usize, gpu: bool, delay: u64, max_attempts: u32 },
    Claim { worker: usize, queue: Option<usize>, limit: u32 },
    Renew { worker: usize },
    Advance { by: u64 },
    Finish { claim: usize, verdict: Verdict },
    Rescue { limit: u32, draw: f64 },
    Cancel { order: usize },
    Pause { queue: usize, paused: bool },
    Limit { project: usize, limit: Option<u32> },
    Ask { claim: usize },
    Answer { order: usize },
}

fn verdicts() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        3 => Just(completed()),
        1 => Just(Verdict::Failed { error: "wrong".to_owned(), result: None }),
        3 => (0_u64..20_000).prop_map(|ms| retry(Duration::from_millis(ms))),
        3 => Just(Verdict::Parked),
        2 => Just(Verdict::Released { reason: EndReason::Released }),
        2 => Just(Verdict::Cancelled),
    ]
}

fn histories() -> impl Strategy<Value = Vec<Move>> {
    let priority = proptest::sample::select(Priority::ALL);
    let delay = prop_oneof![3 => Just(0), 1 => 1_u64..30_000];
    let submit = (priority, 0..2_usize, 0..2_usize, any::<bool>(), delay, 1..4_u32).prop_map(
        |(priority, queue, project, gpu, delay, max_attempts)| Move::Submit {
            priority,
            queue,
            project,
            gpu,
            delay,
            max_attempts,
        },
    );
    let pick = || 0..64_usize;
    let one = prop_oneof![
        6 => submit,
        8 => (0..3_usize, proptest::option::weighted(0.3, 0..2_usize), 1..5_u32)
            .prop_map(|(worker, queue, limit)| Move::Claim { worker, queue, limit }),
        2 => (0..3_usize).prop_map(|worker| Move::Renew { worker }),
        5 => prop_oneof![1_u64..3_000, 1_u64..30_000, Just(1_234_567)].prop_map(|by| Move::Advance { by }),
        6 => (pick(), verdicts()).prop_map(|(claim, verdict)| Move::Finish { claim, verdict }),
        2 => (1..4_u32, 0.0..=1.0_f64).prop_map(|(limit, draw)| Move::Rescue { limit, draw }),
        2 => pick().prop_map(|order| Move::Cancel { order }),
        2 => (0..2_usize, any::<bool>()).prop_map(|(queue, paused)| Move::Pause { queue, paused }),
        1 => (0..2_usize, proptest::option::of(0..4_u32)).prop_map(|(project, limit)| Move::Limit { project, limit }),
        3 => pick().prop_map(|claim| Move::Ask { claim }),
        2 => pick().prop_map(|order| Move::Answer { order }),
    ];
    proptest::collection::vec(one, 1..=MOVES)
}

/// Plays random histories against `bench` and the model and compares every order, every claim and the depth after each
/// move. The number of histories can be set with `PROPTEST_CASES`.
///
/// # Panics
/// When they differ; the message shows the shortest history found that tells them apart.
pub fn histories_match_the_model<F: Future<Output = Bench>>(bench: fn() -> F) {
    let cases = crate::run(async {
        match bench().await.store.backend() {
            Backend::Sqlite => CASES.0,
            Backend::Postgres => CASES.1,
        }
    });
    let mut config = Config { failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    let outcome = TestRunner::new(config).run(&histories(), |history| {
        crate::run(async {
            let mut play = Play::begin(bench().await).await;
            for step in history {
                Box::pin(play.step(step)).await;
                play.compare().await;
            }
            play.end().await;
        });
        Ok(())
    });
    if let Err(difference) = outcome {
        panic!("{difference}");
    }
}
