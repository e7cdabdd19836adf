//! The roles that have no API, watched from outside.

use std::{path::Path, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout},
};

use crate::support::{command, in_time};

/// Starts a role on a record of its own; the process, what it goes on to print, and where its metrics are.
async fn start(role: &str, dir: &Path) -> (Child, Lines<BufReader<ChildStdout>>, String) {
    let mut start = command(dir);
    let record = format!("sqlite://{}", dir.join("shopfloor.db").display());
    start.args([role, "--database-url", &record, "--metrics-bind", "127.0.0.1:0"]);
    let mut child = start.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let found = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(url) = line.strip_prefix("Metrics are on ") {
                return url.to_owned();
            }
        }
        panic!("{role} ended without metrics")
    };
    let url = in_time("the metrics are there", found).await;
    (child, lines, url)
}

/// Scrapes until the metric has a value: the role begins its work after it began to listen.
async fn until_it_shows(metric: &str, scrape: impl AsyncFn() -> String) {
    let shown = async {
        while !scrape().await.lines().any(|line| line.starts_with(metric)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    in_time(metric, shown).await;
}

#[tokio::test]
async fn a_worker_and_an_orchestrator_are_watched_where_they_were_told_to_listen() {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for (role, metric) in [("worker", "shopfloor_worker_slots"), ("orchestrator", "shopfloor_leader 1")] {
        let dir = tempfile::tempdir().unwrap();
        let (mut child, _lines, url) = start(role, dir.path()).await;
        let get = async |url: &str| in_time(url, http.get(url).send()).await.unwrap();
        until_it_shows(metric, async || get(&url).await.text().await.unwrap()).await;
        for path in ["/healthz", "/readyz"] {
            let answer = get(&url.replace("/metrics", path)).await;
            assert_eq!(answer.status(), 200, "{role}{path}");
        }
        let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        assert_eq!(in_time("the end", child.wait()).await.unwrap().code(), Some(0), "{role}");
    }
}
