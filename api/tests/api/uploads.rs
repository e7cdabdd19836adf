//! Uploads: by content, with clean names, up to a size.

use axum::http::StatusCode;
use serde_json::json;
use shopfloor_testkit::Backend;

use crate::desk::{Desk, form, on_both, on_sqlite, upload, upload_as};

#[test]
fn a_file_is_what_its_content_says() {
    on_both(|desk| async move {
        for (name, bytes, kept, content_type) in [
            ("../../data.csv", &b"a,b\n1,2\n"[..], "data.csv", "text/csv"),
            ("picture.py", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "picture.py", "image/png"),
            ("C:\\x\\main.py", b"print(1)\n", "main.py", "text/x-python"),
            ("nichts.txt", b"", "nichts.txt", "text/plain"),
        ] {
            let file = upload(&desk, name, bytes).await.expect(201);
            assert_eq!((&file["name"], &file["content_type"]), (&json!(kept), &json!(content_type)));
            assert_eq!(file["size"], bytes.len());
            assert!(file.get("storage_key").is_none(), "where bytes lie is nobody's business");
            let path = format!("/files/{}", file["id"].as_str().expect("an id"));
            assert_eq!(desk.get(&path).await.expect(200), file);
            assert_eq!(desk.get(&format!("{path}/content")).await.bytes, bytes);
        }
        assert_eq!(desk.get("/files?limit=3").await.expect(200)["items"].as_array().map(Vec::len), Some(3));
    });
}

#[test]
fn too_much_is_refused_and_nothing_kept() {
    shopfloor_testkit::run(async {
        let desk = Desk::with(Backend::Sqlite, |settings| settings.max_upload_bytes = 1000).await;
        upload(&desk, "fits.bin", &[7; 1000]).await.expect(201);
        for size in [1001, 200_000] {
            let problem = upload(&desk, "large.bin", &vec![7; size]).await.problem(413, "too_large");
            assert_eq!(problem["field"], "file");
        }
        assert_eq!(desk.get("/files").await.expect(200)["items"].as_array().map(Vec::len), Some(1));
    });
}

#[test]
fn broken_forms_are_refused() {
    on_sqlite(|desk| async move {
        let (content_type, body) = form("file", "x.csv", b"a,b\n");
        for cut in [body.len() - 5, body.len() / 2, 10, 0] {
            let reply = upload_as(&desk, &content_type, body[..cut].to_vec()).await;
            assert!(reply.status.is_client_error(), "{cut}: {reply:?}");
        }
        upload_as(&desk, "application/json", b"{}".to_vec()).await.problem(415, "unsupported_media_type");
        upload_as(&desk, "multipart/form-data", body.clone()).await.problem(415, "unsupported_media_type");
        let (content_type, other) = form("data", "x.csv", b"a,b\n");
        assert_eq!(upload_as(&desk, &content_type, other).await.problem(422, "invalid")["field"], "file");
        for name in ["", "..", "/"] {
            assert_eq!(upload(&desk, name, b"x").await.status, StatusCode::UNPROCESSABLE_ENTITY, "{name:?}");
        }
        assert_eq!(desk.get("/files").await.expect(200)["items"], json!([]));
    });
}

#[test]
fn the_project_must_exist() {
    on_sqlite(|desk| async move {
        let (content_type, body) = form("file", "x.csv", b"a,b\n");
        let request = axum::http::Request::post("/api/v1/files?project=nowhere")
            .header("authorization", format!("Bearer {}", desk.key(shopfloor_domain::role::Role::Admin)))
            .header("content-type", content_type)
            .body(axum::body::Body::from(body));
        desk.send(request.expect("a request")).await.problem(404, "not_found");
    });
}
