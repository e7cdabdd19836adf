//! Calls between processes through a Redis of the test's own. A second handle on the record stands for another process. On
//! SQLite nothing but Redis can ring its bells; on PostgreSQL there is NOTIFY as well.

use std::pin::pin;

use futures::{FutureExt as _, StreamExt as _};
use shopfloor_domain::TaskId;
use shopfloor_events::{EventLog, redis::fan_out};
use shopfloor_store::{
    Backend, Ear, Store,
    events::{Cursor, EventFilter},
    tasks,
};
use shopfloor_testkit::{RedisServer, T0, TestStore, new_task, run, soon, store};
use tokio_util::sync::CancellationToken;

/// Two processes on one record, with their lines to one Redis.
struct Two {
    redis: RedisServer,
    here: TestStore,
    there: Store,
    stop: CancellationToken,
}

impl Two {
    async fn on(backend: Backend) -> Self {
        let (redis, here, stop) = (RedisServer::start(), store(backend).await, CancellationToken::new());
        let there = here.reopen().await;
        let mut ears = [here.events_bell().ear(), there.events_bell().ear()];
        for store in [&*here, &there] {
            fan_out(store, &redis.url(), "test", stop.clone()).expect("a fan-out");
        }
        // Whoever has subscribed looks once.
        for ear in &mut ears {
            soon("a line to Redis", ear.heard()).await;
        }
        Self { redis, here, there, stop }
    }

    async fn submit_there(&self) -> TaskId {
        submit(&self.there).await
    }
}

async fn submit(store: &Store) -> TaskId {
    tasks::submit(store, new_task("a task"), T0).await.expect("submitting").task.id
}

async fn rung(what: &str, ear: &mut Ear) {
    soon(what, ear.heard()).await;
}

/// Follows the log from its beginning until the submissions of these tasks are all seen; fails when one comes twice.
async fn all_are_seen(store: &Store, wanted: &[TaskId]) {
    let log = EventLog::new(store.clone());
    let mut stream = pin!(log.follow(Cursor::START, EventFilter::default(), CancellationToken::new()));
    let mut seen = Vec::new();
    while !wanted.iter().all(|task| seen.contains(task)) {
        let event = soon("an event", stream.next()).await.expect("the log goes on").expect("reading the log");
        if event.kind == shopfloor_domain::event::EventKind::TaskSubmitted {
            let task = event.task_id.expect("a task");
            assert!(!seen.contains(&task), "{task} came twice");
            seen.push(task);
        }
    }
}

#[test]
fn what_one_process_commits_rings_in_another_and_makes_no_echo() {
    run(async {
        let two = Two::on(Backend::Sqlite).await;
        let mut echo = [two.here.said_orders().ear(), two.here.said_events().ear()];
        // More than once: the first rings may still tell of the connection.
        for _ in 0..10 {
            let (mut orders, mut events) = (two.here.orders_bell().ear(), two.here.events_bell().ear());
            two.submit_there().await;
            rung("the orders' bell", &mut orders).await;
            rung("the events' bell", &mut events).await;
        }
        for ear in &mut echo {
            assert_eq!(ear.heard().now_or_never(), None, "what was heard was passed on");
        }
    });
}

#[test]
fn redis_killed_in_the_middle_loses_nothing() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        run(async move {
            let mut two = Two::on(backend).await;
            let follower = EventLog::new((*two.here).clone());
            let tail = shopfloor_store::events::tail(&two.here).await.expect("the tail");
            let mut live = pin!(follower.follow(tail, EventFilter::default(), CancellationToken::new()));
            let mut tasks = Vec::new();
            for round in 0..9 {
                match round {
                    3 => two.redis.kill(),
                    6 => {
                        let mut back = two.here.events_bell().ear();
                        two.redis.restart();
                        rung("the bell after the reconnection", &mut back).await;
                    }
                    _ => {}
                }
                let task = two.submit_there().await;
                tasks.push(task);
                loop {
                    let event = soon("the event", live.next()).await.expect("the log goes on").expect("an event");
                    if event.task_id == Some(task) {
                        break;
                    }
                }
            }
            all_are_seen(&two.there, &tasks).await;
        });
    }
}

#[test]
fn a_redis_that_answers_nothing_leaves_the_calls_to_the_database() {
    run(async {
        let two = Two::on(Backend::Postgres).await;
        two.redis.pause();
        for _ in 0..5 {
            let mut events = two.here.events_bell().ear();
            two.submit_there().await;
            rung("NOTIFY", &mut events).await;
        }
        two.redis.go_on();
    });
}

#[test]
fn a_call_that_nobody_understands_rings_both_bells() {
    run(async {
        let two = Two::on(Backend::Sqlite).await;
        for call in ["", "nonsense", "weather somebody"] {
            let (mut orders, mut events) = (two.here.orders_bell().ear(), two.here.events_bell().ear());
            let heard = two.redis.command(&["PUBLISH", "shopfloor:{test}:calls", call]);
            assert_eq!(heard, ":2\r\n", "both processes listen");
            rung("the orders' bell", &mut orders).await;
            rung("the events' bell", &mut events).await;
        }
    });
}

#[test]
fn the_line_ends_when_told_to_and_a_wrong_address_is_refused() {
    run(async {
        let two = Two::on(Backend::Sqlite).await;
        let line = fan_out(&two.here, &two.redis.url(), "test", two.stop.clone()).expect("a fan-out");
        two.stop.cancel();
        soon("its end", line).await.expect("no panic");
        let nowhere = fan_out(&two.here, "http://127.0.0.1:6379", "test", CancellationToken::new());
        assert!(nowhere.is_err_and(|error| error.to_string().contains("redis://")));
    });
}
