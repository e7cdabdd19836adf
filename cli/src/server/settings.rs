//! Settings: one struct per concern. The comments are the manual, as `--help` shows it.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use humantime::parse_duration;
use shopfloor_domain::{Name, backoff::RetryPolicy, lease::LeasePolicy, sandbox::SandboxLevel, session::SessionPolicy};

use crate::commands::submit::word;

/// Everything in one process.
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// How many workers.
    #[arg(long, env = "SHOPFLOOR_WORKERS", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=256))]
    pub(crate) workers: u32,
    #[command(flatten)]
    pub(crate) http: Http,
    #[command(flatten)]
    pub(crate) database: Database,
    #[command(flatten)]
    pub(crate) dispatch: Dispatch,
    #[command(flatten)]
    pub(crate) work: Work,
    #[command(flatten)]
    pub(crate) retry: Retry,
    #[command(flatten)]
    pub(crate) sandbox: Sandbox,
    #[command(flatten)]
    pub(crate) reap: Reap,
    #[command(flatten)]
    pub(crate) log: Log,
}

/// The API alone.
#[derive(Debug, Args)]
pub(crate) struct Api {
    #[command(flatten)]
    pub(crate) http: Http,
    #[command(flatten)]
    pub(crate) database: Database,
    #[command(flatten)]
    pub(crate) dispatch: Dispatch,
    #[command(flatten)]
    pub(crate) retry: Retry,
    #[command(flatten)]
    pub(crate) log: Log,
}

/// A worker alone.
#[derive(Debug, Args)]
pub(crate) struct Worker {
    /// The worker's name, for people; the host's name when absent.
    #[arg(long, env = "SHOPFLOOR_WORKER_NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) database: Database,
    #[command(flatten)]
    pub(crate) dispatch: Dispatch,
    #[command(flatten)]
    pub(crate) work: Work,
    #[command(flatten)]
    pub(crate) retry: Retry,
    #[command(flatten)]
    pub(crate) sandbox: Sandbox,
    #[command(flatten)]
    pub(crate) watch: Watch,
    #[command(flatten)]
    pub(crate) log: Log,
}

/// An orchestrator alone.
#[derive(Debug, Args)]
pub(crate) struct Orchestrator {
    #[command(flatten)]
    pub(crate) database: Database,
    #[command(flatten)]
    pub(crate) dispatch: Dispatch,
    #[command(flatten)]
    pub(crate) retry: Retry,
    #[command(flatten)]
    pub(crate) reap: Reap,
    #[command(flatten)]
    pub(crate) watch: Watch,
    #[command(flatten)]
    pub(crate) log: Log,
}

/// Brings the database up to date.
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// Only says how many migrations are pending; exit code 1 when there are any.
    #[arg(long)]
    pub(crate) status: bool,
    #[command(flatten)]
    pub(crate) database: Database,
}

/// Looks at this machine.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) database: Database,
    #[command(flatten)]
    pub(crate) sandbox: Sandbox,
}

/// Where the API listens, and for whom.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP")]
pub(crate) struct Http {
    /// The address to listen on; port 0 takes a free one. `up` takes an address other than loopback from the command line
    /// only, so that nothing opens it to the network by accident.
    #[arg(long, env = "SHOPFLOOR_BIND", default_value = "127.0.0.1:8000")]
    pub(crate) bind: SocketAddr,
    /// An origin whose pages may call the API, e.g. https://desk.example.org. May be repeated.
    #[arg(long = "cors-origin", env = "SHOPFLOOR_CORS_ORIGINS", value_delimiter = ',')]
    pub(crate) cors_origins: Vec<String>,
    /// A host name to be reached by while listening on loopback only, behind a proxy say. May be repeated.
    #[arg(long = "allowed-host", env = "SHOPFLOOR_ALLOWED_HOSTS", value_delimiter = ',')]
    pub(crate) allowed_hosts: Vec<String>,
    /// The largest file that may be uploaded, in MiB.
    #[arg(long, env = "SHOPFLOOR_MAX_UPLOAD_MIB", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub(crate) max_upload_mib: u64,
    /// A folder of pipelines (TOML) that add to the built-in ones or replace them.
    #[arg(long, env = "SHOPFLOOR_PIPELINES")]
    pub(crate) pipelines: Option<PathBuf>,
}

/// Where the record is kept.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Database")]
pub(crate) struct Database {
    /// postgres://… or sqlite://PATH. Without it, SQLite in the data folder.
    #[arg(long, env = "SHOPFLOOR_DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
    /// The folder of files and artifacts; `blobs` in the data folder when absent. Processes of one fleet share it.
    #[arg(long, env = "SHOPFLOOR_BLOB_DIR")]
    pub(crate) blob_dir: Option<PathBuf>,
    /// Connections at most, per process (PostgreSQL).
    #[arg(long, env = "SHOPFLOOR_DATABASE_CONNECTIONS", default_value_t = 16, value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub(crate) database_connections: u32,
}

/// How orders find their workers; the same for all processes of a fleet.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Dispatch")]
pub(crate) struct Dispatch {
    /// redis://…, rediss://… or unix://PATH. Without it, dispatch goes straight through the database.
    #[arg(long, env = "SHOPFLOOR_REDIS_URL", hide_env_values = true)]
    pub(crate) redis_url: Option<String>,
    /// Keeps the keys of several Shopfloors on one Redis apart.
    #[arg(long, env = "SHOPFLOOR_REDIS_NAMESPACE", default_value = "default", value_parser = word::<Name>)]
    pub(crate) redis_namespace: Name,
    /// Who goes first, with Redis: `projects` lets projects take turns; `arrival` goes by priority and age alone, as
    /// without Redis.
    #[arg(long, env = "SHOPFLOOR_FAIRNESS", default_value = "projects")]
    pub(crate) fairness: Fairness,
}

/// Who goes first among several projects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fairness {
    /// Projects take turns.
    Projects,
    /// By priority and age alone.
    Arrival,
}

/// How workers work.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Work")]
pub(crate) struct Work {
    /// How many orders a worker works on at once.
    #[arg(long, env = "SHOPFLOOR_SLOTS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) slots: u32,
    /// What a worker can do. May be repeated.
    #[arg(long = "capability", env = "SHOPFLOOR_CAPABILITIES", value_delimiter = ',', default_value = "python", value_parser = word::<Name>)]
    pub(crate) capabilities: Vec<Name>,
    /// A queue to serve; all when absent. May be repeated.
    #[arg(long = "queue", env = "SHOPFLOOR_QUEUES", value_delimiter = ',', value_parser = word::<Name>)]
    pub(crate) queues: Vec<Name>,
    /// How long a worker holds on to an order that waits for a person before it lets go of it.
    #[arg(long, env = "SHOPFLOOR_GRACE", default_value = "20s", value_parser = parse_duration)]
    pub(crate) grace: Duration,
    /// How long running orders may go on after SIGTERM; what is left then is handed back unharmed.
    #[arg(long, env = "SHOPFLOOR_DRAIN", default_value = "30s", value_parser = parse_duration)]
    pub(crate) drain: Duration,
}

/// Leases and retries; the same for all processes of a fleet.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Leases and retries")]
pub(crate) struct Retry {
    /// How long a worker holds an order before it is taken back, unless it says that it still works on it.
    #[arg(long, env = "SHOPFLOOR_LEASE", default_value = "8s", value_parser = parse_duration)]
    pub(crate) lease: Duration,
    /// How often workers say so; at most a third of the lease.
    #[arg(long, env = "SHOPFLOOR_RENEW_EVERY", default_value = "2s", value_parser = parse_duration)]
    pub(crate) renew_every: Duration,
    /// How long a worker may be silent before it counts as offline.
    #[arg(long, env = "SHOPFLOOR_OFFLINE_AFTER", default_value = "15s", value_parser = parse_duration)]
    pub(crate) offline_after: Duration,
    /// The longest wait before the second attempt; doubles with every further one.
    #[arg(long, env = "SHOPFLOOR_RETRY_BASE", default_value = "1s", value_parser = parse_duration)]
    pub(crate) retry_base: Duration,
    /// The longest wait before any attempt.
    #[arg(long, env = "SHOPFLOOR_RETRY_MAX", default_value = "5m", value_parser = parse_duration)]
    pub(crate) retry_max: Duration,
    /// How often an order is tried, unless its task says otherwise. A lost worker counts as an attempt.
    #[arg(long, env = "SHOPFLOOR_MAX_ATTEMPTS", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) max_attempts: u32,
    /// How many workers an order may cost before it is given up, whatever attempts it has left.
    #[arg(long, env = "SHOPFLOOR_MAX_KILLS", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) max_kills: u32,
}

/// Where code runs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sandbox")]
pub(crate) struct Sandbox {
    /// The weakest isolation at which code may run: local, hardened or gvisor.
    #[arg(long, env = "SHOPFLOOR_SANDBOX_MINIMUM", default_value = "local", value_parser = word::<SandboxLevel>)]
    pub(crate) sandbox_minimum: SandboxLevel,
    /// The Python toolchain (a virtual environment); without it, the one that `scripts/toolchain.sh` makes.
    #[arg(long, env = "SHOPFLOOR_TOOLCHAIN")]
    pub(crate) toolchain: Option<PathBuf>,
    /// Where runs have their private folders; `scratch` in the data folder when absent.
    #[arg(long, env = "SHOPFLOOR_SCRATCH")]
    pub(crate) scratch: Option<PathBuf>,
}

/// What the orchestrator ends and removes, and when.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sessions and retention")]
pub(crate) struct Reap {
    /// A session without activity for longer than this ends; its order goes back to the queue.
    #[arg(long, env = "SHOPFLOOR_SESSION_IDLE", default_value = "30m", value_parser = parse_duration)]
    pub(crate) session_idle: Duration,
    /// A session older than this ends.
    #[arg(long, env = "SHOPFLOOR_SESSION_MAX_AGE", default_value = "1h", value_parser = parse_duration)]
    pub(crate) session_max_age: Duration,
    /// How long events and idempotency keys are kept.
    #[arg(long, env = "SHOPFLOOR_KEEP", default_value = "30d", value_parser = parse_duration)]
    pub(crate) keep: Duration,
}

/// How a role without an API is watched.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Metrics")]
pub(crate) struct Watch {
    /// The address that serves /metrics, /healthz and /readyz, e.g. 127.0.0.1:9100; nothing listens without it. They are open
    /// to everybody who reaches the address.
    #[arg(long, env = "SHOPFLOOR_METRICS_BIND")]
    pub(crate) metrics_bind: Option<SocketAddr>,
}

/// What is logged, to standard error.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logging")]
pub(crate) struct Log {
    /// What to log, e.g. `info` or `warn,shopfloor_worker=debug`.
    #[arg(long, env = "SHOPFLOOR_LOG", default_value = "info")]
    pub(crate) log: String,
    /// How to write it.
    #[arg(long, env = "SHOPFLOOR_LOG_FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

impl Retry {
    /// The times of the lease protocol.
    pub(crate) fn lease(&self) -> LeasePolicy {
        LeasePolicy { ttl: self.lease, renew_every: self.renew_every, worker_offline_after: self.offline_after }
    }

    /// Attempts and backoff.
    pub(crate) fn policy(&self) -> RetryPolicy {
        let Self { retry_base: base, retry_max: max, max_attempts, max_kills, .. } = *self;
        RetryPolicy { base, max, max_attempts, max_kills }
    }
}

impl Reap {
    /// When a session must end.
    pub(crate) fn policy(&self) -> SessionPolicy {
        SessionPolicy { idle_timeout: self.session_idle, max_age: self.session_max_age, ..SessionPolicy::default() }
    }
}

impl Log {
    /// Starts logging.
    pub(crate) fn start(&self) {
        use shopfloor_telemetry::logging::{Format, init};
        init(if self.log_format == LogFormat::Json { Format::Json } else { Format::Text }, &self.log);
    }
}
