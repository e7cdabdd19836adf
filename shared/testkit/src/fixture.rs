//! A migrated record for one test.

use std::{future::Future, ops::Deref, time::Duration};

use shopfloor_store::{Backend, Settings, Store};

use crate::{Database, Scratch, database::OpenTransaction};

/// Connections of one test's pool: enough for real concurrency, few enough for many tests at once.
const MAX_CONNECTIONS: u32 = 8;
/// Nothing in a test takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// A record of its own: a SQLite file or a PostgreSQL database, removed when dropped. Is a [`Store`] by `Deref`.
#[derive(Debug)]
pub struct TestStore {
    store: Store,
    settings: Settings,
    database: Option<Database>,
    scratch: Scratch,
}

impl TestStore {
    /// What it was opened with; for opening the same record once more, as another process would.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A folder that lives as long as this record.
    #[must_use]
    pub fn scratch(&self) -> &std::path::Path {
        self.scratch.path()
    }

    /// A slow writer: a transaction that is open until the value is dropped.
    ///
    /// # Panics
    /// When this is no PostgreSQL; SQLite's one writer would keep every other one out.
    pub async fn open_transaction(&self) -> OpenTransaction {
        self.database.as_ref().expect("a PostgreSQL database").open_transaction().await
    }

    /// Waits until readers of the event log see everything that was committed so far. Tests share the PostgreSQL server,
    /// and there a reader waits for older transactions, also for those of other tests.
    pub async fn settle(&self) {
        if self.database.is_some() {
            Database::settle().await;
        }
    }

    /// A second connection to the same record, as another process has it.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub async fn reopen(&self) -> Store {
        Store::open(&self.settings).await.expect("opening the test's record once more")
    }
}

impl Deref for TestStore {
    type Target = Store;
    fn deref(&self) -> &Store {
        &self.store
    }
}

/// A migrated, empty record on `backend`.
///
/// # Panics
/// When it cannot be made; without PostgreSQL the message says what to install.
pub async fn store(backend: Backend) -> TestStore {
    let scratch = Scratch::new();
    let database = match backend {
        Backend::Postgres => Some(Database::create().await),
        Backend::Sqlite => None,
    };
    let file = scratch.path().join("shopfloor.db");
    let settings = Settings {
        database_url: database.as_ref().map_or_else(|| format!("sqlite://{}", file.display()), |d| d.url().to_owned()),
        blob_dir: scratch.path().join("blobs"),
        max_connections: MAX_CONNECTIONS,
    };
    let store = Store::open(&settings).await.expect("opening the test's record");
    TestStore { store, settings, database, scratch }
}

/// A record on each database, for tests that go through both themselves.
pub async fn stores() -> Vec<TestStore> {
    vec![store(Backend::Sqlite).await, store(Backend::Postgres).await]
}

/// Runs a test on a runtime with two threads; panics when it takes longer than two minutes.
///
/// # Panics
/// When the runtime cannot be made or the test hangs.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let outcome = runtime.expect("making a runtime").block_on(async { tokio::time::timeout(PATIENCE, test).await });
    outcome.expect("the test hangs")
}

/// Waits for something that must come; panics with `what` when it does not come within 20 seconds.
///
/// # Panics
/// When it does not come.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(20), future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// Makes a test of every case, on SQLite and on PostgreSQL. A case is `async fn case(store: &Store)` (or
/// `&TestStore`) in a module of that name.
///
/// ```text
/// mod tasks;
/// shopfloor_testkit::contract!(tasks::{a_task_is_recorded, bulk_is_all_or_nothing});
/// ```
#[macro_export]
macro_rules! contract {
    ($($module:ident::{$($case:ident),+ $(,)?}),+ $(,)?) => {
        #[cfg(test)]
        mod sqlite { $(mod $module { $($crate::contract!(@case Sqlite $module $case);)+ })+ }
        #[cfg(test)]
        mod postgres { $(mod $module { $($crate::contract!(@case Postgres $module $case);)+ })+ }
    };
    (@case $backend:ident $module:ident $case:ident) => {
        #[test]
        fn $case() {
            $crate::run(async {
                let store = $crate::store($crate::Backend::$backend).await;
                Box::pin(super::super::$module::$case(&store)).await;
            });
        }
    };
}
