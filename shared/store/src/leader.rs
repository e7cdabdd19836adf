//! One leader at a time, by a lease in the database.

use std::time::Duration;

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, TryInsertResult,
    sea_query::OnConflict,
};
use shopfloor_domain::Timestamp;

use crate::{
    Result, Store,
    entity::leader_lease::{ActiveModel, Column, Entity},
    error::Doing as _,
};

/// Takes or renews the leadership called `name` for `holder`. Returns whether `holder` leads until `now + ttl`.
///
/// # Errors
/// `Database` when the record does not answer; the caller does not lead then.
pub async fn lead(store: &Store, name: &str, holder: &str, ttl: Duration, now: Timestamp) -> Result<bool> {
    const DOING: &str = "taking the leadership";
    let until = (now + ttl).0;
    let mine_or_over = Condition::any().add(Column::Holder.eq(holder)).add(Column::ExpiresAt.lte(now.0));
    let renewed = Entity::update_many()
        .set(ActiveModel { holder: Set(holder.to_owned()), expires_at: Set(until), ..Default::default() })
        .filter(Column::Name.eq(name))
        .filter(mine_or_over)
        .exec(store.writer())
        .await
        .doing(DOING)?;
    if renewed.rows_affected == 1 {
        return Ok(true);
    }
    let first = ActiveModel { name: Set(name.to_owned()), holder: Set(holder.to_owned()), expires_at: Set(until) };
    let inserted = Entity::insert(first)
        .on_conflict(OnConflict::column(Column::Name).do_nothing().to_owned())
        .try_insert()
        .exec_without_returning(store.writer())
        .await
        .doing(DOING)?;
    Ok(matches!(inserted, TryInsertResult::Inserted(1)))
}

/// Gives the leadership up, so that another can take it at once.
///
/// # Errors
/// `Database` when the record does not answer; the leadership then ends by itself.
pub async fn resign(store: &Store, name: &str, holder: &str) -> Result<()> {
    let row = Entity::delete_many().filter(Column::Name.eq(name)).filter(Column::Holder.eq(holder));
    row.exec(store.writer()).await.doing("giving up the leadership").map(|_| ())
}
