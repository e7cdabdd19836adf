//! Questions and approvals, answered from the command line.

use serde_json::json;

use crate::support::{Shop, example, text};

const ASK: &str = "import shopfloor\nprint('answer:', shopfloor.ask('How many?', default='none'))\n";

#[tokio::test]
async fn an_answer_within_the_grace_goes_to_the_worker_that_holds_on() {
    let shop = Shop::with(&["--grace", "80s"]).await;
    let task = shop.run_code("ask", ASK).await;
    let question = shop.question(&task).await;
    let before = shop.get(&format!("/tasks/{task}")).await;
    assert_eq!(before["order"]["status"], "claimed", "{before}");
    shop.cli(&["answer", &text(&question["id"]), "two"]).await.ends(0);
    let done = shop.over(&task).await;
    assert_eq!(done["result"]["stdout"], "answer: two\n", "{done}");
    assert_eq!(done["order"]["epoch"], 1, "the same claim went on: {done}");
}

#[tokio::test]
async fn an_answer_after_parking_resumes_the_order() {
    let shop = Shop::with(&["--grace", "0s"]).await;
    let task = shop.run_code("ask", ASK).await;
    let question = text(&shop.question(&task).await["id"]);
    let parked = shop.order_is(&task, "parked").await;
    assert!(parked["order"]["lease_expires_at"].is_null(), "{parked}");
    let sessions = shop.cli(&["sessions", "--json"]).await.ends(0).json();
    assert_eq!(sessions["items"], json!([]), "waiting costs nothing");
    let why = shop.cli(&["why", &task, "--json"]).await.ends(0).json();
    assert_eq!(why["code"], "waiting_for_person");
    assert_eq!(why["question"], question);
    let inbox = shop.cli(&["inbox"]).await.ends(0);
    assert!(inbox.stdout.contains("How many?"), "{}", inbox.stdout);

    shop.cli(&["answer", &question, "--", "-3"]).await.ends(0);
    let done = shop.over(&task).await;
    assert_eq!(done["result"]["stdout"], "answer: -3\n", "{done}");
    assert_eq!(done["order"]["epoch"], 2, "{done}");
    assert_eq!(done["order"]["attempt"], 1, "{done}");
    shop.cli(&["answer", &question, "--", "-3"]).await.ends(0);
    let late = shop.cli(&["answer", &question, "7"]).await.ends(1);
    assert!(late.stdout.contains("-3"), "the first answer counts: {}", late.stdout);
}

#[tokio::test]
async fn nobody_answers_and_the_default_counts() {
    let shop = Shop::with(&["--grace", "0s"]).await;
    let code = ASK.replace("default='none'", "default='none', deadline_seconds=1");
    let task = shop.run_code("ask", &code).await;
    let done = shop.over(&task).await;
    assert_eq!(done["result"]["stdout"], "answer: none\n", "{done}");
    let questions = shop.cli(&["inbox", "--all", "--json"]).await.ends(0).json();
    assert_eq!(questions["items"][0]["status"], "expired", "{questions}");
    assert_eq!(questions["items"][0]["answered_by"], "deadline");
}

/// Submits the analysis for review; its id and the approval's.
async fn review(shop: &Shop) -> (String, String) {
    let script = shop.dir.path().join("hello.py");
    std::fs::write(&script, "print('hello')\n").unwrap();
    let args = ["submit", &script.display().to_string(), "--pipeline", "review-and-run", "--wait", "--json"];
    let waiting = shop.cli(&args).await.ends(5);
    assert!(waiting.stderr.contains("shopfloor approve"), "{}", waiting.stderr);
    let id = text(&waiting.json()["id"]);
    let question = text(&shop.question(&id).await["id"]);
    (id, question)
}

#[tokio::test]
async fn what_is_approved_runs_and_what_is_rejected_does_not() {
    let shop = Shop::with(&["--grace", "100ms"]).await;
    let (id, question) = review(&shop).await;
    shop.cli(&["answer", &question, "yes"]).await.ends(2);
    shop.cli(&["approve", &question, "--comment", "looks fine"]).await.ends(0);
    let done = shop.over(&id).await;
    assert_eq!(done["result"]["stdout"], "hello\n", "{done}");

    let (id, question) = review(&shop).await;
    shop.cli(&["reject", &question, "--comment", "not today"]).await.ends(0);
    let done = shop.over(&id).await;
    assert_eq!(done["status"], "failed", "{done}");
    assert!(text(&done["error"]).contains("not today"), "{}", done["error"]);
    assert!(shop.steps(&id).await.iter().all(|step| step.1 != "sandbox"), "nothing may have run");
}

#[tokio::test]
async fn a_pipeline_asks_first_and_a_stay_waits_for_the_answer() {
    let shop = Shop::with(&["--grace", "100ms"]).await;
    let script = shop.dir.path().join("echo.py");
    std::fs::write(&script, "import shopfloor\nprint('said', shopfloor.ask('?'))\n").unwrap();
    let script = script.display().to_string();
    let args =
        ["submit", &script, "-p", "ask-and-run", "-s", "question.prompt=Say something", "--wait", "--stay", "--json"];
    let answering = async {
        let question = shop
            .until("a question is open", || async { shop.get("/questions?status=open").await["items"].get(0).cloned() })
            .await;
        assert_eq!(question["prompt"], "Say something");
        shop.cli(&["answer", &text(&question["id"]), "good morning"]).await.ends(0);
    };
    let (waited, ()) = tokio::join!(shop.cli(&args), answering);
    let task = waited.ends(0).json();
    assert_eq!(task["result"]["stdout"], "said good morning\n", "{task}");
    let messages = shop.cli(&["chat", &text(&task["id"])]).await.ends(0);
    assert!(
        messages.stdout.contains("Say something") && messages.stdout.contains("good morning"),
        "{}",
        messages.stdout
    );
    let unknown = example("no-such-file.py");
    shop.cli(&["submit", &unknown]).await.ends(2);
}
