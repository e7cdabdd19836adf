//! The client's commands: exit codes, JSON, speed.

use std::time::Duration;

use serde_json::json;

use crate::support::{Ran, Shop, text};

#[tokio::test]
async fn exit_codes_are_as_documented() {
    let shop = Shop::start().await;
    shop.cli(&["tasks", "--no-such-option"]).await.ends(2);
    shop.cli(&["show", "x"]).await.ends(2);
    shop.cli(&["show", "0199aaaa-0000-7000-8000-000000000000"]).await.ends(3);
    shop.cli(&["show", "abcdef12"]).await.ends(3);
    shop.cli(&["pipelines", "show", "nonsense"]).await.ends(3);
    let wrong = shop.cli(&["--api-key", "sf_wrong", "tasks"]).await.ends(4);
    assert!(wrong.stderr.contains("try: ") && !wrong.stderr.contains("sf_wrong"), "{}", wrong.stderr);
    let nobody = shop.cli(&["--url", "http://127.0.0.1:1", "tasks"]).await.ends(6);
    assert!(nobody.stderr.contains("cannot be reached"), "{}", nobody.stderr);
    let mut nowhere = shop.command(&["tasks", "--data-dir", "nowhere"]);
    nowhere.current_dir(shop.dir.path());
    Ran::finish(&["tasks"], nowhere).await.ends(6);

    let nothing = shop.cli(&["submit"]).await.ends(2);
    assert!(nothing.stderr.contains("submit FILE"), "{}", nothing.stderr);
    let bad = shop.cli(&["submit", "--set", "code=print(1)", "--set", "surprise=1"]).await.ends(2);
    assert!(bad.stderr.contains("surprise"), "the field is named: {}", bad.stderr);
    let failed = shop.run_code("fails", "raise SystemExit(3)").await;
    assert_eq!(shop.over(&failed).await["result"]["exit_code"], 3);
    let ok = shop.cli(&["submit", "--set", "code=print(1)", "--title", "x", "--wait"]).await.ends(0);
    assert_eq!(ok.stdout, "1\n", "the code's own output and nothing else");
    shop.cli(&["retry", &failed, "--wait"]).await.ends(1);
}

#[tokio::test]
async fn roles_bound_what_a_key_may_do() {
    let shop = Shop::start().await;
    let viewer = shop.cli(&["keys", "create", "--role", "viewer", "--name", "looker"]).await.ends(0);
    let secret = viewer.stdout.trim();
    assert!(secret.starts_with("sf_") && secret.lines().count() == 1, "the secret alone: {secret}");
    shop.cli(&["--api-key", secret, "tasks"]).await.ends(0);
    shop.cli(&["--api-key", secret, "submit", "--set", "code=1"]).await.ends(4);
    shop.cli(&["--api-key", secret, "keys", "list"]).await.ends(4);
    let keys = shop.cli(&["keys", "list", "--json"]).await.ends(0).json();
    let id = keys["items"].as_array().unwrap().iter().find(|key| key["name"] == "looker").map(|key| text(&key["id"]));
    shop.cli(&["keys", "revoke", &id.unwrap()]).await.ends(0);
    shop.cli(&["--api-key", secret, "tasks"]).await.ends(4);
}

#[tokio::test]
async fn the_same_key_gives_the_same_task() {
    let shop = Shop::start().await;
    let data = shop.dir.path().join("data.csv");
    std::fs::write(&data, "a,b\n1,2\n").unwrap();
    let data = data.display().to_string();
    let submit = async |code: &str| {
        let set = format!("code={code}");
        shop.cli(&["submit", "--set", &set, "--input", &data, "--idempotency-key", "k1", "--json"]).await
    };
    let first = submit("print(1)").await.ends(0).json();
    let second = submit("print(1)").await.ends(0).json();
    assert_eq!(first["id"], second["id"], "also though the input was uploaded twice");
    let other = submit("print(2)").await.ends(2);
    assert!(other.stderr.contains("k1"), "{}", other.stderr);
}

#[tokio::test]
async fn json_is_one_document_and_every_command_is_quick() {
    let shop = Shop::start().await;
    let task = shop.run_code("a task", "print('hello')").await;
    shop.over(&task).await;
    let commands: [&[&str]; 15] = [
        &["tasks", "--status", "completed"],
        &["show", &task],
        &["why", &task],
        &["inbox"],
        &["workers"],
        &["sessions", "--all"],
        &["queue"],
        &["queue", "dead"],
        &["artifacts", "list", &task],
        &["chat", &task],
        &["chat", &task, "well done"],
        &["keys", "list"],
        &["pipelines", "list"],
        &["pipelines", "show", "run-code"],
        &["submit", "--set", "code=print(1)"],
    ];
    for args in commands {
        let mut best = Duration::MAX;
        for _ in 0..3 {
            let with_json = [args, &["--json"]].concat();
            let ran = shop.cli(&with_json).await.ends(0);
            assert!(ran.json().is_object(), "{}", ran.stdout);
            assert!(ran.stderr.is_empty(), "{args:?}: {}", ran.stderr);
            best = best.min(ran.took);
        }
        println!("{best:?} {}", args.join(" "));
        assert!(best < Duration::from_millis(600), "{args:?} takes {best:?}");
        shop.cli(args).await.ends(0);
    }
    let log = shop.cli(&["logs", &task, "--json"]).await.ends(0);
    assert!(log.stdout.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{}", log.stdout);
    let said = shop.cli(&["logs", &task]).await.ends(0);
    assert_eq!(said.stdout, "hello\n");
    let chat = shop.cli(&["chat", &task, "--json"]).await.ends(0).json();
    assert_ne!(chat["items"], json!([]));
}

#[tokio::test]
async fn what_others_wrote_cannot_steer_the_terminal() {
    let shop = Shop::start().await;
    let title = "a\u{1b}[31mred\u{202e}";
    let (status, _) = shop
        .request(reqwest::Method::POST, "/tasks", Some(json!({"title": title, "input": {"code": "print(1)"}})))
        .await;
    // Either the server refuses such a title, or the table shows it harmlessly.
    if status.is_success() {
        let tasks = shop.cli(&["tasks"]).await.ends(0);
        assert!(!tasks.stdout.contains(['\u{1b}', '\u{202e}']), "{:?}", tasks.stdout);
    }
}
