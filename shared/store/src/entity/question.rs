//! One row per question.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "questions")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) task_id: Uuid,
    pub(crate) order_id: Uuid,
    pub(crate) step_id: Uuid,
    pub(crate) epoch: i64,
    pub(crate) kind: String,
    pub(crate) prompt: String,
    pub(crate) schema: Json,
    pub(crate) options: Json,
    pub(crate) audience: String,
    pub(crate) default: Option<Json>,
    pub(crate) on_deadline: String,
    pub(crate) status: String,
    pub(crate) rung: String,
    pub(crate) next_rung_at: Option<i64>,
    pub(crate) created_at: i64,
    pub(crate) asked_at: i64,
    pub(crate) deadline_at: i64,
    pub(crate) answer: Option<Json>,
    pub(crate) answered_by: Option<String>,
    pub(crate) answered_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
