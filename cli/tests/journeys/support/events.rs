//! The event stream as a test reads it.

use std::pin::Pin;

use eventsource_stream::Eventsource;
use futures::{Stream, StreamExt};
use serde_json::Value;

use super::{Server, in_time};

type Entry = (String, Value);

/// A task's events.
pub(crate) struct Events(Pin<Box<dyn Stream<Item = Entry> + Send>>);

impl Events {
    /// Follows a task from its first event on.
    pub(crate) async fn open(http: &reqwest::Client, server: &Server, task: &str) -> Self {
        let url = format!("{}/api/v1/events?after=0-0&task_id={task}", server.url);
        let response = http.get(url).bearer_auth(server.key()).send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
        let events = response.bytes_stream().eventsource().filter_map(|event| async move {
            let event = event.ok().filter(|event| event.event != "heartbeat")?;
            Some((event.event, serde_json::from_str(&event.data).unwrap()))
        });
        Self(Box::pin(events))
    }

    /// Reads until an event that fits.
    pub(crate) async fn until(&mut self, mut fits: impl FnMut(&str, &Value) -> bool) -> Entry {
        let mut seen = Vec::new();
        let search = async {
            while let Some((kind, event)) = self.0.next().await {
                if fits(&kind, &event) {
                    return Some((kind, event));
                }
                seen.push(format!("{kind} {}", event["payload"]));
            }
            None
        };
        let found = in_time("an event", search).await;
        found.unwrap_or_else(|| panic!("the stream ended without it; seen:\n{}", seen.join("\n")))
    }

    /// Reads until the task has printed this.
    pub(crate) async fn printed(&mut self, text: &str) {
        let said = |event: &Value| event["payload"]["text"].as_str().is_some_and(|said| said.contains(text));
        self.until(|kind, event| kind == "step.output" && said(event)).await;
    }
}
