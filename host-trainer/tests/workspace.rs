//! The house keeps its shape: the two programs meet only in `shared`.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Packages that a package depends on, itself included, by `cargo tree`.
fn tree(package: &str) -> Vec<String> {
    tree_with(package, "")
}

/// As [`tree`], with features of the package.
fn tree_with(package: &str, features: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--package",
            package,
            "--features",
            features,
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn dependencies_point_from_the_programs_to_shared_and_no_other_way() {
    let (shared, store) = (tree("shared"), tree("store"));
    let (agent, host) = (tree("jetson-agent"), tree("host-trainer"));
    let has = |tree: &[String], package: &str| tree.iter().any(|name| name == package);
    assert!(!has(&shared, "jetson-agent") && !has(&shared, "host-trainer") && !has(&shared, "store"));
    assert!(has(&store, "shared") && !has(&store, "jetson-agent") && !has(&store, "host-trainer"));
    assert!(has(&agent, "shared") && !has(&agent, "host-trainer"));
    assert!(has(&host, "shared") && !has(&host, "jetson-agent"));
}

#[test]
fn the_agent_reaches_the_store_only_where_it_was_asked_to_push() {
    let has = |tree: &[String], package: &str| tree.iter().any(|name| name == package);
    assert!(!has(&tree("jetson-agent"), "store"));
    let pushing = tree_with("jetson-agent", "push");
    assert!(has(&pushing, "store") && !has(&pushing, "host-trainer"));
}

#[test]
fn shared_and_the_agent_stay_light() {
    const HEAVY: [&str; 7] = ["tokio", "reqwest", "hyper", "polars", "tract-onnx", "burn", "object_store"];
    for package in ["shared", "jetson-agent"] {
        let tree = tree(package);
        for heavy in HEAVY {
            assert!(!tree.iter().any(|name| name == heavy), "{package} depends on {heavy}");
        }
    }
}
