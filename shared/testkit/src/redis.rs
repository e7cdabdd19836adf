//! A private Redis per test: started in a moment, empty, and gone with the value.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::Scratch;

const REMEDY: &str = "Install it (Debian, Ubuntu: `apt-get install redis-server`)";
/// How often a start is tried: another process may take the port that was free a moment ago.
const TRIES: u32 = 5;
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A Redis server of its own on a free port of the loopback interface. The kernel ends it when this process dies.
#[derive(Debug)]
pub struct RedisServer {
    child: Option<Child>,
    port: u16,
    scratch: Scratch,
    program: PathBuf,
}

impl RedisServer {
    /// Starts `redis-server`, without persistence.
    ///
    /// # Panics
    /// When it is not installed or does not answer; the message says what to install.
    #[must_use]
    pub fn start() -> Self {
        Self::start_program("redis-server".into())
    }

    /// As [`Self::start`], with another server that speaks the protocol: `valkey-server`, say.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_program(program: PathBuf) -> Self {
        let mut server = Self { child: None, port: 0, scratch: Scratch::new(), program };
        server.bring_up(true);
        server
    }

    /// Where to connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it with SIGKILL. Everything in it is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again on the same port, empty.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn restart(&mut self) {
        self.kill();
        self.bring_up(false);
    }

    /// Stops its process (SIGSTOP): connections stay open and nothing is answered.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets a paused process go on.
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    /// Runs one command and returns the raw reply.
    ///
    /// # Panics
    /// When the server does not answer within a few seconds.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> String {
        ask(self.port, words).expect("a reply of the test's Redis")
    }

    /// Empties it.
    ///
    /// # Panics
    /// As [`Self::command`].
    pub fn flush_all(&self) {
        let reply = self.command(&["FLUSHALL"]);
        assert!(reply.starts_with("+OK"), "{reply}");
    }

    fn bring_up(&mut self, any_port: bool) {
        for _ in 0..TRIES {
            if any_port {
                self.port = free_port().expect("a free port");
            }
            let log = std::fs::File::create(self.scratch.path().join("redis.log")).expect("the server's log");
            let child = Command::new("setpriv")
                .args(["--pdeathsig", "KILL"])
                .arg(&self.program)
                .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
                .args(["--maxmemory-policy", "noeviction", "--dir"])
                .arg(self.scratch.path())
                .stdin(Stdio::null())
                .stdout(log)
                .stderr(Stdio::null())
                .spawn()
                .unwrap_or_else(|error| panic!("Tests on Redis cannot run: {error}. {REMEDY}."));
            self.child = Some(child);
            if self.answers() {
                return;
            }
            self.kill();
        }
        let log = std::fs::read_to_string(self.scratch.path().join("redis.log")).unwrap_or_default();
        panic!("the test's Redis did not start: {log}. {REMEDY}.");
    }

    /// Whether it answers before its process ends or time runs out.
    fn answers(&mut self) -> bool {
        let begin = std::time::Instant::now();
        while begin.elapsed() < START_TIMEOUT {
            if ask(self.port, &["PING"]).is_ok_and(|reply| reply.starts_with("+PONG")) {
                return true;
            }
            let ended = self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            if ended {
                return false;
            }
            std::thread::yield_now();
        }
        false
    }

    fn signal(&self, signal: &str) {
        if let Some(child) = &self.child {
            let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
            assert!(sent.is_ok_and(|status| status.success()), "signalling the test's Redis");
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// One command on a connection of its own; at most 64 KiB of the reply.
fn ask(port: u16, words: &[&str]) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    stream.write_all(request.as_bytes())?;
    let mut reply = vec![0; 64 * 1024];
    let read = stream.read(&mut reply)?;
    Ok(String::from_utf8_lossy(&reply[..read]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_apart_and_can_be_emptied_killed_and_brought_back() {
        let (mut one, other) = (RedisServer::start(), RedisServer::start());
        assert_ne!(one.port(), other.port());
        for server in [&one, &other] {
            assert!(server.command(&["SET", "key", "value"]).starts_with("+OK"));
        }
        one.flush_all();
        assert_eq!(one.command(&["GET", "key"]), "$-1\r\n");
        assert_eq!(other.command(&["GET", "key"]), "$5\r\nvalue\r\n");
        let port = one.port();
        one.kill();
        assert!(ask(port, &["PING"]).is_err());
        one.restart();
        assert_eq!(one.command(&["PING"]), "+PONG\r\n");
        one.pause();
        one.go_on();
        assert_eq!(one.command(&["PING"]), "+PONG\r\n");
    }
}
