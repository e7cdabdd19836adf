//! Answers: the first wins, only fitting ones count, and the order goes on.

use std::time::Duration;

use serde_json::{Value, json};
use shopfloor_domain::question::{OnDeadline, QuestionKind};
use shopfloor_store::questions::{self, NewQuestion};

use crate::desk::{Desk, on_both, on_sqlite, question};

async fn answer(desk: &Desk, id: impl std::fmt::Display, answer: Value) -> crate::desk::Reply {
    desk.post(&format!("/questions/{id}/answer"), json!({ "answer": answer })).await
}

#[test]
fn the_first_answer_wins_and_later_ones_see_it() {
    on_both(|desk| async move {
        let (asked, claimed) = desk.asked(question()).await;
        let open = desk.get("/questions?status=open").await.expect(200);
        assert_eq!(open["items"][0]["id"], json!(asked.id));
        assert_eq!(open["items"][0]["prompt"], "Which column?");
        let park = shopfloor_store::orders::Verdict::Parked;
        let fence = serde_json::from_value(claimed["fence"].clone()).expect("a fence");
        desk.app.queue.finish(fence, park, desk.now()).await.expect("parked");
        let path = format!("/tasks/{}", asked.task_id);
        assert_eq!(desk.get(&path).await.expect(200)["order"]["status"], "parked");
        let why = desk.get(&format!("{path}/why")).await.expect(200);
        assert_eq!((&why["code"], &why["question"]), (&json!("waiting_for_person"), &json!(asked.id)));

        assert_eq!(answer(&desk, asked.id, json!("c")).await.problem(422, "invalid")["field"], "answer");
        let first = answer(&desk, asked.id, json!("b")).await.expect(200);
        assert_eq!((&first["won"], &first["question"]["answer"]), (&json!(true), &json!("b")));
        assert_eq!(first["question"]["answered_by"], "key:operator");
        for late in [json!("a"), json!("b"), json!(["nonsense"])] {
            let second = answer(&desk, asked.id, late).await.expect(200);
            assert_eq!((&second["won"], &second["question"]["answer"]), (&json!(false), &json!("b")));
        }
        assert_eq!(desk.get(&path).await.expect(200)["order"]["status"], "queued");
        assert_eq!(desk.get("/questions?status=open").await.expect(200)["items"], json!([]));
        assert_eq!(desk.get(&format!("/questions/{}", asked.id)).await.expect(200)["status"], "answered");
    });
}

#[test]
fn an_answer_after_the_deadline_does_not_win() {
    on_both(|desk| async move {
        let (asked, _) = desk.asked(question()).await;
        let late = desk.advance(Duration::from_secs(3601));
        questions::climb(&desk.store, 10, late).await.expect("a pass");
        let reply = answer(&desk, asked.id, json!("b")).await.expect(200);
        assert_eq!((&reply["won"], &reply["question"]["status"]), (&json!(false), &json!("expired")));
        assert_eq!(
            (&reply["question"]["answer"], &reply["question"]["answered_by"]),
            (&json!("a"), &json!("deadline"))
        );
    });
}

#[test]
fn approvals_take_a_decision_and_a_comment() {
    on_both(|desk| async move {
        let approval = NewQuestion {
            kind: QuestionKind::Approval,
            options: Vec::new(),
            default: None,
            on_deadline: OnDeadline::Reject,
            ..question()
        };
        let (asked, _) = desk.asked(approval).await;
        for (bad, field) in [
            (json!(true), "answer"),
            (json!({}), "answer"),
            (json!({ "approved": "yes" }), "answer.approved"),
            (json!({ "approved": true, "comment": 7 }), "answer.comment"),
            (json!({ "approved": true, "why": "" }), "answer"),
        ] {
            assert_eq!(answer(&desk, asked.id, bad.clone()).await.problem(422, "invalid")["field"], field, "{bad}");
        }
        let given = json!({ "approved": false, "comment": "Too slow." });
        let reply = answer(&desk, asked.id, given.clone()).await.expect(200);
        assert_eq!((&reply["won"], &reply["question"]["answer"]), (&json!(true), &given));
    });
}

#[test]
fn answers_fit_their_schema() {
    on_sqlite(|desk| async move {
        let schema =
            json!({ "type": "object", "properties": { "n": { "type": "integer", "minimum": 1 } }, "required": ["n"] });
        let (asked, _) = desk.asked(NewQuestion { schema, options: Vec::new(), default: None, ..question() }).await;
        for (bad, field) in [(json!("x"), "answer"), (json!({ "n": 0 }), "answer.n"), (json!({}), "answer")] {
            assert_eq!(answer(&desk, asked.id, bad).await.problem(422, "invalid")["field"], field);
        }
        let large = json!({ "n": 1, "pad": "x".repeat(64 * 1024) });
        assert_eq!(answer(&desk, asked.id, large).await.problem(422, "invalid")["field"], "answer");
        assert_eq!(answer(&desk, asked.id, json!({ "n": 1 })).await.expect(200)["won"], true);
        let nobody = "00000000-0000-7000-8000-000000000000";
        answer(&desk, nobody, json!(1)).await.problem(404, "not_found");
    });
}
