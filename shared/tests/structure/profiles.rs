//! Dependencies are compiled once for the development and the release profile, for one program and for all: the settings that decide
//! about it are kept alike.

use crate::packages::Workspace;
use std::collections::BTreeSet;
use std::process::Command;

/// What a profile says of dependencies, and the level of those that it does not name.
fn of_dependencies(manifest: &toml::Table, profile: &str, ours: &BTreeSet<String>) -> (toml::Value, toml::Table) {
    let profile = &manifest["profile"][profile];
    let mut packages = profile["package"].as_table().expect("a table of packages").clone();
    packages.retain(|name, _| !ours.contains(name));
    (profile["opt-level"].clone(), packages)
}

#[test]
fn both_profiles_compile_dependencies_alike() {
    let workspace = Workspace::read();
    let ours = workspace.packages().iter().map(|package| package.name().to_owned()).collect();
    let manifest = std::fs::read_to_string(workspace.root.join("Cargo.toml")).expect("the workspace's manifest");
    let manifest = manifest.parse().expect("TOML");
    let (dev, release) = (of_dependencies(&manifest, "dev", &ours), of_dependencies(&manifest, "release", &ours));
    assert!(dev.1.contains_key("*") && dev.1.len() > 2, "both profiles name packages");
    assert_eq!(dev, release, "[profile.dev] and [profile.release] of Cargo.toml");
}

#[test]
fn a_program_alone_turns_on_the_features_that_all_turn_on() {
    let root = Workspace::read().root;
    // A line for each package and its features: `name v1.2.3 [a,b]`.
    let tree = |which: &[&str]| -> BTreeSet<String> {
        let output = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--locked", "--prefix", "none", "--format", "{p} [{f}]"])
            .args(which)
            .current_dir(&root)
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("text");
        // Our own have a path in parentheses; they differ by features for tests.
        let theirs = text.lines().filter(|line| !line.is_empty() && !line.contains("(/"));
        theirs.map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
    };
    let all = tree(&["--workspace", "--edges", "normal,build,dev"]);
    let alone = tree(&["--package", "host-trainer", "--edges", "normal,build"]);
    assert!(alone.len() > 100, "{}", alone.len());
    let different: Vec<&String> = alone.difference(&all).collect();
    assert!(different.is_empty(), "compiled twice; turn the features on in host-trainer/Cargo.toml:\n{different:#?}");
}
