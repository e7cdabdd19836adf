//! What a job sees: the namespaces, the file tree, the environment and the command, as arguments of `bwrap`.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use shopfloor_domain::sandbox::Limits;

use crate::{Command, Job, toolchain::Toolchain};

/// The user and group that a job sees itself as, and that it really is when we are root.
pub(super) const NOBODY: u32 = 65534;
/// The status with which `shopfloor.ask` ends a run.
pub(super) const ASKED: i32 = 86;
/// Where `shopfloor.ask` leaves its question, from `/work`.
pub(super) const QUESTION: (&str, &str) = (".shopfloor", "question.json");
/// Where a job leaves its artifacts, from `/work`.
pub(super) const ARTIFACTS: &str = "artifacts";

const MODULE: &[u8] = include_bytes!("shopfloor.py");
const TOOLCHAIN: &str = "/opt/toolchain";
const SHM_BYTES: u64 = 64 * 1024 * 1024;
const TMP_BYTES: u64 = 256 * 1024 * 1024;
const PAGE: u64 = 4096;
/// Below this much address space Python's larger libraries cannot even be loaded.
const LEAST_ADDRESS_SPACE: u64 = 512 * 1024 * 1024;
/// Answers also come as an environment variable when they are short enough for one.
const ANSWERS_IN_ENVIRONMENT: usize = 32 * 1024;

/// Tells us that the sandbox stands, waits until we have looked at it, then runs the job as a child with its limits.
/// It is process 1: when it ends, the kernel kills whatever the job left running.
pub(super) const INIT: &str = r#"echo >&3; read -r go <&4 || exit 125; exec 3>&- 4<&-; "$@"; exit $?"#;

/// A file that is there when the job starts: its path and content.
pub(super) type File = (String, Bytes);

/// What is the same for every job.
#[derive(Debug, Clone)]
pub(super) struct View {
    toolchain: Toolchain,
    base: Vec<OsString>,
}

/// What is different for every job.
#[derive(Debug)]
pub(super) struct Plan {
    /// Options of `bwrap`.
    pub(super) options: Vec<OsString>,
    /// The command line that is run in the sandbox.
    pub(super) command: Vec<OsString>,
    /// The environment.
    pub(super) env: Vec<(&'static str, String)>,
    /// Files that the options refer to, in the order of their descriptors.
    pub(super) files: Vec<Bytes>,
}

impl View {
    pub(super) fn new(toolchain: Toolchain) -> Self {
        let mut base = Vec::new();
        namespaces(&mut base);
        system(&mut base, &toolchain);
        Self { toolchain, base }
    }

    /// The plan for one job, whose files get descriptors from `first_fd` on and whose filter is read from `filter_fd`.
    pub(super) fn plan(&self, job: &Job, first_fd: usize, filter_fd: usize) -> Plan {
        let mut options = self.base.clone();
        let mut files = Vec::new();
        let mut file = |options: &mut Vec<OsString>, (path, bytes): File| {
            let fd = first_fd + files.len();
            push(options, ["--perms", "0444", "--file", &fd.to_string(), &path]);
            files.push(bytes);
        };
        for it in etc() {
            file(&mut options, it);
        }
        file(&mut options, ("/opt/shopfloor/shopfloor.py".into(), Bytes::from_static(MODULE)));
        let answers = serde_json::Value::from(job.answers.clone()).to_string();
        file(&mut options, ("/opt/shopfloor/answers.json".into(), answers.clone().into()));

        tmpfs(&mut options, "/inputs", "0755", inputs_size(job));
        for input in &job.inputs {
            file(&mut options, (format!("/inputs/{}", input.path), input.bytes.clone()));
        }
        push(&mut options, ["--remount-ro", "/inputs"]);
        tmpfs(&mut options, "/tmp", "1777", TMP_BYTES.min(job.limits.work_bytes));
        push(&mut options, ["--dir", "/tmp/matplotlib"]);
        for (name, bytes) in &self.toolchain.fonts {
            file(&mut options, (format!("/tmp/matplotlib/{name}"), bytes.clone()));
        }
        tmpfs(&mut options, "/work", "0755", job.limits.work_bytes);
        push(&mut options, ["--dir", "/work/artifacts", "--dir", "/work/.shopfloor", "--remount-ro", "/"]);
        push(&mut options, ["--chdir", working_folder(&job.command), "--seccomp", &filter_fd.to_string()]);
        Plan { options, command: command(job), env: environment(job, answers), files }
    }
}

fn namespaces(options: &mut Vec<OsString>) {
    push(options, ["--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc"]);
    push(options, ["--unshare-uts", "--unshare-cgroup", "--hostname", "sandbox"]);
    push(options, ["--uid", &NOBODY.to_string(), "--gid", &NOBODY.to_string()]);
    push(options, ["--die-with-parent", "--new-session", "--as-pid-1"]);
}

/// The machine's programs and libraries, read-only; nothing of its settings but what programs need to start.
fn system(options: &mut Vec<OsString>, toolchain: &Toolchain) {
    push(options, ["--ro-bind", "/usr", "/usr"]);
    for folder in ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"] {
        match std::fs::read_link(folder) {
            Ok(target) => push(options, [OsString::from("--symlink"), target.into(), folder.into()]),
            Err(_) if Path::new(folder).is_dir() => push(options, ["--ro-bind", folder, folder]),
            Err(_) => {}
        }
    }
    // What people install by hand may hold their secrets, and no job needs it.
    if Path::new("/usr/local").is_dir() && !toolchain.bases.iter().any(|base| base.starts_with("/usr/local")) {
        tmpfs(options, "/usr/local", "0755", PAGE);
        push(options, ["--remount-ro", "/usr/local"]);
    }
    for path in ["/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts"] {
        push(options, ["--ro-bind-try", path, path]);
    }
    let bind = |from: &PathBuf, to: &Path| [OsString::from("--ro-bind"), from.into(), to.into()];
    for base in &toolchain.bases {
        push(options, bind(base, base));
    }
    push(options, bind(&toolchain.root, Path::new(TOOLCHAIN)));
    push(options, ["--proc", "/proc", "--dev", "/dev"]);
    tmpfs(options, "/dev/shm", "1777", SHM_BYTES);
    push(options, ["--remount-ro", "/dev"]);
}

fn etc() -> [File; 4] {
    let text = |path: &str, text: &'static str| (path.to_owned(), Bytes::from_static(text.as_bytes()));
    [
        text("/etc/passwd", "sandbox:x:65534:65534:sandbox:/work:/bin/sh\n"),
        text("/etc/group", "sandbox:x:65534:\n"),
        text("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n127.0.0.1 sandbox\n"),
        text("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
    ]
}

fn working_folder(command: &Command) -> &'static str {
    match command {
        Command::Python { .. } => "/work",
        Command::Tool { .. } => "/inputs",
    }
}

fn command(job: &Job) -> Vec<OsString> {
    let limits = &job.limits;
    let init = ["/bin/sh", "-c", INIT, "init", "/usr/bin/prlimit"].map(OsString::from);
    // The process limit counts process 1 as well.
    let limit = |name: &str, most: u64| OsString::from(format!("--{name}={most}:{most}"));
    let mut command = Vec::from(init);
    command.extend([
        limit("nproc", u64::from(limits.processes) + 1),
        limit("nofile", u64::from(limits.open_files)),
        limit("core", 0),
        limit("fsize", limits.file_bytes),
        limit("as", address_space(limits)),
        OsString::from("--"),
    ]);
    if !job.env.is_empty() {
        // Set here and not before, so that a variable such as LD_PRELOAD has no effect on process 1.
        command.push("/usr/bin/env".into());
        command.extend(job.env.iter().map(|(name, value)| OsString::from(format!("{name}={value}"))));
    }
    let python = || OsString::from(format!("{TOOLCHAIN}/bin/python"));
    let args = match &job.command {
        Command::Python { script, args } => {
            command.extend([python(), OsString::from(format!("/inputs/{script}"))]);
            args
        }
        Command::Tool { name: name @ "bandit", args } => {
            command.extend([python(), "-m".into(), OsString::from(name)]);
            args
        }
        Command::Tool { name, args } => {
            command.push(OsString::from(format!("{TOOLCHAIN}/bin/{name}")));
            args
        }
    };
    command.extend(args.iter().map(OsString::from));
    command
}

/// Below the memory limit, so that most programs that want too much get an error that they can report.
fn address_space(limits: &Limits) -> u64 {
    (limits.memory_bytes - limits.memory_bytes / 16).max(LEAST_ADDRESS_SPACE)
}

fn environment(job: &Job, answers: String) -> Vec<(&'static str, String)> {
    let threads = job.limits.cpu_millis.div_ceil(1000).max(1).to_string();
    let mut env: Vec<(&'static str, String)> = [
        ("PATH", "/opt/toolchain/bin:/usr/bin:/bin"),
        ("HOME", "/work"),
        ("USER", "sandbox"),
        ("LANG", "C.UTF-8"),
        ("TZ", "UTC"),
        ("TMPDIR", "/tmp"),
        ("PYTHONPATH", "/opt/shopfloor"),
        ("PYTHONUNBUFFERED", "1"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("MPLBACKEND", "Agg"),
        ("MPLCONFIGDIR", "/tmp/matplotlib"),
        ("OMP_WAIT_POLICY", "PASSIVE"),
        ("MALLOC_ARENA_MAX", "4"),
        ("RUFF_NO_CACHE", "true"),
        ("SHOPFLOOR_INPUTS", "/inputs"),
        ("SHOPFLOOR_ARTIFACTS", "/work/artifacts"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into();
    env.extend(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"].map(|name| (name, threads.clone())));
    if answers.len() <= ANSWERS_IN_ENVIRONMENT {
        env.push(("SHOPFLOOR_ANSWERS", answers));
    }
    env
}

/// Whole pages per file, and some for folders.
fn inputs_size(job: &Job) -> u64 {
    let pages = |input: &crate::Input| (input.bytes.len() as u64).div_ceil(PAGE) + 1;
    PAGE * (16 + job.inputs.iter().map(pages).sum::<u64>())
}

fn tmpfs(options: &mut Vec<OsString>, path: &str, mode: &str, size: u64) {
    push(options, ["--perms", mode, "--size", &size.to_string(), "--tmpfs", path]);
}

fn push<const N: usize>(options: &mut Vec<OsString>, more: [impl Into<OsString>; N]) {
    options.extend(more.map(Into::into));
}
