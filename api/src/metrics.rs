//! `/metrics` for Prometheus. Gauges that only the record knows are refreshed at every scrape.

use std::collections::BTreeMap;

use axum::{extract::State, http::header, response::IntoResponse};
use shopfloor_domain::{Priority, question::QuestionStatus, worker::WorkerStatus};
use shopfloor_queue::Queue;
use shopfloor_store::{PageRequest, orders::QueueDepth, questions, questions::QuestionFilter, workers};
use shopfloor_telemetry::Metrics;
use tracing::warn;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::AppState,
    error::{ApiError, Result},
};

/// The most pages that are counted; beyond, the gauge stands at its cap.
const PAGES: usize = 40;

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// The metrics in Prometheus' text format. Open, because a scraper has no key and there is no id or text of anybody in them.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, description = "The metrics", body = String)))]
async fn metrics(State(state): State<AppState>) -> Result<impl IntoResponse> {
    if let Err(error) = refresh(&state).await {
        warn!(%error, "Could not refresh the gauges; the scrape shows their last values");
    }
    text(&state.metrics)
}

/// The metrics as a response.
pub(crate) fn text(metrics: &Metrics) -> Result<impl IntoResponse + use<>> {
    let text = metrics.render().map_err(|error| ApiError::internal(&error))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

async fn refresh(state: &AppState) -> shopfloor_store::Result<()> {
    let now = state.now();
    let depth = state.queue.depth(now).await?;
    show_depth(state, &depth);
    let oldest = depth.iter().filter_map(|row| row.oldest_ready_at).min();
    let age = oldest.map_or(0, |since| now.since(since).as_secs());
    state.metrics.queue_oldest_age.with_label_values::<&str>(&[]).set(gauge(age));
    show_mode(&state.metrics, &*state.queue);
    let open = open_questions(state).await?;
    state.metrics.clarifications_open.with_label_values::<&str>(&[]).set(gauge(open));
    show_workers(state).await
}

/// Shows how dispatch goes at present.
pub(crate) fn show_mode(metrics: &Metrics, queue: &dyn Queue) {
    metrics.dispatch_mode.reset();
    metrics.dispatch_mode.with_label_values(&[queue.mode()]).set(1);
}

fn show_depth(state: &AppState, depth: &[QueueDepth]) {
    for priority in Priority::ALL {
        let rows = || depth.iter().filter(|row| row.priority == *priority);
        let states = [
            ("ready", rows().map(|row| row.ready).sum::<u64>()),
            ("delayed", rows().map(|row| row.delayed).sum()),
            ("claimed", rows().map(|row| row.claimed).sum()),
            ("parked", rows().map(|row| row.parked).sum()),
            ("dead", rows().map(|row| row.dead).sum()),
        ];
        for (label, count) in states {
            state.metrics.queue_depth.with_label_values(&[label, priority.as_str()]).set(gauge(count));
        }
    }
}

async fn show_workers(state: &AppState) -> shopfloor_store::Result<()> {
    let mut counts: BTreeMap<WorkerStatus, u64> = WorkerStatus::ALL.iter().map(|status| (*status, 0)).collect();
    let mut page = PageRequest { after: None, limit: PageRequest::MAX };
    for _ in 0..PAGES {
        let workers = workers::list(&state.store, true, &page).await?;
        workers.items.iter().for_each(|worker| *counts.entry(worker.status).or_default() += 1);
        page.after = workers.next;
        if page.after.is_none() {
            break;
        }
    }
    for (status, count) in counts {
        state.metrics.workers.with_label_values(&[status.as_str()]).set(gauge(count));
    }
    Ok(())
}

/// How many questions wait for an answer.
pub(crate) async fn open_questions(state: &AppState) -> shopfloor_store::Result<u64> {
    let filter = QuestionFilter { status: vec![QuestionStatus::Open], ..QuestionFilter::default() };
    let mut page = PageRequest { after: None, limit: PageRequest::MAX };
    let mut count = 0;
    for _ in 0..PAGES {
        let questions = questions::list(&state.store, &filter, &page).await?;
        count += questions.items.len() as u64;
        page.after = questions.next;
        if page.after.is_none() {
            break;
        }
    }
    Ok(count)
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
