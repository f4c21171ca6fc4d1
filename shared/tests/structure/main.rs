//! The house keeps its shape: between crates only the arrows listed here, and no circle of files in any crate.
//!
//! An arrow between files is drawn from the sources: a file that uses an item, a method or a macro defined in another file, also one
//! defined in a `mod.rs` or `lib.rs`. Re-exports are followed to the file that defines the item, and the file that re-exports it is
//! taken to use it. Code for tests is left out.
#![allow(clippy::print_stdout)]

mod checker;
mod graph;
mod packages;
mod profiles;
mod references;
mod resolve;
mod source;

use graph::Graph;
use packages::Workspace;
use source::Crate;
use std::collections::{BTreeMap, BTreeSet};

/// What each crate may know. Every other arrow is an error, and so is one listed here that is gone.
const ARROWS: &[(&str, &[&str])] = &[
    ("gated-tests", &[]),
    ("shared", &[]),
    ("command-line", &["shared"]),
    ("simulate", &["shared"]),
    ("store", &["shared"]),
    ("jetson-agent", &["command-line", "shared", "simulate"]),
    ("onnx", &["shared"]),
    ("boards", &["shared"]),
    ("charts", &["shared"]),
    ("graph", &["shared"]),
    ("networks", &["shared"]),
    ("tables", &["shared"]),
    ("trace", &["shared"]),
    ("align", &["shared", "tables"]),
    ("demo", &["shared", "simulate"]),
    ("estimators", &["onnx", "shared"]),
    ("study", &["align", "shared", "simulate"]),
    ("ingest", &["shared"]),
    ("memory", &["shared"]),
    ("learn", &["boards", "estimators", "memory", "onnx", "shared", "tables"]),
    ("dataset", &["align", "graph", "learn", "shared", "tables"]),
    ("compare", &["align", "dataset", "graph", "ingest", "learn", "memory", "shared"]),
    ("budget", &["compare", "learn", "shared"]),
    ("campaign", &["align", "dataset", "estimators", "graph", "learn", "networks", "shared", "tables"]),
    ("registry", &["estimators", "learn", "shared", "store"]),
    ("report", &["align", "batch", "charts", "estimators", "learn", "shared", "tune"]),
    ("engines", &["shared", "store"]),
    ("tune", &["engines", "estimators", "learn", "shared", "store"]),
    (
        "serve",
        &[
            "batch",
            "boards",
            "charts",
            "compare",
            "estimators",
            "graph",
            "learn",
            "registry",
            "report",
            "shared",
            "simulate",
            "store",
            "tune",
        ],
    ),
    ("batch", &["engines", "estimators", "learn", "registry", "shared", "store", "tables", "tune"]),
    (
        "host-trainer",
        &[
            "align",
            "batch",
            "boards",
            "budget",
            "campaign",
            "charts",
            "command-line",
            "compare",
            "dataset",
            "demo",
            "engines",
            "estimators",
            "graph",
            "ingest",
            "learn",
            "memory",
            "networks",
            "onnx",
            "registry",
            "report",
            "serve",
            "shared",
            "store",
            "tables",
            "trace",
            "tune",
        ],
    ),
];

/// What tests, examples and benches may know besides.
const ARROWS_OF_TESTS: &[(&str, &[&str])] = &[
    ("shared", &["gated-tests"]),
    ("simulate", &["gated-tests"]),
    ("jetson-agent", &["gated-tests"]),
    ("align", &["gated-tests"]),
    ("graph", &["gated-tests"]),
    ("memory", &["gated-tests"]),
    ("networks", &["gated-tests", "graph", "simulate"]),
    ("compare", &["gated-tests"]),
    ("host-trainer", &["gated-tests", "simulate", "store", "study"]),
];

/// Arrows that only a feature draws: (crate, feature, crate).
const ARROWS_OF_FEATURES: &[(&str, &str, &str)] = &[("jetson-agent", "push", "store")];

fn listed(arrows: &[(&str, &[&str])], package: &str) -> Option<BTreeSet<String>> {
    let (_, known) = arrows.iter().find(|(name, _)| *name == package)?;
    Some(known.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn crates_know_only_what_is_listed() {
    let mut wrong = Vec::new();
    let workspace = Workspace::read();
    for package in workspace.packages() {
        let name = package.name();
        let declared = package.declared();
        let of = |dev: bool| -> BTreeSet<String> {
            let wanted = |d: &&packages::Declared| d.dev == dev && !d.optional && d.name != name;
            declared.iter().filter(wanted).map(|d| d.name.clone()).collect()
        };
        let Some(may) = listed(ARROWS, name) else {
            wrong.push(format!("`{name}` is new: list what it may know in ARROWS"));
            continue;
        };
        let may_in_tests = listed(ARROWS_OF_TESTS, name).unwrap_or_default();
        for (what, has, may) in [("", of(false), may), (" in tests", of(true), may_in_tests)] {
            for other in has.difference(&may) {
                wrong.push(format!("`{name}` depends on `{other}`{what}: it is not meant to know of it"));
            }
            for other in may.difference(&has) {
                wrong.push(format!("`{name}` no longer depends on `{other}`{what}: take it from the list"));
            }
        }
        for optional in declared.iter().filter(|d| d.optional) {
            let by_feature = |(package, feature, other): &&(&str, &str, &str)| {
                let features = package_features(&workspace, package);
                *package == name
                    && *other == optional.name
                    && features.get(*feature).is_some_and(|on| on.contains(&format!("dep:{other}")))
                    && !features.get("default").is_some_and(|on| on.iter().any(|f| f == feature))
            };
            if !ARROWS_OF_FEATURES.iter().any(|arrow| by_feature(&arrow)) {
                wrong.push(format!("`{name}` depends on `{}` by a feature that is not listed", optional.name));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn package_features(workspace: &Workspace, package: &str) -> BTreeMap<String, Vec<String>> {
    workspace.packages().iter().find(|p| p.name() == package).map(packages::Package::features).unwrap_or_default()
}

/// Cargo refuses circles of crates, but not those that tests close.
#[test]
fn crates_form_no_circle_not_even_by_their_tests() {
    let workspace = Workspace::read();
    let packages = workspace.packages();
    let mut left: BTreeMap<&str, BTreeSet<String>> = packages
        .iter()
        .map(|p| (p.name(), p.declared().into_iter().map(|d| d.name).filter(|d| d != p.name()).collect()))
        .collect();
    loop {
        let free: BTreeSet<String> =
            left.iter().filter(|(_, needs)| needs.is_empty()).map(|(name, _)| (*name).to_owned()).collect();
        if free.is_empty() {
            break;
        }
        left.retain(|name, _| !free.contains(*name));
        left.values_mut().for_each(|needs| needs.retain(|need| !free.contains(need)));
    }
    assert!(left.is_empty(), "crates on a circle, or above one: {left:?}");
}

#[test]
fn what_runs_on_the_board_stays_light() {
    const HEAVY: [&str; 6] = ["tokio", "reqwest", "hyper", "polars-core", "burn", "object_store"];
    let workspace = Workspace::read();
    for package in ["shared", "simulate", "jetson-agent"] {
        let built_from = workspace.closure(package);
        assert!(built_from.len() > 5, "{package}: {built_from:?}");
        for heavy in HEAVY {
            assert!(!built_from.contains(heavy), "{package} is built from {heavy}");
        }
    }
    assert!(
        workspace.closure("host-trainer").contains("polars-core"),
        "the list of what a crate is built from is whole"
    );
}

#[test]
fn no_crate_has_a_circle_of_files() {
    let workspace = Workspace::read();
    let (mut files, mut arrows, mut circles) = (0, 0, Vec::new());
    for package in workspace.packages() {
        for root in package.roots() {
            let parsed = Crate::read(&workspace.root, &root).unwrap_or_else(|e| panic!("{e}"));
            let graph = Graph::of(&parsed);
            files += graph.files.len();
            arrows += graph.arrows.len();
            circles.extend(graph.circles().iter().map(|circle| format!("{}: {circle}", package.name())));
        }
    }
    println!("{files} files, {arrows} arrows");
    assert!(files > 500 && arrows > 1000, "{files} files, {arrows} arrows: were all sources found?");
    assert!(circles.is_empty(), "\n{}", circles.join("\n"));
}
