//! The metrics. Names begin with `shopfloor_`, times are seconds, counters end in `_total`, and no id is ever a label.

use prometheus::{
    CounterVec as SecondsCounterVec, Encoder, HistogramOpts, HistogramVec, HistogramVec as SizeHistogramVec,
    IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
};

/// Buckets from a millisecond to ten minutes.
const SECONDS: &[f64] = &[0.001, 0.005, 0.015, 0.05, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 120.0, 600.0];
/// Buckets for how many at once: none, one, and up to the most that one claim hands out.
const SIZES: &[f64] = &[0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 100.0];

/// What there is to know of a metric without a value of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Described {
    /// Its name.
    pub name: &'static str,
    /// Its kind, as Prometheus calls it.
    pub kind: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $field:ident: $kind:ident = $name:literal [$($label:literal),*]),+ $(,)?) => {
        /// Every metric of the process. Cloning shares the counters.
        #[derive(Debug, Clone)]
        pub struct Metrics {
            registry: Registry,
            $($(#[doc = $doc])+ pub $field: $kind),+
        }

        impl Metrics {
            /// Every metric's name.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// Every metric's labels, in the order of [`Self::NAMES`].
            pub const LABELS: &'static [&'static [&'static str]] = &[$(&[$($label),*]),+];

            /// Every metric, in the order of [`Self::NAMES`].
            pub const DESCRIBED: &'static [Described] = &[$(Described {
                name: $name,
                kind: new_metric::kind(stringify!($kind)),
                labels: &[$($label),*],
                help: concat!($($doc),+).trim_ascii(),
            }),+];

            /// A fresh registry with every metric in it.
            ///
            /// # Panics
            /// Never: the names are constants, and a test registers them all.
            #[must_use]
            pub fn new() -> Self {
                let registry = Registry::new();
                $(let $field = {
                    let labels: &[&str] = &[$($label),*];
                    let metric = new_metric::$kind($name, concat!($($doc),+).trim(), labels).expect($name);
                    registry.register(Box::new(metric.clone())).expect($name);
                    if labels.is_empty() {
                        // Shows as zero from the start, so that an alert can tell "none yet" from "not scraped".
                        metric.with_label_values::<&str>(&[]);
                    }
                    metric
                };)+
                Self { registry, $($field),+ }
            }
        }
    };
}

#[expect(non_snake_case, reason = "named after the type each makes, for the macro")]
mod new_metric {
    use super::{
        HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, SECONDS, SIZES, SecondsCounterVec,
        SizeHistogramVec,
    };

    /// What Prometheus calls a type of ours.
    pub(super) const fn kind(name: &str) -> &'static str {
        match name.as_bytes() {
            b"IntCounterVec" | b"SecondsCounterVec" => "counter",
            b"IntGaugeVec" => "gauge",
            _ => "histogram",
        }
    }

    pub(super) fn SecondsCounterVec(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<SecondsCounterVec> {
        SecondsCounterVec::new(Opts::new(name, help), labels)
    }

    pub(super) fn SizeHistogramVec(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<SizeHistogramVec> {
        SizeHistogramVec::new(HistogramOpts::new(name, help).buckets(SIZES.to_vec()), labels)
    }

    pub(super) fn IntCounterVec(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
        super::IntCounterVec::new(Opts::new(name, help), labels)
    }

    pub(super) fn IntGaugeVec(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        super::IntGaugeVec::new(Opts::new(name, help), labels)
    }

    pub(super) fn HistogramVec(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<HistogramVec> {
        super::HistogramVec::new(HistogramOpts::new(name, help).buckets(SECONDS.to_vec()), labels)
    }
}

metrics! {
    /// Orders submitted, retried, or queued again from the dead letters.
    orders_enqueued: IntCounterVec = "shopfloor_orders_enqueued_total" ["priority"],
    /// Orders that reached their final status: completed, failed, dead or cancelled.
    orders_finished: IntCounterVec = "shopfloor_orders_finished_total" ["outcome"],
    /// From due to claimed; a delay or a backoff that was asked for does not count.
    order_wait: HistogramVec = "shopfloor_order_wait_seconds" ["priority"],
    /// From claimed to the worker's verdict, whatever it was.
    order_run: HistogramVec = "shopfloor_order_run_seconds" [],
    /// Orders by state; refreshed at every scrape.
    queue_depth: IntGaugeVec = "shopfloor_queue_depth" ["state", "priority"],
    /// Age of the oldest ready order; refreshed at every scrape.
    queue_oldest_age: IntGaugeVec = "shopfloor_queue_oldest_age_seconds" [],
    /// Time that due orders spent waiting, by what kept them: the sum over orders, sampled by the leading orchestrator. The
    /// causes are the codes of `shopfloor why`.
    blocked: SecondsCounterVec = "shopfloor_blocked_seconds_total" ["cause"],
    /// Time of one claim.
    claim: HistogramVec = "shopfloor_claim_seconds" [],
    /// Orders that one claim brought; 0 for a claim that found nothing.
    claim_batch: SizeHistogramVec = "shopfloor_claim_batch_size" [],
    /// Looks for work after a wait: `work` when there was some, `empty` when another worker was quicker or nobody called.
    wakeups: IntCounterVec = "shopfloor_wakeups_total" ["kind"],
    /// Leases that ran out.
    lease_expired: IntCounterVec = "shopfloor_lease_expired_total" [],
    /// Writes of ghosts that were refused.
    fenced_writes: IntCounterVec = "shopfloor_fenced_writes_total" ["op"],
    /// The dispatch mode in force: 1 for it; others are not there.
    dispatch_mode: IntGaugeVec = "shopfloor_dispatch_mode" ["mode"],
    /// Queued orders that the queue did not know at the last look, by kind.
    reconcile_drift: IntGaugeVec = "shopfloor_reconcile_drift" ["kind"],
    /// How often an emptied queue was filled from the record.
    queue_fills: IntCounterVec = "shopfloor_queue_fills_total" [],
    /// Worker slots.
    worker_slots: IntGaugeVec = "shopfloor_worker_slots" ["state"],
    /// Workers; refreshed at every scrape.
    workers: IntGaugeVec = "shopfloor_workers" ["status"],
    /// Sessions ended by the reaper.
    sessions_reaped: IntCounterVec = "shopfloor_sessions_reaped_total" ["reason"],
    /// Whether this process's orchestrator leads: 1 or 0.
    leader: IntGaugeVec = "shopfloor_leader" [],
    /// Passes of the orchestrator's loops.
    loop_passes: IntCounterVec = "shopfloor_loop_passes_total" ["loop", "outcome"],
    /// Time of one pass of an orchestrator's loop.
    loop_pass: HistogramVec = "shopfloor_loop_pass_seconds" ["loop"],
    /// Open questions; refreshed at every scrape.
    clarifications_open: IntGaugeVec = "shopfloor_clarifications_open" [],
    /// What the deadline ladder did with open questions.
    clarification_prompts: IntCounterVec = "shopfloor_clarification_prompts_total" ["rung"],
    /// From asked to answered, once for each answer that counted. What nobody answered is among the prompts as `expired`.
    clarification_wait: HistogramVec = "shopfloor_clarification_wait_seconds" [],
    /// Time to start a sandbox. Nothing moves it yet: it comes with the sandboxes in Docker.
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The type line that Prometheus reads for each metric.
    fn types(rendered: &str) -> Vec<(&str, &str)> {
        rendered.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect()
    }

    #[test]
    fn every_metric_registers_and_is_unique() {
        let metrics = Metrics::new();
        let names: BTreeSet<_> = Metrics::NAMES.iter().collect();
        assert_eq!(names.len(), Metrics::NAMES.len());
        assert_eq!(Metrics::LABELS.len(), Metrics::NAMES.len());
        let unlabelled = Metrics::LABELS.iter().filter(|labels| labels.is_empty()).count();
        assert_eq!(types(&metrics.render().unwrap()).len(), unlabelled, "these show from the start");
    }

    #[test]
    fn names_begin_with_shopfloor_and_say_their_unit() {
        for name in Metrics::NAMES {
            let word = name.strip_prefix("shopfloor_").unwrap_or_else(|| panic!("{name}"));
            assert!(word.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
            assert!(!word.ends_with("_ms") && !word.contains("milli"), "{name}: times are seconds");
        }
    }

    #[test]
    fn counters_end_in_total_and_nothing_else_does() {
        let source = include_str!("metrics.rs");
        for name in Metrics::NAMES {
            let declared = source.lines().find(|line| line.contains(&format!("= \"{name}\""))).unwrap();
            assert_eq!(declared.contains("CounterVec"), name.ends_with("_total"), "{name}");
            let unit = if declared.contains(": SizeHistogramVec") { "_size" } else { "_seconds" };
            assert!(!declared.contains("HistogramVec") || name.ends_with(unit), "{name}: histograms say their unit");
        }
    }

    #[test]
    fn no_id_is_a_label() {
        for (name, labels) in Metrics::NAMES.iter().zip(Metrics::LABELS) {
            for label in *labels {
                let words: Vec<_> = label.split('_').collect();
                let ids = ["id", "task", "order", "project", "worker", "session", "run", "step", "user", "key", "path"];
                assert!(!words.iter().any(|word| ids.contains(word)), "{name} has the label {label}");
            }
        }
    }

    #[test]
    fn clones_share_what_they_count_and_say_what_it_is() {
        let metrics = Metrics::new();
        metrics.clone().orders_enqueued.with_label_values(&["high"]).inc();
        let rendered = metrics.render().unwrap();
        assert!(
            rendered.contains("# HELP shopfloor_orders_enqueued_total Orders submitted, retried, or queued"),
            "{rendered}"
        );
        assert!(rendered.contains("shopfloor_orders_enqueued_total{priority=\"high\"} 1"), "{rendered}");
        assert!(types(&rendered).contains(&("shopfloor_orders_enqueued_total", "counter")), "{rendered}");
    }
}
