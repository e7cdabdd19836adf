//! One run from its start to its outcome.

use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::unix::pipe,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    LocalSandbox,
    artifacts::Left,
    launch::{self, Failed, Launch, Launched, Started},
    output,
    verdict::{Cut, Evidence, without_running},
    view::ASKED,
    watch::Watch,
};
use crate::{Job, Outcome, OutputSink, SandboxError};

/// How long a sandbox may take to stand on a busy machine.
const START: Duration = Duration::from_secs(20);
/// How long killed processes may take to be gone.
const DEATH: Duration = Duration::from_secs(15);

pub(super) async fn run(
    sandbox: &LocalSandbox,
    job: Job,
    sink: OutputSink,
    stop: CancellationToken,
) -> Result<Outcome, SandboxError> {
    let failed = |doing| move |source| SandboxError::Io { doing, fence: job.fence, source };
    let launch = Launch {
        bwrap: sandbox.bwrap.clone(),
        plan: sandbox.view.plan(&job, launch::FIRST_FILE_FD, launch::FILTER_FD),
        filter: Arc::clone(&sandbox.filter),
        cgroups: sandbox.cgroups.clone(),
        limits: job.limits.clone(),
    };
    let mut launched = launch::launch(launch).map_err(failed("starting a thread"))?;
    let started = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(without_running(Cut::Cancelled)),
        started = timeout(START, &mut launched.started) => started,
    };
    let started = match started {
        Ok(Ok(Ok(started))) => started,
        Ok(Ok(Err(Failed::Io(doing, source)))) => return Err(failed(doing)(source)),
        Ok(Ok(Err(Failed::Bwrap(message)))) => return Ok(without_running(Cut::Crashed(message))),
        Ok(Err(_)) => return Ok(without_running(Cut::Crashed("the thread that starts it ended".into()))),
        Err(_) => {
            launched.give_up();
            return Ok(without_running(Cut::Crashed(format!("it did not stand within {START:?}"))));
        }
    };
    under_way(&job, launched, started, sink, &stop).await.map_err(failed("running the job"))
}

async fn under_way(
    job: &Job,
    mut launched: Launched,
    started: Started,
    sink: OutputSink,
    stop: &CancellationToken,
) -> io::Result<Outcome> {
    let Started { stdout, stderr, mut go, folders, proc, alarm } = started;
    let flooded = CancellationToken::new();
    let (stdout, stderr) = (pipe::Receiver::from_owned_fd(stdout)?, pipe::Receiver::from_owned_fd(stderr)?);
    let listening = output::listen(stdout, stderr, &job.limits, sink, &flooded);
    let work = folders[0].try_clone()?;
    let watch = Watch::new(alarm, proc, folders.into(), job.limits.memory_bytes);

    go.write_all(b"\n")?;
    drop(go);
    let began = Instant::now();
    let mut ended = None;
    let mut cut = tokio::select! {
        biased;
        () = stop.cancelled() => Some(Cut::Cancelled),
        end = &mut launched.ended => { ended = Some(end); None }
        () = flooded.cancelled() => Some(Cut::Flooded),
        excess = Arc::clone(&watch).excess() => Some(Cut::Excess(excess)),
        () = sleep(job.limits.wall) => Some(Cut::TimedOut),
    };
    launched.kill();
    let ended = match ended {
        Some(ended) => ended.ok(),
        None => timeout(DEATH, &mut launched.ended).await.ok().and_then(Result::ok),
    };
    let wall = began.elapsed();
    let captured = listening.finish().await;
    let Some(mut ended) = ended else {
        return Ok(without_running(Cut::Crashed("its processes could not be ended".into())));
    };
    if cut.is_none() && flooded.is_cancelled() {
        cut = Some(Cut::Flooded);
    }
    ended.usage.peak_memory = ended.usage.peak_memory.or(watch.peak());
    let asks = cut.is_none() && ended.status.code() == Some(ASKED);
    let wanted = !asks && !matches!(cut, Some(Cut::Cancelled));
    let limits = job.limits.clone();
    let left = tokio::task::spawn_blocking(move || Left::read(&work, asks, wanted.then_some(&limits)));
    let left = left.await.map_err(io::Error::other)?;
    Ok(Evidence { limits: &job.limits, cut, ended, captured, left, wall }.outcome())
}
