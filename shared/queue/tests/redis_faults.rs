//! What only a queue with a state of its own can get wrong: Redis emptied, killed, stopped, wrong about what it knows.

use std::{collections::BTreeSet, time::Duration};

use shopfloor_domain::{Name, OrderId};
use shopfloor_queue::{Drift, Fairness, RedisQueue, RedisSettings};
use shopfloor_store::{
    orders::{ClaimRequest, Verdict},
    tasks::{self, NewTask},
};
use shopfloor_testkit::{Backend, name, new_task, queue_contract::Bench, run, soon};

const LONG: Duration = Duration::from_secs(100);

async fn bench(fairness: Fairness) -> Bench {
    Bench::redis(Backend::Sqlite, fairness).await
}

/// How often Redis has made a move of this name; functions and scripts alike count as one command each.
fn moves(bench: &Bench) -> u64 {
    let stats = bench.with_redis(|redis| redis.command(&["INFO", "commandstats"]));
    let calls = |line: &str| line.split_once("calls=")?.1.split(',').next()?.parse::<u64>().ok();
    let moves = stats.lines().filter(|line| line.starts_with("cmdstat_fcall:") || line.starts_with("cmdstat_evalsha:"));
    moves.filter_map(calls).sum()
}

/// Waits until the queue goes through Redis, or does no longer.
async fn mode(bench: &Bench, wanted: &str) {
    soon("the change of mode", async {
        while bench.queue.mode() != wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

async fn submit_in(bench: &Bench, project: &Name) -> OrderId {
    bench.submit(NewTask { project: project.clone(), ..new_task("a task") }).await.order_id
}

#[test]
fn claims_really_go_through_redis() {
    run(async {
        let bench = bench(Fairness::Arrival).await;
        assert_eq!((bench.queue.mode(), bench.queue.degraded()), ("redis", None));
        let worker = bench.worker().await;
        let before = moves(&bench);
        let order = bench.submit_one().await;
        assert_eq!(bench.claim_one(&worker).await.order.id, order);
        assert_eq!(moves(&bench), before + 2, "one publish, one claim");
        // Redis alone knows of nothing: what it was not told is not claimed.
        tasks::submit(&bench.store, new_task("unpublished"), bench.now()).await.expect("submitting");
        assert!(bench.claim(&worker).await.is_empty());
    });
}

#[test]
fn what_a_crash_left_unpublished_is_published_by_the_reconciler() {
    run(async {
        let bench = bench(Fairness::Arrival).await;
        let worker = bench.worker().await;
        let lost = tasks::submit(&bench.store, new_task("lost"), bench.now()).await.expect("submitting").order_id;
        bench.clock.advance(Duration::from_secs(3));
        let drift = bench.queue.reconcile(bench.now()).await.expect("reconciling");
        assert_eq!(drift, Drift { missing: 1, filled: false });
        assert_eq!(bench.queue.reconcile(bench.now()).await.expect("reconciling"), Drift::default());
        assert_eq!(bench.claim_one(&worker).await.order.id, lost);
    });
}

/// An order that has just been committed is not drift, and need not wait for its own process either.
#[test]
fn a_fresh_order_is_published_and_not_counted() {
    run(async {
        let bench = bench(Fairness::Arrival).await;
        let worker = bench.worker().await;
        let fresh = tasks::submit(&bench.store, new_task("fresh"), bench.now()).await.expect("submitting").order_id;
        assert_eq!(bench.queue.reconcile(bench.now()).await.expect("reconciling"), Drift::default());
        assert_eq!(bench.claim_one(&worker).await.order.id, fresh);
    });
}

#[test]
fn the_reconciler_goes_through_the_whole_queue() {
    run(async {
        let bench = bench(Fairness::Arrival).await;
        // More than one page, and the one that is missing lies in the middle.
        let bulk = |count: usize| (0..count).map(|n| new_task(&format!("task {n}"))).collect::<Vec<_>>();
        let mut ids = Vec::new();
        for round in 0..3 {
            bench.clock.advance(Duration::from_millis(1));
            let submitted = tasks::submit_bulk(&bench.store, bulk(900), bench.now()).await.expect("submitting");
            ids.extend(submitted.into_iter().map(|submitted| submitted.order_id));
            if round == 1 {
                ids.pop();
            }
        }
        bench.publish(&ids).await;
        bench.clock.advance(Duration::from_secs(3));
        let mut missing = 0;
        for _ in 0..2 {
            missing += bench.queue.reconcile(bench.now()).await.expect("reconciling").missing;
        }
        assert_eq!(missing, 1);
    });
}

#[test]
fn an_emptied_redis_costs_no_order_and_is_filled_again() {
    run(async {
        let bench = bench(Fairness::Projects).await;
        let worker = ClaimRequest { limit: 2, ..bench.worker().await };
        let mut left = BTreeSet::new();
        for _ in 0..10 {
            left.insert(bench.submit_one().await);
        }
        let held = bench.claim_one(&worker).await;
        left.remove(&held.order.id);
        bench.with_redis(|redis| redis.flush_all());
        // Straight from the record while nobody has filled it.
        for claimed in bench.claim(&worker).await {
            assert!(left.remove(&claimed.order.id));
        }
        assert_eq!((left.len(), bench.queue.mode()), (7, "sql"));
        assert!(bench.queue.degraded().is_some());
        left.insert(bench.submit_one().await);
        // The new one was published into the emptied Redis, the others were not.
        assert_eq!(bench.filled().await, 7);
        assert_eq!(bench.queue.mode(), "redis");
        let before = moves(&bench);
        let claimed: BTreeSet<_> = bench.drain(&worker).await.into_iter().collect();
        assert_eq!(claimed, left);
        assert!(moves(&bench) > before);
        bench.complete(held.fence()).await;
    });
}

#[test]
fn a_killed_redis_costs_no_order_and_comes_back() {
    run(async {
        let bench = bench(Fairness::Projects).await;
        let worker = bench.worker().await;
        let first = bench.submit_one().await;
        bench.with_redis(|redis| redis.kill());
        assert_eq!(bench.claim_one(&worker).await.order.id, first);
        mode(&bench, "sql").await;
        let second = bench.submit_one().await;
        let third = bench.submit_one().await;
        assert_eq!(bench.claim_one(&worker).await.order.id, second);
        bench.with_redis(|redis| redis.restart());
        assert_eq!(bench.filled().await, 1);
        mode(&bench, "redis").await;
        assert_eq!(bench.claim_one(&worker).await.order.id, third);
    });
}

#[test]
fn a_redis_that_does_not_answer_costs_time_only() {
    run(async {
        let bench = bench(Fairness::Projects).await;
        let worker = bench.worker().await;
        let first = bench.submit_one().await;
        bench.with_redis(|redis| redis.pause());
        assert_eq!(soon("a claim without Redis", bench.claim_one(&worker)).await.order.id, first);
        let second = soon("a submission without Redis", bench.submit_one()).await;
        assert_eq!(soon("another claim", bench.claim_one(&worker)).await.order.id, second);
        let third = bench.submit_one().await;
        bench.with_redis(|redis| redis.go_on());
        // It was not told of the third one, so it is not trusted until it has been filled.
        bench.filled().await;
        assert_eq!(bench.claim_one(&worker).await.order.id, third);
    });
}

#[test]
fn a_worker_that_waits_is_woken_when_redis_goes_and_when_it_comes_back() {
    run(async {
        let bench = bench(Fairness::Projects).await;
        let worker = bench.worker().await;
        assert!(bench.claim(&worker).await.is_empty());
        bench.with_redis(|redis| redis.kill());
        soon("the wake-up at the loss", bench.queue.wait(&worker, LONG)).await;
        assert!(bench.claim(&worker).await.is_empty());
        let order = bench.submit_one().await;
        soon("the record's own bell", bench.queue.wait(&worker, LONG)).await;
        assert_eq!(bench.claim_one(&worker).await.order.id, order);
    });
}

#[test]
fn a_wrong_limit_or_pause_in_redis_is_found_out() {
    run(async {
        let bench = bench(Fairness::Arrival).await;
        let (worker, small, red) = (bench.worker().await, name("small"), name("red"));
        let project = bench.project(&small, Some(1)).await;
        let held = submit_in(&bench, &small).await;
        assert_eq!(bench.claim_one(&worker).await.order.id, held);
        // As after a crash: a place that nobody holds, and a queue that was resumed behind its back.
        let key = format!("shopfloor:{{default}}:held:{}", project.0.simple());
        bench.with_redis(|redis| redis.command(&["SADD", &key, "nobody", "nobody-else"]));
        bench.with_redis(|redis| redis.command(&["SADD", "shopfloor:{default}:paused", "red"]));
        let waiting = submit_in(&bench, &small).await;
        let paused = bench.submit(NewTask { queue: red, ..new_task("not paused") }).await.order_id;
        bench.project(&small, Some(2)).await;
        let claimed: BTreeSet<_> = bench.drain(&worker).await.into_iter().collect();
        assert_eq!(claimed, BTreeSet::from([waiting, paused]));
    });
}

#[test]
fn what_redis_invents_is_dropped() {
    run(async {
        let bench = bench(Fairness::Arrival).await;
        let worker = bench.worker().await;
        let mut ids = Vec::new();
        for _ in 0..5 {
            let submitted = bench.submit(new_task("cancelled behind its back")).await;
            tasks::cancel(&bench.store, submitted.task.id, "someone", bench.now()).await.expect("cancelling");
            ids.push(submitted.order_id);
        }
        let real = bench.submit_one().await;
        assert_eq!(bench.claim_one(&worker).await.order.id, real);
        assert!(bench.claim(&worker).await.is_empty());
    });
}

#[test]
fn projects_take_turns() {
    run(async {
        let bench = bench(Fairness::Projects).await;
        let (worker, greedy, modest) = (bench.worker().await, name("greedy"), name("modest"));
        let (many, few) = (bench.project(&greedy, None).await, bench.project(&modest, None).await);
        for _ in 0..20 {
            submit_in(&bench, &greedy).await;
        }
        bench.clock.advance(Duration::from_secs(1));
        for _ in 0..3 {
            submit_in(&bench, &modest).await;
        }
        let mut order = Vec::new();
        for _ in 0..8 {
            let claimed = bench.claim_one(&worker).await;
            order.push(claimed.order.project_id);
            bench.finish(claimed.fence(), Verdict::Completed { result: serde_json::json!({}) }).await;
        }
        assert_eq!(order[..6].iter().filter(|project| **project == few).count(), 3, "{order:?}");
        assert_eq!(order[6..], [many, many]);
        // A claim of many shares as well, and one that was idle gets no arrears.
        for _ in 0..4 {
            submit_in(&bench, &modest).await;
        }
        let claimed = bench.claim(&ClaimRequest { limit: 6, ..worker }).await;
        assert_eq!(claimed.iter().filter(|claimed| claimed.order.project_id == few).count(), 3);
    });
}

/// Payloads are in the record; Redis has an id, a score and where it belongs.
#[test]
fn a_waiting_order_costs_redis_less_than_300_bytes() {
    run(async {
        const ORDERS: usize = 4000;
        let bench = bench(Fairness::Projects).await;
        let used = || {
            let memory = bench.with_redis(|redis| redis.command(&["INFO", "memory"]));
            let line = memory.lines().find_map(|line| line.strip_prefix("used_memory:").map(str::to_owned));
            line.and_then(|bytes| bytes.trim().parse::<usize>().ok()).expect("the memory in use")
        };
        for run_at in [None, Some(bench.now() + LONG)] {
            let before = used();
            for _ in 0..ORDERS / 500 {
                let bulk = (0..500).map(|_| NewTask { run_at, ..new_task("a task") }).collect();
                let submitted = tasks::submit_bulk(&bench.store, bulk, bench.now()).await.expect("submitting");
                bench.publish(&submitted.iter().map(|submitted| submitted.order_id).collect::<Vec<_>>()).await;
            }
            let each = (used() - before) / ORDERS;
            println!("delayed: {}, bytes per order: {each}", run_at.is_some());
            assert!(each < 300, "{each} bytes, delayed: {}", run_at.is_some());
        }
    });
}

#[test]
fn without_functions_the_moves_run_as_scripts() {
    run(async {
        let bench = bench(Fairness::Arrival).await;
        let user = ["ACL", "SETUSER", "plain", "on", ">secret", "~*", "&*", "+@all", "-function", "-fcall"];
        assert!(bench.with_redis(|redis| redis.command(&user)).starts_with("+OK"));
        let port = bench.with_redis(|redis| redis.port());
        let settings = RedisSettings {
            url: format!("redis://plain:secret@127.0.0.1:{port}/"),
            namespace: name("other"),
            fairness: Fairness::Arrival,
        };
        let queue = RedisQueue::connect((**bench.store).clone(), &settings).expect("a URL");
        let bench = Bench { queue: std::sync::Arc::new(queue), ..bench };
        bench.filled().await;
        // A restart of the scripts' cache is made good, too.
        assert!(bench.with_redis(|redis| redis.command(&["SCRIPT", "FLUSH"])).starts_with("+OK"));
        let (worker, order) = (bench.worker().await, bench.submit_one().await);
        assert_eq!((bench.claim_one(&worker).await.order.id, bench.queue.mode()), (order, "redis"));
        let stats = bench.with_redis(|redis| redis.command(&["INFO", "commandstats"]));
        assert!(stats.contains("cmdstat_evalsha:"), "{stats}");
    });
}

#[test]
fn functions_that_were_flushed_are_loaded_again() {
    run(async {
        let bench = bench(Fairness::Arrival).await;
        assert!(bench.with_redis(|redis| redis.command(&["FUNCTION", "FLUSH"])).starts_with("+OK"));
        let (worker, order) = (bench.worker().await, bench.submit_one().await);
        assert_eq!((bench.claim_one(&worker).await.order.id, bench.queue.mode()), (order, "redis"));
    });
}
