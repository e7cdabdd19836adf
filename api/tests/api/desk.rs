//! An API over a fresh record, with a key per role and a clock that stands still.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use serde_json::{Value, json};
use shopfloor_api::{App, Settings};
use shopfloor_domain::{
    Fence, TaskId, Timestamp, question::QuestionKind, role::Role, step::StepKind, time::ManualClock,
};
use shopfloor_events::EventLog;
use shopfloor_pipelines::Catalog;
use shopfloor_queue::SqlQueue;
use shopfloor_store::{
    Store,
    artifacts::NewArtifact,
    keys,
    questions::{NewQuestion, Question},
    steps::{self, BeginStep, StepResult},
};
use shopfloor_telemetry::Metrics;
use shopfloor_testkit::{Backend, T0, TestStore};
use tower::ServiceExt;

/// The prefix of the API.
pub(crate) const API: &str = "/api/v1";

pub(crate) struct Desk {
    pub(crate) store: Arc<TestStore>,
    pub(crate) app: App,
    pub(crate) router: Router,
    pub(crate) clock: Arc<ManualClock>,
    keys: BTreeMap<Role, String>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// The JSON of an answer with this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self.json()
    }

    /// The problem of an answer with this status and code; checks its shape.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!((self.status.as_u16(), problem["code"].as_str()), (status, Some(code)), "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("urn:shopfloor:problem:{code}"));
        for text in ["title", "detail", "request_id"] {
            assert!(problem[text].as_str().is_some_and(|text| !text.is_empty()), "{text}: {problem}");
        }
        assert_eq!(problem["request_id"].as_str(), self.headers["x-request-id"].to_str().ok());
        problem
    }
}

impl Desk {
    pub(crate) async fn on(backend: Backend) -> Self {
        Self::with(backend, |_| {}).await
    }

    pub(crate) async fn with(backend: Backend, change: impl FnOnce(&mut Settings)) -> Self {
        let store = shopfloor_testkit::store(backend).await;
        let clock = Arc::new(ManualClock::at(T0));
        let mut keys = BTreeMap::new();
        for role in Role::ALL {
            let made = keys::create(&store, role.as_str(), *role, None, T0).await.expect("a key");
            keys.insert(*role, made.secret);
        }
        let mut settings = Settings::default();
        change(&mut settings);
        let app = App {
            store: Store::clone(&store),
            queue: Arc::new(SqlQueue::new(Store::clone(&store))),
            events: EventLog::new(Store::clone(&store)),
            clock: clock.clone(),
            metrics: Metrics::new(),
            pipelines: Arc::new(Catalog::load(None).expect("the built-in pipelines")),
            settings,
            sandbox: Some(("local".to_owned(), "namespaces and a system-call filter".to_owned())),
        };
        Self { router: shopfloor_api::router(app.clone()), store: Arc::new(store), app, clock, keys }
    }

    /// Another API process on the same record, with the same keys.
    pub(crate) async fn replica(&self) -> Self {
        let store = self.store.reopen().await;
        let queue = Arc::new(SqlQueue::new(store.clone()));
        let app = App { events: EventLog::new(store.clone()), queue, store, ..self.app.clone() };
        Self {
            router: shopfloor_api::router(app.clone()),
            store: Arc::clone(&self.store),
            app,
            clock: Arc::clone(&self.clock),
            keys: self.keys.clone(),
        }
    }

    pub(crate) fn key(&self, role: Role) -> &str {
        &self.keys[&role]
    }

    pub(crate) fn advance(&self, by: Duration) -> Timestamp {
        self.clock.advance(by)
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.expect("the router cannot fail");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 64 * 1024 * 1024).await.expect("a body");
        Reply { status: parts.status, headers: parts.headers, bytes }
    }

    /// Sends JSON, or no body for `null`, with the role's key.
    pub(crate) async fn call(&self, method: Method, path: &str, role: Role, body: Value) -> Reply {
        let request = Request::builder()
            .method(method)
            .uri(format!("{API}{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key(role)));
        let request = match body {
            Value::Null => request.body(Body::empty()),
            body => request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())),
        };
        self.send(request.expect("a request")).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, Role::Viewer, Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.call(Method::POST, path, Role::Operator, body).await
    }

    /// As a worker.
    pub(crate) async fn work(&self, path: &str, body: Value) -> Reply {
        self.call(Method::POST, path, Role::Worker, body).await
    }

    /// Gets a path outside the API, without a key.
    pub(crate) async fn open(&self, path: &str) -> Reply {
        self.send(Request::builder().uri(path).body(Body::empty()).expect("a request")).await
    }

    /// Submits a task that runs a line of Python.
    pub(crate) async fn submit(&self, title: &str) -> Value {
        self.post("/tasks", json!({ "title": title, "input": { "code": "print(1)" } })).await.expect(201)
    }

    /// Registers a worker that can run Python; its id.
    pub(crate) async fn worker(&self) -> String {
        let body = json!({ "name": "remote", "capabilities": ["python"], "slots": 4 });
        let worker = self.work("/workers", body).await.expect(201);
        worker["id"].as_str().expect("an id").to_owned()
    }

    /// Claims one order for this worker.
    pub(crate) async fn claim(&self, worker: &str) -> Value {
        let claims = self.work("/queue/claim", json!({ "worker_id": worker, "lease_seconds": 60 })).await.expect(200);
        claims["orders"][0].clone()
    }

    /// Begins the first step of a claimed order.
    pub(crate) async fn step(&self, claimed: &Value, kind: StepKind) -> (Fence, steps::Step) {
        let fence: Fence = serde_json::from_value(claimed["fence"].clone()).expect("a fence");
        let run = serde_json::from_value(claimed["run_id"].clone()).expect("a run");
        let begin =
            BeginStep { order_index: 0, name: "first".to_owned(), kind, agent_name: None, round: 0, input: json!({}) };
        (fence, steps::begin(&self.store, fence, run, begin, self.now()).await.expect("a step"))
    }

    /// Ends the step with one artifact.
    pub(crate) async fn artifact(&self, claimed: &Value, name: &str, content_type: &str, bytes: &'static [u8]) {
        let (fence, step) = self.step(claimed, StepKind::Sandbox).await;
        let stored = self.store.blobs().put(Bytes::from_static(bytes)).await.expect("stored");
        let artifact = NewArtifact { name: name.to_owned(), content_type: content_type.to_owned(), stored };
        let result = StepResult::Completed(json!({ "exit_code": 0 }));
        let done = steps::finish(&self.store, fence, step.id, result, vec![artifact], None, self.now()).await;
        done.expect("the step ends");
    }

    /// Puts a question for a claimed order.
    pub(crate) async fn ask(&self, claimed: &Value, question: NewQuestion) -> Question {
        let kind = if question.kind == QuestionKind::Approval { StepKind::Approval } else { StepKind::Ask };
        let (fence, step) = self.step(claimed, kind).await;
        steps::ask(&self.store, fence, step.id, question, self.now()).await.expect("a question")
    }

    /// A task whose worker asks this; the question and the claim.
    pub(crate) async fn asked(&self, question: NewQuestion) -> (Question, Value) {
        self.submit("Ask me").await;
        let worker = self.worker().await;
        let claimed = self.claim(&worker).await;
        (self.ask(&claimed, question).await, claimed)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.advance(Duration::ZERO)
    }
}

/// A question that anybody may answer anyhow.
pub(crate) fn question() -> NewQuestion {
    NewQuestion {
        kind: QuestionKind::Clarification,
        prompt: "Which column?".to_owned(),
        schema: Value::Null,
        options: vec![json!("a"), json!("b")],
        audience: "operators".to_owned(),
        default: Some(json!("a")),
        on_deadline: shopfloor_domain::question::OnDeadline::Default,
        deadline_at: T0 + Duration::from_secs(3600),
    }
}

/// The id in a view.
#[track_caller]
pub(crate) fn id(view: &Value) -> String {
    view["id"].as_str().unwrap_or_else(|| panic!("no id: {view}")).to_owned()
}

/// The task's id in a view of the task.
pub(crate) fn task_id(view: &Value) -> TaskId {
    id(view).parse().expect("an id")
}

/// A form with one file.
pub(crate) fn form(name: &str, file_name: &str, bytes: &[u8]) -> (String, Vec<u8>) {
    let boundary = "shopfloor-test-boundary";
    let mut body = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file_name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(bytes);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

/// Uploads a file as an operator.
pub(crate) async fn upload(desk: &Desk, file_name: &str, bytes: &[u8]) -> Reply {
    let (content_type, body) = form("file", file_name, bytes);
    upload_as(desk, &content_type, body).await
}

/// Uploads a body of this type as an operator.
pub(crate) async fn upload_as(desk: &Desk, content_type: &str, body: Vec<u8>) -> Reply {
    let request = Request::post(format!("{API}/files"))
        .header(header::AUTHORIZATION, format!("Bearer {}", desk.key(Role::Operator)))
        .header(header::CONTENT_TYPE, content_type)
        .body(Body::from(body));
    desk.send(request.expect("a request")).await
}

/// Runs a case on SQLite and on PostgreSQL.
pub(crate) fn on_both<F: Future<Output = ()>>(case: impl Fn(Desk) -> F) {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        shopfloor_testkit::run(async { case(Desk::on(backend).await).await });
    }
}

/// Runs a case on SQLite.
pub(crate) fn on_sqlite<F: Future<Output = ()>>(case: impl FnOnce(Desk) -> F) {
    shopfloor_testkit::run(async { case(Desk::on(Backend::Sqlite).await).await });
}
