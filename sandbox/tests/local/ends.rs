//! Runs that must be ended, and what remains of them: nothing.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use shopfloor_domain::sandbox::Ending;
use shopfloor_sandbox::Job;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::kit::*;

const VICTIM: &str = "SHOPFLOOR_TEST_VICTIM";

/// A job with a mark in its command line, and the mark.
fn marked(source: &str) -> (Job, String) {
    let mark = Uuid::now_v7().to_string();
    (with_args(source, &[&mark]), mark)
}

/// Prints the control groups that a job is in, as far as it can see them.
const SHOW_GROUPS: &str = "print(open('/proc/self/cgroup').read(), end='begun\\n', flush=True)\n";

/// Where the groups that a job has shown are on this machine, if they are still there.
fn groups_left(shown: &str) -> Vec<PathBuf> {
    let names: Vec<&str> = shown.lines().filter_map(|line| line.rsplit('/').next()).collect();
    let ours = names.into_iter().filter(|name| name.starts_with("shopfloor-job-")).collect::<BTreeSet<_>>();
    let memberships = fs::read_to_string("/proc/self/cgroup").unwrap();
    let folders = memberships.lines().flat_map(|line| {
        let (controllers, path) = line.split_once(':').and_then(|(_, rest)| rest.split_once(':')).unwrap_or_default();
        let own = Path::new("/sys/fs/cgroup").join(controllers).join(path.trim_start_matches('/'));
        [own.parent().map(Path::to_owned), Some(own)].into_iter().flatten().collect::<Vec<_>>()
    });
    folders
        .flat_map(|folder| ours.iter().map(move |name| folder.join(name)).collect::<Vec<_>>())
        .filter(|it| it.exists())
        .collect()
}

#[tokio::test]
async fn the_clock_runs_out() {
    let endless = [
        "while True: pass",
        "import signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\nwhile True: signal.pause()",
        "import os, time\nos.setsid()\nif os.fork(): time.sleep(1000)\nos.setsid()\nif os.fork(): time.sleep(1000)\nwhile True: pass",
        "import os\nos.close(1); os.close(2)\nwhile True: pass",
    ];
    for source in endless {
        let (mut job, mark) = marked(source);
        job.limits.wall = Duration::from_millis(700);
        let began = Instant::now();
        let outcome = run(job).await;
        assert_eq!((outcome.ending, outcome.exit_code, outcome.signal), (Ending::TimedOut, None, Some(9)), "{source}");
        assert_eq!(outcome.detail.as_deref(), Some("The code was stopped after 0.7 seconds."));
        assert!(outcome.wall >= Duration::from_millis(700) && began.elapsed() < Duration::from_secs(20));
        assert_eq!(processes_with(&mark), 0, "{source}");
    }
}

#[tokio::test]
async fn a_daemon_neither_delays_the_end_nor_survives_it() {
    let source = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork(): os._exit(0)\n    print('daemon')\n    time.sleep(1000)\n\
                  os.wait()\nprint('main')";
    let (job, mark) = marked(&format!("{SHOW_GROUPS}{source}"));
    let outcome = run(job).await;
    assert_eq!(outcome.ending, Ending::Ok, "{outcome:#?}");
    assert!(outcome.stdout.contains("main"));
    assert_eq!(processes_with(&mark), 0);
    assert_eq!(groups_left(&outcome.stdout), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn cancelling_kills_at_once() {
    let (job, mark) = marked("import time\nprint('begun')\ntime.sleep(1000)");
    let stop = CancellationToken::new();
    let (sink, bell) = bell();
    let (sandbox, token) = (sandbox().await, stop.clone());
    let run = tokio::spawn(async move { sandbox.run(job, sink, token).await });
    bell.notified().await;
    stop.cancel();
    let outcome = run.await.unwrap().unwrap();
    assert_eq!((outcome.ending, outcome.stdout.trim()), (Ending::Cancelled, "begun"));
    assert_eq!(processes_with(&mark), 0);
}

#[tokio::test]
async fn cancelled_before_the_start_nothing_runs() {
    let stop = CancellationToken::new();
    stop.cancel();
    let (job, mark) = marked("print('ran')");
    let outcome = sandbox().await.run(job, deaf(), stop).await.unwrap();
    assert_eq!((outcome.ending, outcome.stdout.as_str()), (Ending::Cancelled, ""));
    eventually("bwrap is gone", || processes_with(&mark) == 0).await;
}

#[tokio::test]
async fn a_run_that_nobody_waits_for_is_killed() {
    let (job, mark) = marked(&format!("{SHOW_GROUPS}import time\ntime.sleep(1000)"));
    let (sink, heard) = ear();
    let said = move || heard.lock().unwrap().iter().map(|it| it.text.clone()).collect::<String>();
    let sandbox = sandbox().await;
    let run = tokio::spawn(async move { sandbox.run(job, sink, CancellationToken::new()).await });
    eventually("the job begins", || said().contains("begun")).await;
    run.abort();
    assert!(run.await.unwrap_err().is_cancelled());
    eventually("the job is gone", || processes_with(&mark) == 0).await;
    eventually("its control group is gone", || groups_left(&said()).is_empty()).await;
}

/// Does nothing but when `a_killed_worker_takes_its_jobs_along` starts it.
#[tokio::test]
async fn victim() {
    let Ok(mark) = std::env::var(VICTIM) else { return };
    run(with_args("import time\ntime.sleep(1000)", &[&mark])).await;
}

#[tokio::test]
async fn a_killed_worker_takes_its_jobs_along() {
    let mark = Uuid::now_v7().to_string();
    let mut worker = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ends::victim"])
        .env(VICTIM, &mark)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the job begins", || processes_with(&format!("/inputs/main.py\0{mark}")) > 0).await;
    worker.kill().unwrap();
    worker.wait().unwrap();
    eventually("the job is gone", || processes_with(&mark) == 0).await;
}
