//! One row per task.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tasks")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) project_id: Uuid,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) task_type: String,
    pub(crate) status: String,
    pub(crate) priority: String,
    pub(crate) repository_url: Option<String>,
    pub(crate) branch_name: Option<String>,
    pub(crate) pipeline: String,
    pub(crate) input: Json,
    pub(crate) result: Option<Json>,
    pub(crate) error: Option<String>,
    pub(crate) created_by: String,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) completed_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
