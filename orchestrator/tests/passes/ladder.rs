//! Questions that nobody answers.

use serde_json::{Value, json};
use shopfloor_domain::{
    event::EventKind,
    order::OrderStatus,
    question::{OnDeadline, QuestionKind, QuestionStatus, Rung},
    step::StepKind,
};
use shopfloor_orchestrator::loops::Ladder;
use shopfloor_store::{
    messages,
    orders::{ClaimedOrder, Verdict},
    questions::{self, NewQuestion, Question},
    steps::{self, BeginStep},
};
use shopfloor_testkit::TestStore;

use crate::floor::{Floor, HOUR, MINUTE, everything, settle, settle_both};

/// An order that waits for a person.
pub(crate) struct Parked {
    pub(crate) claimed: ClaimedOrder,
    pub(crate) question: Question,
}

fn ladder(floor: &Floor) -> Ladder {
    Ladder::new(&floor.settings, &floor.deps)
}

/// Asks a question with an hour to answer, and parks its order.
pub(crate) async fn parked(floor: &Floor, on_deadline: OnDeadline, default: Option<Value>) -> Parked {
    let claimed = floor.busy(HOUR).await;
    let (store, fence, now) = (floor.store(), claimed.fence(), floor.now());
    let begin = BeginStep {
        order_index: 0,
        name: "ask".into(),
        kind: StepKind::Ask,
        agent_name: None,
        round: 0,
        input: json!({}),
    };
    let step = steps::begin(store, fence, claimed.order.run_id, begin, now).await.unwrap();
    let question = NewQuestion {
        kind: QuestionKind::Clarification,
        prompt: "Which column?".into(),
        schema: Value::Null,
        options: vec![],
        audience: "operators".into(),
        default,
        on_deadline,
        deadline_at: now + HOUR,
    };
    let question = steps::ask(store, fence, step.id, question, now).await.unwrap();
    floor.deps.queue.finish(fence, Verdict::Parked, now).await.unwrap();
    Parked { claimed, question }
}

pub(crate) async fn a_question_is_reminded_escalated_and_closed_by_its_default(store: &TestStore) {
    let floor = Floor::new(store);
    let Parked { claimed, question } = parked(&floor, OnDeadline::Default, Some(json!("price"))).await;
    let stands = async || {
        let question = questions::get(store, question.id).await.unwrap();
        (question.status, question.rung)
    };
    assert_eq!(settle(&ladder(&floor)).await, 0, "it was only just asked");

    floor.clock.advance(30 * MINUTE);
    assert_eq!(settle(&ladder(&floor)).await, 1);
    assert_eq!(stands().await, (QuestionStatus::Open, Rung::Reminded));
    assert_eq!(settle(&ladder(&floor)).await, 0, "once per rung");

    floor.clock.advance(15 * MINUTE);
    assert_eq!(settle(&ladder(&floor)).await, 1);
    assert_eq!(stands().await, (QuestionStatus::Open, Rung::Escalated));
    assert_eq!(floor.order(&claimed).await.status, OrderStatus::Parked);

    floor.clock.advance(15 * MINUTE);
    assert_eq!(settle(&ladder(&floor)).await, 1);
    let closed = questions::get(store, question.id).await.unwrap();
    assert_eq!(closed.status, QuestionStatus::Expired);
    assert_eq!((closed.answer, closed.answered_by.as_deref()), (Some(json!("price")), Some("deadline")));
    let order = floor.order(&claimed).await;
    assert_eq!((order.status, order.attempt), (OrderStatus::Queued, 0), "waiting burns no attempt");
    for rung in ["reminded", "escalated", "expired"] {
        let line = format!("shopfloor_clarification_prompts_total{{rung=\"{rung}\"}}");
        assert_eq!(floor.metric(&line), 1, "{rung}");
    }
}

pub(crate) async fn a_rejected_question_lets_its_order_go_on(store: &TestStore) {
    let floor = Floor::new(store);
    // With a default too: `reject` does not use it. Without one, `default` rejects as well.
    let rejected = parked(&floor, OnDeadline::Reject, Some(json!("price"))).await;
    let without = parked(&floor, OnDeadline::Default, None).await;
    floor.clock.advance(HOUR);
    assert_eq!(settle(&ladder(&floor)).await, 2, "a late pass goes straight to the deadline");
    for Parked { claimed, question } in [rejected, without] {
        let closed = questions::get(store, question.id).await.unwrap();
        assert_eq!(closed.status, QuestionStatus::Expired);
        assert_ne!(closed.answer, Some(json!("price")));
        assert_eq!(floor.order(&claimed).await.status, OrderStatus::Queued, "its step fails in a worker's hands");
    }
}

pub(crate) async fn an_extended_question_begins_its_ladder_again(store: &TestStore) {
    let floor = Floor::new(store);
    let Parked { claimed, question } = parked(&floor, OnDeadline::Extend, None).await;
    for round in 1..=2_u32 {
        floor.clock.advance(HOUR);
        assert_eq!(settle(&ladder(&floor)).await, 1);
        let open = questions::get(store, question.id).await.unwrap();
        assert_eq!(open.status, QuestionStatus::Open);
        assert_eq!(open.deadline_at, question.deadline_at + HOUR * round);
        assert_eq!(settle(&ladder(&floor)).await, 0, "once per deadline");
    }
    assert_eq!(floor.order(&claimed).await.status, OrderStatus::Parked);
    assert_eq!(floor.metric("shopfloor_clarification_prompts_total{rung=\"extended\"}"), 2);
}

pub(crate) async fn an_answer_ends_the_ladder(store: &TestStore) {
    let floor = Floor::new(store);
    let Parked { claimed, question } = parked(&floor, OnDeadline::Reject, None).await;
    let answered = questions::answer(store, question.id, json!("mean"), "ada", floor.now()).await.unwrap();
    assert_eq!((answered.won, answered.resumed), (true, Some(claimed.order.id)));
    floor.clock.advance(2 * HOUR);
    assert_eq!(settle(&ladder(&floor)).await, 0);
    assert_eq!(questions::get(store, question.id).await.unwrap().answer, Some(json!("mean")));
}

pub(crate) async fn two_orchestrators_prompt_as_one_does(store: &TestStore) {
    let floor = Floor::new(store);
    let other = floor.neighbour(store).await;
    let mut orders = Vec::new();
    for _ in 0..12 {
        orders.push(parked(&floor, OnDeadline::Default, Some(json!("price"))).await);
    }
    for (advance, prompted) in [(30, "reminded"), (15, "escalated")] {
        floor.clock.advance(advance * MINUTE);
        assert_eq!(settle_both(&ladder(&floor), &ladder(&other)).await, 12);
        assert_eq!(floor.events(EventKind::QuestionPrompted, "rung", prompted).await, 12, "each is {prompted} once");
    }
    floor.clock.advance(15 * MINUTE);
    assert_eq!(settle_both(&ladder(&floor), &ladder(&other)).await, 12);
    assert_eq!(floor.events(EventKind::QuestionClosed, "status", "expired").await, 12);
    assert_eq!(floor.events(EventKind::OrderStatus, "event", "resumed").await, 12);
    assert_eq!(floor.counts().await, [(OrderStatus::Queued, 12)]);
    assert_eq!(settle_both(&ladder(&floor), &ladder(&other)).await, 0, "a second round finds nothing");

    let one = &orders[0].claimed.order;
    let said = messages::list(store, Some(one.task_id.into()), &everything()).await.unwrap().items;
    let texts: std::collections::BTreeSet<_> = said.iter().map(|message| &message.message).collect();
    assert_eq!(texts.len(), said.len(), "the chat says nothing twice: {said:?}");
}
