//! API keys.

use futures::future::join_all;
use shopfloor_domain::{ApiKeyId, role::Role};
use shopfloor_store::{StoreError, keys};
use shopfloor_testkit::{T0, TestStore};

use super::common::{at, count};

pub(crate) async fn a_key_is_shown_once_and_recognised(store: &TestStore) {
    let made = keys::create(store, "laptop", Role::Operator, None, T0).await.unwrap();
    assert_eq!((made.secret.len(), &made.secret[..3]), (67, "sf_"));
    assert!(made.secret[3..].bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(made.key.prefix, made.secret[..11]);
    assert_eq!(keys::authenticate(store, &made.secret, at(1)).await.unwrap(), Some(made.key.clone()));
    for wrong in ["", "sf_", &made.secret[..66], &made.secret.to_uppercase(), "x\0y"] {
        assert_eq!(keys::authenticate(store, wrong, at(1)).await.unwrap(), None, "{wrong:?}");
    }
    assert_eq!(keys::list(store).await.unwrap(), [made.key]);
    let hash = format!("hash LIKE '%{}%' OR prefix LIKE '%{}%'", &made.secret[3..], &made.secret[3..]);
    assert_eq!(count(store, "api_keys", &hash).await, 0);
}

pub(crate) async fn a_key_expires_and_is_revoked(store: &TestStore) {
    let short = keys::create(store, "short", Role::Viewer, Some(at(10)), T0).await.unwrap();
    assert!(keys::authenticate(store, &short.secret, at(9)).await.unwrap().is_some());
    assert!(keys::authenticate(store, &short.secret, at(10)).await.unwrap().is_none());
    let lost = keys::create(store, "lost", Role::Viewer, None, T0).await.unwrap();
    let revoked = keys::revoke_as(store, "key:me", lost.key.id, at(1)).await.unwrap();
    assert_eq!(revoked.revoked_at, Some(at(1)));
    assert_eq!(keys::revoke(store, lost.key.id, at(2)).await.unwrap(), revoked);
    assert!(keys::authenticate(store, &lost.secret, at(2)).await.unwrap().is_none());
    let unknown = keys::revoke(store, ApiKeyId::new(), at(1)).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })), "{unknown:?}");
}

pub(crate) async fn of_many_at_once_one_makes_the_first_key(store: &TestStore) {
    let other = store.reopen().await;
    let firsts = (0..6).map(|n| keys::bootstrap(if n % 2 == 0 { store } else { &other }, T0));
    let made: Vec<_> = join_all(firsts).await.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(made.len(), 1);
    assert_eq!((made[0].key.name.as_str(), made[0].key.role), ("admin", Role::Admin));
    assert!(keys::bootstrap(store, at(1)).await.unwrap().is_none());
    assert_eq!(keys::list(store).await.unwrap().len(), 1);
}
