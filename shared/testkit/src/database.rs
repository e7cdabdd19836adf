//! One PostgreSQL database per test, copied from a migrated one.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::fs::MetadataExt,
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use shopfloor_domain::{Clock, time::SystemClock};
use shopfloor_store::{Settings, Store};
use tokio::sync::OnceCell;

use crate::{Scratch, server, server::Server};

static SERVER: OnceLock<Server> = OnceLock::new();
static TEMPLATE: OnceCell<String> = OnceCell::const_new();
/// On a server of somebody else's, what killed tests left behind is removed after this time, in seconds.
const STALE: [(&str, i64); 2] = [("sftest_", 3600), ("sfbase_", 24 * 3600)];

/// A database of its own, removed when dropped.
#[derive(Debug)]
pub struct Database {
    name: String,
    url: String,
}

impl Database {
    /// A fresh, empty and migrated database.
    ///
    /// # Panics
    /// When there is no PostgreSQL; the message says what to install.
    pub async fn create() -> Self {
        let template = TEMPLATE.get_or_init(template).await;
        Self::copy_of(template).await
    }

    /// A fresh database without any table.
    ///
    /// # Panics
    /// As [`Self::create`].
    pub async fn create_bare() -> Self {
        Self::copy_of("template0").await
    }

    /// Where to connect.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Begins a transaction that has an id of its own and stays open until the value is dropped.
    ///
    /// # Panics
    /// When it cannot be begun.
    pub async fn open_transaction(&self) -> OpenTransaction {
        let url = self.url.clone();
        blocking(move || OpenTransaction::begin(&url).map_err(|error| format!("beginning a transaction: {error}")))
            .await
    }

    /// Waits until everything that was committed so far is older than every open transaction of the server: then readers
    /// of the event log see it. Transaction ids are the server's, so another test's transaction can hold a reader back.
    pub(crate) async fn settle() {
        blocking(|| {
            let end = administer("SELECT pg_snapshot_xmax(pg_current_snapshot())")?;
            let settled = format!("SELECT pg_snapshot_xmin(pg_current_snapshot()) >= '{}'::xid8", end.trim());
            // Each look is a process of its own, so that a thousand take at least several seconds.
            for _ in 0..1000 {
                if administer(&settled)?.trim() == "t" {
                    return Ok(());
                }
            }
            Err("a transaction stays open for too long".to_owned())
        })
        .await;
    }

    async fn copy_of(template: &str) -> Self {
        let name = format!("sftest_{}_{:016x}", seconds(), rand::random::<u64>());
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template}");
        let server = blocking(move || administer(&sql).map(|_| server())).await;
        Self { url: with_database(&server.url, &name), name }
    }
}

/// A transaction that does nothing and stays open, as a slow writer's would.
#[derive(Debug)]
pub struct OpenTransaction(Child);

impl OpenTransaction {
    fn begin(url: &str) -> io::Result<Self> {
        let mut client = Command::new(&server().psql)
            .args(["-X", "-q", "-A", "-t", "-d", url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (input, output) = (client.stdin.as_mut(), client.stdout.take());
        let (Some(input), Some(output)) = (input, output) else { return Err(io::Error::other("psql has no pipes")) };
        writeln!(input, "BEGIN; SELECT pg_current_xact_id();")?;
        let mut id = String::new();
        BufReader::new(output.take(64)).read_line(&mut id)?;
        Ok(Self(client))
    }
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        // The end of its input ends psql, and its connection's end the transaction.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A failure here must not hide the test's own; the private server goes away anyhow.
        let _ = administer(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// The server; joined on first use, held until the process ends.
fn server() -> &'static Server {
    SERVER.get_or_init(|| match server::join() {
        Ok(server) => server,
        Err(problem) => panic!("Tests on PostgreSQL cannot run: {problem}"),
    })
}

/// The name of a migrated database to copy. Each test program has its own, so that builds with other migrations may run
/// side by side. Two processes may both make one; all use the first.
async fn template() -> String {
    if let Some(name) = blocking(|| {
        sweep();
        find_template()
    })
    .await
    {
        return name;
    }
    let mut draft = Database::copy_of("template0").await;
    migrate(draft.url()).await;
    let name = format!("sfbase_{}_{}", seconds(), program_mark());
    let evict = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", draft.name);
    let rename = format!("ALTER DATABASE {} RENAME TO {name}", draft.name);
    match blocking(move || Ok(administer(&evict).and_then(|_| administer(&rename)))).await {
        // Nothing of the old name is left to drop.
        Ok(_) => draft.name = format!("{}_moved", draft.name),
        // Another process may have taken the name in this very second; then its database is found now.
        Err(problem) => assert!(blocking(find_template).await.is_some(), "{problem}"),
    }
    blocking(find_template).await.expect("the template database was there a moment ago")
}

fn find_template() -> Result<Option<String>, String> {
    let mark = program_mark();
    let sql = format!("SELECT datname FROM pg_database WHERE datname LIKE 'sfbase\\_%\\_{mark}' ORDER BY 1 LIMIT 1");
    Ok(administer(&sql)?.lines().next().map(str::to_owned))
}

async fn migrate(url: &str) {
    let scratch = Scratch::new();
    let settings =
        Settings { database_url: url.to_owned(), blob_dir: scratch.path().join("blobs"), max_connections: 2 };
    let store = Store::open(&settings).await.expect("migrating the template database");
    store.close().await.expect("closing the template database");
}

/// Runs one statement on the server and returns what it printed.
fn administer(sql: &str) -> Result<String, String> {
    let server = server();
    let ran = Command::new(&server.psql)
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &server.url, "-c", sql])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("running {}: {error}", server.psql.display()))?;
    if ran.status.success() {
        Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
    } else {
        Err(format!("{sql}: {}", String::from_utf8_lossy(&ran.stderr)))
    }
}

async fn blocking<T: Send + 'static>(run: impl FnOnce() -> Result<T, String> + Send + 'static) -> T {
    match tokio::task::spawn_blocking(run).await {
        Ok(Ok(value)) => value,
        Ok(Err(problem)) => panic!("PostgreSQL for tests: {problem}"),
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

/// Drops stale databases that nobody is connected to. The private server needs it not: it ends after the last test.
fn sweep() {
    if !server().foreign {
        return;
    }
    let names = administer("SELECT datname FROM pg_database WHERE datname LIKE 'sf%'").unwrap_or_default();
    for name in names.lines().filter(|name| is_stale(name, seconds())) {
        let _ = administer(&format!("DROP DATABASE IF EXISTS {name}"));
    }
}

fn is_stale(name: &str, now: i64) -> bool {
    STALE.iter().any(|(prefix, age)| {
        let made = name.strip_prefix(prefix).and_then(|rest| rest.split('_').next()?.parse::<i64>().ok());
        made.is_some_and(|made| now - made > *age)
    })
}

fn seconds() -> i64 {
    SystemClock.now().0 / 1000
}

/// Stands for this very build of the test program.
fn program_mark() -> String {
    let mut hasher = DefaultHasher::new();
    let program = std::env::current_exe().expect("the test program's path");
    let file = program.metadata().expect("the test program's file");
    (&program, file.len(), file.mtime(), file.mtime_nsec()).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The same server's other database.
fn with_database(url: &str, name: &str) -> String {
    let (base, query) = url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let authority = base.find("://").map_or(0, |at| at + 3);
    let end = base[authority..].find('/').map_or(base.len(), |at| authority + at);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{name}{query}", &base[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_pointed_at_another_database() {
        let cases = [
            ("postgres://u@localhost/postgres?host=/tmp/x", "postgres://u@localhost/d?host=/tmp/x"),
            ("postgres://u:p@h:5432", "postgres://u:p@h:5432/d"),
            ("postgres://u@h/", "postgres://u@h/d"),
        ];
        for (url, expected) in cases {
            assert_eq!(with_database(url, "d"), expected);
        }
    }

    #[tokio::test]
    async fn databases_are_apart_and_go_with_their_values() {
        let count = |name: String| {
            let sql = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
            blocking(move || administer(&sql))
        };
        let (one, two) = tokio::join!(Database::create_bare(), Database::create_bare());
        assert_ne!(one.name, two.name);
        assert_eq!(count(one.name.clone()).await.trim(), "1");
        let gone = one.name.clone();
        drop(one);
        assert_eq!(count(gone).await.trim(), "0");
        assert_eq!(count(two.name.clone()).await.trim(), "1");
    }

    #[test]
    fn only_our_own_old_databases_are_stale() {
        assert!(is_stale("sftest_1000_ab", 1000 + 3601));
        assert!(!is_stale("sftest_1000_ab", 1000 + 3599));
        assert!(is_stale("sfbase_1000_ab", 1000 + 24 * 3600 + 1));
        assert!(!is_stale("sfbase_1000_ab", 1000 + 3601));
        assert!(!is_stale("sf_orders", i64::MAX));
        assert!(!is_stale("postgres", i64::MAX));
    }
}
