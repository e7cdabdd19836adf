//! What to do about a machine that cannot isolate.

use std::fs;

pub(super) const NO_BUBBLEWRAP: &str =
    "`bwrap` is not in PATH: install the package bubblewrap, 0.7 or newer (`apt-get install bubblewrap`)";
pub(super) const NO_CONTAINERS: &str =
    "this version offers the level `local` only; lower the minimum level to `local`, or run a worker elsewhere";
const CONTAINER: &str = "in a container, allow user namespaces and an unmasked /proc, or run the worker outside of it";

/// What most probably keeps `bwrap` from working, judging by its message and the machine's settings.
pub(super) fn for_bwrap(message: &str) -> String {
    judge(message, |name| fs::read_to_string(format!("/proc/sys/{name}")).ok())
}

fn judge(message: &str, setting: impl Fn(&str) -> Option<String>) -> String {
    let is = |name: &str, value: &str| setting(name).is_some_and(|found| found.trim() == value);
    if message.contains("Unknown option") {
        "install bubblewrap 0.7 or newer".into()
    } else if message.contains("source path") {
        "the toolchain must be in a folder that an unprivileged user can read; run scripts/toolchain.sh".into()
    } else if is("kernel/unprivileged_userns_clone", "0") {
        "allow user namespaces: `sysctl -w kernel.unprivileged_userns_clone=1`".into()
    } else if is("user/max_user_namespaces", "0") {
        "allow user namespaces: `sysctl -w user.max_user_namespaces=10000`".into()
    } else if is("kernel/apparmor_restrict_unprivileged_userns", "1") {
        "allow user namespaces for bwrap by an AppArmor profile, or for all by \
         `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`"
            .into()
    } else {
        CONTAINER.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_setting_that_is_in_the_way() {
        let with = |name: &'static str, value: &'static str| {
            judge("bwrap: No permissions", move |asked| (asked == name).then(|| value.to_owned()))
        };
        assert!(with("kernel/unprivileged_userns_clone", "0\n").contains("unprivileged_userns_clone=1"));
        assert!(with("kernel/apparmor_restrict_unprivileged_userns", "1\n").contains("AppArmor"));
        assert!(with("user/max_user_namespaces", "0\n").contains("max_user_namespaces"));
        assert!(with("kernel/unprivileged_userns_clone", "1\n").contains("container"));
        assert!(judge("bwrap: Unknown option --size", |_| None).contains("0.7"));
        assert!(
            judge("bwrap: Can't find source path /home/ann/toolchain: Permission denied", |_| None)
                .contains("toolchain")
        );
    }
}
