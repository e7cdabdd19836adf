//! One row per entry of the event log. The database fills in `seq` and `xid`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub(crate) seq: i64,
    pub(crate) xid: i64,
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) task_id: Option<Uuid>,
    pub(crate) order_id: Option<Uuid>,
    pub(crate) payload: Json,
    pub(crate) created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
