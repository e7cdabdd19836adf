//! A Shopfloor of one's own: starts it, speaks with it, kills it.

mod command;
mod events;
mod fleet;
mod process;
mod run;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

pub(crate) use command::command;
pub(crate) use events::Events;
pub(crate) use fleet::{Entry, Fleet, Member};
pub(crate) use process::Server;
pub(crate) use run::Ran;

/// How long anything may take before a test gives up. Generous: the machine may be busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// A server with its data folder.
pub(crate) struct Shop {
    pub(crate) dir: TempDir,
    pub(crate) server: Server,
    options: Vec<String>,
    http: reqwest::Client,
}

impl Shop {
    /// Starts a server on embedded defaults.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts a server with further options.
    pub(crate) async fn with(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        let server = Server::start(&data_dir(&dir), "127.0.0.1:0", &options).await;
        Self { dir, server, options, http: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    /// Kills the server as `kill -9` does, and waits until it is gone.
    pub(crate) async fn kill(&mut self) {
        self.server.signal(rustix::process::Signal::KILL);
        self.server.ended().await;
    }

    /// Starts the server again, on the same data, address and options.
    pub(crate) async fn start_again(&mut self) {
        let bind = self.server.url.trim_start_matches("http://").to_owned();
        self.server = Server::start(&self.data_dir(), &bind, &self.options).await;
    }

    /// Where its data is.
    pub(crate) fn data_dir(&self) -> PathBuf {
        data_dir(&self.dir)
    }

    /// Runs a command against it.
    pub(crate) async fn cli(&self, args: &[&str]) -> Ran {
        Ran::finish(args, self.command(args)).await
    }

    /// A command against it, not started yet.
    pub(crate) fn command(&self, args: &[&str]) -> tokio::process::Command {
        let mut command = command(&self.data_dir());
        command.args(args);
        command
    }

    /// One request; the status and the JSON of the answer.
    pub(crate) async fn request(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let url = format!("{}/api/v1{path}", self.server.url);
        let mut request = self.http.request(method, url).bearer_auth(self.server.key()).timeout(PATIENCE);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (response.status(), response.json().await.unwrap_or_default())
    }

    /// `GET` that must work.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.request(Method::GET, path, None).await;
        assert!(status.is_success(), "GET {path}: {status} {body}");
        body
    }

    /// `POST` that must work.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.request(Method::POST, path, Some(body)).await;
        assert!(status.is_success(), "POST {path}: {status} {answer}");
        answer
    }

    /// Submits a piece of Python; the task's id.
    pub(crate) async fn run_code(&self, title: &str, code: &str) -> String {
        let task = self.post("/tasks", json!({"title": title, "input": {"code": code}})).await;
        text(&task["id"])
    }

    /// Waits until the task is over; the task.
    pub(crate) async fn over(&self, task: &str) -> Value {
        let mut events = self.events(task).await;
        events.until(|kind, event| kind == "task.status" && is_final(&event["payload"]["to"])).await;
        self.get(&format!("/tasks/{task}")).await
    }

    /// Follows a task from its first event on.
    pub(crate) async fn events(&self, task: &str) -> Events {
        Events::open(&self.http, &self.server, task).await
    }

    /// Waits for the task's next open question.
    pub(crate) async fn question(&self, task: &str) -> Value {
        self.until("a question is open", || async {
            let open = self.get(&format!("/questions?status=open&task_id={task}")).await;
            open["items"].get(0).cloned()
        })
        .await
    }

    /// Waits until the task's order is in this status; the task.
    pub(crate) async fn order_is(&self, task: &str, status: &str) -> Value {
        self.until(status, || async {
            let task = self.get(&format!("/tasks/{task}")).await;
            (task["order"]["status"] == status).then_some(task)
        })
        .await
    }

    /// The task's steps as `(name, kind, status, round, attempt)`.
    pub(crate) async fn steps(&self, task: &str) -> Vec<(String, String, String, i64, i64)> {
        let steps = self.get(&format!("/tasks/{task}/steps")).await;
        let number = |step: &Value, field: &str| step[field].as_i64().unwrap();
        let row = |step: &Value| {
            let [name, kind, status] = ["name", "kind", "status"].map(|field| text(&step[field]));
            (name, kind, status, number(step, "round"), number(step, "attempt"))
        };
        steps["items"].as_array().unwrap().iter().map(row).collect()
    }

    /// Looks again and again until there is something.
    pub(crate) async fn until<T, F: Future<Output = Option<T>>>(&self, what: &str, mut look: impl FnMut() -> F) -> T {
        let give_up = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(Instant::now() < give_up, "waited in vain until: {what}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn data_dir(dir: &TempDir) -> PathBuf {
    dir.path().join("data")
}

/// A file of `examples/`.
pub(crate) fn example(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name).display().to_string()
}

/// A JSON text.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

/// Whether a task's status is one that it stays in.
pub(crate) fn is_final(status: &Value) -> bool {
    ["completed", "failed", "cancelled"].iter().any(|word| status == word)
}

/// Runs something with the patience of a test.
pub(crate) async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("took too long: {what}"))
}
