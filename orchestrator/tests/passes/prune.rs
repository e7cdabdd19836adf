//! What was kept long enough.

use shopfloor_domain::event::EventKind;
use shopfloor_orchestrator::loops::Prune;
use shopfloor_store::orders::Verdict;
use shopfloor_testkit::TestStore;

use crate::floor::{Floor, HOUR, settle_both};

pub(crate) async fn old_events_of_finished_tasks_go_and_the_rest_stays(store: &TestStore) {
    let floor = Floor::new(store);
    let other = floor.neighbour(store).await;
    let (done, _open) = (floor.busy(HOUR).await, floor.busy(HOUR).await);
    let verdict = Verdict::Completed { result: serde_json::json!({}) };
    floor.deps.queue.finish(done.fence(), verdict, floor.now()).await.unwrap();
    let completions = async || floor.events(EventKind::OrderStatus, "to", "completed").await;
    let claims = async || floor.events(EventKind::OrderStatus, "to", "claimed").await;

    let (one, two) = (Prune::new(&floor.settings, &floor.deps), Prune::new(&other.settings, &other.deps));
    settle_both(&one, &two).await;
    assert_eq!((completions().await, claims().await), (1, 2), "nothing is old");
    floor.clock.advance(floor.settings.keep + HOUR);
    assert!(settle_both(&one, &two).await > 0);
    assert_eq!((completions().await, claims().await), (0, 1), "the unfinished task's events stay");
    assert_eq!(settle_both(&one, &two).await, 0);
}
