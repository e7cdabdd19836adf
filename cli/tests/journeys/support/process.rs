//! The server as a process.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
    sync::watch,
};

use super::{command, in_time};

/// How much of a failed test's server log is shown.
const LOG_TAIL: usize = 16 * 1024;

/// A running `shopfloor up`.
pub(crate) struct Server {
    child: Child,
    pid: Pid,
    data_dir: PathBuf,
    /// Its address.
    pub(crate) url: String,
    /// What it has printed on standard output.
    pub(crate) printed: watch::Receiver<Vec<String>>,
    /// From the start of the process until it was ready.
    pub(crate) ready_after: Duration,
}

impl Server {
    /// Starts `up` and waits until it says that it is ready.
    pub(crate) async fn start(data_dir: &Path, bind: &str, options: &[String]) -> Self {
        let log = File::options().create(true).append(true).open(log_file(data_dir)).unwrap();
        let mut up = command(data_dir);
        up.args(["up", "--bind", bind]).args(options).process_group(0).stdout(Stdio::piped()).stderr(log);
        let began = Instant::now();
        let mut child = up.spawn().unwrap();
        let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
        let printed = watch_lines(BufReader::new(child.stdout.take().unwrap()));
        let mut server = Self {
            child,
            pid,
            data_dir: data_dir.to_owned(),
            url: String::new(),
            printed,
            ready_after: Duration::ZERO,
        };
        let ready = |lines: &Vec<String>| lines.iter().any(|line| line.contains("ready"));
        in_time("the server is ready", server.printed.wait_for(ready)).await.expect("the server ended early");
        server.ready_after = began.elapsed();
        let lines = server.printed.borrow().clone();
        server.url = lines.iter().find_map(|line| line.split_once("ready: ")).unwrap().1.to_owned();
        server
    }

    /// The admin key, from where the commands have it.
    pub(crate) fn key(&self) -> String {
        let text = std::fs::read_to_string(self.data_dir.join("client.toml")).unwrap();
        let file: toml::Table = toml::from_str(&text).unwrap();
        file["api_key"].as_str().unwrap().to_owned()
    }

    /// Sends a signal to the server itself.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        in_time("the server ends", self.child.wait()).await.unwrap()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.read_log().unwrap()
    }

    fn read_log(&self) -> io::Result<String> {
        let mut log = Vec::new();
        File::open(log_file(&self.data_dir))?.take(64 * 1024 * 1024).read_to_end(&mut log)?;
        Ok(String::from_utf8_lossy(&log).into_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = kill_process_group(self.pid, Signal::KILL);
        if std::thread::panicking() {
            // The folder may be gone already, and a panic in here would hide the test's own.
            let log = self.read_log().unwrap_or_default();
            let tail = log.len().saturating_sub(LOG_TAIL);
            eprintln!("--- the server's log ---\n{}", log.get(tail..).unwrap_or(&log));
        }
    }
}

fn log_file(data_dir: &Path) -> PathBuf {
    data_dir.with_extension("log")
}

/// Collects a stream's lines for as long as there are any.
fn watch_lines(reader: impl AsyncBufReadExt + Unpin + Send + 'static) -> watch::Receiver<Vec<String>> {
    let (lines, printed) = watch::channel(Vec::new());
    tokio::spawn(async move {
        let mut reader = reader.lines();
        while let Ok(Some(line)) = reader.next_line().await {
            lines.send_modify(|lines: &mut Vec<String>| lines.push(line));
        }
    });
    printed
}
