//! Dead letters.

use axum::{Json as Reply, extract::State, http::StatusCode};
use serde_json::Value;
use shopfloor_domain::OrderId;
use shopfloor_store::{orders, runs};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::AppState,
    auth::{MayOperate, MayRead},
    error::Result,
    extract::{Key, MaybeJson, Query},
    submit::check_input,
    views::{
        page::{PageOut, PageQuery},
        queue::{OrderOut, RequeueIn},
    },
};

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_dead)).routes(routes!(requeue_dead))
}

/// Lists dead letters that have not been queued again, newest first.
#[utoipa::path(get, path = "/queue/dead", tag = "queue", params(PageQuery),
    responses((status = 200, description = "A page of orders", body = PageOut<OrderOut>)))]
async fn list_dead(
    _: MayRead,
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Reply<PageOut<OrderOut>>> {
    Ok(Reply(PageOut::of(orders::dead(&state.store, &query.page()?).await?)))
}

/// Queues a dead letter's work again, with another input if one is given; it goes on at its first unfinished step.
#[utoipa::path(post, path = "/queue/dead/{id}/requeue", tag = "queue", params(("id" = OrderId, Path)),
    request_body = RequeueIn, responses((status = 201, description = "The new order", body = OrderOut),
        (status = 409, description = "It is not dead, or was queued again before")))]
async fn requeue_dead(
    MayOperate(caller): MayOperate,
    State(state): State<AppState>,
    Key(id): Key<OrderId>,
    MaybeJson(body): MaybeJson<RequeueIn>,
) -> Result<(StatusCode, Reply<OrderOut>)> {
    if let Some(input) = &body.input {
        check_against_run(&state, id, input).await?;
    }
    let order = orders::requeue_dead(&state.store, id, body.input, &caller.actor(), state.now()).await?;
    state.metrics.orders_enqueued.with_label_values(&[order.priority.as_str()]).inc();
    state.publish(&[order.id]).await;
    Ok((StatusCode::CREATED, Reply(order.into())))
}

/// The input fits the definition that the order's run is pinned to.
async fn check_against_run(state: &AppState, id: OrderId, input: &Value) -> Result<()> {
    let order = orders::get(&state.store, id).await?;
    let run = runs::get(&state.store, order.run_id).await?;
    check_input(state, run.definition.get("input_schema"), input).await
}
