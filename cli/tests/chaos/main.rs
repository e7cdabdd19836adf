//! Campaigns of random faults against the real binary: `docs/faults.md` says what is broken and what must hold.
//!
//! `SHOPFLOOR_CHAOS_SEEDS` says how many seeds are run (one when absent), `SHOPFLOOR_CHAOS_FROM` with which to begin. A seed
//! stands for a workload and a schedule of faults; the same seed replays the same.

#[cfg(test)]
mod check;
#[cfg(test)]
mod client;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod forged;
#[cfg(test)]
mod ops;
#[cfg(test)]
mod plan;
#[cfg(test)]
mod record;
#[cfg(test)]
mod run;
#[cfg(test)]
mod workload;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::{plan::Plan, run};

    fn number(name: &str, default: u64) -> u64 {
        match std::env::var(name) {
            Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not `{text}`")),
            Err(_) => default,
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whatever_breaks_nothing_is_lost_or_done_twice() {
        let (from, seeds) = (number("SHOPFLOOR_CHAOS_FROM", 1), number("SHOPFLOOR_CHAOS_SEEDS", 1));
        let mut failed = Vec::new();
        for seed in from..from + seeds {
            let plan = Plan::of(seed);
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{seed}"));
            match Box::pin(run::run(&plan, &kept)).await {
                Ok(summary) => println!("seed {seed}: {summary}"),
                Err(findings) => {
                    println!("seed {seed} FAILED; logs in {}\n{plan}", kept.display());
                    println!("{}\n", findings.join("\n"));
                    failed.push(seed);
                }
            }
        }
        assert!(failed.is_empty(), "{} of {seeds} seeds failed: {failed:?}", failed.len());
    }

    #[test]
    fn a_seed_replays() {
        for seed in 0..100 {
            assert_eq!(Plan::of(seed).to_string(), Plan::of(seed).to_string());
        }
        assert_ne!(Plan::of(1).to_string(), Plan::of(2).to_string());
    }
}
