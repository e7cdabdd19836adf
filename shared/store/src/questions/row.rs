//! Rows of `questions`.

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QuerySelect as _,
};
use serde_json::{Value, json};
use shopfloor_domain::{Epoch, Timestamp, question::QuestionStatus, question::Rung};
use uuid::Uuid;

use super::{Question, ladder};
use crate::{
    Result, StoreError,
    entity::{
        question::{ActiveModel, Model},
        task,
    },
    error::Doing as _,
    rows::word,
};

/// The rows as records, with their tasks' titles.
pub(super) async fn records<C: ConnectionTrait>(db: &C, rows: Vec<Model>) -> Result<Vec<Question>> {
    let mut tasks: Vec<Uuid> = rows.iter().map(|row| row.task_id).collect();
    tasks.sort_unstable();
    tasks.dedup();
    let titles: Vec<(Uuid, String)> = task::Entity::find()
        .select_only()
        .column(task::Column::Id)
        .column(task::Column::Title)
        .filter(task::Column::Id.is_in(tasks))
        .into_tuple()
        .all(db)
        .await
        .doing("reading the titles of questions' tasks")?;
    let title = |id| titles.iter().find(|(task, _)| *task == id).map(|(_, title)| title.clone());
    rows.into_iter()
        .map(|row| {
            let title = title(row.task_id).ok_or_else(|| StoreError::not_found("task", row.task_id))?;
            record(row, title)
        })
        .collect()
}

pub(super) fn record(row: Model, task_title: String) -> Result<Question> {
    let Value::Array(options) = row.options else {
        return Err(StoreError::corrupt("questions.options", "not a list"));
    };
    Ok(Question {
        id: row.id.into(),
        task_id: row.task_id.into(),
        task_title,
        order_id: row.order_id.into(),
        step_id: row.step_id.into(),
        epoch: Epoch(row.epoch),
        kind: word("questions.kind", &row.kind)?,
        prompt: row.prompt,
        schema: row.schema,
        options,
        audience: row.audience,
        default: row.default,
        on_deadline: word("questions.on_deadline", &row.on_deadline)?,
        status: word("questions.status", &row.status)?,
        rung: rung(&row.rung)?,
        created_at: Timestamp(row.created_at),
        asked_at: Timestamp(row.asked_at),
        deadline_at: Timestamp(row.deadline_at),
        answer: row.answer,
        answered_by: row.answered_by,
        answered_at: row.answered_at.map(Timestamp),
    })
}

pub(super) fn active(question: &Question) -> ActiveModel {
    let next = ladder::next_rung_at(question.asked_at, question.deadline_at, question.rung);
    ActiveModel {
        id: Set(question.id.0),
        task_id: Set(question.task_id.0),
        order_id: Set(question.order_id.0),
        step_id: Set(question.step_id.0),
        epoch: Set(question.epoch.0),
        kind: Set(question.kind.to_string()),
        prompt: Set(question.prompt.clone()),
        schema: Set(question.schema.clone()),
        options: Set(Value::Array(question.options.clone())),
        audience: Set(question.audience.clone()),
        default: Set(question.default.clone()),
        on_deadline: Set(question.on_deadline.to_string()),
        status: Set(question.status.to_string()),
        rung: Set(rung_word(question.rung).to_owned()),
        next_rung_at: Set((question.status == QuestionStatus::Open).then_some(next.0)),
        created_at: Set(question.created_at.0),
        asked_at: Set(question.asked_at.0),
        deadline_at: Set(question.deadline_at.0),
        answer: Set(question.answer.clone()),
        answered_by: Set(question.answered_by.clone()),
        answered_at: Set(question.answered_at.map(|at| at.0)),
    }
}

/// The payload of a question's events.
pub(super) fn payload(question: &Question) -> Value {
    json!({
        "question_id": question.id,
        "step_id": question.step_id,
        "kind": question.kind,
        "prompt": question.prompt,
        "deadline_at": question.deadline_at,
        "status": question.status,
        "rung": question.rung,
        "answer": question.answer,
        "answered_by": question.answered_by,
    })
}

const fn rung_word(rung: Rung) -> &'static str {
    match rung {
        Rung::Asked => "asked",
        Rung::Reminded => "reminded",
        Rung::Escalated => "escalated",
        Rung::Due => "due",
    }
}

fn rung(text: &str) -> Result<Rung> {
    let rungs = [Rung::Asked, Rung::Reminded, Rung::Escalated, Rung::Due];
    let found = rungs.into_iter().find(|rung| rung_word(*rung) == text);
    found.ok_or_else(|| StoreError::corrupt("questions.rung", format!("`{text}` is no rung")))
}
