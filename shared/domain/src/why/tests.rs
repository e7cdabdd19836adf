//! A table of facts and reasons, and the order in which conditions are looked at.

use super::*;

const NOW: Timestamp = Timestamp(1_000_000);
const LATER: Timestamp = Timestamp(1_000_001);
const PACE: Pace = Pace { per_minute: 6 };

/// A queued task that nothing stands in the way of.
fn ready() -> Facts {
    Facts {
        task: TaskStatus::Queued,
        order: OrderStatus::Queued,
        cancel_requested: false,
        worker: None,
        run_at: NOW,
        attempt: 0,
        queue: Name::DEFAULT,
        queue_paused: false,
        question: None,
        project_limit: None,
        project_claimed: 0,
        project_pace: None,
        needs: Capabilities::default(),
        workers: 1,
        able_workers: 1,
        free_slots: 1,
        ahead: 0,
    }
}

/// One condition that keeps a queued task from running, and the reason it must give.
type Blocker = (fn(&mut Facts), Reason);

/// Every condition of a queued task, in the order in which they are looked at.
fn blockers() -> Vec<Blocker> {
    vec![
        (|f| f.run_at = LATER, Reason::Delayed { until: LATER }),
        (|f| f.queue_paused = true, Reason::QueuePaused { queue: Name::DEFAULT }),
        (|f| f.workers = 0, Reason::NoWorkers),
        (|f| f.able_workers = 0, Reason::NoAbleWorker { needs: Capabilities::default() }),
        (|f| (f.project_limit, f.project_claimed) = (Some(2), 2), Reason::ProjectLimit { limit: 2, running: 2 }),
        (|f| f.project_pace = Some((PACE, LATER)), Reason::ProjectRate { per_minute: 6, until: LATER }),
        (|f| f.free_slots = 0, Reason::WorkersBusy { ahead: 0 }),
    ]
}

#[test]
fn each_condition_has_its_reason() {
    for (block, reason) in blockers() {
        let mut facts = ready();
        block(&mut facts);
        assert_eq!(why(&facts, NOW), reason);
    }
    assert_eq!(why(&ready(), NOW), Reason::AboutToRun { ahead: 0 });
}

#[test]
fn of_two_conditions_the_earlier_one_is_named() {
    let blockers = blockers();
    for (at, (first, reason)) in blockers.iter().enumerate() {
        for (second, _) in &blockers[at..] {
            let mut facts = ready();
            second(&mut facts);
            first(&mut facts);
            assert_eq!(why(&facts, NOW), *reason);
        }
    }
}

#[test]
fn an_order_that_is_not_queued_needs_no_conditions() {
    let (worker, question) = (WorkerId::new(), QuestionId::new());
    let table = [
        (OrderStatus::Claimed, Reason::Running { worker: Some(worker) }),
        (OrderStatus::Parked, Reason::WaitingForPerson { question: Some(question) }),
        (OrderStatus::Completed, Reason::Finished { status: TaskStatus::Queued }),
        (OrderStatus::Failed, Reason::Finished { status: TaskStatus::Queued }),
        (OrderStatus::Dead, Reason::Finished { status: TaskStatus::Queued }),
        (OrderStatus::Cancelled, Reason::Finished { status: TaskStatus::Queued }),
    ];
    for (order, reason) in table {
        let mut facts = Facts { order, worker: Some(worker), question: Some(question), ..ready() };
        blockers().iter().for_each(|(block, _)| block(&mut facts));
        assert_eq!(why(&facts, NOW), reason, "{order}");
    }
}

#[test]
fn a_claimed_order_that_was_told_to_stop_is_cancelling() {
    let facts = Facts { order: OrderStatus::Claimed, cancel_requested: true, ..ready() };
    assert_eq!(why(&facts, NOW), Reason::Cancelling);
}

#[test]
fn a_delay_after_an_attempt_is_a_backoff() {
    let facts = Facts { run_at: LATER, attempt: 2, ..ready() };
    assert_eq!(why(&facts, NOW), Reason::BackingOff { until: LATER, attempt: 2 });
    assert_eq!(why(&facts, LATER), Reason::AboutToRun { ahead: 0 });
}

#[test]
fn reasons_are_tagged_by_their_code() {
    let json = serde_json::to_string(&Reason::ProjectLimit { limit: 2, running: 3 }).unwrap();
    insta::assert_snapshot!(json, @r#"{"code":"project_limit","limit":2,"running":3}"#);
}

#[test]
fn what_blocks_a_due_order_has_the_reasons_own_code() {
    let codes = blockers().into_iter().skip(1).map(|(_, reason)| reason).chain([Reason::AboutToRun { ahead: 0 }]);
    for reason in codes {
        let code = serde_json::to_value(&reason).unwrap()["code"].clone();
        assert_eq!(reason.blocked_by().map(Into::into), Some(code));
    }
    assert_eq!(Reason::Delayed { until: LATER }.blocked_by(), None, "it is not due");
}
