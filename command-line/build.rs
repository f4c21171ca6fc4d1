//! Records the commit in release builds. Other builds do not look: each commit would compile both programs again.

use std::path::Path;
use std::process::Command;

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=LAYERJOULE_COMMIT");
    let given = std::env::var("LAYERJOULE_COMMIT").ok().filter(|commit| !commit.is_empty());
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = given.or_else(|| {
        if !release {
            return None;
        }
        // Grows with every commit and checkout, also in a worktree.
        if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists()) {
            println!("cargo:rerun-if-changed={log}");
        }
        let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some();
        git(&["rev-parse", "--short=12", "HEAD"]).map(|commit| commit + if changed { " with changes" } else { "" })
    });
    if let Some(commit) = commit {
        println!("cargo:rustc-env=LAYERJOULE_BUILD_COMMIT={commit}");
    }
    println!("cargo:rustc-env=LAYERJOULE_BUILD_PROFILE={}", if release { "release" } else { "development" });
    println!("cargo:rustc-env=LAYERJOULE_BUILD_TARGET={}", std::env::var("TARGET").unwrap_or_default());
}
