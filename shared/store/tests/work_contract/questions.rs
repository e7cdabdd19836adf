//! Questions and their answers.

use futures::future::join_all;
use serde_json::{Value, json};
use shopfloor_domain::{
    QuestionId,
    event::EventKind,
    message::{MessageType, SenderType},
    order::OrderStatus,
    question::{OnDeadline, QuestionKind, QuestionStatus},
};
use shopfloor_store::{
    PageRequest, StoreError, approvals, audit, messages,
    orders::{self, Verdict},
    questions::{self, NewQuestion, QuestionFilter},
};
use shopfloor_testkit::{T0, TestStore, soon};

use super::common::{asked, at, claim, history, new_question};

pub(crate) async fn an_answer_is_recorded_with_all_that_hangs_on_it(store: &TestStore) {
    let new = NewQuestion {
        schema: json!({"type": "string"}),
        options: vec![json!("a"), json!(2), json!(null)],
        default: Some(json!("a")),
        ..new_question("Which column?")
    };
    let (held, step, question) = asked(store, new).await;
    assert_eq!((question.status, question.task_title.as_str()), (QuestionStatus::Open, "a task"));
    assert_eq!(questions::get(store, question.id).await.unwrap(), question);
    let answered = questions::answer(store, question.id, json!("price"), "key:me", at(5)).await.unwrap();
    assert!(answered.won && answered.resumed.is_none());
    let closed = questions::get(store, question.id).await.unwrap();
    assert_eq!(answered.question, closed);
    assert_eq!((closed.status, closed.answer), (QuestionStatus::Answered, Some(json!("price"))));
    assert_eq!((closed.answered_by.as_deref(), closed.answered_at), (Some("key:me"), Some(at(5))));
    let task = held.order.task_id;
    let chat = messages::list(store, Some(task.into()), &PageRequest::default()).await.unwrap().items;
    let said: Vec<_> = chat.iter().map(|m| (m.sender_type, m.message_type, m.message.as_str())).collect();
    let request = (SenderType::Worker, MessageType::Request, "Which column?");
    assert_eq!(said, [request, (SenderType::Human, MessageType::Response, "price")]);
    assert_eq!((chat[1].parent_message_id, chat[1].question_id), (Some(chat[0].id), Some(question.id)));
    let events = history(store, task).await;
    let closing = events.iter().find(|event| event.kind == EventKind::QuestionClosed).expect("an event");
    assert_eq!((&closing.payload["answer"], &closing.payload["status"]), (&json!("price"), &json!("answered")));
    assert!(events.iter().any(|event| event.kind == EventKind::QuestionAsked));
    let entry = audit::list(store, &PageRequest::default()).await.unwrap().items.remove(0);
    assert_eq!((entry.event_type.as_str(), entry.actor.as_str()), ("question.answered", "key:me"));
    assert_eq!((entry.run_id, entry.step_id), (Some(held.order.run_id), Some(step.id)));
}

pub(crate) async fn the_first_answer_wins(store: &TestStore) {
    let (_, _, question) = asked(store, new_question("Which?")).await;
    questions::answer(store, question.id, json!("first"), "one", at(1)).await.unwrap();
    let second = questions::answer(store, question.id, json!("second"), "two", at(2)).await.unwrap();
    assert!(!second.won);
    assert_eq!((second.question.answer, second.question.answered_by.as_deref()), (Some(json!("first")), Some("one")));
    let unknown = questions::answer(store, QuestionId::new(), json!("x"), "me", at(1)).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { kind: "question", .. })), "{unknown:?}");
}

pub(crate) async fn of_many_answers_at_once_one_wins(store: &TestStore) {
    let (held, _, question) = asked(store, new_question("Which?")).await;
    orders::finish(store, held.fence(), Verdict::Parked, T0).await.unwrap();
    let other = store.reopen().await;
    let answers = (0..8).map(|n| {
        let store = if n % 2 == 0 { store } else { &other };
        questions::answer(store, question.id, json!(n), "someone", at(1))
    });
    let answers: Vec<_> = join_all(answers).await.into_iter().map(Result::unwrap).collect();
    let winners: Vec<_> = answers.iter().filter(|answered| answered.won).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(answers.iter().filter(|answered| answered.resumed.is_some()).count(), 1);
    assert!(answers.iter().all(|answered| answered.question == winners[0].question));
    let chat = messages::list(store, Some(held.order.task_id.into()), &PageRequest::default()).await.unwrap();
    assert_eq!(chat.items.len(), 2);
}

pub(crate) async fn an_answer_resumes_a_parked_order(store: &TestStore) {
    let (held, _, question) = asked(store, new_question("Which?")).await;
    let parked = orders::finish(store, held.fence(), Verdict::Parked, at(1)).await.unwrap();
    assert_eq!((parked.status, parked.attempt), (OrderStatus::Parked, 0));
    let mut ear = store.orders_bell().ear();
    let answered = questions::answer(store, question.id, json!("this"), "me", at(2)).await.unwrap();
    assert_eq!(answered.resumed, Some(held.order.id));
    soon("the orders' bell", ear.heard()).await;
    let again = claim(store).await;
    assert_eq!((again.order.id, again.order.attempt, again.order.epoch.0), (held.order.id, 1, 2));
}

pub(crate) async fn parking_and_answering_at_once_never_miss_each_other(store: &TestStore) {
    for _ in 0..10 {
        let (held, _, question) = asked(store, new_question("Which?")).await;
        let parking = orders::finish(store, held.fence(), Verdict::Parked, at(1));
        let answering = questions::answer(store, question.id, json!("this"), "me", at(1));
        let (parked, answered) = tokio::join!(parking, answering);
        let (parked, answered) = (parked.unwrap(), answered.unwrap());
        assert_eq!(answered.resumed.is_some(), parked.status == OrderStatus::Parked);
        let order = orders::get(store, held.order.id).await.unwrap();
        assert_eq!((order.status, order.attempt), (OrderStatus::Queued, 0));
        let told: Vec<_> = history(store, order.task_id)
            .await
            .into_iter()
            .filter(|event| event.kind == EventKind::OrderStatus)
            .map(|event| (event.payload["from"].clone(), event.payload["to"].clone()))
            .collect();
        // However the two met, the log tells it in the order in which it came about.
        assert!(told.windows(2).all(|pair| pair[0].1 == pair[1].0), "{told:?}");
        let held = claim(store).await;
        orders::finish(store, held.fence(), Verdict::Completed { result: json!(1) }, at(1)).await.unwrap();
    }
}

pub(crate) async fn an_answer_after_the_deadline_is_too_late(store: &TestStore) {
    let new = NewQuestion { default: Some(json!("a")), on_deadline: OnDeadline::Default, ..new_question("Which?") };
    let (held, _, question) = asked(store, new).await;
    orders::finish(store, held.fence(), Verdict::Parked, at(1)).await.unwrap();
    let late = questions::answer(store, question.id, json!("b"), "me", at(100)).await.unwrap();
    assert_eq!((late.won, late.resumed), (false, Some(held.order.id)));
    assert_eq!((late.question.status, late.question.answer.as_ref()), (QuestionStatus::Expired, Some(&json!("a"))));
    assert_eq!(late.question.answered_by.as_deref(), Some("deadline"));
    let again = questions::answer(store, question.id, json!("b"), "me", at(101)).await.unwrap();
    assert_eq!((again.won, again.resumed, again.question), (false, None, late.question));
    let patient = NewQuestion { on_deadline: OnDeadline::Extend, ..new_question("Which?") };
    let held = claim(store).await;
    orders::finish(store, held.fence(), Verdict::Completed { result: json!(1) }, at(102)).await.unwrap();
    let (_, _, question) = asked(store, patient).await;
    assert!(questions::answer(store, question.id, json!("b"), "me", at(100)).await.unwrap().won);
}

pub(crate) async fn a_decision_is_recorded(store: &TestStore) {
    let new = NewQuestion { kind: QuestionKind::Approval, ..new_question("May I?") };
    let (held, step, question) = asked(store, new).await;
    let pending = approvals::of_task(store, held.order.task_id).await.unwrap().remove(0);
    assert_eq!((pending.status.as_str(), pending.step_id, pending.question_id), ("pending", step.id, question.id));
    let answer = json!({"approved": false, "comment": "Too dear."});
    questions::answer(store, question.id, answer, "key:me", at(1)).await.unwrap();
    let decided = approvals::of_task(store, held.order.task_id).await.unwrap().remove(0);
    assert_eq!((decided.id, decided.status.as_str()), (pending.id, "rejected"));
    assert_eq!((decided.comment.as_deref(), decided.decided_by.as_deref()), (Some("Too dear."), Some("key:me")));
    assert_eq!(decided.decided_at, Some(at(1)));
    let chat = messages::list(store, Some(held.order.task_id.into()), &PageRequest::default()).await.unwrap();
    assert_eq!(chat.items[1].message, "Rejected: Too dear.");
    let entry = audit::list(store, &PageRequest::default()).await.unwrap().items.remove(0);
    assert_eq!(entry.event_type, "approval.decided");
}

pub(crate) async fn a_vague_decision_is_refused(store: &TestStore) {
    let new = NewQuestion { kind: QuestionKind::Approval, ..new_question("May I?") };
    let (_, _, question) = asked(store, new).await;
    for vague in [json!("yes"), json!({}), json!({"approved": 1})] {
        let refused = questions::answer(store, question.id, vague, "me", at(1)).await;
        assert!(matches!(refused, Err(StoreError::Invalid { field: "answer", .. })), "{refused:?}");
    }
    assert_eq!(questions::get(store, question.id).await.unwrap(), question);
}

pub(crate) async fn questions_are_listed_by_deadline(store: &TestStore) {
    let mut asked_for = Vec::new();
    for seconds in [300, 100, 200, 100] {
        let new = NewQuestion { deadline_at: at(seconds), ..new_question("Which?") };
        asked_for.push(asked(store, new).await.2);
    }
    let mut request = PageRequest { after: None, limit: 1 };
    let mut listed = Vec::new();
    loop {
        let page = questions::list(store, &QuestionFilter::default(), &request).await.unwrap();
        listed.extend(page.items);
        request.after = page.next;
        if request.after.is_none() {
            break;
        }
    }
    let expected: Vec<_> = [1, 3, 2, 0].map(|n: usize| asked_for[n].clone()).to_vec();
    assert_eq!(listed, expected);
    questions::answer(store, asked_for[2].id, json!(1), "me", at(1)).await.unwrap();
    let all = PageRequest::default();
    let open = QuestionFilter { status: vec![QuestionStatus::Open], ..QuestionFilter::default() };
    assert_eq!(questions::list(store, &open, &all).await.unwrap().items.len(), 3);
    let of_task = QuestionFilter { task_id: Some(asked_for[0].task_id), ..open.clone() };
    assert_eq!(questions::list(store, &of_task, &all).await.unwrap().items, [asked_for[0].clone()]);
    let approvals = QuestionFilter { kind: Some(QuestionKind::Approval), ..open };
    assert!(questions::list(store, &approvals, &all).await.unwrap().items.is_empty());
}

pub(crate) async fn any_json_may_be_an_answer(store: &TestStore) {
    for answer in [json!(null), json!(true), json!(42), json!("5"), json!(1.5), json!([]), json!({"a": {"b": [null]}})]
    {
        let (_, _, question) = asked(store, new_question("Which?")).await;
        questions::answer(store, question.id, answer.clone(), "me", at(1)).await.unwrap();
        let stored = questions::get(store, question.id).await.unwrap();
        assert_eq!((stored.status, stored.answer), (QuestionStatus::Answered, Some(answer)));
        assert_eq!(stored.schema, Value::Null);
    }
}
