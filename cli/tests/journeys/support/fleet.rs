//! A fleet of one's own: PostgreSQL, Redis, and each role as a process.

use std::{fs::File, path::PathBuf, pin::Pin, process::Stdio, time::Duration};

use eventsource_stream::Eventsource;
use futures::{Stream, StreamExt};
use reqwest::{Method, StatusCode};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use shopfloor_domain::{Clock as _, role::Role, time::SystemClock};
use shopfloor_store::keys;
use shopfloor_testkit::{Backend, RedisServer, TestStore, soon, store};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
    time::sleep,
};

use super::command::command;

/// An entry of the event stream: its id, its kind, itself.
pub(crate) type Entry = (String, String, Value);

/// The record, Redis and a key; the members are started one by one.
pub(crate) struct Fleet {
    pub(crate) redis: RedisServer,
    store: TestStore,
    key: String,
    http: reqwest::Client,
}

/// One process of the fleet.
pub(crate) struct Member {
    child: Child,
    pid: Pid,
    log: PathBuf,
    /// Where it answers: an API's address, or that of a role's metrics.
    pub(crate) url: String,
}

impl Fleet {
    /// An empty record and an empty Redis.
    pub(crate) async fn new() -> Self {
        let (store, redis) = (store(Backend::Postgres).await, RedisServer::start());
        let made = keys::create(&store, "journey", Role::Admin, None, SystemClock.now()).await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { redis, store, key: made.secret, http }
    }

    /// Starts an API and waits until it listens.
    pub(crate) async fn api(&self, name: &str, options: &[&str]) -> Member {
        self.start(name, &[&["api", "--bind", "127.0.0.1:0"], options].concat(), "The API listens on ").await
    }

    /// Starts another role and waits until its metrics are there.
    pub(crate) async fn role(&self, name: &str, role: &str, options: &[&str]) -> Member {
        self.start(name, &[&[role, "--metrics-bind", "127.0.0.1:0"], options].concat(), "Metrics are on ").await
    }

    async fn start(&self, name: &str, args: &[&str], says: &str) -> Member {
        let folder = self.store.scratch().join(name);
        let log = folder.with_extension("log");
        let mut command = command(&folder);
        command.args(args).args(["--redis-url", &self.redis.url()]);
        command.env("SHOPFLOOR_DATABASE_URL", &self.store.settings().database_url);
        command.env("SHOPFLOOR_BLOB_DIR", &self.store.settings().blob_dir);
        let output = File::options().create(true).append(true).open(&log).unwrap();
        let mut child = command.process_group(0).stdout(Stdio::piped()).stderr(output).spawn().unwrap();
        let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut member = Member { child, pid, log, url: String::new() };
        let said = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some(url) = line.strip_prefix(says) {
                    return url.trim_end_matches("/metrics").to_owned();
                }
            }
            panic!("{name} ended before it said `{says}`")
        };
        member.url = soon(name, said).await;
        // What it goes on to say must go somewhere.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        member
    }

    /// One request to an API; the status and the JSON of the answer.
    pub(crate) async fn request(&self, api: &Member, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let url = format!("{}/api/v1{path}", api.url);
        let mut request = self.http.request(method, url).bearer_auth(&self.key);
        if !body.is_null() {
            request = request.json(&body);
        }
        let response = soon(path, request.send()).await.unwrap();
        (response.status(), response.json().await.unwrap_or_default())
    }

    /// `GET` that must work.
    pub(crate) async fn get(&self, api: &Member, path: &str) -> Value {
        let (status, body) = self.request(api, Method::GET, path, Value::Null).await;
        assert!(status.is_success(), "GET {path}: {status} {body}");
        body
    }

    /// `POST` that must work.
    pub(crate) async fn post(&self, api: &Member, path: &str, body: Value) -> Value {
        let (status, answer) = self.request(api, Method::POST, path, body).await;
        assert!(status.is_success(), "POST {path}: {status} {answer}");
        answer
    }

    /// The event log after an entry, as a browser asks for it when it connects again.
    pub(crate) async fn events(&self, api: &Member, last_id: &str) -> Pin<Box<dyn Stream<Item = Entry> + Send>> {
        let request = self.http.get(format!("{}/api/v1/events", api.url)).bearer_auth(&self.key);
        let response = soon("the events", request.header("Last-Event-ID", last_id).send()).await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
        let events = response.bytes_stream().eventsource();
        Box::pin(events.take_while(|event| std::future::ready(event.is_ok())).filter_map(|event| async move {
            let event = event.ok().filter(|event| event.event != "heartbeat")?;
            Some((event.id, event.event, serde_json::from_str(&event.data).unwrap()))
        }))
    }

    /// The sum of a member's samples whose line begins with this, as Prometheus would read them now.
    pub(crate) async fn sample(&self, member: &Member, begins: &str) -> Option<f64> {
        let response = soon("a scrape", self.http.get(format!("{}/metrics", member.url)).send()).await.unwrap();
        let text = soon("the metrics", response.text()).await.unwrap();
        let mut values = text.lines().filter(|line| line.starts_with(begins)).peekable();
        values.peek()?;
        Some(values.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum())
    }

    /// Scrapes until the sample is at least this.
    pub(crate) async fn reaches(&self, member: &Member, begins: &str, least: f64) {
        let moved = async {
            while self.sample(member, begins).await.is_none_or(|value| value < least) {
                sleep(Duration::from_millis(50)).await;
            }
        };
        soon(begins, moved).await;
    }
}

impl Member {
    /// Kills it as `kill -9` does, and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        let _ = kill_process_group(self.pid, Signal::KILL);
        soon("the end", self.child.wait()).await.unwrap();
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = kill_process_group(self.pid, Signal::KILL);
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let from = log.len().saturating_sub(4096);
            eprintln!("--- the end of {} ---\n{}", self.log.display(), log.get(from..).unwrap_or(&log));
        }
    }
}
