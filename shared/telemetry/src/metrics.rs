//! The metrics. Names begin with `shopfloor_`, times are seconds, counters end in `_total`, and no id is ever a label.

use prometheus::{Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

/// Buckets from a millisecond to ten minutes.
const SECONDS: &[f64] = &[0.001, 0.005, 0.015, 0.05, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 120.0, 600.0];

macro_rules! metrics {
    ($($(#[$meta:meta])* $field:ident: $kind:ident = $name:literal [$($label:literal),*]),+ $(,)?) => {
        /// Every metric of the process. Cloning shares the counters.
        #[derive(Debug, Clone)]
        pub struct Metrics {
            registry: Registry,
            $($(#[$meta])* pub $field: $kind),+
        }

        impl Metrics {
            /// Every metric's name.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// A fresh registry with every metric in it.
            ///
            /// # Panics
            /// Never: the names are constants, and a test registers them all.
            #[must_use]
            #[expect(clippy::expect_used, reason = "names and labels are constants, checked by a test")]
            pub fn new() -> Self {
                let registry = Registry::new();
                $(let $field = {
                    let metric = new_metric::$kind($name, &[$($label),*]).expect($name);
                    registry.register(Box::new(metric.clone())).expect($name);
                    metric
                };)+
                Self { registry, $($field),+ }
            }
        }
    };
}

#[expect(non_snake_case, reason = "named after the type each makes, for the macro")]
mod new_metric {
    use super::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, SECONDS};

    pub(super) fn IntCounterVec(name: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
        super::IntCounterVec::new(Opts::new(name, help(name)), labels)
    }

    pub(super) fn IntGaugeVec(name: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        super::IntGaugeVec::new(Opts::new(name, help(name)), labels)
    }

    pub(super) fn HistogramVec(name: &str, labels: &[&str]) -> prometheus::Result<HistogramVec> {
        super::HistogramVec::new(HistogramOpts::new(name, help(name)).buckets(SECONDS.to_vec()), labels)
    }

    fn help(name: &str) -> String {
        name.trim_start_matches("shopfloor_").replace('_', " ")
    }
}

metrics! {
    /// Orders submitted.
    orders_enqueued: IntCounterVec = "shopfloor_orders_enqueued_total" ["priority"],
    /// Orders ended.
    orders_finished: IntCounterVec = "shopfloor_orders_finished_total" ["outcome"],
    /// From due to claimed.
    order_wait: HistogramVec = "shopfloor_order_wait_seconds" ["priority"],
    /// From claimed to verdict.
    order_run: HistogramVec = "shopfloor_order_run_seconds" [],
    /// Orders by state; refreshed at every scrape.
    queue_depth: IntGaugeVec = "shopfloor_queue_depth" ["state", "priority"],
    /// Age of the oldest ready order; refreshed at every scrape.
    queue_oldest_age: IntGaugeVec = "shopfloor_queue_oldest_age_seconds" [],
    /// Time of one claim.
    claim: HistogramVec = "shopfloor_claim_seconds" [],
    /// Wake-ups of waiting workers.
    wakeups: IntCounterVec = "shopfloor_wakeups_total" ["kind"],
    /// Leases that ran out.
    lease_expired: IntCounterVec = "shopfloor_lease_expired_total" [],
    /// Writes of ghosts that were refused.
    fenced_writes: IntCounterVec = "shopfloor_fenced_writes_total" ["op"],
    /// The dispatch mode in force: 1 for it, 0 for others.
    dispatch_mode: IntGaugeVec = "shopfloor_dispatch_mode" ["mode"],
    /// Worker slots.
    worker_slots: IntGaugeVec = "shopfloor_worker_slots" ["state"],
    /// Workers; refreshed at every scrape.
    workers: IntGaugeVec = "shopfloor_workers" ["status"],
    /// Sessions ended by the reaper.
    sessions_reaped: IntCounterVec = "shopfloor_sessions_reaped_total" ["reason"],
    /// Open questions; refreshed at every scrape.
    clarifications_open: IntGaugeVec = "shopfloor_clarifications_open" [],
    /// From asked to closed.
    clarification_wait: HistogramVec = "shopfloor_clarification_wait_seconds" [],
    /// Time to start a sandbox.
    sandbox_start: HistogramVec = "shopfloor_sandbox_start_seconds" ["runtime", "temperature"],
    /// Runs in a sandbox.
    sandbox_runs: IntCounterVec = "shopfloor_sandbox_runs_total" ["outcome"],
    /// Findings of the critic.
    critic_findings: IntCounterVec = "shopfloor_critic_findings_total" ["tool", "severity"],
    /// HTTP requests.
    http_request: HistogramVec = "shopfloor_http_request_seconds" ["route", "method", "status"],
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// The Prometheus text format.
    ///
    /// # Errors
    /// [`prometheus::Error`] when a metric cannot be encoded.
    pub fn render(&self) -> prometheus::Result<String> {
        let mut out = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut out)?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }
}
