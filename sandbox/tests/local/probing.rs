//! What the probe says about this machine, and that it fails closed.

use shopfloor_domain::sandbox::SandboxLevel;
use shopfloor_sandbox::{
    SandboxError,
    probe::{Settings, probe},
};
use tokio_util::sync::CancellationToken;

use crate::kit::*;

#[tokio::test]
async fn this_machine_offers_the_local_level() {
    let probed = probed().await;
    assert!(probed.findings.iter().all(|finding| finding.ok), "{:#?}", probed.findings);
    let names: Vec<&str> = probed.findings.iter().map(|finding| finding.name.as_str()).collect();
    for name in [
        "bubblewrap",
        "toolchain",
        "cgroup",
        "user namespaces",
        "network",
        "seccomp",
        "python",
        "ruff",
        "bandit",
        "packages",
    ] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
}

async fn refusal(settings: Settings) -> String {
    let probed = probe(&settings).await;
    assert_eq!((probed.level, probed.sandbox.level()), (SandboxLevel::None, SandboxLevel::None));
    let error = probed.sandbox.run(python("print('ran')"), deaf(), CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, SandboxError::Unavailable { .. }), "{error}");
    error.to_string()
}

#[tokio::test]
async fn a_level_that_is_not_there_is_refused() {
    for level in [SandboxLevel::Hardened, SandboxLevel::Gvisor] {
        let error = refusal(settings(level)).await;
        assert!(error.contains(level.as_str()) && error.contains("local"), "{error}");
    }
}

#[tokio::test]
async fn without_a_toolchain_nothing_runs() {
    let error = refusal(Settings { toolchain: Some("/nowhere".into()), ..settings(SandboxLevel::None) }).await;
    assert!(error.contains("scripts/toolchain.sh"), "{error}");
}
