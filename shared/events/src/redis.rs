//! Wake-up calls between processes through Redis: what one process has committed rings the bells of all others at once.
//!
//! A message says only *what* to look at; the log itself stays in SQL. So nothing is lost when Redis is away: PostgreSQL's
//! NOTIFY goes on carrying the calls (it is sent less often while Redis does), below it lies the followers' safety poll,
//! and whoever comes back looks once, for he may have missed something.
//!
//! Channels know no database numbers; the namespace keeps several Shopfloors on one Redis server apart.

use std::{convert::Infallible, fmt::Display, time::Duration};

use futures::StreamExt as _;
use redis::{AsyncConnectionConfig, Client, Msg, RedisError, Value};
use shopfloor_store::{Ear, Store};
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The longest that Redis may take to answer, or to take a connection.
const PATIENCE: Duration = Duration::from_secs(2);
/// A quiet line is tested this often, so that a dead one is noticed.
const TEST_LINE_EVERY: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why there is no fan-out.
#[derive(Debug, thiserror::Error)]
#[error("the address of Redis cannot be used: expected `redis://…`, `rediss://…` or `unix://…`")]
pub struct BadUrl(#[from] RedisError);

/// Passes on to the other processes of this namespace what `store` says, and rings its bells on what they say, until
/// `stop`. Whether Redis is there does not matter: it is looked for again and again.
///
/// # Errors
/// [`BadUrl`].
pub fn fan_out(store: &Store, url: &str, namespace: &str, stop: CancellationToken) -> Result<JoinHandle<()>, BadUrl> {
    let line = Line {
        client: Client::open(url)?,
        channel: format!("shopfloor:{{{namespace}}}:calls"),
        store: store.clone(),
        me: Uuid::now_v7().simple().to_string(),
    };
    // Armed here, so that whatever is said from now on is passed on.
    let ears = (store.said_orders().ear(), store.said_events().ear());
    Ok(tokio::spawn(async move {
        let both = async { tokio::join!(line.say(ears), line.hear()) };
        stop.run_until_cancelled(both).await;
        line.store.relayed(false);
    }))
}

struct Line {
    client: Client,
    /// Where the calls are published.
    channel: String,
    store: Store,
    /// Tells one's own calls, which have been heard here already.
    me: String,
}

/// What a call is about.
const ORDERS: &str = "orders";
const EVENTS: &str = "events";
const BOTH: &str = "both";

impl Line {
    /// Passes on what is said here, for ever.
    async fn say(&self, (mut orders, mut events): (Ear, Ear)) {
        let mut pause = FIRST_PAUSE;
        loop {
            let Err(error) = self.say_once(&mut orders, &mut events, &mut pause).await;
            self.store.relayed(false);
            rest(&error, &mut pause).await;
        }
    }

    async fn say_once(
        &self,
        orders: &mut Ear,
        events: &mut Ear,
        pause: &mut Duration,
    ) -> Result<Infallible, RedisError> {
        let config = AsyncConnectionConfig::new();
        let config = config.set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        // A call may have been on its way when the last connection broke.
        let mut what = BOTH;
        loop {
            let call = format!("{what} {}", self.me);
            let () = redis::cmd("PUBLISH").arg(&self.channel).arg(call).query_async(&mut connection).await?;
            *pause = FIRST_PAUSE;
            self.store.relayed(true);
            what = tokio::select! {
                () = orders.heard() => ORDERS,
                () = events.heard() => EVENTS,
            };
        }
    }

    /// Rings on what is said elsewhere, for ever; and after each (re)connection, because calls may have been missed.
    async fn hear(&self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let Err(problem) = self.hear_once(&mut pause).await;
            rest(&problem, &mut pause).await;
        }
    }

    async fn hear_once(&self, pause: &mut Duration) -> Result<Infallible, String> {
        let text = |error: RedisError| error.to_string();
        let late = |_| "no answer in time".to_owned();
        let (mut sink, mut calls) =
            timeout(PATIENCE, self.client.get_async_pubsub()).await.map_err(late)?.map_err(text)?.split();
        timeout(PATIENCE, sink.subscribe(&self.channel)).await.map_err(late)?.map_err(text)?;
        *pause = FIRST_PAUSE;
        self.ring(BOTH);
        loop {
            match timeout(TEST_LINE_EVERY, calls.next()).await {
                Ok(Some(call)) => self.heard(&call),
                Ok(None) => return Err("the connection was closed".to_owned()),
                Err(_) => {
                    timeout(PATIENCE, sink.ping::<Value>()).await.map_err(late)?.map_err(text)?;
                }
            }
        }
    }

    fn heard(&self, call: &Msg) {
        match std::str::from_utf8(call.get_payload_bytes()).ok().and_then(|call| call.split_once(' ')) {
            Some((_, sender)) if sender == self.me => {}
            Some((what, _)) => self.ring(what),
            None => self.ring(BOTH),
        }
    }

    /// Rings here, and here only. A newer version may say what this one does not know: then both are looked at.
    fn ring(&self, what: &str) {
        if what != EVENTS {
            self.store.orders_bell().ring();
        }
        if what != ORDERS {
            self.store.events_bell().ring();
        }
    }
}

/// Says what went wrong, and waits before the next try, longer from try to try.
async fn rest(problem: &(impl Display + Sync), pause: &mut Duration) {
    tracing::warn!(%problem, pause_ms = pause.as_millis(), "Lost the line to Redis; calls go through the database");
    tokio::time::sleep(*pause).await;
    *pause = (*pause * 2).min(LONGEST_PAUSE);
}
