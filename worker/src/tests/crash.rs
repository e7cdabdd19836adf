//! Workers that die. A future that is dropped after so many polls stands for `kill -9` at that point: nothing of the
//! worker is left but what it recorded.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use serde_json::json;
use shopfloor_domain::{Clock, TaskId, backoff::RetryPolicy, order::OrderStatus, step::StepStatus, task::TaskStatus};
use shopfloor_store::{StoreError, orders::Verdict, steps, steps::Step};
use shopfloor_testkit::{TestStore, soon};
use tokio::time::Duration;

use super::bench::{Bench, LONG, asks, prints, sandbox, task, verdict};
use crate::{engine::Ended, held::Held};

/// A future that lives for so many polls.
struct Mortal<F> {
    life: Pin<Box<F>>,
    polls_left: u32,
}

impl<F: Future> Future for Mortal<F> {
    /// `None` when it died.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls_left == 0 {
            return Poll::Ready(None);
        }
        self.polls_left -= 1;
        self.life.as_mut().poll(cx).map(Some)
    }
}

/// Works on an order and writes the verdict, for so many polls.
async fn short_life(bench: &Bench, held: &Arc<Held>, polls: u32) -> Option<Verdict> {
    let engine = bench.engine(Duration::ZERO);
    let life = Box::pin(async {
        let verdict = verdict(engine.work(held).await);
        bench.finish(held, verdict.clone()).await;
        verdict
    });
    Mortal { life, polls_left: polls }.await
}

/// After the lease has run out, the order goes back to the queue.
async fn rescue(bench: &Bench) {
    let policy = RetryPolicy { max_kills: u32::MAX, ..RetryPolicy::default() };
    let now = bench.clock.advance(LONG);
    bench.deps.queue.rescue(&policy, 0.0, 10, now).await.unwrap();
    bench.clock.advance(LONG);
}

/// Rescues and workers that live bring the order to `goal`. The dead worker's last write may still be on its way to
/// PostgreSQL, so they look as often as it takes.
async fn others_take_over(bench: &Bench, id: TaskId, goal: OrderStatus) {
    soon("the others to take over", async {
        loop {
            let order = bench.order(id).await;
            match order.status {
                status if status == goal => return,
                OrderStatus::Claimed => rescue(bench).await,
                // On a busy machine a worker may have met an error that passes; its retry waits for the clock.
                OrderStatus::Queued => drop(bench.clock.advance(order.run_at.since(bench.clock.now()))),
                status => panic!("the order is {status} on its way to {goal}"),
            }
            match bench.try_claim().await {
                Some(held) => drop(bench.work_on(&held, Duration::ZERO).await),
                None => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
    })
    .await;
}

fn ended_steps(steps: &[Step]) -> Vec<Step> {
    let ended = |step: &&Step| matches!(step.status, StepStatus::Completed | StepStatus::Failed);
    steps.iter().filter(ended).cloned().collect()
}

pub(super) async fn a_worker_may_die_anywhere_and_no_step_is_repeated(store: &TestStore) {
    let bench = Bench::new(store, sandbox(|_| Ok(prints("done"))));
    let mut deaths = 0;
    for polls in 1.. {
        let mut new = task("run-code", json!({ "code": "1" }));
        new.max_attempts = 100;
        let id = bench.submit(new).await.task.id;
        let held = bench.claim().await;
        let survived = short_life(&bench, &held, polls).await.is_some();
        let before = ended_steps(&bench.steps(id).await);
        others_take_over(&bench, id, OrderStatus::Completed).await;
        let after = bench.steps(id).await;
        assert_eq!(after[..before.len()], before, "what had ended stays as it was");
        deaths += u32::from(!survived);
        assert_eq!(bench.step_lines(id).await, ["check completed", "run completed"]);
        if survived {
            break;
        }
    }
    assert!(deaths >= 5, "the worker died at only {deaths} points");
}

pub(super) async fn a_worker_may_die_anywhere_around_a_question(store: &TestStore) {
    let bench =
        Bench::new(store, sandbox(|job| Ok(if job.answers.is_empty() { asks("which?") } else { prints("done") })));
    for polls in 1.. {
        let mut new = task("run-code", json!({ "code": "1" }));
        new.max_attempts = 100;
        let id = bench.submit(new).await.task.id;
        let mut survived = true;
        // One short life before the answer and one after it, each followed by workers that live.
        for answered in [false, true] {
            let held = bench.claim().await;
            survived &= short_life(&bench, &held, polls).await.is_some();
            let before = ended_steps(&bench.steps(id).await);
            let goal = if answered { OrderStatus::Completed } else { OrderStatus::Parked };
            others_take_over(&bench, id, goal).await;
            assert_eq!(bench.steps(id).await[..before.len()], before);
            if !answered {
                let question = bench.question(id).await;
                assert_eq!(bench.open_questions(id).await.len(), 1, "it is asked once");
                bench.answer(&question, json!("a")).await;
            }
        }
        assert_eq!(bench.task(id).await.status, TaskStatus::Completed);
        let expected = ["check", "run", "run.ask", "run"].map(|step| format!("{step} completed"));
        assert_eq!(bench.step_lines(id).await, expected);
        if survived {
            break;
        }
    }
}

pub(super) async fn a_stale_worker_is_fenced(store: &TestStore) {
    let bench = Bench::new(store, sandbox(|_| Ok(prints("done"))));
    let id = bench.submit(task("run-code", json!({ "code": "1" }))).await.task.id;
    let stale = bench.claim().await;
    rescue(&bench).await;
    let fresh = bench.claim().await;
    assert!(fresh.fence().epoch > stale.fence().epoch);

    let ended = bench.engine(LONG).work(&stale).await;
    assert!(matches!(ended, Ended::Gone), "{ended:?}");
    assert!(bench.steps(id).await.is_empty(), "a ghost begins nothing");
    assert!(bench.deps.metrics.render().unwrap().contains("shopfloor_fenced_writes_total{op=\"begin_step\"} 1"));
    let late =
        bench.deps.queue.finish(stale.fence(), Verdict::Completed { result: json!({}) }, bench.clock.now()).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");

    let verdict = verdict(bench.engine(LONG).work(&fresh).await);
    assert_eq!(bench.finish(&fresh, verdict).await.status, OrderStatus::Completed);
    assert_eq!(steps::of_task(store, id).await.unwrap().len(), 2);
}
