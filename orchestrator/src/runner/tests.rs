//! A scripted loop: what one pass does must not stop the next.

use std::{collections::VecDeque, sync::Mutex};

use async_trait::async_trait;
use shopfloor_store::{Bell, StoreError};
use tokio::sync::mpsc;

use super::*;

/// What a scripted pass does.
enum Act {
    Work(Work),
    Fail,
    Panic,
}

/// Plays its acts one by one, telling when each begins; afterwards there is nothing to do.
struct Scripted {
    acts: Mutex<VecDeque<Act>>,
    began: mpsc::Sender<()>,
    bell: Option<Bell>,
    every: Duration,
}

#[async_trait]
impl Loop for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn every(&self) -> Duration {
        self.every
    }

    fn bell(&self) -> Option<&Bell> {
        self.bell.as_ref()
    }

    async fn pass(&self) -> Result<Work, StoreError> {
        let act = self.acts.lock().unwrap().pop_front();
        let _ = self.began.send(()).await;
        match act {
            Some(Act::Work(work)) => Ok(work),
            Some(Act::Fail) => Err(StoreError::NotFound { kind: "row", id: "1".into() }),
            Some(Act::Panic) => panic!("as scripted"),
            None => Ok(Work::default()),
        }
    }
}

const NEVER: Duration = Duration::from_secs(3600);
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the acts until `passes` have begun, then stops the loop. Returns what was counted.
async fn play(acts: Vec<Act>, every: Duration, bell: Option<Bell>, passes: usize) -> String {
    let (began, mut heard) = mpsc::channel(1);
    let looped = Arc::new(Scripted { acts: Mutex::new(acts.into()), began, bell: bell.clone(), every });
    let (metrics, stop) = (Metrics::new(), CancellationToken::new());
    let running = tokio::spawn(drive(looped, metrics.clone(), stop.clone()));
    for _ in 0..passes {
        tokio::time::timeout(PATIENCE, heard.recv()).await.expect("the next pass begins");
        bell.iter().for_each(Bell::ring);
    }
    stop.cancel();
    tokio::time::timeout(PATIENCE, running).await.expect("the loop stops").unwrap();
    metrics.render().unwrap()
}

fn count(metrics: &str, outcome: &str) -> u64 {
    let line = format!("shopfloor_loop_passes_total{{loop=\"scripted\",outcome=\"{outcome}\"}} ");
    metrics.lines().find_map(|l| l.strip_prefix(&line)).map_or(0, |n| n.parse().unwrap())
}

#[tokio::test]
async fn a_failing_or_panicking_pass_does_not_end_the_loop() {
    let metrics = play(vec![Act::Fail, Act::Panic, Act::Fail], NEVER, None, 4).await;
    assert_eq!((count(&metrics, "failed"), count(&metrics, "panicked")), (2, 1));
}

#[tokio::test]
async fn a_pass_that_left_rows_is_followed_at_once() {
    let more = || Act::Work(Work { done: 1, more: true, next_in: None });
    play(vec![more(), more()], NEVER, None, 3).await;
}

#[tokio::test]
async fn what_is_due_before_the_tick_is_not_kept_waiting() {
    let soon = Work { next_in: Some(Duration::from_millis(1)), ..Work::default() };
    play(vec![Act::Work(soon)], NEVER, None, 2).await;
}

#[tokio::test]
async fn a_ring_during_a_pass_is_heard_after_it() {
    play(vec![], NEVER, Some(Bell::default()), 3).await;
}

#[tokio::test]
async fn a_hanging_pass_is_cut_off() {
    let (began, _heard) = mpsc::channel(1);
    let acts = Mutex::new(VecDeque::new());
    let looped = Scripted { acts, began: began.clone(), bell: None, every: NEVER };
    began.send(()).await.unwrap();
    // The channel is full and nobody reads it: the pass hangs.
    let outcome = guarded(&looped, Duration::from_millis(10)).await;
    assert!(matches!(outcome, Err(PassError::TimedOut(_))), "{outcome:?}");
}

#[test]
fn the_pause_is_the_tick_unless_something_is_due_before() {
    let pause = |work: Work| pause_after(&work, Duration::from_secs(1)).as_millis();
    assert_eq!(pause(Work::default()), 1000);
    assert_eq!(pause(Work { next_in: Some(Duration::from_millis(300)), ..Work::default() }), 300);
    assert_eq!(pause(Work { next_in: Some(NEVER), ..Work::default() }), 1000);
    assert_eq!(pause(Work { more: true, ..Work::default() }), 0);
}
