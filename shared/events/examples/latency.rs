//! Measures how long it takes until a process sees what another one has committed, on a PostgreSQL and a Redis of its own:
//! `cargo run --release -p shopfloor-events --example latency`. The child process commits and says when; the parent
//! follows the log. Each line is one way of carrying the calls, on an otherwise idle record and beside busy writers.

use std::{
    collections::HashMap,
    error::Error,
    process::Stdio,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures::StreamExt as _;
use shopfloor_domain::{Clock as _, event::EventKind, time::SystemClock};
use shopfloor_events::{EventLog, redis::fan_out};
use shopfloor_store::{
    Backend, Settings, Store,
    events::{self, EventFilter},
    tasks,
};
use shopfloor_testkit::{RedisServer, TestStore, new_task, store};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

const SAMPLES: usize = 500;
const BETWEEN: Duration = Duration::from_millis(10);

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        if let [database, blobs, redis, writers] = args.as_slice() {
            return write(database, blobs, redis, writers.parse()?).await;
        }
        println!("{SAMPLES} commits of another process, from the end of the commit to the reader, in ms");
        let redis = RedisServer::start();
        for writers in [0, 4] {
            for url in ["", &redis.url()] {
                measure(&store(Backend::Postgres).await, url, writers).await?;
            }
        }
        Ok(())
    })
}

/// The child: commits now and then and prints each task and the time of its commit, beside so many busy writers.
async fn write(database: &str, blobs: &str, redis: &str, writers: u32) -> Result<(), Box<dyn Error>> {
    let settings = Settings { database_url: database.into(), blob_dir: blobs.into(), max_connections: 8 };
    let (store, stop) = (Store::connect(&settings).await?, CancellationToken::new());
    if !redis.is_empty() {
        fan_out(&store, redis, "latency", stop.clone())?;
    }
    sleep(Duration::from_secs(1)).await;
    for _ in 0..writers {
        let store = store.clone();
        tokio::spawn(async move { while tasks::submit(&store, new_task("load"), SystemClock.now()).await.is_ok() {} });
    }
    for _ in 0..SAMPLES {
        sleep(BETWEEN).await;
        let task = tasks::submit(&store, new_task("sample"), SystemClock.now()).await?.task.id;
        println!("{task} {}", nanos());
    }
    stop.cancel();
    Ok(())
}

async fn measure(store: &TestStore, redis: &str, writers: u32) -> Result<(), Box<dyn Error>> {
    let stop = CancellationToken::new();
    if !redis.is_empty() {
        fan_out(store, redis, "latency", stop.clone())?;
    }
    let settings = store.settings();
    let mut child = Command::new(std::env::current_exe()?);
    child.arg(&settings.database_url).arg(&settings.blob_dir).arg(redis).arg(writers.to_string());
    let mut child = child.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let filter = EventFilter { kinds: vec![EventKind::TaskSubmitted], ..EventFilter::default() };
    let log = EventLog::new(Store::clone(store)).follow(events::tail(store).await?, filter, stop.clone());
    let seen = tokio::spawn(async move {
        let mut seen = HashMap::new();
        let mut log = std::pin::pin!(log);
        while let Some(Ok(event)) = log.next().await {
            seen.insert(event.task_id.map(|task| task.to_string()).unwrap_or_default(), nanos());
        }
        seen
    });
    let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    let mut written = Vec::with_capacity(SAMPLES);
    while let Some(line) = lines.next_line().await? {
        let (task, at) = line.split_once(' ').ok_or("a strange line")?;
        written.push((task.to_owned(), at.parse::<i64>()?));
    }
    sleep(Duration::from_secs(2)).await;
    stop.cancel();
    let seen = seen.await?;
    let late = |(task, at): &(String, i64)| seen.get(task).map(|seen| (seen - at) as f64 / 1e6);
    let mut all: Vec<f64> = written.iter().filter_map(late).collect();
    all.sort_by(f64::total_cmp);
    let at = |part: f64| all[((all.len() - 1) as f64 * part) as usize];
    let way = if redis.is_empty() { "NOTIFY" } else { "Redis" };
    println!(
        "{way:>6}, {writers} busy writers: p50 {:.1}  p90 {:.1}  p99 {:.1}  max {:.1}  ({} of {SAMPLES} seen)",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0),
        all.len(),
    );
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "two processes compare by the one clock that they share, finer than ms")]
fn nanos() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| i64::try_from(time.as_nanos()).unwrap_or(0))
}
