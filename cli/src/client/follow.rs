//! Follows the event stream: reconnects with backoff and resumes where it was, so that nothing is missed.

use std::{pin::Pin, time::Duration};

use eventsource_stream::{Event, EventStream, Eventsource};
use futures::{Stream, StreamExt};
use reqwest::Method;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::Client;
use crate::exit::{self, Exit, Failure};

/// The server sends a heartbeat every five seconds; silence for this long is a dead connection.
const SILENCE: Duration = Duration::from_secs(20);
/// How long to try to reach a server that was there before.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// The first pause between tries; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

type Bytes = Pin<Box<dyn Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>;

/// A reader of the event stream.
pub(crate) struct Follower {
    client: Client,
    query: Vec<(&'static str, String)>,
    last_id: Option<String>,
    stream: Option<EventStream<Bytes>>,
    ever_connected: bool,
}

impl Follower {
    /// Follows the events that `query` selects (`task_id`, `kind`, `after`).
    pub(crate) fn new(client: &Client, query: Vec<(&'static str, String)>) -> Self {
        Self { client: client.clone(), query, last_id: None, stream: None, ever_connected: false }
    }

    /// Follows one task from its first event on.
    pub(crate) fn task(client: &Client, task: &str) -> Self {
        Self::new(client, vec![("task_id", task.to_owned()), ("after", "0-0".to_owned())])
    }

    /// The next event: its kind and its JSON. Never ends; fails when the server stays away or refuses.
    pub(crate) async fn next(&mut self) -> anyhow::Result<(String, Value)> {
        loop {
            if self.stream.is_none() {
                self.stream = Some(self.connect().await?);
            }
            match self.read().await {
                Some(event) if event.event == "heartbeat" => {}
                Some(event) => {
                    if !event.id.is_empty() {
                        self.last_id = Some(event.id);
                    }
                    let data = serde_json::from_str(&event.data).unwrap_or(Value::Null);
                    return Ok((event.event, data));
                }
                None => self.stream = None,
            }
        }
    }

    /// The next event of the open stream; `None` when it broke, ended or went silent.
    async fn read(&mut self) -> Option<Event> {
        let stream = self.stream.as_mut()?;
        timeout(SILENCE, stream.next()).await.ok()??.ok()
    }

    async fn connect(&mut self) -> anyhow::Result<EventStream<Bytes>> {
        let stream = if self.ever_connected { patiently(|| self.open()).await? } else { self.open().await? };
        self.ever_connected = true;
        Ok(stream)
    }

    async fn open(&self) -> anyhow::Result<EventStream<Bytes>> {
        let mut request = self.client.request(Method::GET, "/events");
        request = match &self.last_id {
            Some(id) => {
                let kept: Vec<_> = self.query.iter().filter(|(name, _)| *name != "after").collect();
                request.query(&kept).header("Last-Event-ID", id)
            }
            None => request.query(&self.query),
        };
        let opening = timeout(SILENCE, self.client.send(request.header("Accept", "text/event-stream")));
        let response =
            opening.await.map_err(|_| Failure::new(Exit::Unreachable, "the event stream did not open"))??;
        let stream: Bytes = Box::pin(response.bytes_stream());
        Ok(stream.eventsource())
    }
}

/// Tries again, with growing pauses, while the server is out of reach: it may be restarting.
pub(crate) async fn patiently<T, F: Future<Output = anyhow::Result<T>>>(
    mut attempt: impl FnMut() -> F,
) -> anyhow::Result<T> {
    let give_up = Instant::now() + PATIENCE;
    let mut pause = FIRST_PAUSE;
    loop {
        match attempt().await {
            Err(error) if exit::of(&error) == Exit::Unreachable && Instant::now() + pause < give_up => {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            other => return other,
        }
    }
}
