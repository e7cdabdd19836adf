//! What a job prints.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use shopfloor_domain::sandbox::Ending;
use shopfloor_sandbox::Stream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::kit::*;

#[tokio::test]
async fn output_is_heard_live_and_in_order() {
    let source = "import sys\nfor n in range(2000):\n    print(n)\n    print(-n, file=sys.stderr)";
    let (sink, heard) = ear();
    let outcome = sandbox().await.run(python(source), sink, CancellationToken::new()).await.unwrap();
    let heard = heard.lock().unwrap();
    for (stream, text) in [(Stream::Stdout, &outcome.stdout), (Stream::Stderr, &outcome.stderr)] {
        let all: String = heard.iter().filter(|it| it.stream == stream).map(|it| it.text.as_str()).collect();
        assert_eq!(&all, text);
        assert_eq!(text.lines().count(), 2000);
    }
}

#[tokio::test]
async fn the_first_piece_is_heard_before_the_end() {
    let stop = CancellationToken::new();
    let (sink, bell) = bell();
    let run = tokio::spawn({
        let (sandbox, stop) = (sandbox().await, stop.clone());
        async move { sandbox.run(python("import time\nprint('first')\ntime.sleep(1000)"), sink, stop).await }
    });
    bell.notified().await;
    stop.cancel();
    let outcome = run.await.unwrap().unwrap();
    assert_eq!((outcome.ending, outcome.stdout.trim()), (Ending::Cancelled, "first"));
}

#[tokio::test]
async fn bytes_that_are_no_text_are_replaced() {
    let source = "import os\nfor part in (b'gr\\xc3', b'\\xbc\\xff', b'\\xe2\\x82'):\n    os.write(1, part)";
    assert_eq!(run(python(source)).await.stdout, "grü\u{fffd}\u{fffd}");
}

#[tokio::test]
async fn a_flood_is_stopped_at_once_and_its_head_kept() {
    for stream in ["stdout", "stderr"] {
        let source = format!("import sys\nfor n in range(1600):\n    sys.{stream}.write('x' * 65536)");
        let began = Instant::now();
        let outcome = run(python(&source)).await;
        assert_eq!((outcome.ending, outcome.signal), (Ending::OutputLimit, Some(9)), "{stream}");
        let head = if stream == "stdout" { &outcome.stdout } else { &outcome.stderr };
        assert_eq!(head.len() as u64, MIB, "{stream}");
        assert!(outcome.output_bytes < 4 * MIB, "{} bytes were let through", outcome.output_bytes);
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn the_limit_is_exact() {
    let exact = run(limited("print('x' * 99)", |limits| limits.output_bytes = 100)).await;
    assert_eq!((exact.ending, exact.stdout.len()), (Ending::Ok, 100));
    let over = run(limited("print('x' * 100)", |limits| limits.output_bytes = 100)).await;
    assert_eq!((over.ending, over.stdout.len()), (Ending::OutputLimit, 100));
    let both = "import sys\nprint('x' * 99)\nprint('y' * 99, file=sys.stderr)";
    assert_eq!(run(limited(both, |limits| limits.output_bytes = 100)).await.ending, Ending::Ok);
}

#[tokio::test]
async fn a_sink_that_blocks_delays_nothing_but_itself() {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let mark = Uuid::now_v7().to_string();
    let mut job = with_args("print('x')\nwhile True: pass", &[&mark]);
    job.limits.wall = Duration::from_secs(1);
    let run = tokio::spawn({
        let sandbox = sandbox().await;
        let sink = Arc::new(move |_| {
            let _ = released.lock().unwrap().recv();
        });
        async move { sandbox.run(job, sink, CancellationToken::new()).await }
    });
    eventually("the job begins", || processes_with(&mark) > 0).await;
    eventually("the job is killed on time", || processes_with(&mark) == 0).await;
    drop(release);
    assert_eq!(run.await.unwrap().unwrap().ending, Ending::TimedOut);
}
