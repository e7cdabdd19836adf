//! Every endpoint once on its good path, on both databases; the description says which there are.

use std::collections::BTreeSet;

use axum::http::{Method, header};
use serde_json::{Value, json};
use shopfloor_domain::role::Role;

use crate::{
    desk::{API, Desk, id, on_both, question, upload},
    documents::operations,
};

/// Calls endpoints, remembers which, and holds their answers against the description.
struct Walk {
    desk: Desk,
    seen: BTreeSet<String>,
    openapi: Value,
}

impl Walk {
    async fn go(&mut self, method: Method, route: &str, part: &str, body: Value) -> Value {
        let path = route.replace("{id}", part).replace("{name}", part);
        let reply = self.desk.call(method.clone(), &path, Role::Admin, body).await;
        assert!(reply.status.is_success(), "{method} {path}: {reply:?}");
        self.seen.insert(format!("{method} {API}{route}"));
        let answer = serde_json::from_slice(&reply.bytes).unwrap_or(Value::Null);
        if reply.headers[header::CONTENT_TYPE] == "application/json" {
            self.check(&method, route, reply.status.as_u16(), &answer);
        }
        answer
    }

    /// The answer is as described, and has no field that is not.
    fn check(&self, method: &Method, route: &str, status: u16, answer: &Value) {
        let operation = &self.openapi["paths"][format!("{API}{route}")][method.as_str().to_lowercase()];
        let mut schema = operation["responses"][status.to_string()]["content"]["application/json"]["schema"].clone();
        assert!(schema.is_object(), "{method} {route} does not tell of {status}");
        let fields =
            schema["$ref"].as_str().and_then(|path| self.openapi.pointer(&format!("{}/properties", &path[1..])));
        if let (Some(known), Some(found)) = (fields.and_then(Value::as_object), answer.as_object()) {
            for name in found.keys() {
                assert!(known.contains_key(name), "{method} {route}: `{name}` is not described");
            }
        }
        schema["components"] = self.openapi["components"].clone();
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let misfits: Vec<_> = validator.iter_errors(answer).map(|misfit| misfit.to_string()).collect();
        assert!(misfits.is_empty(), "{method} {route}: {misfits:?}");
    }

    async fn get(&mut self, route: &str, part: &str) -> Value {
        self.go(Method::GET, route, part, Value::Null).await
    }

    async fn post(&mut self, route: &str, part: &str, body: Value) -> Value {
        self.go(Method::POST, route, part, body).await
    }
}

#[test]
fn every_endpoint_works() {
    on_both(|desk| async move {
        let mut walk = Walk {
            desk,
            seen: BTreeSet::new(),
            openapi: serde_json::to_value(shopfloor_api::openapi()).expect("JSON"),
        };
        Box::pin(people(&mut walk)).await;
        Box::pin(machines(&mut walk)).await;
        Box::pin(administration(&mut walk)).await;
        // Streams, sockets and uploads do not fit `call`; their own tests cover them.
        for covered in ["GET /api/v1/events", "GET /api/v1/chat/ws", "POST /api/v1/files"] {
            walk.seen.insert(covered.to_owned());
        }
        let described: BTreeSet<_> = operations()
            .into_iter()
            .filter(|(_, path, _)| path.starts_with(API))
            .map(|(method, path, _)| format!("{method} {path}"))
            .collect();
        assert_eq!(described.difference(&walk.seen).collect::<Vec<_>>(), Vec::<&String>::new());
        assert_eq!(walk.seen.difference(&described).collect::<Vec<_>>(), Vec::<&String>::new());
    });
}

async fn people(walk: &mut Walk) {
    let submit = json!({ "title": "A", "input": { "code": "print(1)" } });
    let task = id(&walk.post("/tasks", "", submit.clone()).await);
    walk.post("/tasks/bulk", "", json!({ "tasks": [submit] })).await;
    walk.get("/tasks", "").await;
    for route in ["", "/why", "/steps", "/events", "/artifacts", "/results"] {
        walk.get(&format!("/tasks/{{id}}{route}"), &task).await;
    }
    walk.go(Method::PATCH, "/tasks/{id}", &task, json!({ "description": "More" })).await;
    walk.post("/tasks/{id}/cancel", &task, Value::Null).await;
    walk.post("/tasks/{id}/retry", &task, Value::Null).await;
    walk.post("/chat/messages", "", json!({ "conversation_id": task, "message": "Hello" })).await;
    walk.get("/chat/messages", "").await;
    let file = id(&upload(&walk.desk, "x.csv", b"a,b\n").await.expect(201));
    walk.get("/files", "").await;
    walk.get("/files/{id}", &file).await;
    walk.get("/files/{id}/content", &file).await;
    walk.get("/pipelines", "").await;
    let schema = walk.get("/pipelines/schema", "").await;
    assert!(schema["properties"].is_object());
}

async fn machines(walk: &mut Walk) {
    let worker = id(&walk.post("/workers", "", json!({ "name": "w", "capabilities": ["python"] })).await);
    walk.get("/workers", "").await;
    walk.get("/workers/{id}", &worker).await;
    walk.post("/workers/{id}/heartbeat", &worker, json!({ "status": "idle" })).await;
    walk.post("/queue/enqueue", "", json!({ "title": "B", "input": { "code": "1" }, "max_attempts": 1 })).await;
    let claim = json!({ "worker_id": worker, "limit": 10, "lease_seconds": 60 });
    let claims = walk.post("/queue/claim", "", claim).await;
    let orders = claims["orders"].as_array().expect("orders").clone();
    assert_eq!(orders.len(), 3);
    walk.post("/queue/renew", "", json!({ "worker_id": worker, "held": [orders[0]["fence"]] })).await;
    walk.desk.artifact(&orders[0], "a.txt", "text/plain", b"hello").await;
    let list = walk.get("/tasks/{id}/artifacts", &id(&orders[0]["task"])).await;
    walk.get("/artifacts/{id}", &id(&list["items"][0])).await;
    walk.get("/tasks/{id}/steps", &id(&orders[0]["task"])).await;
    let report = |order: &Value, key: &str, value: Value| json!({ "order_id": order["id"], "epoch": 1, key: value });
    walk.post("/queue/complete", "", report(&orders[0], "result", json!({}))).await;
    let asked = walk.desk.ask(&orders[1], question()).await;
    walk.get("/questions", "").await;
    walk.get("/questions/{id}", &asked.id.to_string()).await;
    walk.post("/questions/{id}/answer", &asked.id.to_string(), json!({ "answer": "a" })).await;
    walk.post("/queue/release", "", report(&orders[1], "cancelled", json!(false))).await;
    let fail = json!({ "order_id": orders[2]["id"], "epoch": 1, "error": "no", "retry": true });
    assert_eq!(walk.post("/queue/fail", "", fail).await["status"], "dead");
    walk.get("/queue/dead", "").await;
    park(walk, &worker).await;
    walk.post("/queue/dead/{id}/requeue", &id(&orders[2]), Value::Null).await;
    walk.get("/queue/status", "").await;
    walk.post("/queue/{name}/pause", "default", Value::Null).await;
    walk.post("/queue/{name}/resume", "default", Value::Null).await;
    let session = id(&walk.post("/sessions", "", json!({ "worker_id": worker })).await);
    walk.get("/sessions", "").await;
    walk.get("/sessions/{id}", &session).await;
    walk.post("/sessions/{id}/heartbeat", &session, Value::Null).await;
    walk.go(Method::DELETE, "/sessions/{id}", &session, Value::Null).await;
    walk.go(Method::DELETE, "/workers/{id}", &worker, Value::Null).await;
}

/// An order for a remote worker, which asks about it.
async fn park(walk: &mut Walk, worker: &str) {
    let submit = json!({ "title": "C", "pipeline": "external", "needs": ["python"], "input": { "n": 1 } });
    walk.post("/tasks", "", submit).await;
    let capabilities = json!(["external", "python"]);
    let claim = json!({ "worker_id": worker, "limit": 10, "capabilities": capabilities, "lease_seconds": 60 });
    let claims = walk.post("/queue/claim", "", claim).await;
    let is_ours = |order: &&Value| order["task"]["pipeline"] == "external";
    let order = claims["orders"].as_array().expect("orders").iter().find(is_ours).expect("the external order").clone();
    let question = json!({ "name": "which", "prompt": "Which one?", "options": [1, 2] });
    let asks = json!({ "order_id": order["id"], "epoch": 1, "question": question });
    assert_eq!(walk.post("/queue/park", "", asks).await["order"]["status"], "parked");
}

async fn administration(walk: &mut Walk) {
    let key = walk.post("/keys", "", json!({ "name": "laptop", "role": "viewer" })).await;
    assert!(key["secret"].as_str().is_some_and(|secret| secret.starts_with("sf_")), "{key}");
    let keys = walk.get("/keys", "").await;
    assert!(keys["items"].as_array().expect("keys").iter().all(|key| key.get("secret").is_none()), "{keys}");
    walk.go(Method::DELETE, "/keys/{id}", &id(&key), Value::Null).await;
    let project = walk
        .go(Method::PUT, "/projects", "", json!({ "name": "side", "max_concurrency": 2, "max_starts_per_minute": 600 }))
        .await;
    assert_eq!((&project["max_concurrency"], &project["max_starts_per_minute"]), (&json!(2), &json!(600)));
    walk.get("/projects", "").await;
    walk.get("/audit", "").await;
}
