//! The check itself is checked: a record that is right, and the same with one thing wrong at a time.

use serde_json::{Value, json};

use crate::{check::check, client::Promised, plan::Plan, record::Record};

fn moved(order: &str, from: Value, to: &str, event: Value, epoch: i64) -> Value {
    let payload = json!({"from": from, "to": to, "event": event, "epoch": epoch});
    json!({"kind": "order.status", "order_id": order, "payload": payload})
}

fn step(order: &str, id: &str, to: &str, epoch: i64) -> Value {
    json!({"kind": "step.status", "order_id": order, "payload": {"step_id": id, "to": to, "epoch": epoch}})
}

/// Two orders of a project that runs one at a time, the second of which was lost once.
fn right() -> (Record, Promised, Plan) {
    let mut plan = Plan::of(1);
    plan.jobs.truncate(2);
    let (mut orders, mut events, mut steps, mut executions) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut promised, mut tasks) = (Promised::default(), std::collections::BTreeMap::new());
    for (number, (order, epoch)) in [("a", 1), ("b", 2)].into_iter().enumerate() {
        let task = format!("task-{order}");
        promised.tasks.insert(plan.jobs[number].number, task.clone());
        plan.jobs[number].keyed = true;
        tasks.insert(task.clone(), json!({"id": task, "title": plan.jobs[number].title(), "status": "completed"}));
        orders.push(json!({"id": order, "task_id": task, "status": "completed", "epoch": epoch,
            "project": "limited", "max_concurrency": 1}));
        events.push(moved(order, Value::Null, "queued", Value::Null, 0));
        for claim in 1..=epoch {
            events.push(moved(order, json!("queued"), "claimed", json!("claimed"), claim));
            executions.push(json!({"order_id": order, "epoch": claim, "status": "lost"}));
            if claim < epoch {
                events.push(moved(order, json!("claimed"), "queued", json!("lease_expired"), claim));
            }
        }
        for name in ["first", "second"] {
            let id = format!("{order}-{name}");
            events.push(step(order, &id, "completed", epoch));
            steps.push(json!({"id": id, "order_id": order, "name": name, "status": "completed"}));
        }
        events.push(moved(order, json!("claimed"), "completed", json!("completed"), epoch));
    }
    let (sessions, questions) = (Vec::new(), Vec::new());
    (Record { orders, tasks, events, steps, executions, sessions, questions }, promised, plan)
}

/// Spoils the right record and expects a finding that says this.
#[track_caller]
fn found(says: &str, spoil: impl FnOnce(&mut Record, &mut Promised)) {
    let (mut record, mut promised, plan) = right();
    spoil(&mut record, &mut promised);
    let findings = check(&record, &promised, &plan);
    assert!(findings.iter().any(|finding| finding.contains(says)), "`{says}` is not among {findings:#?}");
}

#[test]
fn the_check_lets_a_right_record_pass_and_finds_each_wrong_one() {
    let (record, promised, plan) = right();
    assert_eq!(check(&record, &promised, &plan), [""; 0]);

    found("was over, and then came", |record, _| {
        record.events.push(moved("a", json!("completed"), "failed", json!("failed"), 1));
    });
    found("at epoch 2, and then came", |record, _| {
        let ghost = record.events.last_mut().expect("the end of the second order");
        ghost["payload"]["epoch"] = json!(1);
    });
    found("was committed twice", |record, _| {
        let place = record.events.iter().position(|event| event["kind"] == "step.status").expect("a step");
        record.events.insert(place, record.events[place].clone());
    });
    found("nobody held order a", |record, _| record.events.push(step("a", "a-third", "running", 1)));
    found("held under epoch 2 when its step moved under another", |record, _| {
        let ghost = record.events.iter_mut().rfind(|event| event["kind"] == "step.status").expect("a step");
        ghost["payload"]["epoch"] = json!(1);
    });
    found("made several tasks", |record, _| {
        let twin = record.tasks["task-a"].clone();
        record.tasks.insert("task-c".to_owned(), twin);
    });
    found("may run 1 and ran", |record, _| {
        // The second order is queued and claimed before the first one ends.
        let next = record.events.iter().position(|event| event["order_id"] == "b").expect("the second order");
        let end = record.events.remove(next - 1);
        record.events.insert(next + 1, end);
    });
    found("is not over", |record, _| record.orders[0]["status"] = json!("queued"));
    found("is not there", |record, _| drop(record.tasks.remove("task-a")));
    found("was never acknowledged", |_, promised| promised.tasks.clear());
    found("is not stored", |_, promised| drop(promised.answers.insert("q".to_owned(), json!(7))));
    found("has executions for the epochs", |record, _| drop(record.executions.pop()));
    found("with steps undone", |record, _| drop(record.steps.pop()));
    found("a session is left `active`", |record, _| record.sessions.push(json!({"id": "s", "status": "active"})));
}
