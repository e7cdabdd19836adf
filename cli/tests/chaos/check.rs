//! What must hold after a run, over the record alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    client::Promised,
    plan::Plan,
    record::{Record, number, text},
    workload::Job,
};

const FINAL: [&str; 4] = ["completed", "failed", "dead", "cancelled"];

/// Everything that is wrong.
pub(crate) fn check(record: &Record, promised: &Promised, plan: &Plan) -> Vec<String> {
    let mut findings = promised.strange.clone();
    promises(record, promised, plan, &mut findings);
    lives(record, &mut findings);
    steps(record, &mut findings);
    limit(record, &mut findings);
    leftovers(record, &mut findings);
    findings
}

/// Every acknowledged task is there and over, and every answer that won is the one that is stored.
fn promises(record: &Record, promised: &Promised, plan: &Plan, findings: &mut Vec<String>) {
    for job in &plan.jobs {
        let Some(task) = promised.tasks.get(&job.number) else {
            findings.push(format!("job {} was never acknowledged", job.number));
            continue;
        };
        match record.tasks.get(task) {
            None => findings.push(format!("task {task} was acknowledged and is not there")),
            Some(row) if !["completed", "failed", "cancelled"].contains(&text(row, "status")) => {
                findings.push(format!("task {task} is not over: {row}"));
            }
            Some(_) => {}
        }
    }
    let distinct: BTreeSet<_> = promised.tasks.values().collect();
    let made = |job: &Job| record.tasks.values().filter(|task| text(task, "title") == job.title()).count();
    let twice = plan.jobs.iter().filter(|job| job.keyed && made(job) > 1).count();
    if distinct.len() != promised.tasks.len() || twice > 0 {
        findings.push(format!("{twice} jobs, each handed in under one key, made several tasks, or several made one"));
    }
    for (id, answer) in &promised.answers {
        let stored = record.questions.iter().find(|question| text(question, "id") == id);
        if stored.is_none_or(|question| question["answer"] != *answer) {
            findings.push(format!("the answer {answer} won and is not stored: {stored:?}"));
        }
    }
}

/// Each order's moves form one chain: each begins where the one before ended, only a claim raises the epoch, and by one;
/// nothing comes after a final status; and the row agrees.
fn lives(record: &Record, findings: &mut Vec<String>) {
    let mut chains: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for event in record.events.iter().filter(|event| text(event, "kind") == "order.status") {
        chains.entry(text(event, "order_id")).or_default().push(&event["payload"]);
    }
    for order in &record.orders {
        let id = text(order, "id");
        let (mut status, mut epoch) = (Value::Null, 0);
        for step in chains.remove(id).unwrap_or_default() {
            let claimed = u8::from(text(step, "event") == "claimed");
            if step["from"] != status || number(step, "epoch") != epoch + i64::from(claimed) {
                findings.push(format!("order {id} was `{status}` at epoch {epoch}, and then came {step}"));
            }
            if status.as_str().is_some_and(|status| FINAL.contains(&status)) {
                findings.push(format!("order {id} was over, and then came {step}"));
            }
            (status, epoch) = (step["to"].clone(), number(step, "epoch"));
        }
        if order["status"] != status || number(order, "epoch") != epoch {
            findings.push(format!("the log leaves order {id} `{status}` at epoch {epoch}, the row says {order}"));
        }
        if !FINAL.contains(&text(order, "status")) {
            findings.push(format!("order {id} is not over: {order}"));
        }
    }
    for (id, chain) in chains {
        findings.push(format!("the log knows of an order {id} that is not there: {chain:?}"));
    }
}

/// No step is committed twice, none moves but under the epoch that holds its order at that place of the log, and no order
/// that completed left one undone.
fn steps(record: &Record, findings: &mut Vec<String>) {
    let (mut held, mut done): (BTreeMap<&str, i64>, BTreeSet<&str>) = Default::default();
    for event in &record.events {
        let (order, payload) = (text(event, "order_id"), &event["payload"]);
        match (text(event, "kind"), text(payload, "to")) {
            ("order.status", "claimed") => _ = held.insert(order, number(payload, "epoch")),
            ("order.status", _) => _ = held.remove(order),
            // The end of an order cancels its steps, in the same transaction.
            ("step.status", "cancelled") => {}
            ("step.status", to) => {
                let step = text(payload, "step_id");
                match held.get(order) {
                    None => findings.push(format!("nobody held order {order} when its step moved: {payload}")),
                    Some(epoch) if payload["epoch"] != *epoch => findings.push(format!(
                        "order {order} was held under epoch {epoch} when its step moved under another: {payload}"
                    )),
                    Some(_) => {}
                }
                if to == "completed" && !done.insert(step) {
                    findings.push(format!("step {step} was committed twice: {payload}"));
                }
            }
            _ => {}
        }
    }
    for order in record.orders.iter().filter(|order| text(order, "status") == "completed") {
        let steps: Vec<_> = record.steps.iter().filter(|step| step["order_id"] == order["id"]).collect();
        let places = steps.iter().filter(|step| ["first", "second"].contains(&text(step, "name"))).count();
        if places < 2 || steps.iter().any(|step| text(step, "status") != "completed") {
            findings.push(format!("order {} completed with steps undone: {steps:?}", order["id"]));
        }
    }
}

/// By the log, no project ever ran more orders than it may.
fn limit(record: &Record, findings: &mut Vec<String>) {
    let limits: BTreeMap<&str, (&str, i64)> = record
        .orders
        .iter()
        .filter_map(|order| Some((text(order, "id"), (text(order, "project"), order["max_concurrency"].as_i64()?))))
        .collect();
    let mut running: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for event in record.events.iter().filter(|event| text(event, "kind") == "order.status") {
        let order = text(event, "order_id");
        let Some((project, limit)) = limits.get(order) else { continue };
        let running = running.entry(project).or_default();
        if text(&event["payload"], "to") == "claimed" {
            running.insert(order);
        } else {
            running.remove(order);
        }
        if i64::try_from(running.len()).unwrap() > *limit {
            findings.push(format!("project {project} may run {limit} and ran {running:?} after {event}"));
        }
    }
}

/// Each claim left exactly one execution, with its epoch, and nothing is left running, open or live.
fn leftovers(record: &Record, findings: &mut Vec<String>) {
    for order in &record.orders {
        let of =
            |rows: &Vec<Value>| rows.iter().filter(|row| row["order_id"] == order["id"]).cloned().collect::<Vec<_>>();
        let mut epochs: Vec<_> = of(&record.executions).iter().map(|row| number(row, "epoch")).collect();
        epochs.sort_unstable();
        if epochs != (1..=number(order, "epoch")).collect::<Vec<_>>() {
            findings.push(format!("order {} has executions for the epochs {epochs:?}: {order}", order["id"]));
        }
    }
    let kinds = [
        ("execution", "running", &record.executions),
        ("session", "active", &record.sessions),
        ("session", "idle", &record.sessions),
        ("question", "open", &record.questions),
    ];
    for (what, status, rows) in kinds {
        for row in rows.iter().filter(|row| text(row, "status") == status) {
            findings.push(format!("a {what} is left `{status}`: {row}"));
        }
    }
}
