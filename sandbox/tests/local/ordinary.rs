//! Root runs jobs as another user and with control groups, an ordinary user as himself and perhaps without: both must hold.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    process::Command,
};

const ORDINARY: u32 = 12_345;

/// Repeats these tests as an ordinary user, when root runs them. That one also starts with a descriptor of `/` open, as a
/// careless parent would leave it.
#[test]
fn the_same_holds_for_an_ordinary_user() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("tests");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    for path in [folder.path(), &copy] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let toolchain = std::env::var_os("SHOPFLOOR_TOOLCHAIN").map(fs::canonicalize).and_then(Result::ok);
    let output = Command::new("/bin/sh")
        .args(["-c", "exec 9</; exec \"$0\" \"$@\"", copy.to_str().unwrap()])
        .args(["--skip", "ordinary::", "--test-threads", "2"])
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("HOME", "/nonexistent")])
        .envs(toolchain.map(|folder| ("SHOPFLOOR_TOOLCHAIN", folder)))
        .current_dir("/")
        .uid(ORDINARY)
        .gid(ORDINARY)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("test result: ok."), "{said}");
}
