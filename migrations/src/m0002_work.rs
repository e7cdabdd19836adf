//! Steps, questions, chat, files, artifacts, model calls, API keys; and the two logs, which differ by database.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

pub(crate) const SQL: &str = include_str!("m0002_work.sql");
const LOGS_ON_POSTGRES: &str = include_str!("m0002_logs_postgres.sql");
const LOGS_ON_SQLITE: &str = include_str!("m0002_logs_sqlite.sql");

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, SQL).await?;
        let logs = match manager.get_database_backend() {
            DbBackend::Postgres => LOGS_ON_POSTGRES,
            _ => LOGS_ON_SQLITE,
        };
        manager.get_connection().execute_unprepared(logs).await.map(|_| ())
    }
}
