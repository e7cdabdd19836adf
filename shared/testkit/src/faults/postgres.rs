//! A PostgreSQL of one's own, to be killed and started again. The server that other tests share is not touched.

use std::{
    net::TcpListener,
    os::unix::fs::{PermissionsExt, chown},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{Scratch, lock, server};

const START_TIMEOUT: Duration = Duration::from_secs(90);

/// A server on a free port of the loopback interface. The kernel ends it when this process dies.
///
/// What it confirmed survives its own death (not that of the machine: it does not wait for the disk).
#[derive(Debug)]
pub struct PostgresServer {
    child: Option<Child>,
    port: u16,
    bin: PathBuf,
    account: Option<(u32, u32)>,
    scratch: Scratch,
}

impl PostgresServer {
    /// Makes a cluster and starts its server.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        let bin = server::programs().expect("PostgreSQL 15 or newer");
        let root = lock::user_id().expect("the user") == 0;
        let account = root.then(|| server::unprivileged().expect("an account to run PostgreSQL as"));
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|it| it.local_addr()).expect("a free port").port();
        let mut server = Self { child: None, port, bin, account, scratch: Scratch::new() };
        server.make();
        server.bring_up();
        server
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where to connect, by way of a proxy on `port` or directly.
    #[must_use]
    pub fn url(&self, port: u16, database: &str) -> String {
        format!("postgres://shopfloor@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// Ends it at once, as a crash does: every connection is cut, and the next start recovers.
    pub fn crash(&mut self) {
        self.end("-QUIT");
    }

    /// Ends it in order: transactions are rolled back, connections closed.
    pub fn shut_down(&mut self) {
        self.end("-INT");
    }

    /// Starts it on the same port, with what it had.
    ///
    /// # Panics
    /// When it does not start.
    pub fn bring_up(&mut self) {
        if self.child.is_some() {
            return;
        }
        let log = std::fs::File::options().create(true).append(true).open(self.log()).expect("the server's log");
        let mut command = self.as_account("QUIT", "postgres");
        command.arg("-F").arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        let socket_dir = format!("unix_socket_directories={}", self.data().display());
        for setting in ["listen_addresses=127.0.0.1", "max_connections=300", "full_page_writes=off", &socket_dir] {
            command.args(["-c", setting]);
        }
        let errors = log.try_clone().expect("the log once more");
        self.child = Some(command.stdout(log).stderr(errors).spawn().expect("starting PostgreSQL"));
        let begin = Instant::now();
        while self.query("postgres", "SELECT 1").is_err() {
            let ended = self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            let log = || std::fs::read_to_string(self.log()).unwrap_or_default();
            assert!(!ended && begin.elapsed() < START_TIMEOUT, "PostgreSQL did not start: {}", log());
            std::thread::yield_now();
        }
    }

    /// Runs one statement and returns what it prints, unaligned and without headings.
    ///
    /// # Errors
    /// What `psql` says.
    pub fn query(&self, database: &str, sql: &str) -> Result<String, String> {
        let ran = Command::new(self.bin.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &self.url(self.port, database), "-c", sql])
            .env("PGCONNECT_TIMEOUT", "10")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("running psql: {error}"))?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
        if ran.status.success() { Ok(text(ran.stdout)) } else { Err(text(ran.stderr)) }
    }

    fn make(&self) {
        let (dir, data) = (self.scratch.path(), self.data());
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).expect("opening the folder");
        std::fs::create_dir(&data).expect("the data folder");
        if let Some((uid, gid)) = self.account {
            chown(&data, Some(uid), Some(gid)).expect("giving the data folder away");
        }
        let mut initdb = self.as_account("KILL", "initdb");
        initdb.arg("-D").arg(&data).args(["-U", "shopfloor", "-A", "trust", "--encoding=UTF8", "--locale=C"]);
        let made = initdb.args(["--no-sync", "--no-instructions"]).output().expect("running initdb");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    }

    /// PostgreSQL refuses to run as root.
    fn as_account(&self, death: &str, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", death]);
        if let Some((uid, gid)) = self.account {
            command.args(["--reuid", &uid.to_string(), "--regid", &gid.to_string(), "--clear-groups"]);
        }
        command.arg(self.bin.join(program)).stdin(Stdio::null());
        command
    }

    fn end(&mut self, signal: &str) {
        let Some(mut child) = self.child.take() else { return };
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "signalling PostgreSQL");
        let _ = child.wait();
    }

    fn data(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.scratch.path().join("postgres.log")
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = Command::new("kill").args(["-QUIT", &child.id().to_string()]).status();
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_committed_survives_a_crash_and_a_restart() {
        let mut server = PostgresServer::start();
        server.query("postgres", "CREATE TABLE kept (n int)").unwrap();
        for end in [PostgresServer::crash, PostgresServer::shut_down] {
            server.query("postgres", "INSERT INTO kept VALUES (1)").unwrap();
            end(&mut server);
            assert!(server.query("postgres", "SELECT 1").is_err());
            server.bring_up();
        }
        assert_eq!(server.query("postgres", "SELECT count(*) FROM kept").unwrap(), "2");
    }
}
