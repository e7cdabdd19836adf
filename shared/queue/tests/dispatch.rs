//! Dispatch on Redis alone, without a record: who is next, what orders bring along, who is called.

use std::time::Duration;

use shopfloor_domain::{Capabilities, Name, OrderId, ProjectId, WorkerId};
use shopfloor_queue::{Dispatch, Fairness, RedisSettings};
use shopfloor_store::orders::{ClaimRequest, Place};
use shopfloor_testkit::{RedisServer, T0, run, soon};

const LONG: Duration = Duration::from_secs(100);

async fn dispatch(redis: &RedisServer) -> Dispatch {
    let settings = RedisSettings { url: redis.url(), namespace: Name::DEFAULT, fairness: Fairness::Projects };
    let dispatch = Dispatch::connect(&settings).expect("the test's Redis URL");
    soon("the connection", async {
        while !dispatch.declare().await {
            // The connection is made by a task of its own, and nobody tells when.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    dispatch
}

fn request() -> ClaimRequest {
    ClaimRequest {
        worker_id: WorkerId::new(),
        queues: Vec::new(),
        capabilities: Capabilities::default(),
        limit: 1,
        lease: Duration::ZERO,
    }
}

/// Orders of one project, the last with the lowest score.
fn places(n: i64) -> Vec<Place> {
    let project = ProjectId::new();
    let place = |score| Place {
        id: OrderId::new(),
        queue: Name::DEFAULT,
        project,
        needs: Capabilities::default(),
        score,
        run_at: T0,
    };
    (0..n).map(|at| place(n - at)).collect()
}

#[test]
fn orders_come_by_score_with_what_they_brought_along() {
    run(async {
        let redis = RedisServer::start();
        let dispatch = dispatch(&redis).await;
        // More than one call's worth.
        let places = places(1200);
        let luggage: Vec<_> = places.iter().map(|place| place.score.to_string().into_bytes()).collect();
        assert_eq!(dispatch.publish_with(&places, &luggage, T0).await, Some(1200));
        assert_eq!(dispatch.publish_with(&places, &luggage, T0).await, Some(0), "published twice");
        let chosen = dispatch.claim(&request(), 3, true, T0).await.expect("a claim");
        let first: Vec<_> = places.iter().rev().take(3).map(|place| place.id).collect();
        assert_eq!(chosen.ids, first);
        let brought = dispatch.luggage(&chosen.ids).await.expect("luggage");
        assert_eq!(brought, [Some(b"1".to_vec()), Some(b"2".to_vec()), Some(b"3".to_vec())]);
        let ended: Vec<_> = chosen.ids.iter().map(|id| (places[0].project, *id)).collect();
        dispatch.done(&ended).await.expect("done");
        assert_eq!(dispatch.luggage(&chosen.ids).await.expect("luggage"), [None, None, None]);
        let next = dispatch.claim(&request(), 1, true, T0).await.expect("a claim");
        assert_eq!(next.ids, [places[1196].id], "what is done does not come again");
    });
}

/// Lanes get their orders in one command each; the lowest score of a project must still be known afterwards.
#[test]
fn an_order_that_is_published_later_may_go_first() {
    run(async {
        let redis = RedisServer::start();
        let dispatch = dispatch(&redis).await;
        let (other, mut places) = (places(1), places(3));
        assert_eq!(dispatch.publish(&places[..1], T0).await, Some(1));
        assert_eq!(dispatch.publish(&places[1..], T0).await, Some(2));
        // Known already, and behind all others from now on; another project's order comes in the same call.
        places[2].score = 1000;
        let both = [places[2].clone(), other[0].clone()];
        assert_eq!(dispatch.publish(&both, T0).await, Some(1));
        let mut ids = dispatch.claim(&request(), 10, true, T0).await.expect("a claim").ids;
        ids.retain(|id| *id != other[0].id);
        assert_eq!(ids, [places[1].id, places[0].id, places[2].id]);
    });
}

#[test]
fn who_found_nothing_is_called_by_the_next_publication() {
    run(async {
        let redis = RedisServer::start();
        let (dispatch, elsewhere) = (dispatch(&redis).await, dispatch(&redis).await);
        let request = request();
        let mut waiting = dispatch.claim(&request, 1, true, T0).await.expect("a claim");
        assert!(waiting.ids.is_empty());
        let place = places(1);
        // The listener may ring once because it has just come up; only the call that follows the publication counts.
        let hunt = async {
            loop {
                waiting.look.wait(LONG).await;
                waiting = dispatch.claim(&request, 1, true, T0).await.expect("a claim");
                if let Some(id) = waiting.ids.first() {
                    return *id;
                }
            }
        };
        let (found, told) = tokio::join!(soon("the order", hunt), elsewhere.publish(&place, T0));
        assert_eq!((found, told), (place[0].id, Some(1)));
    });
}
