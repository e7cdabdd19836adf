//! Finds out where this process may make control groups.

use std::{
    fs,
    path::{Path, PathBuf},
};

use shopfloor_domain::sandbox::Limits;

use super::{Cgroups, Controller};

/// A place for groups that was tried, or why there is none.
pub(crate) fn find() -> Result<Cgroups, String> {
    let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("reading {path}: {error}"));
    let (mounts, memberships) = (read("/proc/self/mountinfo")?, read("/proc/self/cgroup")?);
    let mut problem = String::from("no hierarchy with the controllers `memory` and `pids` is mounted");
    for candidate in candidates(&mounts, &memberships) {
        match try_out(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(why) => problem = why,
        }
    }
    Err(problem)
}

fn try_out(candidate: &Cgroups) -> Result<(), String> {
    if let Cgroups::V2(folder) = candidate {
        for controller in ["+memory", "+pids", "+cpu"] {
            // Allowed where nobody has done it yet; whether it worked shows below.
            let _ = fs::write(folder.join("cgroup.subtree_control"), controller);
        }
        let enabled = fs::read_to_string(folder.join("cgroup.subtree_control")).unwrap_or_default();
        if !["memory", "pids"].iter().all(|wanted| enabled.split_whitespace().any(|it| it == *wanted)) {
            return Err(format!("{} does not hand on the controllers `memory` and `pids`", folder.display()));
        }
    }
    candidate.create(&Limits::default()).map(drop).map_err(|error| format!("no group can be made: {error}"))
}

/// Places to try, best first: version 2 beside and below our own group, then version 1 below it.
fn candidates(mounts: &str, memberships: &str) -> Vec<Cgroups> {
    let mut found = Vec::new();
    let unified = mounts.lines().filter_map(Mount::parse).find(|mount| mount.kind == "cgroup2");
    let own = |controller: &str| {
        memberships.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            controllers.split(',').any(|it| it == controller).then_some(path)
        })
    };
    if let Some(folder) = unified.and_then(|mount| mount.folder(own("")?)) {
        let parent = folder.parent().filter(|parent| parent.join("cgroup.controllers").exists());
        found.extend(parent.map(|parent| Cgroups::V2(parent.to_owned())));
        found.push(Cgroups::V2(folder));
    }
    let version_1 = |name: &str| {
        let mount = mounts
            .lines()
            .filter_map(Mount::parse)
            .find(|mount| mount.kind == "cgroup" && mount.options.split(',').any(|option| option == name))?;
        mount.folder(own(name)?)
    };
    if let (Some(memory), Some(pids)) = (version_1("memory"), version_1("pids")) {
        let mut folders = vec![(Controller::Memory, memory), (Controller::Pids, pids)];
        folders.extend(version_1("cpu").map(|folder| (Controller::Cpu, folder)));
        folders.extend(version_1("cpuacct").map(|folder| (Controller::CpuAccount, folder)));
        found.push(Cgroups::V1(folders));
    }
    found
}

/// A line of `/proc/self/mountinfo`.
struct Mount<'a> {
    root: &'a str,
    point: &'a str,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (mount.next()?, mount.next()?);
        let mut file_system = file_system.split(' ');
        Some(Self { root, point, kind: file_system.next()?, options: file_system.nth(1)? })
    }

    /// Where the group of this path is; a container may see only a part of the hierarchy.
    fn folder(&self, path: &str) -> Option<PathBuf> {
        let below = if self.root == "/" { path } else { path.strip_prefix(self.root)? };
        Some(Path::new(self.point).join(below.trim_start_matches('/')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "\
30 20 0:25 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
32 30 0:27 /box /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
33 30 0:28 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids";

    #[test]
    fn version_1_has_a_folder_per_controller() {
        let memberships = "4:memory:/box/a\n3:pids:/\n2:cpu,cpuacct:/b\n0::/";
        let path = |path: &str| PathBuf::from("/sys/fs/cgroup").join(path);
        let expected = vec![
            (Controller::Memory, path("memory/a")),
            (Controller::Pids, path("pids/")),
            (Controller::Cpu, path("cpu,cpuacct/b")),
            (Controller::CpuAccount, path("cpu,cpuacct/b")),
        ];
        assert_eq!(candidates(V1, memberships), [Cgroups::V1(expected)]);
    }

    #[test]
    fn version_2_has_one() {
        let mounts = "31 30 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";
        let found = candidates(mounts, "0::/nowhere/app.scope");
        assert_eq!(found, [Cgroups::V2("/sys/fs/cgroup/nowhere/app.scope".into())]);
        assert!(candidates("", "").is_empty());
    }
}
