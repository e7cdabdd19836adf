//! The ladder of deadlines.

use futures::future::join_all;
use serde_json::json;
use shopfloor_domain::{
    event::EventKind,
    message::SenderType,
    order::OrderStatus,
    question::{OnDeadline, QuestionKind, QuestionStatus, Rung},
};
use shopfloor_store::{
    PageRequest, approvals, messages,
    orders::{self, Verdict},
    questions::{self, LadderPass, NewQuestion},
};
use shopfloor_testkit::{T0, TestStore};

use super::common::{asked, at, history, new_question};

const LIMIT: u32 = 100;

pub(crate) async fn a_question_is_reminded_of_escalated_and_rejected(store: &TestStore) {
    let (held, _, question) = asked(store, new_question("Which?")).await;
    orders::finish(store, held.fence(), Verdict::Parked, at(1)).await.unwrap();
    assert_eq!(questions::climb(store, LIMIT, at(49)).await.unwrap(), LadderPass::default());
    let steps = [(50, Rung::Reminded), (75, Rung::Escalated)];
    for (second, rung) in steps {
        let pass = questions::climb(store, LIMIT, at(second)).await.unwrap();
        let climbed = if rung == Rung::Reminded { &pass.reminded } else { &pass.escalated };
        assert_eq!(*climbed, [question.id]);
        assert_eq!(questions::get(store, question.id).await.unwrap().rung, rung);
        assert_eq!(questions::climb(store, LIMIT, at(second + 1)).await.unwrap(), LadderPass::default());
    }
    let pass = questions::climb(store, LIMIT, at(100)).await.unwrap();
    assert_eq!((&pass.expired, &pass.resumed), (&vec![question.id], &vec![held.order.id]));
    assert_eq!(questions::climb(store, LIMIT, at(200)).await.unwrap(), LadderPass::default());
    let expired = questions::get(store, question.id).await.unwrap();
    assert_eq!((expired.status, expired.rung), (QuestionStatus::Expired, Rung::Due));
    assert_eq!((expired.answer, expired.answered_by.as_deref()), (Some(json!({"rejected": true})), Some("deadline")));
    assert_eq!(orders::get(store, held.order.id).await.unwrap().status, OrderStatus::Queued);
    let task = held.order.task_id;
    let chat = messages::list(store, Some(task.into()), &PageRequest::default()).await.unwrap().items;
    let senders: Vec<_> = chat.iter().map(|message| message.sender_type).collect();
    assert_eq!(senders, [SenderType::Worker, SenderType::System, SenderType::System, SenderType::System]);
    assert!(chat.iter().skip(1).all(|message| message.parent_message_id == Some(chat[0].id)));
    let events = history(store, task).await;
    assert_eq!(events.iter().filter(|event| event.kind == EventKind::QuestionPrompted).count(), 2);
}

pub(crate) async fn the_default_is_recorded_at_the_deadline(store: &TestStore) {
    let with = NewQuestion { default: Some(json!("a")), on_deadline: OnDeadline::Default, ..new_question("Which?") };
    let without = NewQuestion { default: None, ..with.clone() };
    let (_, _, with) = asked(store, with).await;
    let (_, _, without) = asked(store, without).await;
    let pass = questions::climb(store, LIMIT, at(100)).await.unwrap();
    assert_eq!((pass.expired.len(), pass.resumed.len()), (2, 0));
    assert_eq!(questions::get(store, with.id).await.unwrap().answer, Some(json!("a")));
    assert_eq!(questions::get(store, without.id).await.unwrap().answer, Some(json!({"rejected": true})));
}

pub(crate) async fn an_approval_is_rejected_at_the_deadline(store: &TestStore) {
    let new = NewQuestion { kind: QuestionKind::Approval, ..new_question("May I?") };
    let (held, _, question) = asked(store, new).await;
    questions::climb(store, LIMIT, at(100)).await.unwrap();
    let answer = json!({"approved": false, "comment": "deadline passed"});
    assert_eq!(questions::get(store, question.id).await.unwrap().answer, Some(answer));
    let approval = approvals::of_task(store, held.order.task_id).await.unwrap().remove(0);
    assert_eq!((approval.status.as_str(), approval.decided_by.as_deref()), ("rejected", Some("deadline")));
}

pub(crate) async fn a_deadline_is_extended_by_its_length(store: &TestStore) {
    let new = NewQuestion { on_deadline: OnDeadline::Extend, ..new_question("Which?") };
    let (_, _, question) = asked(store, new).await;
    for now in [130, 230] {
        let pass = questions::climb(store, LIMIT, at(now)).await.unwrap();
        assert_eq!(pass.extended, [question.id]);
        let extended = questions::get(store, question.id).await.unwrap();
        assert_eq!((extended.asked_at, extended.deadline_at, extended.rung), (at(now), at(now + 100), Rung::Asked));
        assert_eq!((extended.created_at, extended.status), (T0, QuestionStatus::Open));
    }
    assert_eq!(questions::climb(store, LIMIT, at(279)).await.unwrap(), LadderPass::default());
    assert_eq!(questions::climb(store, LIMIT, at(280)).await.unwrap().reminded, [question.id]);
}

pub(crate) async fn a_ladder_climbed_late_takes_the_highest_rung(store: &TestStore) {
    let (held, _, question) = asked(store, new_question("Which?")).await;
    let pass = questions::climb(store, LIMIT, at(80)).await.unwrap();
    assert_eq!((pass.reminded, pass.escalated), (vec![], vec![question.id]));
    let chat = messages::list(store, Some(held.order.task_id.into()), &PageRequest::default()).await.unwrap();
    assert_eq!(chat.items.len(), 2);
}

pub(crate) async fn passes_are_bounded_and_may_overlap(store: &TestStore) {
    for _ in 0..5 {
        asked(store, new_question("Which?")).await;
    }
    assert_eq!(questions::climb(store, 2, at(50)).await.unwrap().reminded.len(), 2);
    let passes = join_all((0..4).map(|_| questions::climb(store, LIMIT, at(100)))).await;
    let expired: usize = passes.into_iter().map(|pass| pass.unwrap().expired.len()).sum();
    assert_eq!(expired, 5);
}
