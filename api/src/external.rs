//! Orders of external pipelines: what their workers ask people, and what they are answered. Each question is a step of its
//! own, named by the worker, so that putting it twice puts it once and its answer is found again by whoever goes on.

use std::time::Duration;

use serde_json::{Value, json};
use shopfloor_domain::{
    Fence, StepId,
    question::{DEFAULT_DEADLINE, QuestionKind, QuestionStatus},
    step::{StepKind, StepStatus},
};
use shopfloor_pipelines::Pipeline;
use shopfloor_store::{
    orders::{ClaimedOrder, Order},
    questions::{self, NewQuestion, Question},
    runs::{self, Run},
    steps::{self, BeginStep, Step, StepResult},
};

use crate::{
    app::AppState,
    error::{ApiError, Result},
    limits,
    routes::{questions::fits, queue::report::held},
    schema,
    views::{
        questions::{AnswerOut, PutIn},
        text,
    },
};

/// Whom questions are for.
const AUDIENCE: &str = "operators";

/// Puts the question of a worker that holds this claim. A question of the same name that is there already, and whose
/// answer the worker has not been given, is returned as it is.
pub(crate) async fn ask(state: &AppState, fence: Fence, put: PutIn) -> Result<Question> {
    let (name, question) = (put.name.to_string(), checked(state, put)?);
    let order = held(state, fence, "park").await?;
    if !is_external(state, &order).await? {
        let detail = "this order's pipeline is not external: its questions come from its own steps";
        return Err(ApiError::conflict(detail).remedy("use a pipeline with `external = true`"));
    }
    let recorded = steps::of_run(&state.store, order.run_id).await?;
    let step = match recorded.iter().find(|step| step.name == name) {
        Some(step) if step.status == StepStatus::Waiting => step.id,
        Some(step) if step.status != StepStatus::Running => {
            let detail = format!("the question `{name}` is over: the claim brought what became of it");
            return Err(ApiError::conflict(detail).remedy("look into the claim's `answers`, or ask under another name"));
        }
        None if recorded.len() >= limits::QUESTIONS => {
            return Err(ApiError::conflict(format!("the run has put {} questions already", limits::QUESTIONS)));
        }
        at => begin(state, fence, &order, at, name, recorded.len()).await?,
    };
    Ok(steps::ask(&state.store, fence, step, question, state.now()).await?)
}

/// Begins the step of a question, or takes over one that was begun and never asked.
async fn begin(
    state: &AppState,
    fence: Fence,
    order: &Order,
    there: Option<&Step>,
    name: String,
    count: usize,
) -> Result<StepId> {
    let next = u32::try_from(count).unwrap_or(u32::MAX);
    let order_index = there.map_or(next, |step| step.order_index);
    let begin = BeginStep { order_index, name, kind: StepKind::Ask, agent_name: None, round: 0, input: json!({}) };
    Ok(steps::begin(&state.store, fence, order.run_id, begin, state.now()).await?.id)
}

/// What became of the questions of a claimed order's run, first asked first. The steps of those that are closed are ended
/// with it. None for the orders of other pipelines.
pub(crate) async fn answers(state: &AppState, claimed: &ClaimedOrder) -> Result<Vec<AnswerOut>> {
    if !has_external_steps(&claimed.run) {
        return Ok(Vec::new());
    }
    let recorded = steps::of_run(&state.store, claimed.order.run_id).await?;
    let ids: Vec<StepId> = recorded.iter().map(|step| step.id).collect();
    let questions = questions::of_steps(&state.store, &ids).await?;
    let mut answers = Vec::with_capacity(recorded.len());
    for step in recorded {
        let lasting = |question: &&Question| question.status != QuestionStatus::Cancelled;
        let Some(question) = questions.iter().filter(lasting).find(|question| question.step_id == step.id) else {
            continue;
        };
        if question.status != QuestionStatus::Open {
            settle(state, claimed.fence(), &step, question).await?;
        }
        answers.push(answer(step.name, question.clone()));
    }
    Ok(answers)
}

/// Ends the step of a closed question.
async fn settle(state: &AppState, fence: Fence, step: &Step, question: &Question) -> Result<()> {
    if step.status == StepStatus::Waiting {
        steps::answered(&state.store, fence, step.id, state.now()).await?;
    }
    if matches!(step.status, StepStatus::Waiting | StepStatus::Running) {
        steps::finish(&state.store, fence, step.id, outcome(question), Vec::new(), None, state.now()).await?;
    }
    Ok(())
}

/// What a closed question makes of its step. A rejected approval is an answer like any other: the worker knows what to do.
fn outcome(question: &Question) -> StepResult {
    let answer = question.answer.clone();
    let stands = question.status == QuestionStatus::Answered
        || question.kind == QuestionKind::Approval
        || question.default.is_some() && question.default == answer;
    match answer {
        Some(answer) if stands => StepResult::Completed(answer),
        output => StepResult::Failed { error: "Nobody answered in time.".to_owned(), output },
    }
}

fn answer(name: String, question: Question) -> AnswerOut {
    let Question { id, status, answer, answered_by, answered_at, .. } = question;
    AnswerOut { name, question_id: id, status, answer, answered_by, answered_at }
}

/// Whether remote workers do this order's work in their own way.
async fn is_external(state: &AppState, order: &Order) -> Result<bool> {
    Ok(has_external_steps(&runs::get(&state.store, order.run_id).await?))
}

fn has_external_steps(run: &Run) -> bool {
    Pipeline::from_json(&run.definition).is_ok_and(|pipeline| pipeline.external)
}

/// The checked question.
fn checked(state: &AppState, put: PutIn) -> Result<NewQuestion> {
    let kind = put.kind.unwrap_or(QuestionKind::Clarification);
    if kind == QuestionKind::Budget {
        return Err(ApiError::invalid("question.kind", "must be `clarification` or `approval`"));
    }
    if kind == QuestionKind::Approval && !(put.options.is_empty() && put.schema.is_null()) {
        return Err(ApiError::invalid("question.kind", "an approval has neither `options` nor `schema`"));
    }
    text::at_most("question.options", &put.options, limits::OPTIONS)?;
    let options = Value::from(put.options.clone());
    for (field, value) in [("question.options", &options), ("question.schema", &put.schema)] {
        text::json(field, value, limits::QUESTION_BYTES)?;
    }
    schema::must_compile("question.schema", &put.schema)?;
    let default = put.default.filter(|default| !default.is_null());
    if let Some(default) = &default {
        text::json("question.default", default, limits::ANSWER_BYTES)?;
        fits("question.default", kind, &put.options, &put.schema, default)?;
    }
    let most = limits::DEADLINE_SECONDS;
    let seconds = put.deadline_seconds.unwrap_or(DEFAULT_DEADLINE.as_secs());
    let seconds = text::within("question.deadline_seconds", seconds, 1, most)?;
    Ok(NewQuestion {
        kind,
        prompt: text::said("question.prompt", put.prompt)?,
        schema: put.schema,
        options: put.options,
        audience: AUDIENCE.to_owned(),
        default,
        on_deadline: put.on_deadline,
        deadline_at: state.now() + Duration::from_secs(seconds),
    })
}
