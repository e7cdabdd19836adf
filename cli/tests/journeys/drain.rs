//! SIGTERM: what runs is finished or handed back, and no attempt is burnt.

use std::time::Instant;

use rustix::process::Signal;

use crate::support::{Shop, example, text};

#[tokio::test]
async fn a_drain_finishes_what_it_can() {
    let mut shop = Shop::with(&["--drain", "60s"]).await;
    let code = "import time\nprint('begun', flush=True)\ntime.sleep(2)\nprint('done')\n";
    let task = shop.run_code("short", code).await;
    shop.events(&task).await.printed("begun").await;
    shop.server.signal(Signal::TERM);
    assert!(shop.server.ended().await.success());
    shop.start_again().await;
    let done = shop.get(&format!("/tasks/{task}")).await;
    assert_eq!(done["status"], "completed", "{done}");
    assert_eq!(done["order"]["epoch"], 1, "{done}");
}

#[tokio::test]
async fn a_drain_hands_back_what_takes_too_long_without_burning_an_attempt() {
    let mut shop = Shop::with(&["--drain", "500ms"]).await;
    let id = text(&shop.cli(&["submit", &example("endless.py"), "--json"]).await.ends(0).json()["id"]);
    shop.events(&id).await.printed("still here").await;
    shop.server.signal(Signal::TERM);
    assert!(shop.server.ended().await.success());
    shop.start_again().await;
    let claimed = shop
        .until("it runs again", || async {
            let task = shop.get(&format!("/tasks/{id}")).await;
            (task["order"]["epoch"] == 2 && task["order"]["status"] == "claimed").then_some(task)
        })
        .await;
    assert_eq!(claimed["order"]["attempt"], 1, "{claimed}");
    let results = shop.get(&format!("/tasks/{id}/results")).await;
    assert_eq!(results["executions"][0]["status"], "released", "{results}");
    shop.cli(&["cancel", &id, "--wait"]).await.ends(0);
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once() {
    let mut shop = Shop::with(&["--drain", "80s"]).await;
    let id = text(&shop.cli(&["submit", &example("endless.py"), "--json"]).await.ends(0).json()["id"]);
    shop.events(&id).await.printed("still here").await;
    shop.server.signal(Signal::TERM);
    shop.until("it drains", || async { shop.server.log().contains("Stopping on SIGTERM").then_some(()) }).await;
    let began = Instant::now();
    shop.server.signal(Signal::TERM);
    assert_eq!(shop.server.ended().await.code(), Some(143));
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
}
