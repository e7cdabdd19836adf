//! Wake-up between processes: PostgreSQL's NOTIFY rings where no bell of this process can.

use std::{sync::Arc, time::Duration};

use shopfloor_queue::{Queue, SqlQueue};
use shopfloor_store::tasks;
use shopfloor_testkit::{Backend, T0, new_task, queue_contract::Bench, run, soon};

const LONG: Duration = Duration::from_secs(100);

#[test]
fn a_submission_of_another_process_wakes_this_one() {
    run(async {
        let bench = Bench::sql(Backend::Postgres).await;
        let worker = bench.worker().await;
        let elsewhere = bench.store.reopen().await;
        for _ in 0..5 {
            let (hunter, request) = (bench.clone(), worker.clone());
            let hunt = tokio::spawn(async move {
                loop {
                    if let Some(claimed) = hunter.claim(&request).await.pop() {
                        return claimed.order.id;
                    }
                    hunter.queue.wait(&request, LONG).await;
                }
            });
            // Submitted and not published: only the transaction itself tells.
            let submitted = tasks::submit(&elsewhere, new_task("from elsewhere"), T0).await.expect("submitting");
            assert_eq!(soon("the order from elsewhere", hunt).await.expect("the hunter"), submitted.order_id);
        }
    });
}

/// A command that submits and ends: its store is closed right after the commit, with the call to others still pending.
#[test]
fn a_submission_wakes_others_even_when_its_process_ends_at_once() {
    run(async {
        let bench = Bench::sql(Backend::Postgres).await;
        for _ in 0..10 {
            let elsewhere = bench.store.reopen().await;
            let mut ear = bench.store.orders_bell().ear();
            tasks::submit(&elsewhere, new_task("the last word"), T0).await.expect("submitting");
            elsewhere.close().await.expect("closing");
            soon("the call", ear.heard()).await;
        }
    });
}

#[test]
fn a_delayed_order_of_another_process_is_waited_for() {
    run(async {
        let bench = Bench::sql(Backend::Postgres).await;
        let worker = bench.worker().await;
        let elsewhere = Arc::new(SqlQueue::new(bench.store.reopen().await));
        let other_store = bench.store.reopen().await;
        assert!(bench.claim(&worker).await.is_empty());
        let delay = Duration::from_millis(300);
        let new = tasks::NewTask { run_at: Some(T0 + delay), ..new_task("later, from elsewhere") };
        let submitted = tasks::submit(&other_store, new, T0).await.expect("submitting");
        elsewhere.publish(&[submitted.order_id], T0).await.expect("publishing");
        // Once for the submission, once for the due time; an echo of an earlier change may come in between.
        while bench.now() < T0 + delay {
            let before = tokio::time::Instant::now();
            soon("a wake-up", bench.queue.wait(&worker, LONG)).await;
            bench.clock.advance(before.elapsed());
            if bench.now() < T0 + delay {
                assert!(bench.claim(&worker).await.is_empty());
            }
        }
        assert_eq!(bench.claim_one(&worker).await.order.id, submitted.order_id);
    });
}
