//! Artifacts are served so that a browser cannot be made to run them.

use axum::{
    body::Body,
    http::{Request, header},
};
use shopfloor_domain::role::Role;

use crate::desk::{API, on_both};

#[test]
fn artifacts_are_served_safely() {
    on_both(|desk| async move {
        let task = desk.submit("Make files").await;
        let worker = desk.worker().await;
        let claimed = desk.claim(&worker).await;
        desk.artifact(&claimed, "plots/Über \"x\".html", "text/html", b"<script>alert(1)</script>").await;
        let list = desk.get(&format!("/tasks/{}/artifacts", task["id"].as_str().expect("an id"))).await.expect(200);
        let artifact = &list["items"][0];
        assert_eq!(artifact["name"], "plots/Über \"x\".html");
        let path = format!("/artifacts/{}", artifact["id"].as_str().expect("an id"));
        let reply = desk.get(&path).await;
        assert_eq!(reply.bytes, &b"<script>alert(1)</script>"[..]);
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "sandbox; default-src 'none'"),
            (
                "content-disposition",
                "attachment; filename=\"_ber__x_.html\"; filename*=UTF-8''%C3%9Cber%20%22x%22.html",
            ),
        ] {
            assert_eq!(reply.headers[name], value, "{name}");
        }
        let etag = reply.headers[header::ETAG].clone();
        assert_eq!(etag.to_str().ok(), artifact["sha256"].as_str().map(|sum| format!("\"{sum}\"")).as_deref());
        let cached = Request::get(format!("{API}{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {}", desk.key(Role::Viewer)))
            .header(header::IF_NONE_MATCH, etag)
            .body(Body::empty());
        let reply = desk.send(cached.expect("a request")).await;
        assert_eq!((reply.status.as_u16(), reply.bytes.len()), (304, 0));
        let results = desk.get(&format!("/tasks/{}/results", task["id"].as_str().expect("an id"))).await.expect(200);
        assert_eq!(results["artifacts"][0], *artifact);
        assert_eq!(results["executions"][0]["status"], "running");
    });
}
