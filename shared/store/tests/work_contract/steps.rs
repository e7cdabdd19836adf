//! Steps, committed one by one.

use std::time::Duration;

use serde_json::json;
use shopfloor_domain::{
    OrderId, StepId,
    backoff::RetryPolicy,
    event::EventKind,
    order::OrderStatus,
    question::{QuestionKind, QuestionStatus},
    session::EndReason,
    step::{StepKind, StepStatus},
};
use shopfloor_store::{
    Result, StoreError, events,
    orders::{self, Verdict},
    questions,
    steps::{self, BeginStep, StepResult},
};
use shopfloor_testkit::{T0, TestStore, new_task};

use super::common::{asked, at, begun, claim, claim_at, claimed, count, history, new_question, place, submit};

fn is_conflict<T: std::fmt::Debug>(outcome: Result<T>) {
    assert!(matches!(outcome, Err(StoreError::Conflict { .. })), "{outcome:?}");
}

fn completed() -> StepResult {
    StepResult::Completed(json!({"ok": true}))
}

pub(crate) async fn a_step_goes_from_beginning_to_end(store: &TestStore) {
    let held = claimed(store).await;
    let run = held.order.run_id;
    let first = begun(store, &held, 0, StepKind::Critic).await;
    assert_eq!((first.status, first.attempt, first.started_at), (StepStatus::Running, 1, Some(T0)));
    assert_eq!((first.epoch, first.order_id, first.run_id), (held.order.epoch, held.order.id, run));
    let handoff = Some(("# Done".to_owned(), json!({"n": 1})));
    let done = steps::finish(store, held.fence(), first.id, completed(), Vec::new(), handoff, at(1)).await.unwrap();
    assert_eq!((done.status, done.finished_at), (StepStatus::Completed, Some(at(1))));
    assert_eq!(done.output, Some(json!({"ok": true})));
    let second = begun(store, &held, 1, StepKind::Sandbox).await;
    let failed = StepResult::Failed { error: "It\0 broke.".to_owned(), output: Some(json!({"stderr": "\0"})) };
    let failed = steps::finish(store, held.fence(), second.id, failed, Vec::new(), None, at(2)).await.unwrap();
    assert_eq!(failed.error.as_deref(), Some("It\u{fffd} broke."));
    assert_eq!(steps::of_run(store, run).await.unwrap(), [done.clone(), failed.clone()]);
    assert_eq!(steps::of_task(store, held.order.task_id).await.unwrap(), [done, failed]);
    let handoffs = steps::handoffs(store, run).await.unwrap();
    assert_eq!((handoffs.len(), handoffs[0].step_id, handoffs[0].content_md.as_str()), (1, first.id, "# Done"));
    let events = history(store, held.order.task_id).await;
    let moves: Vec<_> = events
        .iter()
        .filter(|event| event.kind == EventKind::StepStatus)
        .map(|event| (event.payload["order_index"].as_u64().unwrap(), event.payload["to"].as_str().unwrap()))
        .collect();
    assert_eq!(moves, [(0, "running"), (0, "completed"), (1, "running"), (1, "failed")]);
}

pub(crate) async fn a_killed_workers_step_is_taken_over(store: &TestStore) {
    let held = claimed(store).await;
    let first = begun(store, &held, 0, StepKind::Sandbox).await;
    orders::rescue(store, &RetryPolicy::default(), 0.0, 10, at(1009)).await.unwrap();
    let next = claim_at(store, at(1010)).await;
    let again = begun(store, &next, 0, StepKind::Sandbox).await;
    assert_eq!((again.id, again.attempt, again.epoch), (first.id, 2, next.order.epoch));
    assert_eq!((again.started_at, again.status), (first.started_at, StepStatus::Running));
    let late = steps::finish(store, held.fence(), first.id, completed(), Vec::new(), None, at(10)).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
    steps::finish(store, next.fence(), first.id, completed(), Vec::new(), None, at(10)).await.unwrap();
}

pub(crate) async fn a_finished_step_is_never_begun_again(store: &TestStore) {
    let held = claimed(store).await;
    let (fence, run) = (held.fence(), held.order.run_id);
    let step = begun(store, &held, 0, StepKind::Critic).await;
    for other in [
        place(0, "another", StepKind::Critic),
        place(0, "step", StepKind::Sandbox),
        BeginStep { round: 1, ..place(0, "step", StepKind::Critic) },
    ] {
        is_conflict(steps::begin(store, fence, run, other, T0).await);
    }
    steps::finish(store, fence, step.id, completed(), Vec::new(), None, T0).await.unwrap();
    is_conflict(steps::begin(store, fence, run, place(0, "step", StepKind::Critic), T0).await);
    is_conflict(steps::finish(store, fence, step.id, completed(), Vec::new(), None, T0).await);
    is_conflict(steps::ask(store, fence, step.id, new_question("?"), T0).await);
    is_conflict(steps::answered(store, fence, step.id, T0).await);
    assert_eq!(count(store, "steps", "1 = 1").await, 1);
}

pub(crate) async fn a_ghost_writes_nothing(store: &TestStore) {
    let held = claimed(store).await;
    let (fence, run) = (held.fence(), held.order.run_id);
    let step = begun(store, &held, 0, StepKind::Ask).await;
    orders::finish(store, fence, Verdict::Released { reason: EndReason::Released }, at(1)).await.unwrap();
    let before = count(store, "events", "1 = 1").await;
    let outcomes = [
        steps::begin(store, fence, run, place(1, "next", StepKind::Ask), at(2)).await.map(|_| ()),
        steps::skip(store, fence, run, place(1, "next", StepKind::Ask), at(2)).await.map(|_| ()),
        steps::finish(store, fence, step.id, completed(), Vec::new(), None, at(2)).await.map(|_| ()),
        steps::ask(store, fence, step.id, new_question("?"), at(2)).await.map(|_| ()),
        steps::answered(store, fence, step.id, at(2)).await.map(|_| ()),
        events::append(store, fence, EventKind::StepOutput, vec![json!({})], at(2)).await,
    ];
    for outcome in outcomes {
        assert!(matches!(outcome, Err(StoreError::Fenced { .. })), "{outcome:?}");
    }
    assert_eq!(count(store, "events", "1 = 1").await, before);
    assert_eq!(count(store, "steps", "1 = 1").await, 1);
    assert_eq!(count(store, "questions", "1 = 1").await, 0);
}

pub(crate) async fn a_step_waits_for_its_answer(store: &TestStore) {
    let (held, step, question) = asked(store, new_question("Which?")).await;
    let waiting = steps::of_run(store, step.run_id).await.unwrap().remove(0);
    assert_eq!((waiting.status, waiting.id), (StepStatus::Waiting, step.id));
    is_conflict(steps::answered(store, held.fence(), step.id, at(1)).await);
    let unchanged = begun(store, &held, 0, StepKind::Ask).await;
    assert_eq!((unchanged.status, unchanged.attempt), (StepStatus::Waiting, 1));
    questions::answer(store, question.id, json!("this"), "me", at(2)).await.unwrap();
    for _ in 0..2 {
        let running = steps::answered(store, held.fence(), step.id, at(3)).await.unwrap();
        assert_eq!(running.status, StepStatus::Running);
    }
    steps::finish(store, held.fence(), step.id, completed(), Vec::new(), None, at(4)).await.unwrap();
}

pub(crate) async fn asking_again_finds_the_question(store: &TestStore) {
    let (held, step, question) = asked(store, new_question("Which?")).await;
    let again = steps::ask(store, held.fence(), step.id, new_question("Another?"), at(1)).await.unwrap();
    assert_eq!(again, question);
    assert_eq!(count(store, "messages", "1 = 1").await, 1);
    questions::answer(store, question.id, json!("this"), "me", at(2)).await.unwrap();
    let answered = steps::ask(store, held.fence(), step.id, new_question("Another?"), at(3)).await.unwrap();
    assert_eq!((answered.id, answered.answer), (question.id, Some(json!("this"))));
    assert_eq!(questions::of_step(store, step.id).await.unwrap().unwrap().id, question.id);
}

pub(crate) async fn a_requeued_dead_letter_asks_anew(store: &TestStore) {
    let mut new = new_task("a task");
    new.max_attempts = 1;
    submit(store, new).await;
    let held = claim(store).await;
    let step = begun(store, &held, 0, StepKind::Approval).await;
    let mut approval = new_question("May I?");
    approval.kind = QuestionKind::Approval;
    let first = steps::ask(store, held.fence(), step.id, approval.clone(), T0).await.unwrap();
    let retry = Verdict::Retry { error: "Gone.".to_owned(), after: Duration::ZERO };
    let dead = orders::finish(store, held.fence(), retry, at(1)).await.unwrap();
    assert_eq!(dead.status, OrderStatus::Dead);
    assert_eq!(questions::get(store, first.id).await.unwrap().status, QuestionStatus::Cancelled);
    orders::requeue_dead(store, dead.id, None, "me", at(2)).await.unwrap();
    let held = claim(store).await;
    assert_eq!(begun(store, &held, 0, StepKind::Approval).await.status, StepStatus::Waiting);
    let second = steps::ask(store, held.fence(), step.id, approval, at(3)).await.unwrap();
    assert_ne!(first.id, second.id);
    assert_eq!((second.order_id, second.status), (held.order.id, QuestionStatus::Open));
    assert_eq!(questions::of_step(store, step.id).await.unwrap(), Some(second));
}

pub(crate) async fn a_step_is_skipped(store: &TestStore) {
    let held = claimed(store).await;
    let (fence, run) = (held.fence(), held.order.run_id);
    let place = || place(0, "step", StepKind::Critic);
    let skipped = steps::skip(store, fence, run, place(), T0).await.unwrap();
    assert_eq!((skipped.status, skipped.started_at, skipped.finished_at), (StepStatus::Skipped, None, Some(T0)));
    assert_eq!(steps::skip(store, fence, run, place(), at(1)).await.unwrap(), skipped);
    is_conflict(steps::begin(store, fence, run, place(), T0).await);
    begun(store, &held, 1, StepKind::Critic).await;
    let running = BeginStep { order_index: 1, input: json!({"n": 1}), ..place() };
    is_conflict(steps::skip(store, fence, run, running, T0).await);
}

pub(crate) async fn the_end_of_an_order_ends_its_steps(store: &TestStore) {
    let held = claimed(store).await;
    let step = begun(store, &held, 0, StepKind::Critic).await;
    steps::finish(store, held.fence(), step.id, completed(), Vec::new(), None, T0).await.unwrap();
    begun(store, &held, 1, StepKind::Sandbox).await;
    orders::finish(store, held.fence(), Verdict::Failed { error: "No.".to_owned(), result: None }, at(1))
        .await
        .unwrap();
    let statuses: Vec<_> = steps::of_run(store, step.run_id)
        .await
        .unwrap()
        .into_iter()
        .map(|step| (step.status, step.finished_at))
        .collect();
    assert_eq!(statuses, [(StepStatus::Completed, Some(T0)), (StepStatus::Cancelled, Some(at(1)))]);
}

pub(crate) async fn foreign_steps_are_out_of_reach(store: &TestStore) {
    let mine = claimed(store).await;
    let other = claimed(store).await;
    let theirs = begun(store, &other, 0, StepKind::Critic).await;
    for step in [theirs.id, StepId::new()] {
        let outcome = steps::finish(store, mine.fence(), step, completed(), Vec::new(), None, T0).await;
        assert!(matches!(outcome, Err(StoreError::NotFound { kind: "step", .. })), "{outcome:?}");
    }
    is_conflict(steps::begin(store, mine.fence(), other.order.run_id, place(1, "x", StepKind::Critic), T0).await);
    let nobody = shopfloor_domain::Fence { order_id: OrderId::new(), ..mine.fence() };
    let outcome = steps::begin(store, nobody, mine.order.run_id, place(0, "x", StepKind::Critic), T0).await;
    assert!(matches!(outcome, Err(StoreError::Fenced { .. })), "{outcome:?}");
}
