//! Opening, migrating, closing.

use shopfloor_store::{Backend, Settings, Store, StoreError};
use shopfloor_testkit::{Database, Scratch, TestStore, run, soon};

use super::common::{raw, sql};

pub(crate) async fn migrating_again_changes_nothing(store: &TestStore) {
    assert_eq!(store.migrate().await.expect("migrating again"), 0);
    let again = store.reopen().await;
    assert_eq!(again.migrate().await.expect("migrating from another process"), 0);
}

pub(crate) async fn the_record_answers_and_knows_the_time(store: &TestStore) {
    store.ping().await.expect("an answer");
    let first = store.database_now().await.expect("the time");
    let second = store.database_now().await.expect("the time");
    assert!(first.0 > 1_700_000_000_000 && second >= first, "{first} {second}");
}

/// A version that does not know all the migrations of a record must not touch it.
pub(crate) async fn a_newer_record_is_refused(store: &TestStore) {
    let insert = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_tomorrow', 0)";
    sql(&raw(store).await, insert).await.expect("pretending to be newer");
    let refused = Store::open(store.settings()).await;
    assert!(matches!(refused, Err(StoreError::Database { .. })), "{refused:?}");
}

/// Nothing goes on in the background after a close, also when others hold the store.
pub(crate) async fn closing_ends_the_listeners(store: &TestStore) {
    let other = store.reopen().await;
    let clone = other.clone();
    soon("the record to close", other.close()).await.expect("closing");
    assert!(clone.ping().await.is_err());
    store.ping().await.expect("the other store goes on");
}

fn settings(url: String, scratch: &Scratch) -> Settings {
    Settings { database_url: url, blob_dir: scratch.path().join("blobs"), max_connections: 4 }
}

/// Opens the same new record from many places at once; exactly one of them migrates.
async fn open_at_once(settings: &Settings) -> u32 {
    let mut openers = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let settings = settings.clone();
        openers.spawn(async move {
            let store = Store::connect(&settings).await.expect("connecting");
            let ran = store.migrate().await.expect("migrating");
            store.close().await.expect("closing");
            ran
        });
    }
    let ran = openers.join_all().await;
    assert_eq!(ran.iter().filter(|ran| **ran > 0).count(), 1, "{ran:?}");
    ran.into_iter().sum()
}

#[test]
fn sqlite_is_migrated_once_by_many_at_once() {
    run(async {
        let scratch = Scratch::new();
        let file = scratch.path().join("deep/in/folders/shopfloor.db");
        assert!(open_at_once(&settings(format!("sqlite://{}", file.display()), &scratch)).await > 0);
        assert!(file.exists());
    });
}

#[test]
fn postgres_is_migrated_once_by_many_at_once() {
    run(async {
        let (scratch, database) = (Scratch::new(), Database::create_bare().await);
        assert!(open_at_once(&settings(database.url().to_owned(), &scratch)).await > 0);
    });
}

#[test]
fn a_record_in_memory_works() {
    run(async {
        let scratch = Scratch::new();
        let store = Store::open(&settings("sqlite::memory:".to_owned(), &scratch)).await.expect("opening");
        assert_eq!(store.backend(), Backend::Sqlite);
        let (_, claimed) = super::common::claimed(&store).await;
        assert_eq!(claimed.order.epoch.0, 1);
        store.close().await.expect("closing");
    });
}

#[test]
fn a_confirmed_commit_survives_a_power_cut_and_a_reopening() {
    run(async {
        let store = shopfloor_testkit::store(Backend::Sqlite).await;
        let submitted = super::common::submit(&store, shopfloor_testkit::new_task("kept")).await;
        let again = store.reopen().await;
        let task = shopfloor_store::tasks::get(&again, submitted.task.id).await.expect("the task");
        assert_eq!(task.title, "kept");
    });
}

#[test]
fn a_foreign_url_is_refused() {
    run(async {
        let scratch = Scratch::new();
        for url in ["", "mysql://localhost/x", "/tmp/x.db", "postgres"] {
            let refused = Store::connect(&settings(url.to_owned(), &scratch)).await;
            assert!(matches!(refused, Err(StoreError::Invalid { field: "database_url", .. })), "{url}: {refused:?}");
        }
    });
}

#[test]
fn a_server_that_is_not_there_is_a_passing_error() {
    run(async {
        let scratch = Scratch::new();
        let url = format!("postgres://nobody@localhost/x?host={}", scratch.path().display());
        let refused = Store::connect(&settings(url, &scratch)).await.expect_err("nobody listens there");
        assert!(refused.is_transient(), "{refused:?}");
        assert!(std::error::Error::source(&refused).is_some());
    });
}
