//! Runs a pipeline: looks at what is recorded, does the next step, records it, and so on.

mod artifacts;
mod ask;
mod code;
mod critic;
mod halt;
mod live;
mod plan;
mod result;
mod sandbox;
mod step;
mod text;

use std::{sync::Arc, time::Duration};

use shopfloor_domain::{backoff::RetryPolicy, session::EndReason};
use shopfloor_pipelines::Pipeline;
use shopfloor_store::{orders::Verdict, runs::Run, sessions, steps, tasks, tasks::Task};
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};

use self::{
    halt::{Halt, persist},
    plan::Next,
};
use crate::{
    held::{Held, Why},
    settings::{Deps, Settings},
};

/// How long work that was told to stop may take to unwind; then it is dropped.
const UNWIND: Duration = Duration::from_secs(10);
/// How often in a row the record may have moved under a step.
const MAX_MOVES: u32 = 5;
/// Activity is noted at most this often.
const TOUCH_EVERY: Duration = Duration::from_secs(5);

/// How work on an order ended.
#[derive(Debug, Clone)]
pub(crate) enum Ended {
    /// With this verdict, to be written.
    Verdict(Verdict),
    /// As somebody else's order: nothing to be written.
    Gone,
}

/// The engine. Cloning shares what it works with.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    deps: Deps,
    retry: RetryPolicy,
    grace: Duration,
}

/// One order's run, loaded.
struct Work<'e> {
    deps: &'e Deps,
    grace: Duration,
    held: &'e Held,
    run: Run,
    task: Task,
    pipeline: Pipeline,
    touched: std::sync::Mutex<Option<Instant>>,
}

impl Engine {
    pub(crate) fn new(deps: Deps, settings: &Settings) -> Self {
        Self { deps, retry: settings.retry, grace: settings.grace }
    }

    /// Works on an order until there is a verdict or it must stop. Bounded in time, whatever the steps do.
    pub(crate) async fn work(&self, held: &Arc<Held>) -> Ended {
        let mut drive = Box::pin(self.drive(held));
        let outcome = tokio::select! {
            outcome = &mut drive => Some(outcome),
            () = held.stop().cancelled() => None,
        };
        let outcome = match outcome {
            Some(outcome) => outcome,
            None => timeout(UNWIND, drive).await.unwrap_or(Err(Halt::Stopped)),
        };
        self.ended(held, outcome)
    }

    fn ended(&self, held: &Held, outcome: Result<Verdict, Halt>) -> Ended {
        let verdict = match (held.why(), outcome) {
            (Some(Why::Lost), _) => return Ended::Gone,
            (_, Err(Halt::Fenced(op))) => {
                self.deps.metrics.fenced_writes.with_label_values(&[op]).inc();
                warn!(order.id = %held.fence().order_id, op, "The record refused a write: the order has moved on");
                return Ended::Gone;
            }
            (_, Ok(verdict @ (Verdict::Completed { .. } | Verdict::Failed { .. }))) => verdict,
            (Some(Why::Cancelled), _) | (_, Err(Halt::Cancelled)) => Verdict::Cancelled,
            (_, Ok(verdict)) => verdict,
            (Some(Why::Drain), Err(_)) => Verdict::Released { reason: EndReason::Released },
            (Some(Why::Overtime), Err(_)) => {
                Verdict::Failed { error: "It ran longer than its pipeline allows.".to_owned(), result: None }
            }
            (None, Err(Halt::Infrastructure(error) | Halt::Moved(error))) => self.again(held, error),
            (None, Err(Halt::Stopped)) => self.again(held, "It was stopped for no reason that is known.".to_owned()),
        };
        Ended::Verdict(verdict)
    }

    fn again(&self, held: &Held, error: String) -> Verdict {
        let after = self.retry.backoff(held.claim.order.attempt, rand::random());
        Verdict::Retry { error, after }
    }

    async fn drive(&self, held: &Held) -> Result<Verdict, Halt> {
        let order = &held.claim.order;
        let store = &self.deps.store;
        let run = held.claim.run.clone();
        let task = persist(held, || tasks::get(store, order.task_id)).await?;
        let pipeline = match Pipeline::from_json(&run.definition) {
            Ok(pipeline) => pipeline,
            Err(problem) => {
                let error = format!("The definition of `{}` cannot be run: {problem}", run.template);
                return Ok(Verdict::Failed { error, result: None });
            }
        };
        let allowed = Duration::from_secs(pipeline.max_seconds.unwrap_or(Pipeline::MAX_SECONDS));
        let work = Work {
            deps: &self.deps,
            grace: self.grace,
            held,
            run,
            task,
            pipeline,
            touched: std::sync::Mutex::new(Some(Instant::now())),
        };
        let mut steps = Box::pin(work.steps());
        tokio::select! {
            verdict = &mut steps => return verdict,
            () = sleep(allowed) => {}
        }
        held.halt(Why::Overtime);
        steps.await
    }
}

impl Work<'_> {
    /// Step after step until the run is over or waits.
    async fn steps(&self) -> Result<Verdict, Halt> {
        let mut moves = 0;
        loop {
            if self.held.stop().is_cancelled() {
                return Err(Halt::Stopped);
            }
            let recorded = persist(self.held, || steps::of_run(&self.deps.store, self.run.id)).await?;
            let next = match plan::next(&self.pipeline, &recorded) {
                Ok(next) => next,
                Err(misfit) => return Ok(Verdict::Failed { error: misfit.to_string(), result: None }),
            };
            let done = match next {
                Next::Done => return Ok(Verdict::Completed { result: result::compose(&recorded) }),
                Next::Failed(at) => return Ok(result::failure(&recorded, at)),
                Next::Begin(place) => self.begin(place, &recorded).await,
                Next::Wait(place) => self.resume(place, &recorded).await,
            };
            match done {
                Ok(step::Progress::Recorded) => moves = 0,
                Ok(step::Progress::Park) => return Ok(Verdict::Parked),
                Err(Halt::Moved(problem)) if moves < MAX_MOVES => {
                    moves += 1;
                    debug!(order.id = %self.held.fence().order_id, problem, "Looking again at what is recorded");
                }
                Err(halt) => return Err(halt),
            }
            self.touch().await;
        }
    }

    /// Notes that something happens, so that the session does not count as idle.
    async fn touch(&self) {
        {
            let mut touched = self.touched.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if touched.is_some_and(|at| at.elapsed() < TOUCH_EVERY) {
                return;
            }
            *touched = Some(Instant::now());
        }
        let session = self.held.claim.session_id;
        if let Err(error) = sessions::touch(&self.deps.store, session, self.deps.clock.now()).await {
            debug!(%error, session.id = %session, "Could not note activity");
        }
    }
}
