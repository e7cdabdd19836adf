//! Delayed orders.

use shopfloor_domain::Clock;
use shopfloor_orchestrator::{Loop, loops::Promote};
use shopfloor_store::tasks::NewTask;
use shopfloor_testkit::{TestStore, new_task, soon};

use crate::floor::{Floor, HOUR, SECOND};

pub(crate) async fn a_delayed_order_that_comes_due_wakes_a_waiting_claim(store: &TestStore) {
    let floor = Floor::new(store);
    let promote = Promote::new(&floor.settings, &floor.deps);
    let due = floor.now() + HOUR;
    floor.submit_all(vec![NewTask { run_at: Some(due), ..new_task("later") }]).await;
    let worker = floor.worker().await;
    let request = floor.request(worker, 1, HOUR);
    promote.pass().await.unwrap();
    assert!(floor.claim(worker, 1, HOUR).await.is_empty(), "it is not due yet");

    // By its own clock the waiting worker would sleep for an hour; only the promotion can wake it.
    let woken = floor.deps.queue.wait(&request, 2 * HOUR);
    let come_due = async {
        floor.clock.advance(HOUR);
        promote.pass().await.unwrap()
    };
    let (_, work) = soon("the waiting claim to be woken", async { tokio::join!(woken, come_due) }).await;
    assert_eq!(work.next_in, None, "nothing else is delayed");
    assert_eq!(floor.claim(worker, 1, HOUR).await.len(), 1);
}

pub(crate) async fn the_next_pass_is_due_with_the_next_order(store: &TestStore) {
    let floor = Floor::new(store);
    let promote = Promote::new(&floor.settings, &floor.deps);
    assert_eq!(promote.pass().await.unwrap().next_in, None);
    let at = |seconds| NewTask { run_at: Some(floor.clock.now() + SECOND * seconds), ..new_task("later") };
    floor.submit_all(vec![at(30), at(10), at(20)]).await;
    assert_eq!(promote.pass().await.unwrap().next_in, Some(10 * SECOND));
    floor.clock.advance(10 * SECOND);
    assert_eq!(promote.pass().await.unwrap().next_in, Some(10 * SECOND));
}
