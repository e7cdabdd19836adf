//! Looking at questions.

use sea_orm::{
    ColumnTrait as _, EntityTrait as _, ExprTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    prelude::Expr,
};
use shopfloor_domain::{QuestionId, StepId};
use uuid::Uuid;

use super::{Question, QuestionFilter, row::records};
use crate::{
    Page, PageRequest, Result, Store, StoreError,
    entity::question::{Column, Entity},
    error::Doing as _,
};

/// One question.
///
/// # Errors
/// `NotFound`, `Database`.
pub async fn get(store: &Store, id: QuestionId) -> Result<Question> {
    let row = Entity::find_by_id(id.0).one(store.read()).await.doing("reading a question")?;
    let row = row.ok_or_else(|| StoreError::not_found("question", id))?;
    let read = records(store.read(), vec![row]).await?;
    read.into_iter().next().ok_or_else(|| StoreError::not_found("question", id))
}

/// The question of a step, if it has asked; the latest one when an earlier one was cancelled.
///
/// # Errors
/// `Database`.
pub async fn of_step(store: &Store, step: StepId) -> Result<Option<Question>> {
    let row = Entity::find().filter(Column::StepId.eq(step.0)).order_by_desc(Column::Id).one(store.read());
    let row = row.await.doing("reading a step's question")?;
    let read = records(store.read(), row.into_iter().collect()).await?;
    Ok(read.into_iter().next())
}

/// The questions of these steps, oldest first; of one that was cancelled with a dead order and asked anew, both.
///
/// # Errors
/// `Database`.
pub async fn of_steps(store: &Store, steps: &[StepId]) -> Result<Vec<Question>> {
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    let rows = Entity::find().filter(Column::StepId.is_in(steps.iter().map(|step| step.0))).order_by_asc(Column::Id);
    let rows = rows.all(store.read()).await.doing("reading the questions of steps")?;
    records(store.read(), rows).await
}

/// Questions, the nearest deadline first.
///
/// # Errors
/// `Invalid` for a foreign cursor, `Database`.
pub async fn list(store: &Store, filter: &QuestionFilter, page: &PageRequest) -> Result<Page<Question>> {
    let mut rows = Entity::find().order_by_asc(Column::DeadlineAt).order_by_asc(Column::Id).limit(page.fetch());
    if !filter.status.is_empty() {
        rows = rows.filter(Column::Status.is_in(filter.status.iter().map(|status| status.as_str())));
    }
    if let Some(task) = filter.task_id {
        rows = rows.filter(Column::TaskId.eq(task.0));
    }
    if let Some(kind) = filter.kind {
        rows = rows.filter(Column::Kind.eq(kind.as_str()));
    }
    if let Some((deadline_at, id)) = page.key::<(i64, Uuid)>()? {
        let place = Expr::tuple([Expr::col(Column::DeadlineAt), Expr::col(Column::Id)]);
        rows = rows.filter(place.gt(Expr::tuple([deadline_at.into(), id.into()])));
    }
    let rows = rows.all(store.read()).await.doing("listing questions")?;
    let questions = records(store.read(), rows).await?;
    Ok(page.page(questions, |question| (question.deadline_at.0, question.id)))
}
