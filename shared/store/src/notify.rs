//! Wake-up calls between processes on PostgreSQL, by LISTEN and NOTIFY.
//!
//! A notification is sent right after the commit, on its own, and not inside the transaction: PostgreSQL serialises the
//! commits of transactions that notify, one flush to disk at a time. A process killed between the two loses the call;
//! everybody who waits for a bell also looks by himself now and then.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sea_orm::sqlx::{self, PgPool, postgres::PgListener};
use tokio::sync::{Notify, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::Bell;

const CHANNEL: &str = "shopfloor";
/// A call is worth nothing after a crash, so its commit does not wait for the disk.
const CALL: &str =
    "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, call) FROM unnest($2::text[]) AS call";
/// A quiet line is tested this often, so that a dead one is noticed.
const TEST_LINE_EVERY: Duration = Duration::from_secs(20);
const TEST_LINE_TIMEOUT: Duration = Duration::from_secs(5);
/// While something faster carries the calls, they go out this often at most: for those whom it does not reach.
const RELAYED_EVERY: Duration = Duration::from_millis(200);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// At the end, the calls that are still to be sent may take this long.
const LAST_CALLS: Duration = Duration::from_secs(1);

/// The two bells of a store and what is still to be told to other processes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bells {
    pub(crate) orders: Bell,
    pub(crate) events: Bell,
    /// Rung by what this process says, never by what it hears: passing it on makes no echo.
    pub(crate) said_orders: Bell,
    /// As `said_orders`.
    pub(crate) said_events: Bell,
    pending: Arc<Pending>,
}

#[derive(Debug, Default)]
struct Pending {
    orders: AtomicBool,
    events: AtomicBool,
    any: Notify,
    /// Whether something faster carries the calls.
    relayed: watch::Sender<bool>,
}

impl Bells {
    /// Rings here and, when somebody sends, everywhere else.
    pub(crate) fn announce_orders(&self) {
        self.orders.ring();
        self.said_orders.ring();
        self.pending.orders.store(true, Ordering::Release);
        self.pending.any.notify_one();
    }

    /// Rings here and, when somebody sends, everywhere else.
    pub(crate) fn announce_events(&self) {
        self.events.ring();
        self.said_events.ring();
        self.pending.events.store(true, Ordering::Release);
        self.pending.any.notify_one();
    }

    /// Notes whether something faster carries the calls.
    pub(crate) fn relayed(&self, relayed: bool) {
        self.pending.relayed.send_replace(relayed);
    }

    fn ring_all(&self) {
        self.orders.ring();
        self.events.ring();
    }
}

/// Starts sending and listening until `stop`.
pub(crate) fn start(pool: PgPool, bells: Bells, tasks: &TaskTracker, stop: &CancellationToken) {
    let me = Uuid::now_v7().simple().to_string();
    tasks.spawn(send(pool.clone(), bells.clone(), me.clone(), stop.clone()));
    tasks.spawn(stop.clone().run_until_cancelled_owned(listen(pool, bells, me)));
}

/// Sends what is pending; calls that come while one is on its way go out together. What is pending at `stop` is sent as
/// well: a process that submits and ends has told nobody yet.
async fn send(pool: PgPool, bells: Bells, me: String, stop: CancellationToken) {
    let mut relayed = bells.pending.relayed.subscribe();
    loop {
        let called = async {
            // Returns at once unless there is a relay; the sender lives as long as the bells.
            let _ = tokio::time::timeout(RELAYED_EVERY, relayed.wait_for(|relayed| !relayed)).await;
            bells.pending.any.notified().await;
        };
        let going_on = stop.run_until_cancelled(called).await.is_some();
        let mut calls = pin!(send_pending(&pool, &bells, &me));
        if going_on && stop.run_until_cancelled(&mut calls).await.is_some() {
            continue;
        }
        let last = async {
            calls.await;
            // What came while those were on their way.
            send_pending(&pool, &bells, &me).await;
        };
        if tokio::time::timeout(LAST_CALLS, last).await.is_err() {
            tracing::warn!("Other processes could not be woken before the end");
        }
        return;
    }
}

async fn send_pending(pool: &PgPool, bells: &Bells, me: &str) {
    let mut calls = Vec::new();
    for (flag, bell) in [(&bells.pending.orders, "orders"), (&bells.pending.events, "events")] {
        if flag.swap(false, Ordering::AcqRel) {
            calls.push(format!("{bell} {me}"));
        }
    }
    if calls.is_empty() {
        return;
    }
    if let Err(error) = sqlx::query(CALL).bind(CHANNEL).bind(calls).execute(pool).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "Other processes could not be woken");
    }
}

/// Listens for ever, and rings both bells after each (re)connection because calls may have been missed.
async fn listen(pool: PgPool, bells: Bells, me: String) {
    let mut pause = FIRST_PAUSE;
    loop {
        if let Err(error) = listen_once(&pool, &bells, &me, &mut pause).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "Lost the line to PostgreSQL's notifications");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn listen_once(pool: &PgPool, bells: &Bells, me: &str, pause: &mut Duration) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    *pause = FIRST_PAUSE;
    bells.ring_all();
    loop {
        match tokio::time::timeout(TEST_LINE_EVERY, listener.try_recv()).await {
            Ok(Ok(Some(notification))) => match notification.payload().split_once(' ') {
                Some((_, sender)) if sender == me => {}
                Some(("orders", _)) => bells.orders.ring(),
                Some(("events", _)) => bells.events.ring(),
                _ => bells.ring_all(),
            },
            // The listener has connected again by itself.
            Ok(Ok(None)) => bells.ring_all(),
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                let test = sqlx::query("SELECT 1").execute(&mut listener);
                let answered = tokio::time::timeout(TEST_LINE_TIMEOUT, test).await;
                answered.map_err(|_| sqlx::Error::PoolTimedOut)??;
            }
        }
    }
}
