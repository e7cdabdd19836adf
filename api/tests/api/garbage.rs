//! Generated garbage against every route: whatever comes, no answer is a fault of ours.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use proptest::{collection::vec, prelude::*, sample::select};
use shopfloor_domain::role::Role;
use shopfloor_testkit::Backend;
use tower::ServiceExt;

use crate::{desk::Desk, documents::operations};

/// Pieces that have broken parsers before.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = select(vec![
        &b"{"[..],
        b"}",
        b"[",
        b"]",
        b"\"",
        b":",
        b",",
        b"null",
        b"true",
        b"-1",
        b"1e999",
        b"0x10",
        b"\\u0000",
        b"\\ud800",
        b"\xff\xfe",
        b"\0",
        b"\"title\"",
        b"\"input\"",
        b"\"code\"",
        b"\"tasks\"",
        b"\"worker_id\"",
        b"\"epoch\"",
        b"\"answer\"",
        b"\"order_id\"",
        b"9223372036854775808",
        b"\"00000000-0000-7000-8000-000000000000\"",
        b"\"sf_\"",
        b"\"name\"",
        b"\"role\"",
        b"\"x\"",
        b"[[[[[[[[",
        b"{\"a\":",
        b"\r\n--b\r\n",
        b"Content-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n",
    ]);
    prop_oneof![3 => known.prop_map(<[u8]>::to_vec), 1 => vec(any::<u8>(), 0..16)]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let objects = any::<Vec<(u8, u8)>>().prop_map(|pairs| {
        let names =
            ["title", "input", "name", "role", "epoch", "order_id", "worker_id", "answer", "held", "tasks", "message"];
        let values = [
            "null",
            "7",
            "-1",
            "\"\"",
            "[]",
            "{}",
            "true",
            "\"a\\u0007\"",
            "\"00000000-0000-7000-8000-000000000000\"",
            "1.5",
            "[{}]",
        ];
        let field = |(name, value): (u8, u8)| {
            format!("\"{}\":{}", names[name as usize % names.len()], values[value as usize % values.len()])
        };
        format!("{{{}}}", pairs.into_iter().take(8).map(field).collect::<Vec<_>>().join(",")).into_bytes()
    });
    prop_oneof![vec(piece(), 0..24).prop_map(|pieces| pieces.concat()), objects]
}

fn text() -> impl Strategy<Value = String> {
    let known = [
        "00000000-0000-7000-8000-000000000000",
        "default",
        "%00",
        "%ff",
        "..",
        "a%2Fb",
        "-1",
        "99999999999999999999",
        "x",
    ];
    prop_oneof![select(known.to_vec()).prop_map(str::to_owned), "[a-zA-Z0-9%._~-]{1,24}"]
}

fn query() -> impl Strategy<Value = String> {
    let names =
        ["limit", "after", "status", "kind", "task_id", "text", "project", "type", "worker_id", "include_offline", "x"];
    vec((select(names.to_vec()), text()), 0..4).prop_map(|pairs| {
        pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    })
}

fn requests() -> impl Strategy<Value = (Method, String, &'static str, Vec<u8>)> {
    let routes: Vec<_> = operations().into_iter().map(|(method, path, _)| (method, path)).collect();
    let kinds =
        ["application/json", "multipart/form-data; boundary=b", "text/plain", "application/json; charset=latin1", ""];
    (select(routes), text(), query(), select(kinds.to_vec()), body()).prop_map(
        |((method, path), part, query, kind, body)| {
            let path = path.replace("{id}", &part).replace("{name}", &part);
            (method, format!("{path}?{query}"), kind, body)
        },
    )
}

#[test]
fn garbage_is_never_a_fault_of_ours() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    for (backend, cases) in [(Backend::Sqlite, 3000), (Backend::Postgres, 500)] {
        let desk = runtime.block_on(Desk::on(backend));
        let config =
            ProptestConfig { cases, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() };
        proptest!(config, |((method, uri, kind, body) in requests())| {
            let Ok(request) = Request::builder()
                .method(&method)
                .uri(&uri)
                .header(header::AUTHORIZATION, format!("Bearer {}", desk.key(Role::Admin)))
                .header(header::CONTENT_TYPE, kind)
                .body(Body::from(body)) else { return Ok(()) };
            // The head says it all; streams would not end.
            let response = runtime.block_on(desk.router.clone().oneshot(request)).expect("infallible");
            let status = response.status();
            prop_assert!(!status.is_server_error(), "{} {}: {}", method, uri, status);
            if status.is_client_error() {
                prop_assert_eq!(&response.headers()[header::CONTENT_TYPE], "application/problem+json");
            }
        });
        runtime.block_on(async { drop(desk) });
    }
}
