//! Steps that wait for a person: a question is a row first, then a short grace, then the order is parked.

use std::time::Duration;

use serde_json::{Value, json};
use shopfloor_domain::question::{DEFAULT_DEADLINE, OnDeadline, QuestionKind, QuestionStatus};
use shopfloor_pipelines::{definition::Action, template};
use shopfloor_sandbox::job::Asked;
use shopfloor_store::{
    orders,
    questions::{self, NewQuestion, Question},
    steps::{self, Step, StepResult},
};
use tokio::time::{Instant, sleep_until};

use super::{
    Work,
    halt::{Halt, persist},
    plan::{self, Place},
    step::Progress,
    text::{clean, clean_json, head},
};

/// Whom questions are for.
const AUDIENCE: &str = "operators";
/// While it holds on, the worker looks this often even when no bell rings.
const SAFETY_POLL: Duration = Duration::from_secs(2);
/// The longest that code may have people wait: 30 days.
const MAX_DEADLINE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const MAX_OPTIONS: usize = 100;
const MAX_PROMPT: usize = 32 * 1024;

impl Work<'_> {
    /// Puts the question of a step that was just begun, and waits for it.
    pub(super) async fn ask(&self, step: &Step, place: &Place<'_>, recorded: &[Step]) -> Result<Progress, Halt> {
        if step.attempt > 1
            && let Some(question) = persist(self.held, || questions::of_step(&self.deps.store, step.id)).await?
            && matches!(question.status, QuestionStatus::Answered | QuestionStatus::Expired)
        {
            // Its answer had reached a worker that did not live to record it.
            return self.settle(step, &question).await;
        }
        let question = match self.question(place, recorded) {
            Ok(question) => question,
            Err(problem) => {
                return self
                    .fail(step, format!("The question of step `{}` cannot be put: {problem}.", step.name))
                    .await;
            }
        };
        let question = persist(self.held, || {
            let now = self.deps.clock.now();
            steps::ask(&self.deps.store, self.held.fence(), step.id, question.clone(), now)
        })
        .await?;
        self.wait_for(step, question).await
    }

    /// Waits through the grace for a question to be closed.
    pub(super) async fn wait_for(&self, step: &Step, question: Question) -> Result<Progress, Halt> {
        let Some(closed) = self.hold(question).await? else { return Ok(Progress::Park) };
        if closed.status == QuestionStatus::Cancelled {
            return Err(Halt::Moved(format!("the question of step `{}` was withdrawn", step.name)));
        }
        persist(self.held, || steps::answered(&self.deps.store, self.held.fence(), step.id, self.deps.clock.now()))
            .await?;
        self.settle(step, &closed).await
    }

    /// Whether the order was cancelled; its questions were withdrawn with it then.
    pub(super) async fn is_cancelled(&self) -> Result<bool, Halt> {
        let order = persist(self.held, || orders::get(&self.deps.store, self.held.fence().order_id)).await?;
        Ok(order.cancel_requested_at.is_some())
    }

    /// The question once it is closed; `None` when the grace is over first.
    async fn hold(&self, question: Question) -> Result<Option<Question>, Halt> {
        if question.status != QuestionStatus::Open {
            return Ok(Some(question));
        }
        let _waiting = self.held.waiting();
        let until = Instant::now() + self.grace;
        loop {
            let mut ear = self.deps.store.events_bell().ear();
            let question = persist(self.held, || questions::get(&self.deps.store, question.id)).await?;
            if question.status != QuestionStatus::Open {
                return Ok(Some(question));
            }
            if Instant::now() >= until || self.held.drain().is_cancelled() {
                return Ok(None);
            }
            tokio::select! {
                () = ear.heard() => {}
                () = sleep_until(until.min(Instant::now() + SAFETY_POLL)) => {}
                () = self.held.drain().cancelled() => {}
                () = self.held.stop().cancelled() => return Err(Halt::Stopped),
            }
        }
    }

    /// Records what a closed question came to.
    async fn settle(&self, step: &Step, question: &Question) -> Result<Progress, Halt> {
        self.finish(step, answer_result(question), Vec::new()).await
    }

    fn question(&self, place: &Place<'_>, recorded: &[Step]) -> Result<NewQuestion, String> {
        let context = self.context(recorded);
        let now = self.deps.clock.now();
        let draft = match place.work {
            plan::Work::Step(step) => Draft::defined(&step.action, &context)?,
            plan::Work::Question(_) => Draft::asked(recorded)?,
            plan::Work::Decision(step) => Draft::decision(step.name.as_str(), recorded),
        };
        if draft.options.len() > MAX_OPTIONS {
            return Err(format!("it has {} options; at most {MAX_OPTIONS} are allowed", draft.options.len()));
        }
        Ok(NewQuestion {
            kind: draft.kind,
            prompt: clean(head(&draft.prompt, MAX_PROMPT)),
            schema: draft.schema,
            options: draft.options.into_iter().map(clean_json).collect(),
            audience: AUDIENCE.to_owned(),
            default: draft.default.filter(|default| !default.is_null()).map(clean_json),
            on_deadline: draft.on_deadline,
            deadline_at: now + draft.deadline.unwrap_or(DEFAULT_DEADLINE).min(MAX_DEADLINE),
        })
    }
}

struct Draft {
    kind: QuestionKind,
    prompt: String,
    schema: Value,
    options: Vec<Value>,
    default: Option<Value>,
    on_deadline: OnDeadline,
    deadline: Option<Duration>,
}

impl Draft {
    fn approval(prompt: String, on_deadline: OnDeadline, deadline_seconds: Option<u64>) -> Self {
        Self {
            kind: QuestionKind::Approval,
            prompt,
            schema: approval_schema(),
            options: Vec::new(),
            default: None,
            on_deadline,
            deadline: deadline_seconds.map(Duration::from_secs),
        }
    }

    /// The question of an `ask` or `approval` step.
    fn defined(action: &Action, context: &Value) -> Result<Self, String> {
        match action {
            Action::Approval { prompt, deadline_seconds, on_deadline } => {
                let prompt = template::render(prompt, context)?;
                Ok(Self::approval(prompt, *on_deadline, *deadline_seconds))
            }
            Action::Ask {
                prompt,
                options,
                options_from,
                schema,
                default,
                default_from,
                deadline_seconds,
                on_deadline,
            } => Ok(Self {
                kind: QuestionKind::Clarification,
                prompt: template::render(prompt, context)?,
                schema: schema.clone().unwrap_or_default(),
                options: match options_from {
                    Some(expression) => listed(template::evaluate(expression, context)?)?,
                    None => options.clone(),
                },
                default: match default_from {
                    Some(expression) => template::evaluate(expression, context)?,
                    None => default.clone(),
                },
                on_deadline: *on_deadline,
                deadline: deadline_seconds.map(Duration::from_secs),
            }),
            Action::Critic { .. } | Action::Sandbox { .. } => Err("it is not a step that asks".to_owned()),
        }
    }

    /// The question that the code of the step before asked.
    fn asked(recorded: &[Step]) -> Result<Self, String> {
        let output = recorded.iter().rev().find_map(|step| step.output.as_ref()?.get("asked").cloned());
        let output = output.ok_or_else(|| "the code's question is not recorded".to_owned())?;
        let asked: Asked = serde_json::from_value(output).map_err(|error| error.to_string())?;
        Ok(Self {
            kind: QuestionKind::Clarification,
            prompt: asked.prompt,
            schema: Value::Null,
            options: asked.options,
            default: asked.default,
            on_deadline: OnDeadline::Default,
            deadline: asked.deadline_seconds.map(|seconds| Duration::from_secs(seconds.max(1))),
        })
    }

    /// Whether to go on although a step failed for the last time.
    fn decision(step: &str, recorded: &[Step]) -> Self {
        let error = recorded.last().and_then(|step| step.error.clone()).unwrap_or_default();
        Self::approval(format!("Step `{step}` failed: {error}\n\nGo on regardless?"), OnDeadline::Reject, None)
    }
}

fn listed(value: Option<Value>) -> Result<Vec<Value>, String> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => Ok(items),
        Some(other) => Err(format!("its options must be a list, not {other}")),
    }
}

fn approval_schema() -> Value {
    json!({
        "type": "object",
        "required": ["approved"],
        "additionalProperties": false,
        "properties": { "approved": { "type": "boolean" }, "comment": { "type": "string", "maxLength": 4000 } },
    })
}

/// What a closed question makes of its step.
fn answer_result(question: &Question) -> StepResult {
    let by = question.answered_by.as_deref().unwrap_or("nobody");
    if question.kind == QuestionKind::Approval {
        let answer = question.answer.clone().unwrap_or_else(|| json!({ "approved": false }));
        if answer["approved"] == json!(true) {
            return StepResult::Completed(answer);
        }
        let error = match (question.status, answer["comment"].as_str().filter(|comment| !comment.is_empty())) {
            (QuestionStatus::Expired, _) => "Nobody approved it in time.".to_owned(),
            (_, Some(comment)) => format!("Rejected by {by}: {comment}"),
            (_, None) => format!("Rejected by {by}."),
        };
        return StepResult::Failed { error, output: Some(answer) };
    }
    match (&question.answer, question.status) {
        (Some(answer), QuestionStatus::Answered) => StepResult::Completed(answer.clone()),
        (Some(answer), _) if question.default.as_ref() == Some(answer) => StepResult::Completed(answer.clone()),
        _ => StepResult::Failed {
            error: format!("Nobody answered the question `{}` in time.", head(&question.prompt, 200)),
            output: None,
        },
    }
}
