//! The record's schema as migrations, for PostgreSQL 15+ and SQLite 3 from one text.
//!
//! Each migration is a file of plain SQL. The few words in which the two databases differ stand in braces and are filled
//! in by [`dialect`]. Migrations only expand; a later one contracts when no running version needs the old shape. They run
//! inside one transaction under a lock (see `shopfloor_store::Store::migrate`), so a failed one leaves nothing behind.

use sea_orm_migration::prelude::*;

mod m0001_core;
mod m0002_work;

/// Every migration, in order.
#[derive(Debug, Clone, Copy)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_core::Migration), Box::new(m0002_work::Migration)]
    }
}

/// How many migrations are still to run.
///
/// # Errors
/// When the database cannot be read, or knows a migration that this version does not.
pub async fn pending<C: ConnectionTrait>(db: &C) -> Result<u32, DbErr> {
    let pending = Migrator::get_pending_migrations(db).await?;
    Ok(pending.len().try_into().unwrap_or(u32::MAX))
}

/// Runs every migration that is still to run. The caller holds the lock and the transaction.
///
/// # Errors
/// When one of them fails.
pub async fn up<'c, C: IntoSchemaManagerConnection<'c>>(db: C) -> Result<(), DbErr> {
    Migrator::up(db, None).await
}

/// Runs a migration's SQL in the words of the connected database.
async fn run(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    let sql = dialect(sql, manager.get_database_backend());
    manager.get_connection().execute_unprepared(&sql).await.map(|_| ())
}

/// The one place where the two databases differ. SQLite's type names are those that SeaORM uses; they give the columns an
/// affinity that keeps values as they are (a JSON `42` must not become a number).
fn dialect(sql: &str, backend: sea_orm_migration::sea_orm::DbBackend) -> String {
    let words: [(&str, &str); 6] = match backend {
        sea_orm_migration::sea_orm::DbBackend::Postgres => [
            ("{uuid}", "UUID"),
            ("{json}", "JSONB"),
            ("{serial}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
            ("{now}", "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"),
            ("{default_id}", "'00000000-0000-7000-8000-000000000001'"),
            ("{hot}", "WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02)"),
        ],
        _ => [
            ("{uuid}", "uuid_text"),
            ("{json}", "jsonb_text"),
            ("{serial}", "INTEGER PRIMARY KEY AUTOINCREMENT"),
            ("{now}", "CAST(unixepoch('subsec') * 1000 AS INTEGER)"),
            ("{default_id}", "x'00000000000070008000000000000001'"),
            ("{hot}", ""),
        ],
    };
    words.iter().fold(sql.to_owned(), |sql, (from, to)| sql.replace(from, to))
}

#[cfg(test)]
mod tests {
    use sea_orm_migration::sea_orm::DbBackend;

    use super::dialect;

    #[test]
    fn every_braced_word_is_filled_in() {
        for backend in [DbBackend::Postgres, DbBackend::Sqlite] {
            for sql in [super::m0001_core::SQL, super::m0002_work::SQL] {
                assert!(!dialect(sql, backend).contains(['{', '}']), "{backend:?}");
            }
        }
    }
}
