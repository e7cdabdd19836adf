//! Runs a real job that looks at its sandbox from inside, and judges what it saw.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::Deserialize;
use shopfloor_domain::{
    Epoch, Fence, OrderId,
    sandbox::{Ending, Limits},
};
use tokio_util::sync::CancellationToken;

use super::{Finding, remedy};
use crate::{Command, Input, Job, Outcome, Sandbox, toolchain::REMEDY};

const SCRIPT: &str = include_str!("trial.py");

/// What came out of it.
pub(super) struct Trial {
    pub(super) findings: Vec<Finding>,
    /// Why no code may run here, and what to do.
    pub(super) problem: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Seen {
    python: String,
    processes: Vec<String>,
    interfaces: Vec<String>,
    hostname: String,
    seccomp: u32,
    no_new_privileges: u32,
    capabilities: u64,
    user: u32,
    home: bool,
    writable: Vec<String>,
    versions: BTreeMap<String, Option<String>>,
}

pub(super) async fn run(sandbox: &dyn Sandbox) -> Trial {
    let job = Job {
        fence: Fence { order_id: OrderId::new(), epoch: Epoch(0) },
        command: Command::Python { script: "trial.py".into(), args: Vec::new() },
        inputs: vec![Input { path: "trial.py".into(), bytes: SCRIPT.into() }],
        env: BTreeMap::new(),
        answers: Vec::new(),
        limits: Limits { wall: Duration::from_secs(30), ..Limits::default() },
    };
    match sandbox.run(job, Arc::new(|_| {}), CancellationToken::new()).await {
        Ok(outcome) if outcome.ending == Ending::Ok => match serde_json::from_str::<Seen>(&outcome.stdout) {
            Ok(seen) => judge(&seen),
            Err(error) => failed("python", format!("the trial run said something unexpected: {error}")),
        },
        Ok(outcome) => explain(outcome),
        Err(error) => failed("user namespaces", format!("the trial run did not start: {error}")),
    }
}

fn explain(outcome: Outcome) -> Trial {
    let detail = outcome.detail.unwrap_or_default();
    if outcome.ending == Ending::SandboxCrash {
        let remedy = remedy::for_bwrap(&detail);
        return failed("user namespaces", format!("{detail} {remedy}"));
    }
    let last = outcome.stderr.lines().last().unwrap_or_default().to_owned();
    failed("python", format!("the trial run failed: {detail} {last}; {REMEDY}"))
}

fn failed(name: &str, problem: String) -> Trial {
    Trial { findings: vec![Finding::bad(name, problem.clone())], problem: Some(problem) }
}

fn judge(seen: &Seen) -> Trial {
    let check = |name: &str, holds: bool, detail: String| Finding { name: name.into(), ok: holds, detail };
    let isolation = [
        check(
            "user namespaces",
            seen.user == 65534 && seen.processes.len() <= 2 && seen.hostname == "sandbox",
            format!("user {}, {} processes, host `{}`", seen.user, seen.processes.len(), seen.hostname),
        ),
        check("network", seen.interfaces.iter().all(|it| it == "lo"), "loopback only, its own".into()),
        check("seccomp", seen.seccomp == 2, format!("mode {}", seen.seccomp)),
        check(
            "privileges",
            seen.no_new_privileges == 1 && seen.capabilities == 0,
            format!("capabilities {:#x}, no new ones: {}", seen.capabilities, seen.no_new_privileges == 1),
        ),
        check(
            "files",
            !seen.home && seen.writable.is_empty(),
            if seen.writable.is_empty() {
                "read-only, no homes".into()
            } else {
                format!("writable: {:?}", seen.writable)
            },
        ),
    ];
    let broken = isolation.iter().find(|finding| !finding.ok);
    let problem = broken.map(|it| format!("the sandbox does not isolate as it should: {} ({})", it.name, it.detail));
    let version = |name: &str| seen.versions.get(name).cloned().flatten();
    let mut findings = Vec::from(isolation);
    findings.push(Finding::ok("python", &seen.python));
    for tool in ["ruff", "bandit"] {
        findings.push(version(tool).map_or_else(|| Finding::bad(tool, REMEDY), |version| Finding::ok(tool, version)));
    }
    let packages = ["numpy", "pandas", "matplotlib", "pillow"].map(|name| (name, version(name)));
    let missing: Vec<&str> = packages.iter().filter(|(_, version)| version.is_none()).map(|(name, _)| *name).collect();
    findings.push(if missing.is_empty() {
        let all = packages.map(|(name, version)| format!("{name} {}", version.unwrap_or_default()));
        Finding::ok("packages", all.join(", "))
    } else {
        Finding::bad("packages", format!("{} missing: {REMEDY}", missing.join(", ")))
    });
    Trial { findings, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen {
        Seen {
            python: "3.11.2".into(),
            processes: vec!["1".into(), "2".into()],
            interfaces: vec!["lo".into()],
            hostname: "sandbox".into(),
            seccomp: 2,
            no_new_privileges: 1,
            capabilities: 0,
            user: 65534,
            home: false,
            writable: Vec::new(),
            versions: BTreeMap::from([("ruff".into(), Some("1".into()))]),
        }
    }

    #[test]
    fn a_missing_package_is_reported_and_does_not_stop_code() {
        let trial = judge(&seen());
        assert_eq!(trial.problem, None);
        let bad: Vec<&str> = trial.findings.iter().filter(|it| !it.ok).map(|it| it.name.as_str()).collect();
        assert_eq!(bad, ["bandit", "packages"]);
    }

    #[test]
    fn any_hole_stops_all_code() {
        let holes: [fn(&mut Seen); 6] = [
            |it| it.seccomp = 0,
            |it| it.interfaces.push("eth0".into()),
            |it| it.user = 0,
            |it| it.capabilities = 1,
            |it| it.home = true,
            |it| it.writable.push("/usr/x".into()),
        ];
        for (number, hole) in holes.into_iter().enumerate() {
            let mut it = seen();
            hole(&mut it);
            assert!(judge(&it).problem.is_some(), "hole {number}");
        }
    }
}
