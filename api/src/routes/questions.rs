//! Questions and their answers.

use axum::{Json as Reply, extract::State};
use serde_json::{Value, json};
use shopfloor_domain::{
    QuestionId,
    question::{QuestionKind, QuestionStatus},
};
use shopfloor_store::questions::{self, Question};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::AppState,
    auth::{Caller, MayAnswer, MayRead},
    error::{ApiError, Result},
    extract::{Json, Key, Query},
    limits, schema,
    views::{
        page::PageOut,
        questions::{AnswerIn, AnsweredOut, QuestionOut, QuestionQuery},
        text,
    },
};

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_questions)).routes(routes!(get_question)).routes(routes!(answer_question))
}

/// Lists questions, the nearest deadline first.
#[utoipa::path(get, path = "/questions", tag = "questions", params(QuestionQuery),
    responses((status = 200, description = "A page of questions", body = PageOut<QuestionOut>)))]
async fn list_questions(
    _: MayRead,
    State(state): State<AppState>,
    Query(query): Query<QuestionQuery>,
) -> Result<Reply<PageOut<QuestionOut>>> {
    let page = query.page()?;
    Ok(Reply(PageOut::of(questions::list(&state.store, &query.filter(), &page).await?)))
}

/// Shows a question.
#[utoipa::path(get, path = "/questions/{id}", tag = "questions", params(("id" = QuestionId, Path)),
    responses((status = 200, description = "The question", body = QuestionOut)))]
async fn get_question(
    _: MayRead,
    State(state): State<AppState>,
    Key(id): Key<QuestionId>,
) -> Result<Reply<QuestionOut>> {
    Ok(Reply(questions::get(&state.store, id).await?.into()))
}

/// Answers a question. The first answer wins; later ones get the one that did, with `won: false`.
#[utoipa::path(post, path = "/questions/{id}/answer", tag = "questions", params(("id" = QuestionId, Path)),
    request_body = AnswerIn, responses((status = 200, description = "The closed question", body = AnsweredOut)))]
async fn answer_question(
    MayAnswer(caller): MayAnswer,
    State(state): State<AppState>,
    Key(id): Key<QuestionId>,
    Json(body): Json<AnswerIn>,
) -> Result<Reply<AnsweredOut>> {
    answer(&state, &caller, id, body.answer).await.map(Reply)
}

/// Checks, records and publishes an answer.
pub(crate) async fn answer(state: &AppState, caller: &Caller, id: QuestionId, answer: Value) -> Result<AnsweredOut> {
    let question = questions::get(&state.store, id).await?;
    if question.status == QuestionStatus::Open {
        check(&question, &answer)?;
    }
    let now = state.now();
    let answered = questions::answer(&state.store, id, answer, &caller.actor(), now).await?;
    if answered.won {
        let waited = now.since(answered.question.created_at);
        state.metrics.clarification_wait.with_label_values::<&str>(&[]).observe(waited.as_secs_f64());
    }
    state.publish(answered.resumed.as_slice()).await;
    Ok(AnsweredOut { question: answered.question.into(), won: answered.won })
}

/// Fails unless the question takes this answer.
fn check(question: &Question, answer: &Value) -> Result<()> {
    text::json("answer", answer, limits::ANSWER_BYTES)?;
    fits("answer", question.kind, &question.options, &question.schema, answer)
}

/// Fails unless the request's `field` is an answer that a question of this kind takes.
pub(crate) fn fits(field: &str, kind: QuestionKind, options: &[Value], form: &Value, answer: &Value) -> Result<()> {
    if kind == QuestionKind::Approval {
        return schema::check(field, &approval(), answer);
    }
    if !options.is_empty() && !options.contains(answer) {
        return Err(ApiError::invalid(field, format!("must be one of {}", Value::from(options.to_vec()))));
    }
    schema::check(field, form, answer)
}

/// What an approval takes.
fn approval() -> Value {
    json!({
        "type": "object",
        "required": ["approved"],
        "additionalProperties": false,
        "properties": {
            "approved": { "type": "boolean" },
            "comment": { "type": ["string", "null"], "maxLength": limits::MESSAGE_BYTES },
        },
    })
}
