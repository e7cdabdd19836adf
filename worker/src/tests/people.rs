//! Runs that wait for people.

use serde_json::{Value, json};
use shopfloor_domain::{Clock as _, backoff::RetryPolicy, order::OrderStatus, task::TaskStatus};
use shopfloor_sandbox::fake::FakeSandbox;
use shopfloor_store::{
    orders::{self, Verdict},
    questions,
};
use shopfloor_testkit::{TestStore, soon};
use tokio::time::Duration;

use super::bench::{Bench, LONG, asks, is_code, prints, sandbox, task, verdict};

const AT_ONCE: Duration = Duration::ZERO;

/// Code that asks `first`, then `second`, and prints what it was told.
fn asks_twice() -> FakeSandbox {
    sandbox(|job| {
        Ok(match job.answers.as_slice() {
            [] => asks("first?"),
            [_] => asks("second?"),
            answers => prints(&json!(answers).to_string()),
        })
    })
}

fn runs(sandbox: &FakeSandbox) -> Vec<Vec<Value>> {
    sandbox.jobs().into_iter().filter(is_code).map(|job| job.answers).collect()
}

pub(super) async fn an_answer_within_the_grace_goes_straight_on(store: &TestStore) {
    let fake = asks_twice();
    let bench = Bench::new(store, fake.clone());
    let id = bench.submit(task("run-code", json!({ "code": "ask" }))).await.task.id;
    let answers = async {
        for answer in ["a", "b"] {
            let question = bench.question(id).await;
            assert_eq!(question.options, [json!("a"), json!("b")]);
            bench.answer(&question, json!(answer)).await;
        }
    };
    let (order, ()) = tokio::join!(bench.work(LONG), answers);
    assert_eq!(order.status, OrderStatus::Completed);
    assert_eq!(order.attempt, 1);
    assert_eq!(runs(&fake), [vec![], vec![json!("a")], vec![json!("a"), json!("b")]]);
    let expected = ["check", "run", "run.ask", "run", "run.ask", "run"].map(|step| format!("{step} completed"));
    assert_eq!(bench.step_lines(id).await, expected);
    let result = bench.task(id).await.result.unwrap();
    assert_eq!((&result["ending"], &result["stdout"]), (&json!("ok"), &json!(r#"["a","b"]"#)));
}

pub(super) async fn a_parked_order_is_resumed_by_another_worker(store: &TestStore) {
    let fake = asks_twice();
    let bench = Bench::new(store, fake.clone());
    let id = bench.submit(task("run-code", json!({ "code": "ask" }))).await.task.id;
    let mut workers = Vec::new();
    for answer in ["a", "b"] {
        let parked = bench.work(AT_ONCE).await;
        assert_eq!((parked.status, parked.attempt), (OrderStatus::Parked, 0));
        workers.push(parked.worker_id);
        let question = bench.question(id).await;
        bench.answer(&question, json!(answer)).await;
        assert_eq!(bench.order(id).await.status, OrderStatus::Queued);
    }
    let done = bench.work(AT_ONCE).await;
    workers.push(done.worker_id);
    workers.sort();
    workers.dedup();
    assert_eq!((done.status, done.attempt, workers.len()), (OrderStatus::Completed, 1, 3));
    assert_eq!(runs(&fake).len(), 3, "each round ran once");
    assert_eq!(fake.jobs().len(), 5, "the critic ran once");
    assert!(bench.steps(id).await.iter().all(|step| step.attempt == 1));
}

pub(super) async fn an_answer_that_comes_before_parking_is_not_lost(store: &TestStore) {
    let bench = Bench::new(store, asks_twice());
    let id = bench.submit(task("run-code", json!({ "code": "ask" }))).await.task.id;
    let held = bench.claim().await;
    let park = verdict(bench.engine(AT_ONCE).work(&held).await);
    assert_eq!(park, Verdict::Parked);
    let question = bench.question(id).await;
    bench.answer(&question, json!("a")).await;
    assert_eq!(bench.finish(&held, park).await.status, OrderStatus::Queued);
    bench.work(AT_ONCE).await;
    assert_eq!(bench.question(id).await.prompt, "second?");
}

async fn decide(store: &TestStore, answer: Value) -> (Bench, shopfloor_domain::TaskId, FakeSandbox) {
    let fake = sandbox(|_| Ok(prints("ran")));
    let bench = Bench::new(store, fake.clone());
    let id = bench.submit(task("review-and-run", json!({ "code": "1" }))).await.task.id;
    assert_eq!(bench.work(AT_ONCE).await.status, OrderStatus::Parked);
    let question = bench.question(id).await;
    assert!(question.prompt.contains("**Do it**") && question.prompt.contains("0 finding(s)"), "{}", question.prompt);
    bench.answer(&question, answer).await;
    bench.work(AT_ONCE).await;
    (bench, id, fake)
}

pub(super) async fn a_rejection_fails_the_task(store: &TestStore) {
    let (bench, id, fake) = decide(store, json!({ "approved": false, "comment": "not today" })).await;
    let done = bench.task(id).await;
    assert_eq!(done.status, TaskStatus::Failed);
    assert_eq!(done.error.unwrap(), "Rejected by user:ada: not today");
    assert!(!fake.jobs().iter().any(is_code));
}

pub(super) async fn an_approval_lets_it_run(store: &TestStore) {
    let (bench, id, _) = decide(store, json!({ "approved": true })).await;
    let done = bench.task(id).await;
    assert_eq!(done.status, TaskStatus::Completed);
    assert_eq!(done.result.unwrap()["answers"], json!({ "approve": { "approved": true } }));
}

pub(super) async fn the_answer_of_an_ask_step_reaches_the_code(store: &TestStore) {
    let fake = asks_twice();
    let bench = Bench::new(store, fake.clone());
    let question = json!({ "prompt": "Which column?", "options": ["x", "y"], "default": "x" });
    let id = bench.submit(task("ask-and-run", json!({ "code": "1", "question": question }))).await.task.id;
    for answer in ["y", "z"] {
        assert_eq!(bench.work(AT_ONCE).await.status, OrderStatus::Parked);
        let question = bench.question(id).await;
        bench.answer(&question, json!(answer)).await;
    }
    bench.work(AT_ONCE).await;
    assert_eq!(bench.task(id).await.result.unwrap()["stdout"], r#"["y","z"]"#);
    assert_eq!(runs(&fake), [vec![json!("y")], vec![json!("y"), json!("z")]]);
}

pub(super) async fn the_default_counts_when_nobody_answers(store: &TestStore) {
    let bench = Bench::new(store, sandbox(|job| Ok(prints(&json!(job.answers).to_string()))));
    for (question, expected) in [
        (json!({ "prompt": "Which?", "default": "x" }), TaskStatus::Completed),
        (json!({ "prompt": "Which?" }), TaskStatus::Failed),
    ] {
        let id = bench.submit(task("ask-and-run", json!({ "code": "1", "question": question }))).await.task.id;
        bench.work(AT_ONCE).await;
        let now = bench.clock.advance(Duration::from_secs(25 * 60 * 60));
        let pass = questions::climb(store, 10, now).await.unwrap();
        assert_eq!(
            pass.resumed.len(),
            1,
            "{pass:?} {:?} {:?}",
            bench.order(id).await.status,
            bench.step_lines(id).await
        );
        bench.deps.queue.publish(&pass.resumed, now).await.unwrap();
        bench.work(AT_ONCE).await;
        let done = bench.task(id).await;
        assert_eq!(done.status, expected, "{done:?}");
        match expected {
            TaskStatus::Completed => assert_eq!(done.result.unwrap()["stdout"], r#"["x"]"#),
            _ => assert_eq!(done.error.unwrap(), "Nobody answered the question `Which?` in time."),
        }
    }
}

pub(super) async fn code_may_not_ask_for_ever(store: &TestStore) {
    let bench = Bench::new(store, sandbox(|_| Ok(asks("again?"))));
    let id = bench.submit(task("run-code", json!({ "code": "ask" }))).await.task.id;
    let answers = async {
        for _ in 0..8 {
            let question = bench.question(id).await;
            bench.answer(&question, json!("a")).await;
        }
    };
    let (order, ()) = Box::pin(soon("eight answers", async { tokio::join!(bench.work(LONG), answers) })).await;
    assert_eq!(order.status, OrderStatus::Failed);
    assert_eq!(bench.task(id).await.error.unwrap(), "The code asked more than 8 questions.");
    assert!(bench.open_questions(id).await.is_empty());
}

pub(super) async fn a_requeued_dead_letter_asks_its_question_anew(store: &TestStore) {
    let fake = asks_twice();
    let bench = Bench::new(store, fake.clone());
    let mut new = task("run-code", json!({ "code": "ask" }));
    new.max_attempts = 1;
    let id = bench.submit(new).await.task.id;
    // The worker is lost while it holds on to the waiting order: the question dies with the order, the step still waits.
    let held = bench.claim().await;
    let lost = async {
        let question = bench.question(id).await;
        let now = bench.clock.advance(LONG);
        let rescued = bench.deps.queue.rescue(&RetryPolicy::default(), 0.0, 10, now).await.unwrap();
        assert_eq!(rescued[0].order.status, OrderStatus::Dead);
        question
    };
    let engine = bench.engine(LONG);
    let (_, first) = tokio::join!(engine.work(&held), lost);
    assert!(bench.open_questions(id).await.is_empty());
    assert_eq!(bench.step_lines(id).await.last().unwrap(), "run.ask waiting");

    let dead = bench.order(id).await.id;
    let again = orders::requeue_dead(store, dead, None, "user:ada", bench.clock.now()).await.unwrap();
    bench.deps.queue.publish(&[again.id], bench.clock.now()).await.unwrap();
    assert_eq!(bench.work(AT_ONCE).await.status, OrderStatus::Parked);
    let second = bench.question(id).await;
    assert_ne!((first.id, first.order_id), (second.id, second.order_id));
    assert_eq!((&first.prompt, second.order_id), (&second.prompt, again.id));
    for answer in ["a", "b"] {
        let question = bench.question(id).await;
        bench.answer(&question, json!(answer)).await;
        bench.work(AT_ONCE).await;
    }
    assert_eq!(bench.task(id).await.status, TaskStatus::Completed);
    assert_eq!(runs(&fake), [vec![], vec![json!("a")], vec![json!("a"), json!("b")]], "no round ran twice");
}
