//! The queue on Redis without any record: the same moves, no SQL. Orders bring their payload along in Redis.
//!
//! Publish, claim, wake-up and release are `shopfloor_queue::Dispatch`, which `RedisQueue` is made of. What the record adds is
//! missing, on purpose: no lease (what a dead worker holds is lost, its payload stays), no epoch, no attempt, no result.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use shopfloor_bench_kit::{Args, Payload, Recorder};
use shopfloor_domain::{Capabilities, Clock as _, Name, OrderId, Priority, ProjectId, WorkerId, time::SystemClock};
use shopfloor_queue::{Chosen, Dispatch, Fairness, RedisSettings};
use shopfloor_store::orders::{ClaimRequest, Place};
use tokio::sync::{Notify, Semaphore};

use crate::room;

/// All orders are in one project, as those of the other systems are in one queue.
const PROJECT: &str = "00000000-0000-7000-8000-000000000001";
/// Completions told to Redis in one call, at most.
const TOLD_TOGETHER: usize = 500;

/// Runs a command of the driver.
pub(crate) async fn run(args: &Args) -> Result<()> {
    let dispatch = open(args).await?;
    match args.command.as_str() {
        "setup" => Ok(()),
        "enqueue" => {
            let (n, bulk) = (args.number("n")?, args.number_or("bulk", 1)?);
            shopfloor_bench_kit::timed(n, async {
                let mut left = n;
                while left > 0 {
                    let now = left.min(bulk);
                    submit(&dispatch, now).await?;
                    left -= now;
                }
                Ok(())
            })
            .await
        }
        "paced" => {
            let (n, rate) = (args.number("n")?, args.text("rate")?.parse()?);
            shopfloor_bench_kit::timed(n, shopfloor_bench_kit::paced(n, rate, || submit(&dispatch, 1))).await
        }
        "worker" => worker(args, dispatch).await,
        other => bail!("unknown command `{other}`"),
    }
}

async fn open(args: &Args) -> Result<Dispatch> {
    let url = args.text("url")?.to_owned();
    let settings = RedisSettings { url, namespace: Name::DEFAULT, fairness: Fairness::Projects };
    let dispatch = Dispatch::connect(&settings)?;
    while !dispatch.declare().await {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(dispatch)
}

async fn submit(dispatch: &Dispatch, n: u64) -> Result<()> {
    let (project, now) = (PROJECT.parse()?, SystemClock.now());
    let places: Vec<_> = (0..n)
        .map(|_| Place {
            id: OrderId::new(),
            queue: Name::DEFAULT,
            project,
            needs: Capabilities::default(),
            score: Priority::Normal.score(now),
            run_at: now,
        })
        .collect();
    let payloads = (0..n).map(|_| Ok(serde_json::to_vec(&Payload::now())?)).collect::<Result<Vec<_>>>()?;
    dispatch.publish_with(&places, &payloads, now).await.context("publishing: Redis is not there")?;
    Ok(())
}

struct Worker {
    dispatch: Dispatch,
    project: ProjectId,
    request: ClaimRequest,
    recorder: Recorder,
    /// Orders that run.
    slots: Semaphore,
    /// Orders in hand, running or not.
    room: Arc<Semaphore>,
    /// Ended, and not told to Redis yet.
    ended: Mutex<Vec<(ProjectId, OrderId)>>,
    ends: Notify,
}

async fn worker(args: &Args, dispatch: Dispatch) -> Result<()> {
    let slots = usize::try_from(args.number("slots")?)?;
    let in_hand = slots + usize::try_from(args.number_or("prefetch", 0)?)?;
    let request = ClaimRequest {
        worker_id: WorkerId::new(),
        queues: Vec::new(),
        capabilities: Capabilities::default(),
        limit: 1,
        lease: Duration::ZERO,
    };
    let worker = Arc::new(Worker {
        dispatch,
        project: PROJECT.parse()?,
        request,
        recorder: Recorder::create(args.text("out")?)?,
        slots: Semaphore::new(slots),
        room: Arc::new(Semaphore::new(in_hand)),
        ended: Mutex::default(),
        ends: Notify::new(),
    });
    tokio::select! {
        worked = claim_for_ever(&worker, in_hand) => worked,
        told = tell_for_ever(&worker) => told,
        stopped = shopfloor_bench_kit::until_terminated() => stopped,
    }
}

async fn claim_for_ever(worker: &Arc<Worker>, in_hand: usize) -> Result<()> {
    loop {
        let mut room = room::take(&worker.room, in_hand).await?;
        let limit = room.num_permits().min(ClaimRequest::MAX as usize);
        let chosen = worker.dispatch.claim(&worker.request, limit, true, SystemClock.now()).await;
        let Chosen { ids, mut look, .. } = chosen.context("claiming: Redis is not there")?;
        if ids.is_empty() {
            drop(room);
            look.wait(Duration::from_secs(5)).await;
            continue;
        }
        let payloads = worker.dispatch.luggage(&ids).await.context("fetching payloads: Redis is not there")?;
        for (id, payload) in ids.into_iter().zip(payloads) {
            let payload: Payload = serde_json::from_slice(&payload.context("an order without its payload")?)?;
            let place = room.split(1).context("more orders than were asked for")?;
            let worker = Arc::clone(worker);
            tokio::spawn(async move {
                let slot = worker.slots.acquire().await;
                worker.recorder.started(payload.t);
                drop(slot);
                worker.ended.lock().unwrap_or_else(PoisonError::into_inner).push((worker.project, id));
                worker.ends.notify_one();
                // Its place is free again when Redis has been told: `tell_for_ever` gives it back.
                place.forget();
            });
        }
    }
}

/// Tells Redis what ended; what ends while a call is on its way goes into the next one.
async fn tell_for_ever(worker: &Worker) -> Result<()> {
    loop {
        worker.ends.notified().await;
        loop {
            let ended: Vec<_> = {
                let mut ended = worker.ended.lock().unwrap_or_else(PoisonError::into_inner);
                let n = ended.len().min(TOLD_TOGETHER);
                ended.drain(..n).collect()
            };
            if ended.is_empty() {
                break;
            }
            worker.dispatch.done(&ended).await.context("completing: Redis is not there")?;
            worker.room.add_permits(ended.len());
        }
    }
}
