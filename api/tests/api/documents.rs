//! The description, the documentation, health and metrics: what is open to everybody.

use axum::http::Method;
use serde_json::{Value, json};

use crate::desk::{Desk, on_both, on_sqlite};

/// Every operation as (method, path, description).
pub(crate) fn operations() -> Vec<(Method, String, Value)> {
    let openapi = serde_json::to_value(shopfloor_api::openapi()).expect("JSON");
    let paths = openapi["paths"].as_object().expect("paths").clone();
    let mut operations = Vec::new();
    for (path, item) in paths {
        for method in ["get", "put", "post", "patch", "delete"] {
            if let Some(operation) = item.get(method) {
                let method = method.to_uppercase().parse().expect("a method");
                operations.push((method, path.clone(), operation.clone()));
            }
        }
    }
    operations
}

#[test]
fn the_endpoints_are_the_agreed_ones() {
    let mut list: Vec<_> = operations().into_iter().map(|(method, path, _)| format!("{path} {method}")).collect();
    list.sort();
    insta::assert_snapshot!(list.join("\n"));
}

#[test]
fn every_operation_is_described() {
    let mut ids = std::collections::BTreeSet::new();
    for (method, path, operation) in operations() {
        let name = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{name} has no id"));
        assert!(ids.insert(id.to_owned()), "{id} is there twice");
        assert!(operation["tags"].as_array().is_some_and(|tags| tags.len() == 1), "{name} needs a tag");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{name} needs a summary");
        let responses = operation["responses"].as_object().expect("responses");
        assert!(responses.keys().any(|status| status.starts_with(['1', '2'])), "{name} never succeeds");
        let guarded = path.starts_with("/api/v1");
        assert_eq!(operation["security"], if guarded { json!([{ "api_key": [] }]) } else { json!([{}]) }, "{name}");
        if guarded {
            for status in ["400", "401", "403", "503"] {
                assert!(responses.contains_key(status), "{name} does not tell of {status}");
            }
        }
        for (status, response) in responses.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
            let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(*schema, "#/components/schemas/Problem", "{name} {status}");
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["schema"].is_object(), "{name}: {parameter}");
        }
    }
}

#[test]
fn references_lead_somewhere() {
    let openapi = serde_json::to_value(shopfloor_api::openapi()).expect("JSON");
    fn walk(value: &Value, root: &Value) {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer = reference.trim_start_matches('#');
            assert!(root.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
        match value {
            Value::Object(fields) => fields.values().for_each(|value| walk(value, root)),
            Value::Array(items) => items.iter().for_each(|value| walk(value, root)),
            _ => {}
        }
    }
    walk(&openapi, &openapi);
    assert_eq!(openapi["openapi"], "3.1.0");
}

#[test]
fn what_is_open_needs_no_key() {
    on_sqlite(|desk| async move {
        let health = desk.open("/health").await;
        assert_eq!(health.json(), json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }));
        desk.open("/healthz").await.expect(200);
        let ready = desk.open("/readyz").await.expect(200);
        assert_eq!(ready["checks"][1], json!({ "name": "dispatch", "status": "sql", "detail": null }));
        assert_eq!(ready["checks"][2], json!({ "name": "files", "status": "ok", "detail": null }));
        assert_eq!(
            ready["checks"][3],
            json!({
                "name": "sandbox", "status": "local", "detail": "namespaces and a system-call filter",
            })
        );
        let openapi = desk.open("/openapi.json").await.expect(200);
        assert_eq!(openapi["info"]["title"], "Shopfloor");
        docs_work_offline(&desk).await;
    });
}

async fn docs_work_offline(desk: &Desk) {
    let page = desk.open("/docs/").await;
    assert_eq!(page.status, 200);
    let text = String::from_utf8_lossy(&page.bytes).into_owned();
    assert!(text.contains("swagger-ui") && !text.contains("http://") && !text.contains("https://"), "{text}");
    assert!(!text.contains("<script>"), "the policy forbids inline scripts");
    let policy = page.headers["content-security-policy"].to_str().expect("text");
    assert!(policy.contains("script-src 'self';"), "{policy}");
    for file in ["swagger-ui-bundle.js", "swagger-ui.css", "swagger-initializer.js"] {
        assert_eq!(desk.open(&format!("/docs/{file}")).await.status, 200, "{file}");
    }
}

#[test]
fn metrics_show_the_record_as_it_is() {
    on_both(|desk| async move {
        desk.submit("One").await;
        desk.submit("Two").await;
        let worker = desk.worker().await;
        desk.claim(&worker).await;
        let metrics = desk.open("/metrics").await;
        assert_eq!(metrics.status, 200);
        let text = String::from_utf8_lossy(&metrics.bytes).into_owned();
        for line in [
            "shopfloor_queue_depth{priority=\"normal\",state=\"ready\"} 1",
            "shopfloor_queue_depth{priority=\"normal\",state=\"claimed\"} 1",
            "shopfloor_dispatch_mode{mode=\"sql\"} 1",
            "shopfloor_orders_enqueued_total{priority=\"normal\"} 2",
            "shopfloor_clarifications_open 0",
            "shopfloor_http_request_seconds_count{method=\"POST\",route=\"/api/v1/tasks\",status=\"201\"} 2",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    });
}

#[test]
fn a_record_out_of_reach_is_not_ready() {
    on_sqlite(|desk| async move {
        desk.store.reopen().await.close().await.expect("closed");
        desk.app.store.clone().close().await.expect("closed");
        let reply = desk.open("/readyz").await;
        let problem = reply.problem(503, "not_ready");
        assert!(problem["detail"].as_str().is_some_and(|text| text.starts_with("record:")), "{problem}");
        desk.open("/healthz").await.expect(200);
        let reply = desk.get("/tasks").await;
        reply.problem(503, "record_unavailable");
        assert_eq!(reply.headers["retry-after"], "1");
    });
}

#[test]
fn every_answer_carries_safe_headers_and_an_id() {
    on_sqlite(|desk| async move {
        for path in ["/health", "/api/v1/tasks", "/nowhere", "/docs/"] {
            let reply = desk.open(path).await;
            assert_eq!(reply.headers["x-content-type-options"], "nosniff", "{path}");
            assert_eq!(reply.headers["x-frame-options"], "DENY", "{path}");
            assert!(reply.headers.contains_key("content-security-policy"), "{path}");
            assert!(reply.headers.contains_key("x-request-id"), "{path}");
        }
        let with_id = |id: &str| {
            let request = axum::http::Request::get("/nowhere").header("x-request-id", id);
            request.body(axum::body::Body::empty()).expect("a request")
        };
        assert_eq!(desk.send(with_id("mine-1")).await.headers["x-request-id"], "mine-1");
        assert_ne!(desk.send(with_id("a b\tc")).await.headers["x-request-id"], "a b\tc");
    });
}
