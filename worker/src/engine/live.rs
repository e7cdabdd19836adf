//! Live output: from the sandbox's sink, which must not block, into the event log, in small batches.

use std::{mem, sync::Arc, time::Duration};

use serde_json::{Value, json};
use shopfloor_domain::{StepId, event::EventKind};
use shopfloor_sandbox::{Output, OutputSink};
use shopfloor_store::{StoreError, events};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    Work,
    text::{clean, head},
};
use crate::{backend::chain, held::Why};

/// Pieces waiting for the log; more are dropped, since the sandbox must not wait.
const CAPACITY: usize = 1024;
/// Batches are written no closer than this, or when they are large. The first one after a silence goes out nearly at once:
/// somebody may be watching.
const EVERY: Duration = Duration::from_millis(100);
/// So long the first one waits for the rest of what was printed together.
const GATHER: Duration = Duration::from_millis(5);
const BATCH: usize = 16 * 1024;
/// What one step may write to the log.
const TOTAL: usize = 1024 * 1024;
const CUT: &str = "\n[More output followed; the result has its beginning.]\n";

/// The sink and the other end of it.
pub(super) fn channel() -> (OutputSink, mpsc::Receiver<Output>) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    let sink: OutputSink = Arc::new(move |output| drop(sender.try_send(output)));
    (sink, receiver)
}

impl Work<'_> {
    /// Writes what comes until `done`, and then what is left. A failure costs live output only.
    pub(super) async fn stream(&self, step: StepId, mut pieces: mpsc::Receiver<Output>, done: CancellationToken) {
        let mut batch = Batch::new(step);
        let mut rested_at = Instant::now();
        loop {
            let first = tokio::select! {
                biased;
                piece = pieces.recv() => piece,
                () = done.cancelled() => pieces.try_recv().ok(),
            };
            let Some(first) = first else { break };
            batch.push(first);
            let full_at = rested_at.max(Instant::now() + GATHER);
            while batch.bytes < BATCH && !done.is_cancelled() {
                match timeout_at(full_at, pieces.recv()).await {
                    Ok(Some(piece)) => batch.push(piece),
                    Ok(None) | Err(_) => break,
                }
            }
            while batch.bytes < BATCH
                && let Ok(piece) = pieces.try_recv()
            {
                batch.push(piece);
            }
            rested_at = Instant::now() + EVERY;
            self.write(batch.take()).await;
            self.touch().await;
        }
    }

    async fn write(&self, payloads: Vec<Value>) {
        if payloads.is_empty() || self.held.why() == Some(Why::Lost) {
            return;
        }
        let now = self.deps.clock.now();
        match events::append(&self.deps.store, self.held.fence(), EventKind::StepOutput, payloads, now).await {
            Ok(()) => {}
            Err(StoreError::Fenced { op, .. }) => {
                self.deps.metrics.fenced_writes.with_label_values(&[op]).inc();
                self.held.halt(Why::Lost);
            }
            Err(error) => warn!(error = chain(&error), order.id = %self.held.fence().order_id, "Lost some live output"),
        }
    }
}

/// Pieces put together: one payload per stretch of one stream.
struct Batch {
    step: StepId,
    runs: Vec<Output>,
    bytes: usize,
    left: usize,
    cut: bool,
}

impl Batch {
    fn new(step: StepId) -> Self {
        Self { step, runs: Vec::new(), bytes: 0, left: TOTAL, cut: false }
    }

    fn push(&mut self, piece: Output) {
        let text = clean(head(&piece.text, self.left));
        let shortened = text.len() < piece.text.len() && self.left < piece.text.len();
        self.left = self.left.saturating_sub(text.len());
        self.add(Output { stream: piece.stream, text });
        if shortened && !self.cut {
            self.cut = true;
            self.left = 0;
            self.add(Output { stream: piece.stream, text: CUT.to_owned() });
        }
    }

    fn add(&mut self, piece: Output) {
        self.bytes += piece.text.len();
        match self.runs.last_mut() {
            _ if piece.text.is_empty() => {}
            Some(last) if last.stream == piece.stream => last.text.push_str(&piece.text),
            _ => self.runs.push(piece),
        }
    }

    fn take(&mut self) -> Vec<Value> {
        self.bytes = 0;
        let runs = mem::take(&mut self.runs);
        runs.into_iter().map(|run| json!({ "step_id": self.step, "stream": run.stream, "text": run.text })).collect()
    }
}

#[cfg(test)]
mod tests {
    use shopfloor_sandbox::Stream;

    use super::*;

    fn piece(stream: Stream, text: &str) -> Output {
        Output { stream, text: text.to_owned() }
    }

    #[test]
    fn stretches_of_one_stream_become_one_payload() {
        let mut batch = Batch::new(StepId::new());
        for (stream, text) in
            [(Stream::Stdout, "a"), (Stream::Stdout, "b\0"), (Stream::Stderr, "c"), (Stream::Stdout, "d")]
        {
            batch.push(piece(stream, text));
        }
        let payloads = batch.take();
        let texts: Vec<_> = payloads.iter().map(|payload| payload["text"].as_str().unwrap()).collect();
        assert_eq!(texts, ["ab\u{fffd}", "c", "d"]);
        assert!(batch.take().is_empty());
    }

    #[test]
    fn what_one_step_writes_is_bounded() {
        let mut batch = Batch::new(StepId::new());
        let mut written = 0;
        for _ in 0..100 {
            batch.push(piece(Stream::Stdout, &"x".repeat(64 * 1024)));
            written += batch.take().iter().map(|payload| payload["text"].as_str().unwrap().len()).sum::<usize>();
        }
        assert_eq!(written, TOTAL + CUT.len());
    }

    #[test]
    fn the_sink_never_blocks() {
        let (sink, receiver) = channel();
        for _ in 0..2 * CAPACITY {
            sink(piece(Stream::Stdout, "x"));
        }
        assert_eq!(receiver.len(), CAPACITY);
    }
}
