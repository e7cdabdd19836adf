//! Orders that wait for a person.

use sea_orm::{ConnectionTrait as _, Statement};
use shopfloor_domain::{
    OrderId, Timestamp,
    order::{OrderEvent, OrderStatus},
};

use super::{Order, conclude, lock};
use crate::{Result, error::Doing as _, tx::Tx};

/// Puts a parked order back into the queue, if nothing that it waits for is open any more. `None` when it is not parked
/// or still waits: a worker that holds it sees the answer by itself, and parking looks at the questions again.
///
/// Lock the order (with [`lock`]) before the question is changed, in the same transaction: parking does the same, so one
/// of the two sees what the other did.
pub(crate) async fn resume_parked(tx: &Tx, id: OrderId, now: Timestamp) -> Result<Option<Order>> {
    let order = lock(tx, id).await?;
    if order.status != OrderStatus::Parked || waits(tx, id).await? {
        return Ok(None);
    }
    let resumed = conclude::requeue(tx, &order, OrderEvent::Resumed, now).await?;
    Ok(Some(resumed))
}

/// Whether a question of this order is open.
pub(super) async fn waits(tx: &Tx, id: OrderId) -> Result<bool> {
    let sql = "SELECT 1 AS one FROM questions WHERE order_id = $1 AND status = 'open' LIMIT 1";
    let statement = Statement::from_sql_and_values(tx.db().get_database_backend(), sql, [id.0.into()]);
    Ok(tx.db().query_one_raw(statement).await.doing("looking for open questions")?.is_some())
}
