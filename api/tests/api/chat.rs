//! Messages.

use serde_json::json;
use shopfloor_domain::role::Role;

use crate::desk::{id, on_both};

#[test]
fn messages_are_written_by_people_and_workers_and_read_in_order() {
    on_both(|desk| async move {
        let task = desk.submit("Talk").await;
        let conversation = id(&task);
        let say = |message: &str| json!({ "conversation_id": conversation, "message": message });
        let first = desk.post("/chat/messages", say("Use *column* b.")).await.expect(201);
        assert_eq!((&first["sender_type"], &first["sender_id"]), (&json!("human"), &json!("key:operator")));
        let mut asks = say("Which one?");
        asks["message_type"] = json!("request");
        asks["sender_id"] = json!("worker-7");
        asks["parent_message_id"] = first["id"].clone();
        let second = desk.work("/chat/messages", asks).await.expect(201);
        assert_eq!((&second["sender_type"], &second["sender_id"]), (&json!("worker"), &json!("worker-7")));
        let list = desk.get(&format!("/chat/messages?conversation_id={conversation}")).await.expect(200);
        let texts: Vec<_> = list["items"].as_array().expect("items").iter().map(|it| it["message"].clone()).collect();
        assert_eq!(texts, ["Use *column* b.", "Which one?"]);
        assert!(desk.get("/chat/messages?limit=1").await.expect(200)["next"].is_string());

        desk.call(axum::http::Method::POST, "/chat/messages", Role::Viewer, say("x")).await.problem(403, "forbidden");
        let long = "x".repeat(16 * 1024 + 1);
        for message in ["", "  \n", &long] {
            assert_eq!(desk.post("/chat/messages", say(message)).await.problem(422, "invalid")["field"], "message");
        }
        let nowhere = json!({ "conversation_id": "00000000-0000-7000-8000-000000000000", "message": "x" });
        desk.post("/chat/messages", nowhere).await.problem(404, "not_found");
        let mut forged = say("x");
        forged["sender_type"] = json!("system");
        assert_eq!(desk.post("/chat/messages", forged).await.problem(422, "invalid")["field"], "sender_type");
    });
}
