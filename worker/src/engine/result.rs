//! The task's result, from what its steps came to.

use serde_json::{Map, Value, json};
use shopfloor_domain::step::StepKind;
use shopfloor_store::{orders::Verdict, steps::Step};

/// The fields that a run in a sandbox gives a result; `null` when nothing ran.
pub(super) const RUN_FIELDS: [&str; 11] = [
    "ending",
    "exit_code",
    "signal",
    "stdout",
    "stderr",
    "detail",
    "wall_ms",
    "cpu_ms",
    "peak_memory",
    "sandbox_level",
    "artifacts",
];

/// The result: the last run's fields, the last critic's findings, and people's answers by step.
pub(super) fn compose(recorded: &[Step]) -> Value {
    let last = |kind: StepKind| recorded.iter().rev().find(|step| step.kind == kind && step.output.is_some());
    let output = |kind| last(kind).and_then(|step| step.output.as_ref());
    let mut result: Map<String, Value> = RUN_FIELDS
        .iter()
        .map(|field| {
            let found = output(StepKind::Sandbox).and_then(|output| output.get(*field)).cloned();
            ((*field).to_owned(), found.unwrap_or_default())
        })
        .collect();
    if result["artifacts"].is_null() {
        result.insert("artifacts".to_owned(), json!([]));
    }
    let critic = output(StepKind::Critic);
    result.insert("findings".to_owned(), critic.and_then(|c| c.get("findings")).cloned().unwrap_or(json!([])));
    for field in ["code", "remedy"] {
        if let Some(value) = critic.and_then(|critic| critic.get(field)) {
            result.insert(field.to_owned(), value.clone());
        }
    }
    let answers: Map<String, Value> = recorded
        .iter()
        .filter(|step| matches!(step.kind, StepKind::Ask | StepKind::Approval))
        .filter_map(|step| Some((step.name.clone(), step.output.clone()?)))
        .collect();
    if !answers.is_empty() {
        result.insert("answers".to_owned(), Value::Object(answers));
    }
    Value::Object(result)
}

/// The verdict on a run that failed at this recorded step.
pub(super) fn failure(recorded: &[Step], at: usize) -> Verdict {
    let step = &recorded[at];
    let error = step.error.clone().unwrap_or_else(|| format!("Step `{}` was {}.", step.name, step.status));
    Verdict::Failed { error, result: Some(compose(recorded)) }
}
