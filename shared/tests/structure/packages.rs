//! The workspace's packages and what they depend on, as `cargo metadata` tells it.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The packages of the workspace.
pub(crate) struct Workspace {
    metadata: Value,
    /// The workspace's folder.
    pub(crate) root: PathBuf,
}

/// A package of the workspace.
pub(crate) struct Package<'a>(&'a Value);

/// A dependency that a manifest declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declared {
    /// The package.
    pub(crate) name: String,
    /// Whether it is for tests, examples and benches alone.
    pub(crate) dev: bool,
    /// Whether a feature has to ask for it.
    pub(crate) optional: bool,
}

impl Workspace {
    /// Asks cargo once. The network is not used.
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned();
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--offline", "--locked"])
            .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
            .current_dir(&root)
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
        Self { metadata, root }
    }

    /// The packages of the workspace.
    pub(crate) fn packages(&self) -> Vec<Package<'_>> {
        let members: BTreeSet<&str> = texts(&self.metadata["workspace_members"]).collect();
        let all = self.metadata["packages"].as_array().expect("packages");
        all.iter().filter(|p| p["id"].as_str().is_some_and(|id| members.contains(id))).map(Package).collect()
    }

    /// Everything that a package is built from with its default features, itself included.
    pub(crate) fn closure(&self, package: &str) -> BTreeSet<String> {
        let names: BTreeMap<&str, &str> = self.metadata["packages"]
            .as_array()
            .expect("packages")
            .iter()
            .filter_map(|p| Some((p["id"].as_str()?, p["name"].as_str()?)))
            .collect();
        let nodes: BTreeMap<&str, &Value> = self.metadata["resolve"]["nodes"]
            .as_array()
            .expect("nodes")
            .iter()
            .filter_map(|node| Some((node["id"].as_str()?, node)))
            .collect();
        let packages = self.packages();
        let start = packages.iter().find(|p| p.name() == package).expect("a package of the workspace");
        let mut queue = vec![start.0["id"].as_str().expect("an id")];
        let mut seen = BTreeSet::new();
        while let Some(id) = queue.pop() {
            if !seen.insert(id) {
                continue;
            }
            for dependency in nodes[id]["deps"].as_array().expect("dependencies") {
                let kinds = dependency["dep_kinds"].as_array().expect("kinds");
                if kinds.iter().any(|kind| kind["kind"] != "dev") {
                    queue.extend(dependency["pkg"].as_str());
                }
            }
        }
        seen.into_iter().map(|id| names[id].to_owned()).collect()
    }
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

impl Package<'_> {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.0["name"].as_str().expect("a name")
    }

    /// The root files of its library and its programs.
    pub(crate) fn roots(&self) -> Vec<PathBuf> {
        let targets = self.0["targets"].as_array().expect("targets");
        let ours = |target: &&Value| texts(&target["kind"]).any(|kind| kind == "lib" || kind == "bin");
        targets.iter().filter(ours).filter_map(|target| target["src_path"].as_str().map(PathBuf::from)).collect()
    }

    /// What its manifest declares of the workspace's own packages: those with a path.
    pub(crate) fn declared(&self) -> Vec<Declared> {
        let all = self.0["dependencies"].as_array().expect("dependencies");
        all.iter()
            .filter(|dependency| dependency["path"].is_string())
            .map(|dependency| Declared {
                name: dependency["name"].as_str().expect("a name").to_owned(),
                dev: dependency["kind"] == "dev",
                optional: dependency["optional"] == true,
            })
            .collect()
    }

    /// Its features, and what each turns on.
    pub(crate) fn features(&self) -> BTreeMap<String, Vec<String>> {
        let features = self.0["features"].as_object().expect("features");
        features.iter().map(|(name, on)| (name.clone(), texts(on).map(str::to_owned).collect())).collect()
    }
}
