//! One row per session.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) session_id: Option<String>,
    pub(crate) worker_id: Uuid,
    pub(crate) task_id: Option<Uuid>,
    pub(crate) order_id: Option<Uuid>,
    pub(crate) epoch: Option<i64>,
    pub(crate) status: String,
    pub(crate) last_activity_at: i64,
    pub(crate) created_at: i64,
    pub(crate) terminated_at: Option<i64>,
    pub(crate) end_reason: Option<String>,
    pub(crate) outcome: Option<String>,
    pub(crate) output: Option<Json>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
