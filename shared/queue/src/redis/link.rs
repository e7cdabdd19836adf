//! The connection to Redis: up or down, never a reason to fail. A call that goes wrong takes the link down and answers
//! `None`; a keeper brings it up again, and meanwhile the queue works straight from the record.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisResult, aio::MultiplexedConnection};
use shopfloor_domain::{Name, WorkerId, backoff::RetryPolicy};
use shopfloor_store::{Bell, Ear};
use tokio::{sync::Notify, time::sleep};
use tracing::{info, warn};
use uuid::Uuid;

use super::{
    keys::Keys,
    library::{Library, Move, bytes},
};

/// How long one call may take. Longer means that Redis is not there: the record answers faster.
const CALL_TIMEOUT: Duration = Duration::from_millis(500);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the keeper listens before it looks whether the queue is still the one it knew, in seconds.
const LISTEN_SECONDS: u64 = 1;
const LISTEN_TIMEOUT: Duration = Duration::from_secs(LISTEN_SECONDS + 1);
/// Calls taken from the bell at once.
const CALLS: u32 = 64;
const RECONNECT: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(100), max: Duration::from_secs(2), max_attempts: 0, max_kills: 0 };
/// Workers remembered at most. Forgetting one costs it a look at its next safety poll.
const MAX_WORKERS: usize = 4096;

/// A link. Cloning shares it.
#[derive(Debug, Clone)]
pub(super) struct Link(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    keys: Keys,
    library: Library,
    /// Stands for this process: its workers are called on a bell of this name.
    instance: String,
    connection: Mutex<Option<MultiplexedConnection>>,
    trouble: Notify,
    /// Something could not be told to Redis: what it holds is not complete.
    doubt: AtomicBool,
    /// Whether Redis said, when last asked, that it is complete.
    complete: AtomicBool,
    workers: Mutex<HashMap<WorkerId, Bell>>,
}

impl Link {
    pub(super) fn new(client: Client, namespace: &Name, library: Library) -> Self {
        Self(Arc::new(Inner {
            client,
            keys: Keys::new(namespace),
            library,
            instance: Uuid::now_v7().simple().to_string(),
            connection: Mutex::default(),
            trouble: Notify::new(),
            doubt: AtomicBool::new(false),
            complete: AtomicBool::new(false),
            workers: Mutex::default(),
        }))
    }

    /// Whether calls are answered at present.
    pub(super) fn is_up(&self) -> bool {
        lock(&self.0.connection).is_some()
    }

    /// Whether Redis, when last asked, was there and complete.
    pub(super) fn is_complete(&self) -> bool {
        self.is_up() && self.0.complete.load(Ordering::Relaxed)
    }

    /// Notes whether Redis says that it is complete.
    pub(super) fn note_complete(&self, complete: bool) {
        self.0.complete.store(complete, Ordering::Relaxed);
    }

    /// The name of this process's bell.
    pub(super) fn instance(&self) -> &str {
        &self.0.instance
    }

    /// An ear for calls to this worker, and for every change of the link.
    pub(super) fn ear(&self, worker: WorkerId) -> Ear {
        let mut workers = lock(&self.0.workers);
        if workers.len() >= MAX_WORKERS && !workers.contains_key(&worker) {
            workers.clear();
        }
        workers.entry(worker).or_default().ear()
    }

    /// Makes a move; `None` when Redis is not there, which takes the link down.
    pub(super) async fn call<T: FromRedisValue>(&self, step: Move, arguments: &[Vec<u8>]) -> Option<T> {
        self.call_after(None, step, arguments).await
    }

    /// As [`Self::call`], right after another command, in one trip.
    pub(super) async fn call_after<T: FromRedisValue>(
        &self,
        ahead: Option<Cmd>,
        step: Move,
        arguments: &[Vec<u8>],
    ) -> Option<T> {
        let mut connection = lock(&self.0.connection).clone()?;
        match self.0.library.call_after(&mut connection, ahead, step, self.0.keys.prefix(), arguments).await {
            Ok(reply) => Some(reply),
            Err(error) => {
                self.lost(&format!("{step:?}"), &error);
                None
            }
        }
    }

    /// Sends a plain command; `None` when Redis is not there, which takes the link down.
    pub(super) async fn ask<T: FromRedisValue>(&self, doing: &str, command: Cmd) -> Option<T> {
        let mut connection = lock(&self.0.connection).clone()?;
        match command.query_async(&mut connection).await {
            Ok(reply) => Some(reply),
            Err(error) => {
                self.lost(doing, &error);
                None
            }
        }
    }

    /// The names of its keys.
    pub(super) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// Notes that Redis could not be told something: once it is back, it is filled anew.
    pub(super) fn doubt(&self) {
        self.0.doubt.store(true, Ordering::SeqCst);
    }

    /// The server's run id and the generation it was filled in; `None` when Redis is not there.
    pub(super) async fn generations(&self) -> Option<(String, Option<String>)> {
        let mut connection = lock(&self.0.connection).clone()?;
        match generations(&mut connection, &self.0.keys).await {
            Ok(found) => Some(found),
            Err(error) => {
                self.lost("asking for the generation", &error);
                None
            }
        }
    }

    fn lost(&self, doing: &str, error: &redis::RedisError) {
        if lock(&self.0.connection).take().is_some() {
            warn!(%error, doing, "Lost Redis; dispatch goes on straight from the record");
        }
        self.0.trouble.notify_one();
    }

    fn ring_all(&self) {
        lock(&self.0.workers).values().for_each(Bell::ring);
    }

    fn ring(&self, worker: &str) {
        let bell = worker.parse().ok().and_then(|worker: WorkerId| lock(&self.0.workers).get(&worker).cloned());
        if let Some(bell) = bell {
            bell.ring();
        }
    }

    /// Brings the link up, listens, and starts over when it breaks; for ever.
    pub(super) async fn keep(self) {
        let mut failures = 0_u32;
        loop {
            match self.come_up().await {
                Ok(listener) => {
                    info!("Dispatch goes through Redis");
                    failures = 0;
                    // Calls may have been missed while there was no line.
                    self.ring_all();
                    if let Err(error) = self.listen(listener).await {
                        self.lost("listening", &error);
                    }
                    lock(&self.0.connection).take();
                    self.ring_all();
                }
                Err(error) if failures == 0 => {
                    warn!(%error, "Cannot reach Redis; dispatch goes straight from the record")
                }
                Err(_) => {}
            }
            failures = failures.saturating_add(1);
            sleep(RECONNECT.backoff(failures, rand::random::<f64>().max(0.1))).await;
        }
    }

    /// Connects, loads the library, makes sure that moves are possible, and only then lets others use the connection.
    async fn come_up(&self) -> RedisResult<MultiplexedConnection> {
        let mut connection = self.connect(CALL_TIMEOUT).await?;
        let listener = self.connect(LISTEN_TIMEOUT).await?;
        self.0.library.load(&mut connection).await?;
        let doubted = self.0.doubt.swap(false, Ordering::SeqCst);
        let checked = self.check(&mut connection, doubted).await;
        if checked.is_err() && doubted {
            self.doubt();
        }
        checked?;
        lock(&self.0.connection).replace(connection);
        Ok(listener)
    }

    /// A move that changes nothing: a full server or a replica refuses it.
    async fn check(&self, connection: &mut MultiplexedConnection, doubted: bool) -> RedisResult<()> {
        let (library, prefix) = (&self.0.library, self.0.keys.prefix());
        let nothing = [bytes(i64::MIN), bytes(1)];
        let _: redis::Value = library.call(connection, Move::Promote, prefix, &nothing).await?;
        if doubted {
            let _: redis::Value = library.call(connection, Move::Complete, prefix, &[Vec::new()]).await?;
        }
        Ok(())
    }

    async fn connect(&self, timeout: Duration) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(timeout));
        self.0.client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Passes calls on until the line breaks or a call elsewhere has failed.
    async fn listen(&self, mut line: MultiplexedConnection) -> RedisResult<()> {
        let bell = self.0.keys.bell(&self.0.instance);
        let mut known: Option<String> = None;
        loop {
            let mut listen = redis::cmd("BLMPOP");
            listen.arg(LISTEN_SECONDS).arg(1).arg(&bell).arg("LEFT").arg("COUNT").arg(CALLS);
            let called: Option<(String, Vec<String>)> = tokio::select! {
                called = listen.query_async(&mut line) => called?,
                () = self.0.trouble.notified() => return Ok(()),
            };
            match called {
                Some((_, workers)) => workers.iter().for_each(|worker| self.ring(worker)),
                None => {
                    // Whoever waited on a queue that has been emptied is called by nobody.
                    let now: Option<String> =
                        redis::cmd("GET").arg(self.0.keys.generation()).query_async(&mut line).await?;
                    self.note_complete(now.is_some());
                    if now != known {
                        self.ring_all();
                        known = now;
                    }
                }
            }
        }
    }
}

async fn generations(connection: &mut MultiplexedConnection, keys: &Keys) -> RedisResult<(String, Option<String>)> {
    let (server, generation): (String, Option<String>) =
        redis::pipe().cmd("INFO").arg("server").cmd("GET").arg(keys.generation()).query_async(connection).await?;
    let run_id = server.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default();
    Ok((run_id.trim().to_owned(), generation))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section is one call: a panic elsewhere leaves nothing half-done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
