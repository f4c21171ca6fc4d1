//! The programs that tests run.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The agent, which cargo builds beside this program; built here where only this package was asked for.
pub(super) fn agent() -> PathBuf {
    let host = Path::new(env!("CARGO_BIN_EXE_host-trainer"));
    let agent = host.with_file_name("jetson-agent");
    if agent.exists() {
        return agent;
    }
    let folder = host.parent().expect("the folder of a profile");
    let profile = if folder.ends_with("debug") { "dev" } else { "release" };
    let built = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--package", "jetson-agent", "--profile", profile, "--target-dir"])
        .arg(folder.parent().expect("the target folder"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    agent
}
