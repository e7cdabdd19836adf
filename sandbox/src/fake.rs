//! A sandbox for the tests of other crates: nothing is run, a closure says how a job ends.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::{FutureExt, future::BoxFuture};
use shopfloor_domain::sandbox::{Ending, SandboxLevel};
use tokio_util::sync::CancellationToken;

use crate::{Job, Outcome, Output, OutputSink, Sandbox, SandboxError, Stream};

type Script = dyn Fn(Job, OutputSink) -> BoxFuture<'static, Result<Outcome, SandboxError>> + Send + Sync;

/// A sandbox that plays a script. Cancelling a run ends it with `cancelled`, as in a real one.
#[derive(Clone)]
pub struct FakeSandbox {
    script: Arc<Script>,
    seen: Arc<Mutex<Vec<Job>>>,
    level: SandboxLevel,
}

impl FakeSandbox {
    /// A sandbox whose runs end as `script` says, at once.
    pub fn new(script: impl Fn(&Job) -> Result<Outcome, SandboxError> + Send + Sync + 'static) -> Self {
        let script = Arc::new(script);
        Self::with(move |job, sink| {
            let ended = script(&job);
            async move {
                let outcome = ended?;
                for (stream, text) in [(Stream::Stdout, &outcome.stdout), (Stream::Stderr, &outcome.stderr)] {
                    if !text.is_empty() {
                        sink(Output { stream, text: text.clone() });
                    }
                }
                Ok(outcome)
            }
            .boxed()
        })
    }

    /// A sandbox whose runs take as long as the future of `script` takes.
    pub fn with(
        script: impl Fn(Job, OutputSink) -> BoxFuture<'static, Result<Outcome, SandboxError>> + Send + Sync + 'static,
    ) -> Self {
        Self { script: Arc::new(script), seen: Arc::default(), level: SandboxLevel::Local }
    }

    /// A sandbox whose runs all end with `ok` and print nothing.
    #[must_use]
    pub fn ok() -> Self {
        Self::new(|_| Ok(ended(Ending::Ok)))
    }

    /// The same, claiming another level.
    #[must_use]
    pub fn at_level(mut self, level: SandboxLevel) -> Self {
        self.level = level;
        self
    }

    /// The jobs it was given so far, in order.
    #[must_use]
    pub fn jobs(&self) -> Vec<Job> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// An outcome with this ending, a fitting exit code, and nothing else.
#[must_use]
pub fn ended(ending: Ending) -> Outcome {
    Outcome {
        ending,
        exit_code: match ending {
            Ending::Ok => Some(0),
            Ending::UserError => Some(1),
            _ => None,
        },
        signal: None,
        stdout: String::new(),
        stderr: String::new(),
        output_bytes: 0,
        artifacts: Vec::new(),
        asked: None,
        wall: Duration::from_millis(1),
        cpu: None,
        peak_memory: None,
        level: SandboxLevel::Local,
        detail: (ending != Ending::Ok).then(|| format!("The fake sandbox was told to end with `{ending}`.")),
    }
}

#[async_trait]
impl Sandbox for FakeSandbox {
    fn level(&self) -> SandboxLevel {
        self.level
    }

    async fn run(&self, job: Job, sink: OutputSink, stop: CancellationToken) -> Result<Outcome, SandboxError> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(job.clone());
        let run = (self.script)(job, sink);
        let mut outcome = tokio::select! {
            biased;
            () = stop.cancelled() => ended(Ending::Cancelled),
            outcome = run => outcome?,
        };
        outcome.level = self.level;
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use shopfloor_domain::{Epoch, Fence, OrderId};

    use super::*;
    use crate::Command;

    fn job() -> Job {
        Job {
            fence: Fence { order_id: OrderId::new(), epoch: Epoch(1) },
            command: Command::Python { script: "main.py".into(), args: Vec::new() },
            inputs: Vec::new(),
            env: BTreeMap::new(),
            answers: Vec::new(),
            limits: shopfloor_domain::sandbox::Limits::default(),
        }
    }

    #[tokio::test]
    async fn plays_the_script_and_remembers_the_job() {
        let sandbox = FakeSandbox::new(|_| Ok(Outcome { stdout: "hi".into(), ..ended(Ending::Ok) }));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        let sink: OutputSink = Arc::new(move |output| ear.lock().unwrap().push(output.text));
        let outcome = sandbox.run(job(), sink, CancellationToken::new()).await.unwrap();
        assert_eq!(outcome.ending, Ending::Ok);
        assert_eq!(*heard.lock().unwrap(), ["hi"]);
        assert_eq!(sandbox.jobs().len(), 1);
    }

    #[tokio::test]
    async fn a_run_without_end_can_be_cancelled() {
        let sandbox = FakeSandbox::with(|_, _| futures::future::pending().boxed());
        let stop = CancellationToken::new();
        stop.cancel();
        let outcome = sandbox.run(job(), Arc::new(|_| {}), stop).await.unwrap();
        assert_eq!(outcome.ending, Ending::Cancelled);
    }
}
