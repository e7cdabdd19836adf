//! Keeps the deadlines of open questions: remind, escalate, and in the end default, reject or extend.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use shopfloor_domain::{Clock, QuestionId};
use shopfloor_queue::Queue;
use shopfloor_store::{Store, StoreError, questions};
use shopfloor_telemetry::Metrics;
use tracing::info;

use super::{BATCH, Loop, Work};
use crate::{Deps, Settings};

/// The loop.
pub struct Ladder {
    store: Store,
    queue: Arc<dyn Queue>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    every: Duration,
}

impl Ladder {
    /// The loop on this record.
    #[must_use]
    pub fn new(settings: &Settings, deps: &Deps) -> Self {
        let Deps { store, queue, clock, metrics } = deps.clone();
        Self { store, queue, clock, metrics, every: settings.every }
    }

    fn report(&self, rung: &'static str, questions: &[QuestionId]) {
        self.metrics.clarification_prompts.with_label_values(&[rung]).inc_by(questions.len() as u64);
        for question in questions {
            info!(question_id = %question, "Question `{question}` is {rung}");
        }
    }
}

#[async_trait]
impl Loop for Ladder {
    fn name(&self) -> &'static str {
        "ladder"
    }

    fn every(&self) -> Duration {
        self.every
    }

    async fn pass(&self) -> Result<Work, StoreError> {
        let now = self.clock.now();
        let climbed = questions::climb(&self.store, BATCH, now).await?;
        let rungs = [
            ("reminded", &climbed.reminded),
            ("escalated", &climbed.escalated),
            ("extended", &climbed.extended),
            ("expired", &climbed.expired),
        ];
        rungs.iter().for_each(|(rung, questions)| self.report(rung, questions));
        self.queue.publish(&climbed.resumed, now).await?;
        Ok(Work::batch(rungs.iter().map(|(_, questions)| questions.len()).sum(), BATCH))
    }
}
