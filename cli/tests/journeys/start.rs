//! The first start, the second one, and the starts that are refused.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Ran, Shop, command, text};

fn secrets(lines: &[String]) -> Vec<&str> {
    lines.iter().flat_map(|line| line.split_whitespace()).filter(|word| word.starts_with("sf_")).collect()
}

#[tokio::test]
async fn the_first_start_prints_the_admin_key_once() {
    let mut shop = Shop::start().await;
    println!("ready after {:?}", shop.server.ready_after);
    let printed = shop
        .until("the banner is whole", || async {
            let lines = shop.server.printed.borrow().clone();
            lines.iter().any(|line| line.contains("shown this once")).then_some(lines)
        })
        .await;
    assert_eq!(secrets(&printed), [shop.server.key()], "{printed:?}");
    assert!(printed.iter().any(|line| line.contains("/docs")), "{printed:?}");
    let mode = std::fs::metadata(shop.data_dir().join("client.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!shop.server.log().contains(&shop.server.key()), "no secret is logged");

    shop.kill().await;
    shop.start_again().await;
    println!("ready again after {:?}", shop.server.ready_after);
    shop.until("the sandbox is known", || async {
        shop.server.printed.borrow().iter().any(|line| line.contains("sandbox  ")).then_some(())
    })
    .await;
    assert!(secrets(&shop.server.printed.borrow()).is_empty());
    shop.cli(&["tasks"]).await.ends(0);
}

#[tokio::test]
async fn the_folder_the_port_and_the_network_are_guarded() {
    let shop = Shop::start().await;
    let up = async |data_dir: &str, bind: &str| {
        let args = ["up", "--bind", bind, "--data-dir", data_dir];
        let mut up = command(&shop.data_dir());
        up.args(args);
        Ran::finish(&args, up).await
    };
    let data_dir = shop.data_dir().display().to_string();
    let twice = up(&data_dir, "127.0.0.1:0").await.ends(1);
    assert!(twice.stderr.contains("runs on") && twice.stderr.contains("--data-dir"), "{}", twice.stderr);

    let other = shop.dir.path().join("other").display().to_string();
    let taken = up(&other, shop.server.url.trim_start_matches("http://")).await.ends(1);
    assert!(taken.stderr.contains("in use") && taken.stderr.contains("--bind"), "{}", taken.stderr);

    let mut open = command(&shop.dir.path().join("third"));
    open.args(["up"]).env("SHOPFLOOR_BIND", "0.0.0.0:0");
    let open = Ran::finish(&["up"], open).await.ends(2);
    assert!(open.stderr.contains("other machines"), "{}", open.stderr);
    assert!(!shop.dir.path().join("third").exists(), "nothing is left of a refused start");

    for role in ["api", "worker", "orchestrator"] {
        let refused = shop.cli(&[role]).await.ends(2);
        assert!(refused.stderr.contains("--database-url"), "{role}: {}", refused.stderr);
    }
    shop.cli(&["tasks"]).await.ends(0);
}

#[tokio::test]
async fn a_lost_client_file_is_made_anew() {
    let mut shop = Shop::start().await;
    let first = shop.server.key();
    shop.kill().await;
    std::fs::remove_file(shop.data_dir().join("client.toml")).unwrap();
    shop.start_again().await;
    assert_ne!(shop.server.key(), first);
    let keys = shop.cli(&["keys", "list", "--json"]).await.ends(0).json();
    assert_eq!(keys["items"].as_array().unwrap().len(), 2);
    assert!(!keys.to_string().contains(&first), "secrets are never listed");
}

#[tokio::test]
async fn the_database_can_be_looked_at_without_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    let run = async |args: &'static [&'static str]| {
        let mut command = command(&data_dir);
        command.args(args);
        Ran::finish(args, command).await
    };
    let pending = run(&["migrate", "--status", "--json"]).await.ends(1).json();
    assert_ne!(pending["pending"], 0);
    run(&["migrate"]).await.ends(0);
    assert_eq!(run(&["migrate", "--json"]).await.ends(0).json()["ran"], 0, "a second time changes nothing");
    run(&["migrate", "--status"]).await.ends(0);
    let key = run(&["keys", "create", "--local", "--role", "viewer", "--name", "ops", "--json"]).await.ends(0).json();
    assert!(text(&key["secret"]).starts_with("sf_"));
    let doctor = run(&["doctor", "--json"]).await;
    let found = doctor.json();
    assert_eq!(found["ok"] == true, doctor.code == 0, "{found}");
    assert!(found["findings"].as_array().unwrap().len() > 3, "{found}");
    let openapi = run(&["openapi"]).await.ends(0).json();
    assert!(openapi["paths"].as_object().unwrap().contains_key("/api/v1/tasks"), "{}", openapi["paths"]);
    assert!(run(&["completion", "bash"]).await.ends(0).stdout.contains("submit"));
}
