//! What may run where: capabilities, queues, pauses, project limits.

use std::{collections::BTreeSet, time::Duration};

use shopfloor_domain::{Capabilities, Name, OrderId};
use shopfloor_store::{
    orders::{ClaimRequest, Renewed},
    tasks::NewTask,
    workers,
};

use super::{Bench, bench::LEASE};
use crate::{capabilities, name, new_task};

async fn submit_needing(bench: &Bench, needs: &str) -> OrderId {
    bench.submit(NewTask { needs: capabilities(needs), ..new_task("needy") }).await.order_id
}

async fn submit_to(bench: &Bench, queue: &Name) -> OrderId {
    // Between queues only the score decides, so it must differ.
    bench.clock.advance(Duration::from_millis(1));
    bench.submit(NewTask { queue: queue.clone(), ..new_task("queued") }).await.order_id
}

async fn submit_in(bench: &Bench, project: &Name) -> OrderId {
    bench.submit(NewTask { project: project.clone(), ..new_task("limited") }).await.order_id
}

/// An order goes to workers that have all it needs, and does not block the others behind it.
pub async fn needs_must_be_covered(bench: &Bench) {
    let both = submit_needing(bench, "gpu,python").await;
    let python = submit_needing(bench, "python").await;
    let none = submit_needing(bench, "").await;
    // A name that contains another one is another one.
    let py = submit_needing(bench, "py").await;
    let (bare, pythonic) = (bench.worker().await, bench.worker_with("python").await);
    let (able, other) = (bench.worker_with("gpu,node,python").await, bench.worker_with("py").await);
    assert_eq!(bench.drain(&bare).await, [none]);
    assert_eq!(bench.drain(&pythonic).await, [python]);
    assert_eq!(bench.drain(&other).await, [py]);
    assert_eq!(bench.drain(&able).await, [both]);
}

/// A worker gets orders of the queues it asks for; of all queues when it names none.
pub async fn only_the_queues_asked_for(bench: &Bench) {
    let (red, blue) = (name("red"), name("blue"));
    let (in_red, in_blue, in_default) =
        (submit_to(bench, &red).await, submit_to(bench, &blue).await, submit_to(bench, &Name::DEFAULT).await);
    let worker = bench.worker().await;
    let of = |queues: &[&Name]| ClaimRequest { queues: queues.iter().map(|&q| q.clone()).collect(), ..worker.clone() };
    assert_eq!(bench.drain(&of(&[&name("unknown")])).await, []);
    assert_eq!(bench.drain(&of(&[&blue])).await, [in_blue]);
    let more_blue = submit_to(bench, &blue).await;
    assert_eq!(bench.drain(&of(&[&red, &blue])).await, [in_red, more_blue]);
    assert_eq!(bench.drain(&worker).await, [in_default]);
}

/// Pausing passes a queue by; resuming gives its orders out in their old order. Doing either twice changes nothing.
pub async fn a_paused_queue_gives_nothing_until_resumed(bench: &Bench) {
    let (worker, red) = (bench.worker().await, name("red"));
    let waiting = [submit_to(bench, &red).await, submit_to(bench, &red).await];
    for _ in 0..2 {
        bench.queue.pause(&red, "someone", bench.now()).await.expect("pausing");
    }
    let other = bench.submit_one().await;
    assert_eq!(bench.drain(&worker).await, [other]);
    for _ in 0..2 {
        bench.queue.resume(&red, "someone", bench.now()).await.expect("resuming");
    }
    assert_eq!(bench.drain(&worker).await, waiting);
}

/// What runs when its queue is paused goes on and ends as usual.
pub async fn a_paused_queue_lets_running_work_go_on(bench: &Bench) {
    let worker = bench.worker().await;
    bench.submit_one().await;
    let claimed = bench.claim_one(&worker).await;
    bench.queue.pause(&Name::DEFAULT, "someone", bench.now()).await.expect("pausing");
    let renewed = bench.queue.renew(worker.worker_id, &[claimed.fence()], LEASE, bench.now()).await.expect("renewing");
    assert_eq!(renewed, [Renewed::Held]);
    bench.complete(claimed.fence()).await;
}

/// A project never runs more orders than its limit; a finished one makes place.
pub async fn a_project_limit_holds(bench: &Bench) {
    let (worker, small) = (bench.worker().await, name("small"));
    bench.project(&small, Some(2)).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(submit_in(bench, &small).await);
    }
    let first = bench.claim(&ClaimRequest { limit: 100, ..worker.clone() }).await;
    assert_eq!(first.iter().map(|c| c.order.id).collect::<Vec<_>>(), ids[..2]);
    assert!(bench.claim(&worker).await.is_empty());
    bench.complete(first[0].fence()).await;
    let next = bench.claim(&ClaimRequest { limit: 100, ..worker.clone() }).await;
    assert_eq!(next.iter().map(|c| c.order.id).collect::<Vec<_>>(), ids[2..3]);
    for claimed in first.iter().skip(1).chain(&next) {
        bench.complete(claimed.fence()).await;
    }
    assert_eq!(bench.drain(&worker).await, ids[3..]);
}

/// A project at its limit does not keep other projects' orders behind its own from running.
pub async fn a_full_project_does_not_block_others(bench: &Bench) {
    let (worker, small, none) = (bench.worker().await, name("small"), name("none"));
    bench.project(&small, Some(1)).await;
    bench.project(&none, Some(0)).await;
    for _ in 0..150 {
        submit_in(bench, &none).await;
    }
    let mut expected = BTreeSet::from([submit_in(bench, &small).await]);
    submit_in(bench, &small).await;
    expected.insert(bench.submit_one().await);
    let claimed = bench.claim(&ClaimRequest { limit: 3, ..worker }).await;
    assert_eq!(claimed.iter().map(|c| c.order.id).collect::<BTreeSet<_>>(), expected);
}

/// A project with a rate starts one order, and then one per interval, however much is asked for; who waits is told when.
pub async fn a_project_starts_no_faster_than_its_rate(bench: &Bench) {
    let (worker, slow) = (bench.worker().await, name("slow"));
    bench.paced_project(&slow, Some(6)).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(submit_in(bench, &slow).await);
    }
    let many = ClaimRequest { limit: 100, ..worker.clone() };
    for (place, id) in ids.iter().enumerate() {
        let started: Vec<_> = bench.claim(&many).await.iter().map(|c| c.order.id).collect();
        assert_eq!(started, [*id], "start {place}");
        assert!(bench.claim(&many).await.is_empty(), "another one after start {place}");
        bench.clock.advance(Duration::from_millis(9_999));
        assert!(bench.claim(&many).await.is_empty(), "too early after start {place}");
        let next = bench.queue.promote(bench.now()).await.expect("promoting");
        assert!(place == 3 || next == Some(bench.now() + Duration::from_millis(1)), "{next:?} after start {place}");
        bench.clock.advance(Duration::from_millis(1));
    }
    assert!(bench.claim(&many).await.is_empty());
}

/// A project that has used up its rate does not keep other projects' orders behind its own from running.
pub async fn a_rate_does_not_block_others(bench: &Bench) {
    let (worker, slow) = (bench.worker().await, name("slow"));
    bench.paced_project(&slow, Some(1)).await;
    let first = submit_in(bench, &slow).await;
    for _ in 0..20 {
        submit_in(bench, &slow).await;
    }
    let other = bench.submit_one().await;
    assert_eq!(bench.drain(&worker).await.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([first, other]));
}

/// A changed rate counts from the next claim on, and so does its end.
pub async fn a_new_rate_holds_at_once(bench: &Bench) {
    let (worker, slow) = (bench.worker().await, name("slow"));
    bench.paced_project(&slow, Some(1)).await;
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(submit_in(bench, &slow).await);
    }
    assert_eq!(bench.drain(&worker).await, ids[..1]);
    bench.paced_project(&slow, Some(120)).await;
    assert_eq!(bench.drain(&worker).await, ids[1..4], "a burst of a second's worth, and one");
    bench.paced_project(&slow, None).await;
    assert_eq!(bench.drain(&worker).await, ids[4..]);
}

/// Of a rate and a limit on how many run at once, whichever is narrower counts.
pub async fn a_rate_and_a_limit_hold_together(bench: &Bench) {
    let (worker, both) = (bench.worker().await, name("both"));
    bench.limited_project(&both, Some(2), Some(60)).await;
    for _ in 0..4 {
        submit_in(bench, &both).await;
    }
    let many = ClaimRequest { limit: 100, ..worker };
    let first = bench.claim(&many).await;
    assert_eq!(first.len(), 2, "a burst of two");
    bench.clock.advance(Duration::from_secs(5));
    assert!(bench.claim(&many).await.is_empty(), "two run");
    bench.complete(first[0].fence()).await;
    assert_eq!(bench.claim(&many).await.len(), 1);
    bench.complete(first[1].fence()).await;
    assert_eq!(bench.claim(&many).await.len(), 1);
}

/// A changed limit counts from the next claim on, also when more run than it allows.
pub async fn a_new_limit_holds_at_once(bench: &Bench) {
    let (worker, small) = (bench.worker().await, name("small"));
    bench.project(&small, None).await;
    for _ in 0..4 {
        submit_in(bench, &small).await;
    }
    let running = bench.claim(&ClaimRequest { limit: 2, ..worker.clone() }).await;
    bench.project(&small, Some(1)).await;
    assert!(bench.claim(&worker).await.is_empty());
    bench.complete(running[0].fence()).await;
    assert!(bench.claim(&worker).await.is_empty());
    bench.project(&small, Some(3)).await;
    assert_eq!(bench.drain(&worker).await.len(), 2);
}

/// A worker that somebody removed gets no more orders, whatever waits.
pub async fn a_removed_worker_gets_nothing(bench: &Bench) {
    let (gone, stays) = (bench.worker().await, bench.worker().await);
    workers::remove(&bench.store, gone.worker_id, bench.now()).await.expect("removing a worker");
    let order = bench.submit_one().await;
    let claimed = bench.queue.claim(&gone, bench.now()).await;
    assert!(claimed.is_ok_and(|claimed| claimed.is_empty()));
    assert_eq!(bench.drain(&stays).await, [order]);
}

/// A worker that never registered gets nothing; the order stays for others.
pub async fn an_unknown_worker_gets_nothing(bench: &Bench) {
    let order = bench.submit_one().await;
    let unknown = ClaimRequest {
        worker_id: super::bench::stranger(),
        queues: Vec::new(),
        capabilities: Capabilities::default(),
        limit: 1,
        lease: LEASE,
    };
    let claimed = bench.queue.claim(&unknown, bench.now()).await;
    assert!(claimed.map_or(true, |claimed| claimed.is_empty()));
    let worker = bench.worker().await;
    assert_eq!(bench.drain(&worker).await, [order]);
}
