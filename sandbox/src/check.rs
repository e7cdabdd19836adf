//! What a job must look like before anything is started for it.

use std::collections::BTreeSet;

use shopfloor_domain::sandbox::Limits;

use crate::{Command, Input, Job, SandboxError};

const INPUTS: usize = 256;
const INPUT_BYTES: usize = 512 * 1024 * 1024;
const PATH_BYTES: usize = 200;
const ARGUMENTS: usize = 256;
const ARGUMENT_BYTES: usize = 64 * 1024;
const VARIABLES: usize = 64;
const VARIABLE_BYTES: usize = 64 * 1024;
const ANSWER_BYTES: usize = 1024 * 1024;
const LEAST_MEMORY: u64 = 16 * 1024 * 1024;

/// Refuses a job that cannot be run as it is.
pub(crate) fn job(job: &Job) -> Result<(), SandboxError> {
    inputs(&job.inputs)?;
    command(&job.command, &job.inputs)?;
    environment(job)?;
    let answers = job.answers.iter().map(|answer| answer.to_string().len()).sum::<usize>();
    ensure(answers <= ANSWER_BYTES, "answers", || format!("{answers} bytes, at most {ANSWER_BYTES} are allowed"))?;
    limits(&job.limits)
}

fn inputs(inputs: &[Input]) -> Result<(), SandboxError> {
    ensure(inputs.len() <= INPUTS, "inputs", || format!("{} files, at most {INPUTS} are allowed", inputs.len()))?;
    let bytes = inputs.iter().map(|input| input.bytes.len()).sum::<usize>();
    ensure(bytes <= INPUT_BYTES, "inputs", || format!("{bytes} bytes, at most {INPUT_BYTES} are allowed"))?;
    let mut files = BTreeSet::new();
    for input in inputs {
        path(&input.path)?;
        ensure(files.insert(input.path.as_str()), "inputs", || format!("{:?} is there twice", input.path))?;
    }
    for file in &files {
        let folders = file.match_indices('/').map(|(at, _)| &file[..at]);
        let clash = folders.into_iter().find(|folder| files.contains(folder));
        ensure(clash.is_none(), "inputs", || {
            format!("{:?} is a file and the folder of another file", clash.unwrap_or(""))
        })?;
    }
    Ok(())
}

fn path(path: &str) -> Result<(), SandboxError> {
    let problem = if path.is_empty() {
        "is empty"
    } else if path.len() > PATH_BYTES {
        "is longer than 200 bytes"
    } else if path.chars().any(char::is_control) {
        "has a control character"
    } else if path.starts_with('/') {
        "is absolute"
    } else if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        "has an empty part, `.` or `..`"
    } else {
        return Ok(());
    };
    Err(refused("inputs", format!("the name {path:?} {problem}")))
}

fn command(command: &Command, inputs: &[Input]) -> Result<(), SandboxError> {
    let args = match command {
        Command::Python { script, args } => {
            let there = inputs.iter().any(|input| input.path == *script);
            ensure(there, "script", || format!("{script:?} is not among the inputs"))?;
            args
        }
        Command::Tool { name, args } => {
            ensure(matches!(*name, "ruff" | "bandit"), "tool", || format!("{name:?} is not a tool of the toolchain"))?;
            args
        }
    };
    ensure(args.len() <= ARGUMENTS, "args", || format!("{} arguments, at most {ARGUMENTS} are allowed", args.len()))?;
    let bytes = args.iter().map(String::len).sum::<usize>();
    ensure(bytes <= ARGUMENT_BYTES, "args", || format!("{bytes} bytes, at most {ARGUMENT_BYTES} are allowed"))?;
    ensure(!args.iter().any(|arg| arg.contains('\0')), "args", || "an argument contains NUL".into())
}

fn environment(job: &Job) -> Result<(), SandboxError> {
    let variables = job.env.len();
    ensure(variables <= VARIABLES, "env", || format!("{variables} variables, at most {VARIABLES} are allowed"))?;
    let bytes = job.env.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    ensure(bytes <= VARIABLE_BYTES, "env", || format!("{bytes} bytes, at most {VARIABLE_BYTES} are allowed"))?;
    for (name, value) in &job.env {
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let well_formed = plain && name.starts_with(|c: char| !c.is_ascii_digit());
        ensure(well_formed, "env", || format!("{name:?} cannot be a variable's name"))?;
        ensure(!value.contains('\0'), "env", || format!("the value of {name} contains NUL"))?;
    }
    Ok(())
}

fn limits(limits: &Limits) -> Result<(), SandboxError> {
    ensure(!limits.wall.is_zero(), "limits.wall", || "must be above 0".into())?;
    ensure(limits.memory_bytes >= LEAST_MEMORY, "limits.memory_bytes", || format!("must be at least {LEAST_MEMORY}"))?;
    ensure(limits.cpu_millis > 0, "limits.cpu_millis", || "must be above 0".into())?;
    ensure(limits.processes > 0, "limits.processes", || "must be above 0".into())?;
    ensure(limits.open_files >= 16, "limits.open_files", || "must be at least 16".into())?;
    ensure(limits.work_bytes > 0, "limits.work_bytes", || "must be above 0".into())
}

fn ensure(holds: bool, field: &'static str, problem: impl FnOnce() -> String) -> Result<(), SandboxError> {
    if holds { Ok(()) } else { Err(refused(field, problem())) }
}

fn refused(field: &'static str, problem: String) -> SandboxError {
    SandboxError::Refused { field, problem }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use shopfloor_domain::{Epoch, Fence, OrderId};

    use super::*;

    fn with(change: impl FnOnce(&mut Job)) -> Result<(), String> {
        let mut it = Job {
            fence: Fence { order_id: OrderId::new(), epoch: Epoch(1) },
            command: Command::Python { script: "main.py".into(), args: vec!["-x".into()] },
            inputs: vec![input("main.py"), input("data/a b.csv"), input("größe.txt")],
            env: BTreeMap::from([("COLUMN_1".into(), "x=y\n".into())]),
            answers: Vec::new(),
            limits: Limits::default(),
        };
        change(&mut it);
        job(&it).map_err(|error| error.to_string())
    }

    fn input(path: &str) -> Input {
        Input { path: path.into(), bytes: "1".into() }
    }

    #[test]
    fn accepts_a_usual_job() {
        assert_eq!(with(|_| {}), Ok(()));
    }

    #[test]
    fn refuses_names_that_could_leave_the_folder() {
        let long = "x".repeat(201);
        for bad in ["", "/etc/passwd", "..", "../x", "a/../b", "a//b", "./a", "a/", "a\0b", "a\nb", "a\u{1b}b", &long] {
            let error = with(|job| job.inputs.push(input(bad))).unwrap_err();
            assert!(error.starts_with("inputs: "), "{bad:?}: {error}");
        }
        for clash in ["main.py", "data", "main.py/x"] {
            assert!(with(|job| job.inputs.push(input(clash))).is_err(), "{clash:?}");
        }
        assert!(with(|job| job.inputs.extend((0..256).map(|n| input(&n.to_string())))).is_err());
    }

    #[test]
    fn names_the_field_that_is_wrong() {
        let error = |change: fn(&mut Job)| with(change).unwrap_err();
        assert!(error(|job| job.inputs.clear()).starts_with("script: "));
        assert!(error(|job| job.command = Command::Tool { name: "sh", args: vec![] }).starts_with("tool: "));
        assert!(
            error(|job| job.command = Command::Tool { name: "ruff", args: vec!["a\0".into()] }).starts_with("args: ")
        );
        assert!(error(|job| drop(job.env.insert("A=B".into(), String::new()))).starts_with("env: "));
        assert!(error(|job| drop(job.env.insert(String::new(), String::new()))).starts_with("env: "));
        assert!(error(|job| job.limits.wall = Duration::ZERO).starts_with("limits.wall: "));
        assert!(error(|job| job.limits.memory_bytes = 1).starts_with("limits.memory_bytes: "));
    }
}
