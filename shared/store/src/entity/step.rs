//! One row per step of a run.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "steps")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) run_id: Uuid,
    pub(crate) task_id: Uuid,
    pub(crate) order_id: Uuid,
    pub(crate) order_index: i32,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) agent_name: Option<String>,
    pub(crate) round: i32,
    pub(crate) status: String,
    pub(crate) epoch: i64,
    pub(crate) attempt: i32,
    pub(crate) input: Json,
    pub(crate) output: Option<Json>,
    pub(crate) error: Option<String>,
    pub(crate) started_at: Option<i64>,
    pub(crate) finished_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
