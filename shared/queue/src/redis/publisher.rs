//! Telling Redis in the background: whoever submits or completes has its answer as soon as the record has the change, and
//! changes that come at the same time go to Redis in one call.
//!
//! What Redis learns late, or never because the process died, costs a look: a claim is checked by the record, and the
//! reconciler publishes what is missing.

use shopfloor_domain::{OrderId, ProjectId, Timestamp};
use shopfloor_store::orders::Place;
use tokio::sync::mpsc;

use super::Dispatch;

/// Changes that wait to be told; further ones wait for a place.
const WAITING: usize = 1024;
/// Changes that are told together.
const TOGETHER: usize = 64;

/// A change in the record.
#[derive(Debug)]
pub(super) enum News {
    /// These orders were written.
    Queued(Vec<Place>, Timestamp),
    /// This order runs no longer.
    Over(ProjectId, OrderId),
}

/// The way to the task that tells. It ends when the last clone is gone and everything is told.
#[derive(Debug, Clone)]
pub(super) struct Publisher(mpsc::Sender<News>);

impl Publisher {
    pub(super) fn start(dispatch: Dispatch) -> Self {
        let (sender, waiting) = mpsc::channel(WAITING);
        tokio::spawn(tell_all(dispatch, waiting));
        Self(sender)
    }

    /// Hands a change over; waits while too many others do.
    pub(super) async fn tell(&self, news: News) {
        // The other end lives as long as the runtime does.
        let _ = self.0.send(news).await;
    }
}

async fn tell_all(dispatch: Dispatch, mut waiting: mpsc::Receiver<News>) {
    let mut together = Vec::with_capacity(TOGETHER);
    while waiting.recv_many(&mut together, TOGETHER).await > 0 {
        let (mut queued, mut over, mut last) = (Vec::new(), Vec::new(), Timestamp(0));
        for news in together.drain(..) {
            match news {
                News::Queued(places, now) => {
                    queued.extend(places);
                    last = last.max(now);
                }
                News::Over(project, order) => over.push((project, order)),
            }
        }
        // Redis that cannot be told is in doubt from then on, and is filled from the record.
        if !queued.is_empty() {
            let _ = dispatch.publish(&queued, last).await;
        }
        if !over.is_empty() {
            let _ = dispatch.release(&over).await;
        }
    }
}
