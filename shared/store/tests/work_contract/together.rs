//! Completions that come at the same time, which are recorded together.

use std::time::Duration;

use futures::future::join_all;
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use shopfloor_domain::{
    Epoch, Fence,
    event::EventKind,
    execution::ExecutionStatus,
    order::OrderStatus,
    question::QuestionStatus,
    session::{EndReason, SessionStatus},
    step::{StepKind, StepStatus},
    task::TaskStatus,
};
use shopfloor_store::{
    PageRequest, StoreError, events, executions,
    orders::{self, ClaimRequest, ClaimedOrder, Verdict},
    questions, runs, sessions, steps, tasks, workers,
};
use shopfloor_testkit::{T0, TestStore, new_task, worker};

use super::common::{at, begun, history, kinds, new_question, submit};

const MANY: u32 = 40;

/// So many claimed orders, all of one worker.
async fn hold(store: &TestStore, count: u32) -> Vec<ClaimedOrder> {
    for _ in 0..count {
        submit(store, new_task("a task")).await;
    }
    let new = worker();
    let capabilities = new.capabilities.clone();
    let worker_id = workers::register(store, new, T0).await.unwrap().id;
    let lease = Duration::from_secs(8);
    let request = ClaimRequest { worker_id, queues: Vec::new(), capabilities, limit: count, lease };
    let held = orders::claim(store, &request, at(1)).await.unwrap();
    assert_eq!(held.len(), usize::try_from(count).unwrap());
    held
}

fn done(number: usize) -> Verdict {
    Verdict::Completed { result: json!({ "number": number }) }
}

pub(crate) async fn each_of_many_completions_is_recorded_whole(store: &TestStore) {
    let held = hold(store, MANY).await;
    let finishing = held.iter().enumerate().map(|(number, held)| {
        orders::finish(store, held.fence(), done(number), at(2) + Duration::from_millis(number as u64))
    });
    let finished = join_all(finishing).await;
    for (number, (held, order)) in held.iter().zip(finished).enumerate() {
        let (order, when) = (order.unwrap(), at(2) + Duration::from_millis(number as u64));
        assert_eq!((order.status, order.completed_at), (OrderStatus::Completed, Some(when)));
        assert_eq!(order, orders::get(store, held.order.id).await.unwrap());
        let task = tasks::get(store, order.task_id).await.unwrap();
        assert_eq!((task.status, task.completed_at, task.updated_at), (TaskStatus::Completed, Some(when), when));
        assert_eq!((task.result, task.error), (Some(json!({ "number": number })), None));
        let run = runs::get(store, order.run_id).await.unwrap();
        assert_eq!((run.status, run.updated_at), (TaskStatus::Completed, when));
        let ran = executions::of_task(store, order.task_id).await.unwrap();
        assert_eq!((ran[0].status, ran[0].completed_at), (ExecutionStatus::Completed, Some(when)));
        assert_eq!(ran[0].output, Some(json!({ "number": number })));
        let session = sessions::get(store, held.session_id).await.unwrap();
        assert_eq!((session.status, session.end_reason), (SessionStatus::Terminated, Some(EndReason::Finished)));
        assert_eq!(session.terminated_at, Some(when));
    }
}

/// Those with loose ends are completed the long way, the others all at once: the log must not show which.
pub(crate) async fn the_log_tells_of_many_completions_as_of_one(store: &TestStore) {
    let alone = hold(store, 1).await;
    begun(store, &alone[0], 0, StepKind::Sandbox).await;
    orders::finish(store, alone[0].fence(), done(0), at(2)).await.unwrap();
    let of_order = |event: &events::Event| !matches!(event.kind, EventKind::StepStatus);
    let mut expected = history(store, alone[0].order.task_id).await;
    expected.retain(of_order);
    assert_eq!(expected.iter().filter(|event| event.kind == EventKind::TaskStatus).count(), 2);
    let held = hold(store, MANY).await;
    join_all(held.iter().map(|held| orders::finish(store, held.fence(), done(1), at(2)))).await;
    for held in held {
        let told = history(store, held.order.task_id).await;
        assert_eq!(kinds(&told), kinds(&expected));
        for (told, expected) in told.iter().zip(&expected) {
            assert_eq!(nameless(told), nameless(expected));
        }
    }
}

/// What an event says, without ids.
fn nameless(event: &events::Event) -> Value {
    let mut payload = event.payload.clone();
    for field in payload.as_object_mut().unwrap().iter_mut() {
        if field.1.as_str().is_some_and(|text| text.parse::<Uuid>().is_ok()) {
            *field.1 = json!("an id");
        }
    }
    json!({"kind": event.kind, "task": event.task_id.is_some(), "order": event.order_id.is_some(), "payload": payload})
}

/// The two databases write the log in different ways; what it tells is the same.
pub(crate) async fn the_log_tells_an_orders_life(store: &TestStore) {
    let held = hold(store, 1).await.remove(0);
    orders::finish(store, held.fence(), done(0), at(2)).await.unwrap();
    let told: Vec<Value> = history(store, held.order.task_id).await.iter().map(nameless).collect();
    let status = |from: Value, to: &str, event: Value, epoch: u32, worker: Value, session: Value, reason: Value| {
        json!({"kind": "order.status", "task": true, "order": true, "payload": {
            "from": from, "to": to, "event": event, "epoch": epoch, "attempt": epoch, "worker_id": worker,
            "session_id": session, "end_reason": reason, "error": null}})
    };
    let task = |from: &str, to: &str| json!({"kind": "task.status", "task": true, "order": true, "payload": {"from": from, "to": to}});
    let (null, id) = (Value::Null, json!("an id"));
    let submitted = json!({"title": "a task", "task_type": "code", "priority": "normal", "project": "default",
                           "pipeline": "run-code", "run_id": "an id", "created_by": "test"});
    let expected = [
        json!({"kind": "task.submitted", "task": true, "order": false, "payload": submitted}),
        status(null.clone(), "queued", null.clone(), 0, null.clone(), null.clone(), null.clone()),
        status(json!("queued"), "claimed", json!("claimed"), 1, id.clone(), id.clone(), null.clone()),
        task("queued", "in_progress"),
        status(json!("claimed"), "completed", json!("completed"), 1, id, null, json!("finished")),
        task("in_progress", "completed"),
    ];
    assert_eq!(told, expected);
}

pub(crate) async fn a_ghost_among_many_is_refused_alone(store: &TestStore) {
    let held = hold(store, MANY).await;
    let finishing = held.iter().enumerate().map(|(number, held)| {
        let mut fence: Fence = held.fence();
        fence.epoch.0 += i64::from(number % 5 == 0);
        orders::finish(store, fence, done(number), at(2))
    });
    for (number, (held, outcome)) in held.iter().zip(join_all(finishing).await).enumerate() {
        let status = orders::get(store, held.order.id).await.unwrap().status;
        if number % 5 == 0 {
            assert!(matches!(outcome, Err(StoreError::Fenced { op: "complete", .. })), "{outcome:?}");
            assert_eq!(status, OrderStatus::Claimed);
        } else {
            assert_eq!((outcome.unwrap().status, status), (OrderStatus::Completed, OrderStatus::Completed));
        }
    }
}

pub(crate) async fn a_ghost_does_not_stand_in_the_holders_way(store: &TestStore) {
    let held = hold(store, MANY).await;
    let ghost = |held: &ClaimedOrder| Fence { epoch: Epoch(held.fence().epoch.0 - 1), ..held.fence() };
    let finishing = held
        .iter()
        .flat_map(|held| [ghost(held), held.fence()].map(|fence| orders::finish(store, fence, done(1), at(2))));
    for (number, outcome) in join_all(finishing).await.into_iter().enumerate() {
        match number % 2 {
            0 => assert!(matches!(outcome, Err(StoreError::Fenced { .. })), "{outcome:?}"),
            _ => assert_eq!(outcome.unwrap().status, OrderStatus::Completed),
        }
    }
}

pub(crate) async fn of_many_completions_of_one_claim_one_is_recorded(store: &TestStore) {
    let held = hold(store, 1).await.remove(0);
    let outcomes = join_all((0..20).map(|number| orders::finish(store, held.fence(), done(number), at(2)))).await;
    let won: Vec<usize> = (0..20).filter(|&number| outcomes[number].is_ok()).collect();
    assert_eq!(won.len(), 1, "{outcomes:?}");
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(StoreError::Fenced { .. }))), "{outcomes:?}");
    let task = tasks::get(store, held.order.task_id).await.unwrap();
    assert_eq!(task.result, Some(json!({ "number": won[0] })));
}

pub(crate) async fn loose_ends_are_tied_up_among_many(store: &TestStore) {
    let held = hold(store, MANY).await;
    let step = begun(store, &held[7], 0, StepKind::Ask).await;
    let question = steps::ask(store, held[7].fence(), step.id, new_question("Which?"), T0).await.unwrap();
    let running = begun(store, &held[9], 0, StepKind::Sandbox).await;
    for outcome in join_all(held.iter().map(|held| orders::finish(store, held.fence(), done(1), at(2)))).await {
        outcome.unwrap();
    }
    assert_eq!(questions::get(store, question.id).await.unwrap().status, QuestionStatus::Cancelled);
    for run in [step.run_id, running.run_id] {
        let steps = steps::of_run(store, run).await.unwrap();
        assert_eq!((steps[0].status, steps[0].finished_at), (StepStatus::Cancelled, Some(at(2))));
    }
}

pub(crate) async fn a_caller_that_went_away_harms_nobody(store: &TestStore) {
    let held = hold(store, MANY).await;
    let mut finishing: Vec<_> =
        held.iter().map(|held| Box::pin(orders::finish(store, held.fence(), done(1), at(2)))).collect();
    // Each is polled once, so that it has joined the others; then every second caller goes away.
    for one in &mut finishing {
        let _ = futures::poll!(one.as_mut());
    }
    let staying = finishing.into_iter().enumerate().filter(|(number, _)| number % 2 == 0).map(|(_, one)| one);
    for outcome in join_all(staying).await {
        assert_eq!(outcome.unwrap().status, OrderStatus::Completed);
    }
    let live = sessions::list(store, &sessions::SessionFilter::default(), &PageRequest::default()).await.unwrap();
    assert!(!live.items.is_empty());
}
