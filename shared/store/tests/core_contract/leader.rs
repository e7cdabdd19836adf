//! One leader at a time.

use std::{sync::Arc, time::Duration};

use shopfloor_store::leader;
use shopfloor_testkit::{T0, TestStore};
use tokio::{sync::Barrier, task::JoinSet};

const TTL: Duration = Duration::from_secs(10);

pub(crate) async fn one_leads_until_its_lease_ends(store: &TestStore) {
    let lead = async |who: &str, after: Duration| leader::lead(store, "loops", who, TTL, T0 + after).await.expect(who);
    let half = TTL / 2;
    assert!(lead("a", Duration::ZERO).await);
    assert!(!lead("b", half).await);
    assert!(lead("a", half).await);
    assert!(!lead("b", TTL).await);
    assert!(lead("b", TTL + half).await);
    assert!(!lead("a", TTL + half).await);
    assert!(leader::lead(store, "other", "a", TTL, T0).await.expect("another leadership"));
}

pub(crate) async fn who_resigns_makes_place_at_once(store: &TestStore) {
    let lead = async |who: &str| leader::lead(store, "loops", who, TTL, T0).await.expect(who);
    assert!(lead("a").await);
    leader::resign(store, "loops", "b").await.expect("resigning what one does not have");
    assert!(!lead("b").await);
    leader::resign(store, "loops", "a").await.expect("resigning");
    assert!(lead("b").await);
}

pub(crate) async fn of_many_at_once_one_leads(store: &TestStore) {
    let start = Arc::new(Barrier::new(8));
    for now in [T0, T0 + TTL * 2] {
        let mut all = JoinSet::new();
        for who in 0..8 {
            let (store, start) = ((**store).clone(), start.clone());
            all.spawn(async move {
                start.wait().await;
                leader::lead(&store, "loops", &format!("{who}-{now}"), TTL, now).await.expect("leading")
            });
        }
        assert_eq!(all.join_all().await.into_iter().filter(|leads| *leads).count(), 1);
    }
}
