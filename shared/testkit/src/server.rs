//! The private PostgreSQL that all test processes of one user share: started by the first, ended after the last.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::lock;

const SUPERVISOR: &str = include_str!("postgres.sh");
/// For how many seconds an unused server waits for the next run.
const LINGER: u32 = 30;
const REMEDY: &str = "Install it (Debian, Ubuntu: `apt-get install postgresql`) or name a running server in \
                      SHOPFLOOR_TEST_POSTGRES_URL";

/// A server and this process's hold on it.
#[derive(Debug)]
pub(crate) struct Server {
    /// Where to connect for administration; the last path segment is the database's name.
    pub(crate) url: String,
    /// The client program `psql`.
    pub(crate) psql: PathBuf,
    /// Whether somebody else runs it, so that databases of killed tests outlive them.
    pub(crate) foreign: bool,
    _hold: Option<File>,
}

/// The server in `SHOPFLOOR_TEST_POSTGRES_URL`, or else the private one.
pub(crate) fn join() -> Result<Server, String> {
    let bin = programs();
    if let Ok(url) = std::env::var("SHOPFLOOR_TEST_POSTGRES_URL") {
        let psql = bin.map_or_else(|| "psql".into(), |bin| bin.join("psql"));
        return Ok(Server { url, psql, foreign: true, _hold: None });
    }
    let bin = bin.ok_or_else(|| format!("PostgreSQL 15 or newer is not installed. {REMEDY}."))?;
    let user = lock::user_id().map_err(|error| format!("looking at /proc/self: {error}"))?;
    let dir = folder(user);
    join_private(&dir, &bin, user, LINGER)
        .map_err(|error| format!("the private PostgreSQL in {}: {error}", dir.display()))
}

fn join_private(dir: &Path, bin: &Path, user: u32, linger: u32) -> io::Result<Server> {
    let _starting = loop {
        own_folder(dir, user)?;
        match lock::exclusive(&dir.join("start.lock")) {
            // The folder went away with a server that has just ended.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => break other?,
        }
    };
    let hold = lock::open(&dir.join("users.lock"))?;
    hold.lock_shared()?;
    let supervisor = lock::open(&dir.join("supervisor.lock"))?;
    match supervisor.try_lock() {
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
        Ok(()) => {
            supervisor.unlock()?;
            start(dir, bin, user, linger)?;
        }
    }
    let url = format!("postgres://shopfloor@localhost/postgres?host={}", dir.join("pg").display());
    Ok(Server { url, psql: bin.join("psql"), foreign: false, _hold: Some(hold) })
}

/// Starts the supervisor, which starts the server; returns when the server answers.
fn start(dir: &Path, bin: &Path, user: u32, linger: u32) -> io::Result<()> {
    let data = dir.join("pg");
    // Out of the way at once: a server whose supervisor was killed may take a moment to end.
    let stale = dir.join(format!("stale-{:016x}", rand::random::<u64>()));
    match fs::rename(&data, &stale) {
        Ok(()) => drop(fs::remove_dir_all(&stale)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    fs::create_dir(&data)?;
    // PostgreSQL refuses to run as root.
    let account = if user == 0 { Some(unprivileged()?) } else { None };
    if let Some((uid, gid)) = account {
        std::os::unix::fs::chown(&data, Some(uid), Some(gid))?;
    }
    let (uid, gid) = account.map_or_else(Default::default, |(uid, gid)| (uid.to_string(), gid.to_string()));
    let script = dir.join("supervise.sh");
    fs::write(&script, SUPERVISOR)?;
    let mut supervisor = Command::new("sh")
        .args([&script, dir, bin])
        .args([uid, gid, linger.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // Its own process group: ending one test must not end the others' server.
        .process_group(0)
        .spawn()?;
    let mut said = String::new();
    if let Some(out) = supervisor.stdout.take() {
        out.take(16 * 1024).read_to_string(&mut said)?;
    }
    if said.trim() == "ready" { Ok(()) } else { Err(io::Error::other(format!("it did not start: {said}"))) }
}

/// The servers' folder: short, since a socket's path may have 107 bytes.
fn folder(user: u32) -> PathBuf {
    let temp = std::env::temp_dir();
    let parent = if temp.as_os_str().len() <= 60 { temp } else { "/tmp".into() };
    parent.join(format!("shopfloor-postgres-{user}"))
}

fn own_folder(dir: &Path, user: u32) -> io::Result<()> {
    match fs::create_dir(dir) {
        // Whatever the umask, the account that runs the server must get through.
        Ok(()) => fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    match fs::symlink_metadata(dir) {
        Ok(found) if found.is_dir() && found.uid() == user => Ok(()),
        Ok(_) => Err(io::Error::other("it belongs to another user; remove it")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// The folder of PostgreSQL's newest programs.
pub(crate) fn programs() -> Option<PathBuf> {
    let complete = |bin: &PathBuf| ["initdb", "postgres", "pg_isready", "psql"].iter().all(|p| bin.join(p).exists());
    let version = |bin: &Path| bin.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|e| e.path().join("bin"));
    let newest = debian.filter(complete).max_by_key(|bin| version(bin)).filter(|bin| version(bin) >= Some(15));
    let path = std::env::var_os("PATH").unwrap_or_default();
    newest.or_else(|| std::env::split_paths(&path).find(complete))
}

/// The account to run the server as when the tests run as root.
pub(crate) fn unprivileged() -> io::Result<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd")?;
    let account = |name: &str| {
        let fields: Vec<&str> = users.lines().map(|l| l.split(':').collect::<Vec<_>>()).find(|f| f[0] == name)?;
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    account("postgres")
        .or_else(|| account("nobody"))
        .ok_or_else(|| io::Error::other("as root it needs an account `postgres` or `nobody` to run as"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Scratch, soon};

    fn query(server: &Server) -> Option<String> {
        let ran = Command::new(&server.psql).args(["-X", "-A", "-t", "-d", &server.url, "-c", "SELECT 1"]).output();
        let ran = ran.expect("running psql");
        ran.status.success().then(|| String::from_utf8_lossy(&ran.stdout).trim().to_owned())
    }

    /// Another process, so there is nothing to wait for but its effect.
    async fn until(what: &str, mut done: impl FnMut() -> bool) {
        soon(what, async {
            while !done() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }

    #[tokio::test]
    async fn the_server_is_shared_survives_a_kill_and_ends_when_unused() {
        let scratch = Scratch::new();
        let dir = scratch.path().join("server");
        let (bin, user) = (programs().expect("PostgreSQL"), lock::user_id().expect("the user"));
        let join = || join_private(&dir, &bin, user, 2).expect("joining");
        let pid = || fs::read_to_string(dir.join("pg/data/postmaster.pid")).expect("its pid");

        let first = join();
        let started = pid();
        let second = join();
        assert_eq!((query(&first).as_deref(), query(&second).as_deref()), (Some("1"), Some("1")));
        assert_eq!(pid(), started, "the second one joined the first one's server");

        let supervisor = fs::read_to_string(dir.join("supervisor.lock")).expect("the supervisor's pid");
        Command::new("kill").args(["-9", supervisor.trim()]).status().expect("killing the supervisor");
        until("the end of the orphaned server", || query(&first).is_none()).await;
        let third = join();
        assert_eq!(query(&third).as_deref(), Some("1"), "a new server took the place of the dead one");

        drop((first, second, third));
        until("the end of the unused server", || !dir.exists()).await;
        assert_eq!(query(&join()).as_deref(), Some("1"), "and the folder can be used again");
        until("the end of the last server", || !dir.exists()).await;
    }
}
