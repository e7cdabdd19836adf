//! One history being played: each move is made on the queue and on the model, and the outcomes compared.

use serde_json::json;
use shopfloor_domain::{Epoch, Fence, Name, Priority, order::OrderStatus};
use shopfloor_store::{
    StoreError, executions,
    orders::{self, ClaimRequest, Renewed, Verdict},
    questions,
    tasks::{self, Cancelled, NewTask},
};

use super::{
    Bench,
    bench::{LEASE, POLICY},
    history::Move,
    model::{Ask, Entry, Model, State},
};
use crate::{capabilities, name, new_task};

/// Two queues and two projects by number.
const QUEUES: [&str; 2] = ["default", "red"];
const PROJECTS: [&str; 2] = ["default", "small"];

pub(super) struct Play {
    bench: Bench,
    model: Model,
    /// Two plain workers and one with a GPU.
    workers: Vec<ClaimRequest>,
    /// Every claim there ever was.
    fences: Vec<Fence>,
}

impl Play {
    pub(super) async fn begin(bench: Bench) -> Self {
        bench.project(&name("small"), Some(2)).await;
        let workers = vec![bench.worker().await, bench.worker().await, bench.worker_with("gpu").await];
        let model = Model { limits: [None, Some(2)], ..Model::default() };
        Self { bench, model, workers, fences: Vec::new() }
    }

    pub(super) async fn step(&mut self, step: Move) {
        match step {
            Move::Submit { .. } => self.submit(step).await,
            Move::Claim { worker, queue, limit } => self.claim(worker, queue, limit).await,
            Move::Renew { worker } => self.renew(worker).await,
            Move::Advance { by } => drop(self.bench.clock.advance(std::time::Duration::from_millis(by))),
            Move::Finish { claim, verdict } => self.finish(claim, verdict).await,
            Move::Rescue { limit, draw } => self.rescue(limit, draw).await,
            Move::Cancel { order } => self.cancel(order).await,
            Move::Pause { queue, paused } => self.pause(queue, paused).await,
            Move::Limit { project, limit } => {
                self.bench.project(&name(PROJECTS[project]), limit).await;
                self.model.limits[project] = limit;
            }
            Move::Ask { claim } => self.ask(claim).await,
            Move::Answer { order } => self.answer(order).await,
        }
    }

    async fn submit(&mut self, step: Move) {
        let Move::Submit { priority, queue, project, gpu, delay, max_attempts } = step else { return };
        let now = self.bench.now();
        let run_at = (delay > 0).then(|| now + std::time::Duration::from_millis(delay));
        let new = NewTask {
            project: name(PROJECTS[project]),
            queue: name(QUEUES[queue]),
            needs: capabilities(if gpu { "gpu" } else { "" }),
            priority,
            run_at,
            max_attempts,
            ..new_task("a task")
        };
        let submitted = self.bench.submit(new).await;
        let state = State {
            status: OrderStatus::Queued,
            score: priority.score(run_at.unwrap_or(now)),
            run_at: run_at.unwrap_or(now),
            epoch: 0,
            attempt: 0,
            kills: 0,
            worker: None,
            lease_expires_at: None,
            cancel_requested: false,
            parked: false,
            is_over: false,
        };
        let (id, task) = (submitted.order_id, submitted.task.id);
        let (needs_gpu, enqueued_at) = (gpu, now);
        let (question, asked) = (None, 0);
        let entry =
            Entry { id, task, queue, project, priority, needs_gpu, max_attempts, enqueued_at, state, question, asked };
        self.model.orders.push(entry);
    }

    async fn claim(&mut self, worker: usize, queue: Option<usize>, limit: u32) {
        let queues: Vec<Name> = queue.iter().map(|&queue| name(QUEUES[queue])).collect();
        let request = ClaimRequest { queues, limit, ..self.workers[worker].clone() };
        let claimed = self.bench.claim(&request).await;
        let ask =
            Ask { worker: request.worker_id, has_gpu: worker == 2, queue, limit: limit as usize, lease: request.lease };
        let ids: Vec<_> = claimed.iter().map(|c| c.order.id).collect();
        self.model.claim(&ask, &ids, self.bench.now());
        self.fences.extend(claimed.iter().map(|c| c.fence()));
    }

    /// Renews everything this worker could think it holds, the long lost included.
    async fn renew(&mut self, worker: usize) {
        let (worker, now) = (self.workers[worker].worker_id, self.bench.now());
        let renewed = self.bench.queue.renew(worker, &self.fences, LEASE, now).await.expect("renewing");
        let expected: Vec<_> = self.fences.clone().into_iter().map(|fence| self.renew_one(worker, fence)).collect();
        assert_eq!(renewed, expected, "the renewal");
    }

    fn renew_one(&mut self, worker: shopfloor_domain::WorkerId, fence: Fence) -> Renewed {
        let (held, now) = (self.model.is_held(fence), self.bench.now());
        let state = &mut self.model.entry(fence.order_id).state;
        if !held || state.worker != Some(worker) {
            return Renewed::Lost;
        }
        state.lease_expires_at = Some(now + LEASE);
        if state.cancel_requested { Renewed::CancelRequested } else { Renewed::Held }
    }

    async fn finish(&mut self, claim: usize, verdict: Verdict) {
        let Some(&fence) = pick(&self.fences, claim) else { return };
        let now = self.bench.now();
        let finished = self.bench.queue.finish(fence, verdict.clone(), now).await;
        if self.model.is_held(fence) {
            self.model.finish(fence.order_id, &verdict, now);
            let expected = &self.model.entry(fence.order_id).state;
            assert_eq!(State::of(&finished.expect("finishing a held order")), *expected, "the finish {verdict:?}");
        } else {
            assert!(matches!(finished, Err(StoreError::Fenced { .. })), "a ghost's {verdict:?}: {finished:?}");
        }
    }

    async fn rescue(&mut self, limit: u32, draw: f64) {
        let now = self.bench.now();
        let rescued = self.bench.queue.rescue(&POLICY, draw, limit, now).await.expect("rescuing");
        let mut expired = self.model.expired(now);
        expired.sort();
        assert_eq!(rescued.len(), expired.len().min(limit as usize), "how many were rescued");
        let last = rescued.len().checked_sub(1).map(|last| expired[last].0);
        for one in &rescued {
            let expiry = expired.iter().find(|(_, id)| *id == one.order.id).map(|(expiry, _)| *expiry);
            assert!(expiry.is_some() && expiry <= last, "{} was rescued before its turn", one.order.id);
            self.model.rescue(one.order.id, &POLICY, draw, now);
            assert_eq!(State::of(&one.order), self.model.entry(one.order.id).state, "the rescue");
        }
    }

    async fn cancel(&mut self, order: usize) {
        let Some((id, task)) = pick(&self.model.orders, order).map(|o| (o.id, o.task)) else { return };
        let cancelled = tasks::cancel(&self.bench.store, task, "someone", self.bench.now()).await;
        let state = self.model.entry(id).state.clone();
        match cancelled {
            Err(StoreError::Conflict { .. }) if state.is_over => return,
            Ok(Cancelled::Requested(_)) => assert_eq!(state.status, OrderStatus::Claimed),
            Ok(Cancelled::Now(_)) => assert!(!state.is_over && state.status != OrderStatus::Claimed, "{state:?}"),
            Err(error) => panic!("cancelling {state:?}: {error}"),
        }
        self.bench.queue.withdraw(&[id]).await.expect("withdrawing");
        self.model.cancel(id);
    }

    async fn pause(&mut self, queue: usize, paused: bool) {
        let (name, now) = (name(QUEUES[queue]), self.bench.now());
        let done = match paused {
            true => self.bench.queue.pause(&name, "someone", now).await,
            false => self.bench.queue.resume(&name, "someone", now).await,
        };
        done.expect("pausing or resuming");
        self.model.paused[queue] = paused;
    }

    /// The holder of a claim asks a person, unless it has already.
    async fn ask(&mut self, claim: usize) {
        let Some(&fence) = pick(&self.fences, claim) else { return };
        if !self.model.is_held(fence) || self.model.entry(fence.order_id).question.is_some() {
            return;
        }
        let order = self.bench.order(fence.order_id).await;
        let place = self.model.entry(fence.order_id).asked;
        let question = self.bench.ask(fence, order.run_id, place).await;
        let entry = self.model.entry(fence.order_id);
        (entry.question, entry.asked) = (Some(question.id), place + 1);
    }

    async fn answer(&mut self, order: usize) {
        let asking: Vec<_> = self.model.orders.iter().filter_map(|o| o.question.map(|q| (o.id, q))).collect();
        let Some(&(id, question)) = pick(&asking, order) else { return };
        let (store, now) = (&self.bench.store, self.bench.now());
        let answered = questions::answer(store, question, json!("a"), "someone", now).await.expect("answering");
        let resumed = self.model.answer(id, now).then_some(id);
        assert!(answered.won);
        assert_eq!(answered.resumed, resumed, "the answer");
        self.bench.publish(resumed.as_slice()).await;
    }

    /// Every order, and the depth, as recorded and as the model has it.
    pub(super) async fn compare(&self) {
        for entry in &self.model.orders {
            let recorded = self.bench.order(entry.id).await;
            assert_eq!(State::of(&recorded), entry.state, "order {}", entry.id);
        }
        let depth = self.bench.queue.depth(self.bench.now()).await.expect("depth");
        for (at, queue) in QUEUES.iter().enumerate() {
            for &priority in Priority::ALL {
                let row = depth.iter().find(|d| d.queue.as_str() == *queue && d.priority == priority);
                let row = row.map(|d| ([d.ready, d.delayed, d.claimed, d.parked, d.dead], d.oldest_ready_at));
                let expected = self.model.depth(at, priority, self.bench.now());
                assert_eq!(row.unwrap_or_default(), expected, "the depth of {queue}, {priority}");
            }
        }
    }

    /// One execution per claim, and one of them open for each order that is held.
    pub(super) async fn end(&self) {
        for entry in &self.model.orders {
            let all = executions::of_task(&self.bench.store, entry.task).await.expect("executions");
            let epochs: Vec<_> = all.iter().map(|e| e.epoch).collect();
            assert_eq!(epochs, (1..=entry.state.epoch).map(Epoch).collect::<Vec<_>>(), "an execution per claim");
            let open = all.iter().filter(|e| e.completed_at.is_none()).count();
            assert_eq!(open, usize::from(entry.state.status == OrderStatus::Claimed), "open executions");
            let of_task = orders::of_task(&self.bench.store, entry.task).await.expect("orders");
            assert_eq!(of_task.len(), 1);
        }
    }
}

fn pick<T>(all: &[T], number: usize) -> Option<&T> {
    all.get(number.checked_rem(all.len())?)
}
