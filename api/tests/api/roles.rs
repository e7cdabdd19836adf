//! Who may do what: every operation with every role, taken from the description itself.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use shopfloor_domain::role::Role;

use crate::{
    desk::{Desk, on_sqlite},
    documents::operations,
};

/// The path with made-up parameters.
fn concrete(path: &str) -> String {
    let path = path.replace("{id}", "00000000-0000-7000-8000-000000000000");
    path.replace("{name}", "nowhere")
}

fn request(method: &Method, path: &str, authorization: Option<&str>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(concrete(path));
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    request.body(Body::empty()).expect("a request")
}

async fn status(desk: &Desk, method: &Method, path: &str, authorization: Option<&str>) -> u16 {
    // Streams do not end, and their first line says enough; so only the head is looked at.
    use tower::ServiceExt;
    let response = desk.router.clone().oneshot(request(method, path, authorization)).await.expect("infallible");
    response.status().as_u16()
}

#[test]
fn every_operation_knows_its_roles() {
    on_sqlite(|desk| async move {
        let mut table = Vec::new();
        for (method, path, _) in operations() {
            if !path.starts_with("/api/v1") {
                continue;
            }
            let mut may = Vec::new();
            for role in Role::ALL {
                // The last, so that no earlier request of this loop has ended the streams' places.
                let status = status(&desk, &method, &path, Some(&format!("Bearer {}", desk.key(*role)))).await;
                assert_ne!(status, 401, "{method} {path} {role}");
                assert!(status < 500, "{method} {path} {role}: {status}");
                if status != 403 {
                    may.push(role.as_str());
                }
            }
            assert!(may.contains(&"admin"), "{method} {path}");
            assert!(method == Method::GET || !may.contains(&"viewer"), "{method} {path}: a viewer changes nothing");
            table.push(format!("{path} {method}: {}", may.join(" ")));
        }
        table.sort();
        insta::assert_snapshot!(table.join("\n"));
    });
}

#[test]
fn nobody_gets_in_without_a_live_key() {
    on_sqlite(|desk| async move {
        let unknown = format!("Bearer sf_{}", "0".repeat(64));
        let long = format!("Bearer {}", "x".repeat(10_000));
        let wrong_scheme = format!("Basic {}", desk.key(Role::Admin));
        let bad = [
            None,
            Some(""),
            Some("Bearer"),
            Some("Bearer "),
            Some(&unknown),
            Some(&long),
            Some(&wrong_scheme),
            Some("é"),
        ];
        for (method, path, _) in operations().iter().filter(|(_, path, _)| path.starts_with("/api/v1")) {
            for authorization in bad {
                let reply = desk.send(request(method, path, authorization)).await;
                assert_eq!(reply.problem(401, "unauthorized")["status"], 401, "{method} {path} {authorization:?}");
                assert_eq!(reply.headers[header::WWW_AUTHENTICATE], "Bearer realm=\"shopfloor\"");
            }
        }
    });
}

#[test]
fn revoked_and_expired_keys_are_refused() {
    on_sqlite(|desk| async move {
        let make = serde_json::json!({ "name": "short", "role": "viewer", "expires_at": "2026-01-01T01:00:00Z" });
        let made = desk.call(Method::POST, "/keys", Role::Admin, make).await.expect(201);
        let bearer = format!("Bearer {}", made["secret"].as_str().expect("a secret"));
        let look = || status(&desk, &Method::GET, "/api/v1/tasks", Some(&bearer));
        assert_eq!(look().await, 200);
        desk.advance(std::time::Duration::from_secs(3601));
        assert_eq!(look().await, 401);

        let make = serde_json::json!({ "name": "lost", "role": "admin" });
        let made = desk.call(Method::POST, "/keys", Role::Admin, make).await.expect(201);
        let bearer = format!("Bearer {}", made["secret"].as_str().expect("a secret"));
        assert_eq!(status(&desk, &Method::GET, "/api/v1/keys", Some(&bearer)).await, 200);
        let path = format!("/keys/{}", made["id"].as_str().expect("an id"));
        for _ in 0..2 {
            let revoked = desk.call(Method::DELETE, &path, Role::Admin, serde_json::Value::Null).await.expect(200);
            assert!(revoked["revoked_at"].is_string() && revoked.get("secret").is_none(), "{revoked}");
        }
        assert_eq!(status(&desk, &Method::GET, "/api/v1/keys", Some(&bearer)).await, 401);
    });
}

#[test]
fn the_audit_log_says_who_made_and_revoked_a_key() {
    on_sqlite(|desk| async move {
        let make = serde_json::json!({ "name": "laptop", "role": "viewer" });
        let made = desk.call(Method::POST, "/keys", Role::Admin, make).await.expect(201);
        let path = format!("/keys/{}", made["id"].as_str().expect("an id"));
        desk.call(Method::DELETE, &path, Role::Admin, serde_json::Value::Null).await.expect(200);
        let audit = desk.call(Method::GET, "/audit?limit=2", Role::Admin, serde_json::Value::Null).await.expect(200);
        let said = |entry: &serde_json::Value| (entry["event_type"].clone(), entry["actor"].clone());
        let entries: Vec<_> = audit["items"].as_array().expect("entries").iter().map(said).collect();
        assert_eq!(entries, [("key.revoked".into(), "key:admin".into()), ("key.created".into(), "key:admin".into())]);
    });
}

#[test]
fn the_last_admin_cannot_lock_itself_out() {
    on_sqlite(|desk| async move {
        let keys = desk.call(Method::GET, "/keys", Role::Admin, serde_json::Value::Null).await.expect(200);
        let items = keys["items"].as_array().expect("keys");
        let own = items.iter().find(|key| key["role"] == "admin").expect("the admin's");
        let path = format!("/keys/{}", own["id"].as_str().expect("an id"));
        desk.call(Method::DELETE, &path, Role::Admin, serde_json::Value::Null).await.problem(409, "conflict");
    });
}
