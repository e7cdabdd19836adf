//! Projects, queues, tasks, runs, orders, workers, sessions, executions, leader leases and idempotency keys.

use sea_orm_migration::prelude::*;

pub(crate) const SQL: &str = include_str!("m0001_core.sql");

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, SQL).await
    }
}
