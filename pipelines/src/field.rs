//! Which fields a step of each kind has. The parser, its error messages and the JSON Schema all read this one table.

use shopfloor_domain::step::StepKind;

/// The fields of one kind, besides `name`, `kind` and `on_fail`.
pub(crate) struct Fields {
    pub(crate) kind: StepKind,
    pub(crate) summary: &'static str,
    pub(crate) required: &'static [&'static str],
    pub(crate) optional: &'static [&'static str],
}

/// Every kind that the engine runs.
pub(crate) const TABLE: &[Fields] = &[
    Fields {
        kind: StepKind::Critic,
        summary: "Checks the task's code with ruff and bandit.",
        required: &[],
        optional: &["language"],
    },
    Fields {
        kind: StepKind::Sandbox,
        summary: "Runs the task's code.",
        required: &[],
        optional: &["language", "may_ask", "wall_seconds", "answers_from"],
    },
    Fields {
        kind: StepKind::Ask,
        summary: "Puts a question to a person; the answer is the step's output.",
        required: &["prompt"],
        optional: &["options", "options_from", "schema", "default", "default_from", "deadline_seconds", "on_deadline"],
    },
    Fields {
        kind: StepKind::Approval,
        summary: "Asks a person to approve; a rejection fails the step.",
        required: &["prompt"],
        optional: &["deadline_seconds", "on_deadline"],
    },
];

/// The fields of `kind`; `None` for a kind that is reserved.
pub(crate) fn of(kind: StepKind) -> Option<&'static Fields> {
    TABLE.iter().find(|fields| fields.kind == kind)
}

/// What to say about a kind that the engine does not run yet.
pub(crate) fn reserved(kind: StepKind) -> String {
    let known: Vec<_> = TABLE.iter().map(|fields| format!("`{}`", fields.kind)).collect();
    format!("`{kind}` steps are reserved and not there yet; use {}", known.join(", "))
}
