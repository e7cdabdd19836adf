//! Ends what a worker leaves behind when it is killed in the few moments in which `bwrap` has begun to set a sandbox up and
//! does not yet die with its parent: a process that waits for ever, and runs nothing.

use std::{fs, path::Path};

use rustix::process::{Pid, Signal, kill_process};

/// Kills the orphans that it finds and may kill. Returns how many.
pub(super) fn sweep(marker: &str) -> usize {
    let Ok(entries) = fs::read_dir("/proc") else { return 0 };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| is_orphan(*pid, marker)).filter(|pid| kill(*pid)).count()
}

fn kill(pid: i32) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok())
}

/// Process 1 of a sandbox of ours whose parent is not the `bwrap` that started it.
fn is_orphan(pid: i32, marker: &str) -> bool {
    let ours = |pid: i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| is_bwrap(&line, marker));
    if !ours(pid) {
        return false;
    }
    let Ok(status) = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")) else { return false };
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let first_of_its_namespace =
        field("NSpid:").is_some_and(|pids| pids.split_whitespace().count() > 1 && pids.ends_with("\t1"));
    let parent = field("PPid:").and_then(|parent| parent.parse::<i32>().ok());
    first_of_its_namespace && parent.is_some_and(|parent| !ours(parent))
}

fn is_bwrap(command_line: &[u8], marker: &str) -> bool {
    let mut words = command_line.split(|byte| *byte == 0);
    let program = words.next().unwrap_or_default();
    program.ends_with(b"bwrap") && words.any(|word| word == marker.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_bwrap_counts() {
        assert!(is_bwrap(b"/usr/bin/bwrap\0--\0sh\0-c\0init here\0", "init here"));
        assert!(!is_bwrap(b"/usr/bin/bwrap\0--\0bash\0", "init here"));
        assert!(!is_bwrap(b"sh\0-c\0init here\0", "init here"));
        assert!(!is_orphan(std::process::id().cast_signed(), "init here"));
    }
}
