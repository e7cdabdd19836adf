//! People: they hand work in, answer questions, cancel, and remember what was promised to them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::workload::{Job, Kind, LIMITED};

/// The API answers a request well within this, or not at all.
const PATIENCE: Duration = Duration::from_secs(8);
const PAUSE: Duration = Duration::from_millis(250);

/// Speaks with the API.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    key: String,
    promised: Arc<Mutex<Promised>>,
}

/// What the API has acknowledged.
#[derive(Debug, Clone, Default)]
pub(crate) struct Promised {
    /// Tasks by the number of their job.
    pub(crate) tasks: BTreeMap<usize, String>,
    /// Answers that won, by question.
    pub(crate) answers: BTreeMap<String, Value>,
    /// Requests that were answered with something that no fault explains.
    pub(crate) strange: Vec<String>,
}

impl Client {
    pub(crate) fn new(port: u16, key: String) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { http, url: format!("http://127.0.0.1:{port}/api/v1"), key, promised: Arc::default() }
    }

    pub(crate) fn promised(&self) -> Promised {
        self.promised.lock().unwrap().clone()
    }

    /// One request; `None` when there is no answer, or one that blames the server.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        key: Option<String>,
        body: Option<Value>,
    ) -> Option<(StatusCode, Value)> {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.ok()?;
        let status = response.status();
        let body = response.json().await.ok()?;
        (!status.is_server_error()).then_some((status, body))
    }

    fn strange(&self, what: String) {
        self.promised.lock().unwrap().strange.push(what);
    }

    /// Sets the limited project up, as soon as the API answers. It may have no limit.
    pub(crate) async fn limit(&self, limit: Option<u32>) {
        let body = json!({"name": LIMITED, "max_concurrency": limit});
        while self.ask(Method::PUT, "/projects", None, Some(body.clone())).await.is_none() {
            sleep(PAUSE).await;
        }
    }

    /// Hands a task in at its time, again and again until that is acknowledged; then cancels it if that is planned.
    pub(crate) async fn hand_in(self, job: Job) {
        sleep(job.at).await;
        let task = loop {
            let key = job.keyed.then(|| format!("job-{}", job.number));
            match self.ask(Method::POST, "/tasks", key, Some(job.body())).await {
                Some((status, task)) if status.is_success() => break task["id"].as_str().unwrap().to_owned(),
                Some((status, problem)) => {
                    return self.strange(format!("handing job {} in: {status} {problem}", job.number));
                }
                None => sleep(PAUSE).await,
            }
        };
        self.promised.lock().unwrap().tasks.insert(job.number, task.clone());
        let Some(after) = job.cancel_after else { return };
        sleep(after).await;
        let path = format!("/tasks/{task}/cancel");
        // Refused when it is over already.
        while self.ask(Method::POST, &path, None, None).await.is_none() {
            sleep(PAUSE).await;
        }
    }

    /// Answers every question of tasks that want an answer, for ever.
    pub(crate) async fn answer_for_ever(self) {
        loop {
            sleep(PAUSE).await;
            let open = self.ask(Method::GET, "/questions?status=open&limit=100", None, None).await;
            let Some((StatusCode::OK, open)) = open else { continue };
            for question in open["items"].as_array().into_iter().flatten() {
                if question["task_title"].as_str().is_some_and(Kind::wants_answer) {
                    self.answer(question["id"].as_str().unwrap()).await;
                }
            }
        }
    }

    async fn answer(&self, id: &str) {
        let answer = json!(format!("seven for {id}"));
        let body = json!({"answer": answer});
        match self.ask(Method::POST, &format!("/questions/{id}/answer"), None, Some(body)).await {
            Some((StatusCode::OK, answered)) if answered["won"] == true => {
                self.promised.lock().unwrap().answers.insert(id.to_owned(), answer);
            }
            Some((StatusCode::OK, _)) | None => {}
            Some((status, problem)) => self.strange(format!("answering question {id}: {status} {problem}")),
        }
    }

    /// Pauses a queue or resumes it, if the API answers and knows it.
    pub(crate) async fn switch(self, queue: &'static str, what: &'static str) {
        let _ = self.ask(Method::POST, &format!("/queue/{queue}/{what}"), None, None).await;
    }

    /// Resumes whatever is paused, for ever: a request to pause may arrive late.
    pub(crate) async fn resume_for_ever(self) {
        loop {
            sleep(PAUSE).await;
            let status = self.ask(Method::GET, "/queue/status", None, None).await;
            let Some((StatusCode::OK, status)) = status else { continue };
            for queue in status["queues"].as_array().into_iter().flatten().filter(|queue| !queue["paused_at"].is_null())
            {
                let path = format!("/queue/{}/resume", queue["name"].as_str().unwrap());
                let _ = self.ask(Method::POST, &path, None, None).await;
            }
        }
    }

    /// Ends a live session, if the API answers and there is one.
    pub(crate) async fn end_session(self, place: usize) {
        let live = self.ask(Method::GET, "/sessions?status=active&status=idle&limit=100", None, None).await;
        let Some((StatusCode::OK, live)) = live else { return };
        let live: Vec<&str> =
            live["items"].as_array().into_iter().flatten().filter_map(|it| it["id"].as_str()).collect();
        if live.is_empty() {
            return;
        }
        match self.ask(Method::DELETE, &format!("/sessions/{}", live[place % live.len()]), None, None).await {
            // Over already.
            Some((StatusCode::OK | StatusCode::CONFLICT, _)) | None => {}
            Some((status, problem)) => self.strange(format!("ending a session: {status} {problem}")),
        }
    }

    /// A remote worker that claims orders, never renews its leases, and reports each order as completed when it knows that
    /// somebody else has claimed it since.
    pub(crate) async fn haunt_for_ever(self) {
        let me = json!({"name": "ghost", "capabilities": ["python"]});
        let worker = loop {
            match self.ask(Method::POST, "/workers", None, Some(me.clone())).await {
                Some((_, worker)) => break worker["id"].clone(),
                None => sleep(PAUSE).await,
            }
        };
        loop {
            sleep(PAUSE).await;
            let claim = json!({"worker_id": worker, "lease_seconds": 1});
            let Some((_, claimed)) = self.ask(Method::POST, "/queue/claim", None, Some(claim)).await else { continue };
            for order in claimed["orders"].as_array().into_iter().flatten() {
                self.haunt(&order["fence"], order["task"]["id"].as_str().unwrap()).await;
            }
        }
    }

    async fn haunt(&self, fence: &Value, task: &str) {
        loop {
            sleep(PAUSE / 10).await;
            let Some((_, task)) = self.ask(Method::GET, &format!("/tasks/{task}"), None, None).await else { continue };
            if !task["completed_at"].is_null() {
                return;
            }
            if task["order"]["epoch"].as_i64() <= fence["epoch"].as_i64() {
                continue;
            }
            match self.ask(Method::POST, "/queue/complete", None, Some(fence.clone())).await {
                Some((StatusCode::CONFLICT, _)) | None => {}
                Some((status, order)) => {
                    self.strange(format!("{fence} was stale, and its completion was taken: {status} {order}"));
                    return;
                }
            }
        }
    }

    /// Why a task does not run, as the API says.
    pub(crate) async fn why(&self, task: &str) -> Value {
        let why = self.ask(Method::GET, &format!("/tasks/{task}/why"), None, None).await;
        why.map_or_else(|| json!("no answer"), |(_, why)| why)
    }
}
