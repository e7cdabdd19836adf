//! One worker from registration to goodbye.

use std::{convert::Infallible, sync::Arc, time::Duration};

use apalis::{layers::WorkerBuilderExt, prelude::AcknowledgeLayer};
use apalis_core::{
    error::{BoxDynError, WorkerError as RuntimeError},
    worker::builder::WorkerBuilder,
};
use futures::FutureExt;
use shopfloor_domain::{WorkerId, backoff::RetryPolicy, worker::WorkerStatus};
use shopfloor_store::workers::{self, NewWorker};
use tokio::time::{sleep, timeout};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::{info, warn};

use crate::{
    backend::{Claims, OrderBackend, chain},
    conclude::Conclude,
    engine::{Ended, Engine},
    heartbeat::beat,
    held::{Hands, Held, Why},
    renew::renew_leases,
    settings::{Deps, Settings, WorkerError},
};

/// How long leaving and the last writes may take.
const GOODBYE: Duration = Duration::from_secs(5);
const REGISTER_BACKOFF: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(100), max: Duration::from_secs(5), max_attempts: 0, max_kills: 0 };

/// Works until `stop` is cancelled or somebody removes the worker; then drains: no more claims, running orders get
/// `settings.drain` to finish, what is left is handed back without burning an attempt, and the worker leaves.
///
/// Dropping the future instead is like killing the process: leases run out and somebody else takes the orders over.
///
/// # Errors
/// [`WorkerError`] when the settings make no sense or the record refuses the worker.
pub async fn run(settings: Settings, deps: Deps, stop: CancellationToken) -> Result<(), WorkerError> {
    check(&settings)?;
    let me = NewWorker {
        id: WorkerId::new(),
        name: settings.name.clone(),
        capabilities: settings.capabilities.clone(),
        queues: settings.queues.clone(),
        slots: settings.slots,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    if !register(&deps, &me, &stop).await? {
        return Ok(());
    }
    info!(worker.id = %me.id, worker.name = me.name, slots = me.slots, "Worker `{}` is ready", me.name);
    let drain = stop.child_token();
    let hands = Hands::new(settings.slots, deps.metrics.clone(), drain.clone());
    let conclude = Conclude::new(deps.clone(), settings.retry, Arc::clone(&hands));
    let claims = Claims::new(deps.clone(), &settings, me.id, Arc::clone(&hands), conclude.clone(), drain.clone());
    // In tasks of their own: whatever the runtime is busy with, leases and heartbeats go on.
    let _renewals = AbortOnDropHandle::new(tokio::spawn(renew_leases(
        Arc::clone(&deps.queue),
        Arc::clone(&deps.clock),
        me.id,
        settings.lease,
        Arc::clone(&hands),
    )));
    let _heartbeats = AbortOnDropHandle::new(tokio::spawn(beat(
        deps.clone(),
        me.clone(),
        settings.lease,
        Arc::clone(&hands),
        drain.clone(),
    )));
    let ended = {
        let work = work(&settings, &deps, claims.clone(), conclude, drain.clone());
        tokio::select! {
            ended = work => ended,
            never = call_time(&drain, settings.drain, &hands) => match never {},
        }
    };
    claims.settled().await;
    claims.hand_back(hands.all()).await;
    leave(&deps, &me).await;
    ended.map_err(|error| WorkerError::Runtime(error.to_string()))
}

fn check(settings: &Settings) -> Result<(), WorkerError> {
    if !(1..=Settings::MAX_SLOTS).contains(&settings.slots) {
        let problem = format!("must lie between 1 and {}, and is {}", Settings::MAX_SLOTS, settings.slots);
        return Err(WorkerError::Setting { field: "slots", problem });
    }
    if settings.lease.renew_every >= settings.lease.ttl {
        let problem = "must be shorter than the lease, or every lease runs out".to_owned();
        return Err(WorkerError::Setting { field: "lease.renew_every", problem });
    }
    Ok(())
}

/// Registers, waiting for the record if need be. `false` when the worker was stopped meanwhile.
async fn register(deps: &Deps, me: &NewWorker, stop: &CancellationToken) -> Result<bool, WorkerError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let error = match workers::register(&deps.store, me.clone(), deps.clock.now()).await {
            Ok(_) => break,
            Err(error) => error,
        };
        if !error.is_transient() {
            return Err(WorkerError::Register { name: me.name.clone(), source: error });
        }
        warn!(problem = chain(&error), tries, "Cannot register the worker; trying again");
        tokio::select! {
            () = sleep(REGISTER_BACKOFF.backoff(tries, rand::random())) => {}
            () = stop.cancelled() => return Ok(false),
        }
    }
    if let Err(error) = workers::heartbeat(&deps.store, me.id, WorkerStatus::Idle, deps.clock.now()).await {
        warn!(error = chain(&error), "Cannot send the first heartbeat; the next one is due soon");
    }
    Ok(true)
}

/// The apalis worker. Layers go from the outside in: a free slot, the verdict, the panic guard, the engine.
async fn work(
    settings: &Settings,
    deps: &Deps,
    claims: Claims,
    conclude: Conclude,
    drain: CancellationToken,
) -> Result<(), RuntimeError> {
    let engine = Engine::new(deps.clone(), settings);
    let worker = WorkerBuilder::new(settings.name.as_str())
        .backend(OrderBackend::new(claims))
        .concurrency(usize::try_from(settings.slots).unwrap_or(1))
        .layer(AcknowledgeLayer::new(conclude))
        .catch_panic()
        .build(move |held: Arc<Held>| {
            let engine = engine.clone();
            async move {
                // On a task of its own, so that orders run side by side; dropped with the worker.
                let work = AbortOnDropHandle::new(tokio::spawn(async move { engine.work(&held).await }));
                match work.await {
                    Ok(ended) => Ok::<_, BoxDynError>(ended),
                    Err(error) => match error.try_into_panic() {
                        // The panic guard makes an error of it.
                        Ok(panic) => std::panic::resume_unwind(panic),
                        Err(_cancelled) => Ok(Ended::Gone),
                    },
                }
            }
        });
    worker
        .run_until(async move {
            drain.cancelled().await;
            Ok::<(), RuntimeError>(())
        })
        // Boxed here, where the compiler still sees that it is `Send`.
        .boxed()
        .await
}

/// After the drain time, tells what still runs to stop.
async fn call_time(drain: &CancellationToken, patience: Duration, hands: &Hands) -> Infallible {
    drain.cancelled().await;
    sleep(patience).await;
    loop {
        for held in hands.all().iter().filter(|held| !held.is_concluding()) {
            if held.halt(Why::Drain) {
                info!(order.id = %held.fence().order_id, "Handing the order back: the worker stops");
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
}

async fn leave(deps: &Deps, me: &NewWorker) {
    match timeout(GOODBYE, workers::leave(&deps.store, me.id, deps.clock.now())).await {
        Ok(Ok(())) => info!(worker.id = %me.id, worker.name = me.name, "Worker `{}` has left", me.name),
        Ok(Err(error)) => warn!(error = chain(&error), worker.id = %me.id, "Cannot say goodbye to the record"),
        Err(_) => warn!(worker.id = %me.id, "The record did not answer a goodbye in time"),
    }
}
