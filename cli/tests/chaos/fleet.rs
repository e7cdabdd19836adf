//! The system under test: PostgreSQL, Redis, and the roles as processes, each behind proxies of its own.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use shopfloor_testkit::{
    RedisServer,
    faults::{PostgresServer, Process, Program, Proxy},
};

use crate::{
    client::Client,
    ops::{Op, Role},
    plan::Plan,
    workload::PIPELINE,
};

const DATABASE: &str = "chaos";
/// The worker whose machine's clock is wrong at times.
const ODD_CLOCK: Role = Role::Worker(2);
/// A process that ended by itself is started again after this, as any supervisor does.
const RESPAWN: Duration = Duration::from_millis(500);

pub(crate) struct Fleet {
    pub(crate) postgres: PostgresServer,
    redis: RedisServer,
    /// Whether Redis runs, and whether it is stopped.
    redis_is: (bool, bool),
    members: Vec<Member>,
    pub(crate) client: Client,
    clock: PathBuf,
    /// Processes that ended by themselves after their start.
    pub(crate) died: Vec<String>,
}

struct Member {
    role: Role,
    program: Program,
    process: Option<Process>,
    /// Whether it is meant to be down.
    down: bool,
    /// Whether it was asked to end.
    asked: bool,
    /// How long its log was when it started.
    log_at: u64,
    ended_at: Option<Instant>,
    to_postgres: Proxy,
    to_redis: Proxy,
}

impl Fleet {
    /// Starts everything and waits until the API answers.
    pub(crate) async fn start(plan: &Plan, dir: &Path) -> Self {
        let _ = std::fs::remove_dir_all(dir);
        std::fs::create_dir_all(dir.join("pipelines")).unwrap();
        std::fs::write(dir.join("pipelines/chaos.toml"), PIPELINE).unwrap();
        let (postgres, redis) = (PostgresServer::start(), RedisServer::start());
        postgres.query("postgres", &format!("CREATE DATABASE {DATABASE}")).unwrap();
        let key = key(dir, &postgres);
        let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).unwrap().port();
        let mut members = Vec::new();
        for role in Role::ALL {
            let (to_postgres, to_redis) = (Proxy::start(postgres.port()).await, Proxy::start(redis.port()).await);
            let mut args = role_args(role, plan, dir, port);
            if plan.redis {
                args.extend(["--redis-url".to_owned(), format!("redis://127.0.0.1:{}/", to_redis.port())]);
            }
            let mut program = program(dir, &role.name(), &args, &postgres.url(to_postgres.port(), DATABASE));
            if role == ODD_CLOCK {
                program.envs.extend(clock_env(dir));
            }
            let (process, down, asked, log_at, ended_at) = (None, false, false, 0, None);
            members.push(Member { role, program, process, down, asked, log_at, ended_at, to_postgres, to_redis });
        }
        members.iter_mut().for_each(Member::start);
        let (client, clock) = (Client::new(port, key), clock_file(dir));
        client.limit(plan.limit).await;
        Self { postgres, redis, redis_is: (true, false), members, client, clock, died: Vec::new() }
    }

    /// Does one thing to the system.
    pub(crate) fn apply(&mut self, op: Op) {
        match op {
            Op::Kill(role) => self.member(role).kill(),
            Op::Terminate(role) => self.member(role).terminate(),
            Op::Start(role) => self.member(role).start(),
            Op::Stop(role) => self.member(role).process.iter().for_each(Process::stop),
            Op::GoOn(role) => self.member(role).process.iter().for_each(Process::go_on),
            Op::RedisKill => {
                self.redis.kill();
                self.redis_is = (false, false);
            }
            Op::RedisStart => {
                self.redis.restart();
                self.redis_is = (true, false);
            }
            Op::RedisStop => {
                self.redis.pause();
                self.redis_is.1 = true;
            }
            Op::RedisGoOn => {
                self.redis.go_on();
                self.redis_is.1 = false;
            }
            // It may be away just now; then there is nothing to empty.
            Op::RedisFlush if self.redis_is == (true, false) => self.redis.flush_all(),
            Op::RedisFlush => {}
            Op::RedisCut(role) => self.member(role).to_redis.cut(),
            Op::PostgresCrash => self.postgres.crash(),
            Op::PostgresShutDown => self.postgres.shut_down(),
            Op::PostgresStart => self.postgres.bring_up(),
            Op::PostgresCut(role) => self.member(role).to_postgres.cut(),
            Op::LoseCommits(role, count) => self.member(role).to_postgres.lose_commits(count),
            Op::Hold(role, commit) => self.member(role).to_postgres.hold_commit(commit.contains()),
            Op::Stall(role) => {
                self.member(role).to_postgres.stall(true);
                self.member(role).to_redis.stall(true);
            }
            Op::Slow(role, delay) => {
                self.member(role).to_postgres.delay(delay);
                self.member(role).to_redis.delay(delay);
            }
            Op::Heal(role) => self.member(role).heal(),
            Op::Clock(seconds) => set_clock(&self.clock, seconds),
            Op::Pause(queue) => drop(tokio::spawn(self.client.clone().switch(queue, "pause"))),
            Op::Resume(queue) => drop(tokio::spawn(self.client.clone().switch(queue, "resume"))),
            Op::EndSession(place) => drop(tokio::spawn(self.client.clone().end_session(place))),
        }
    }

    /// Ends all trouble.
    pub(crate) fn heal(&mut self) {
        self.postgres.bring_up();
        match self.redis_is {
            (true, _) => self.apply(Op::RedisGoOn),
            (false, _) => self.apply(Op::RedisStart),
        }
        for member in &mut self.members {
            member.heal();
            member.process.iter().for_each(Process::go_on);
            member.start();
        }
    }

    /// Starts again what ended by itself, and notes it.
    pub(crate) fn supervise(&mut self) {
        for member in &mut self.members {
            if let Some(status) = member.process.as_mut().and_then(Process::ended) {
                // One that is asked to end does so in order, unless that comes before its start is over.
                if member.had_begun() && !(member.asked && status.success()) {
                    self.died.push(format!("{} ended by itself: {status}", member.role.name()));
                }
                member.process = None;
                member.ended_at = Some(Instant::now());
            }
            if member.down {
                continue;
            }
            if member.process.is_none() && member.ended_at.is_none_or(|at| at.elapsed() > RESPAWN) {
                member.start();
            }
        }
    }

    /// How many commits were acknowledged to nobody, and how many arrived late.
    pub(crate) fn bad_commits(&self) -> (u32, u32) {
        let to_postgres = || self.members.iter().map(|member| &member.to_postgres);
        (to_postgres().map(Proxy::lost).sum(), to_postgres().map(Proxy::held).sum())
    }

    /// Those that were asked to end and do not.
    pub(crate) fn draining(&mut self) -> Vec<String> {
        let draining = self.members.iter_mut().filter(|member| member.asked && member.process.is_some());
        draining.map(|member| format!("{} was asked to end and does not", member.role.name())).collect()
    }

    /// Runs a query that gives one JSON document.
    pub(crate) fn json(&self, sql: &str) -> serde_json::Value {
        let sql = format!("SELECT coalesce(json_agg(row), '[]') FROM ({sql}) AS row");
        let text = self.postgres.query(DATABASE, &sql).unwrap_or_else(|problem| panic!("{sql}: {problem}"));
        serde_json::from_str(&text).unwrap()
    }

    fn member(&mut self, role: Role) -> &mut Member {
        &mut self.members[role.place()]
    }
}

impl Member {
    /// Starts it. One that is still ending is started again when it has ended.
    fn start(&mut self) {
        self.down = false;
        self.ended_at = None;
        if self.process.is_none() {
            self.asked = false;
            self.log_at = std::fs::metadata(&self.program.log).map_or(0, |log| log.len());
            self.process = Some(Process::start(&self.program));
        }
    }

    fn kill(&mut self) {
        self.down = true;
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    fn terminate(&mut self) {
        self.down = true;
        self.asked = self.process.is_some();
        self.process.iter().for_each(Process::ask_to_end);
    }

    fn heal(&self) {
        self.to_postgres.heal();
        self.to_redis.heal();
    }

    /// Whether it came so far as to say that it works. It may end before when there is no database yet.
    fn had_begun(&self) -> bool {
        let log = std::fs::read(&self.program.log).unwrap_or_default();
        let since = log.get(usize::try_from(self.log_at).unwrap()..).unwrap_or_default();
        let said = String::from_utf8_lossy(since);
        said.contains(" begins") || said.contains("listens on")
    }
}

fn role_args(role: Role, plan: &Plan, dir: &Path, port: u16) -> Vec<String> {
    let retry = "--lease 3s --renew-every 600ms --offline-after 4s --retry-base 100ms --retry-max 1s --log info";
    let role_only = match role {
        Role::Api => format!("api --bind 127.0.0.1:{port} --pipelines {}", dir.join("pipelines").display()),
        Role::Orchestrator(_) => match plan.session_max_age {
            Some(age) => format!("orchestrator --session-max-age {}ms", age.as_millis()),
            None => "orchestrator".to_owned(),
        },
        Role::Worker(number) => format!("worker --name worker-{number} --slots 2 --grace 300ms --drain 2s"),
    };
    let kills = format!("--max-kills {}", plan.max_kills);
    [role_only, retry.to_owned(), kills].join(" ").split(' ').map(str::to_owned).collect()
}

/// The binary, with nothing of the test's own settings but the toolchain.
fn program(dir: &Path, name: &str, args: &[String], database: &str) -> Program {
    let ours = |name: &str| name.starts_with("SHOPFLOOR_") && name != "SHOPFLOOR_TOOLCHAIN";
    let forget = std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_str().is_some_and(ours));
    let env = |name: &str, value: String| (name.into(), value.into());
    Program {
        // `scripts/chaos-mutations.py` puts a broken one in its place.
        path: std::env::var_os("SHOPFLOOR_CHAOS_PROGRAM").unwrap_or(env!("CARGO_BIN_EXE_shopfloor").into()).into(),
        args: args.iter().map(Into::into).collect(),
        envs: vec![
            env("SHOPFLOOR_DATABASE_URL", database.to_owned()),
            env("SHOPFLOOR_BLOB_DIR", dir.join("blobs").display().to_string()),
            env("SHOPFLOOR_DATA_DIR", dir.join(name).display().to_string()),
        ],
        forget: forget.collect(),
        log: dir.join(format!("{name}.log")),
    }
}

/// What makes a program read the machine's clock through `libfaketime`: wrong by what the clock file says. The time since
/// the start (the monotonic clock) goes on as it does when somebody sets a machine's clock.
fn clock_env(dir: &Path) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    let libraries = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let library = libraries.map(|found| found.path().join("faketime/libfaketimeMT.so.1")).find(|path| path.exists());
    let library = library.expect("libfaketime (Debian, Ubuntu: `apt-get install libfaketime`)");
    set_clock(&clock_file(dir), 0);
    vec![
        ("LD_PRELOAD".into(), library.into()),
        ("FAKETIME_TIMESTAMP_FILE".into(), clock_file(dir).into()),
        ("FAKETIME_CACHE_DURATION".into(), "1".into()),
        ("FAKETIME_DONT_FAKE_MONOTONIC".into(), "1".into()),
    ]
}

fn clock_file(dir: &Path) -> PathBuf {
    dir.join("clock")
}

fn set_clock(file: &Path, seconds: i64) {
    // In one move, or the program reads half of it.
    let new = file.with_extension("new");
    std::fs::write(&new, format!("{seconds:+}\n")).and_then(|()| std::fs::rename(&new, file)).unwrap();
}

/// Makes the tables and a key.
fn key(dir: &Path, postgres: &PostgresServer) -> String {
    let args = ["keys", "create", "--local", "--role", "admin", "--name", "chaos"].map(str::to_owned);
    let program = program(dir, "key", &args, &postgres.url(postgres.port(), DATABASE));
    let mut command = std::process::Command::new(&program.path);
    for name in &program.forget {
        command.env_remove(name);
    }
    let made = command.args(&program.args).envs(program.envs).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}
