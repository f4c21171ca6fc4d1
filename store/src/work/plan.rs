//! The steps that bring a folder from one snapshot to another, and what stands in their way.

use crate::snapshot::{Files, Node, diff};
use shared::failure::{Failure, Kind};
use std::collections::{BTreeSet, HashSet};
use std::path::Path;

/// Most paths that a message names.
pub(super) const NAMED: usize = 20;

/// The steps that bring a folder to a snapshot.
#[derive(Default)]
pub(super) struct Plan {
    /// Files and links to write.
    pub(super) write: Vec<(String, Node)>,
    /// Paths to remove.
    pub(super) remove: Vec<String>,
    /// Paths with changes of their own that are replaced or removed.
    pub(super) overwritten: Vec<String>,
}

/// Plans a change from `base` to `target` that loses nothing; the paths in the way, if something would be lost.
pub(super) fn plan(base: &Files, target: &Files, working: &Files, force: bool) -> Result<Plan, Vec<String>> {
    let (mut plan, mut conflicts) = (Plan::default(), BTreeSet::new());
    let paths: BTreeSet<String> = if force {
        diff(working, target)
            .into_iter()
            .map(|d| d.path)
            .filter(|path| target.contains_key(path) || base.contains_key(path))
            .collect()
    } else {
        diff(base, target).into_iter().map(|d| d.path).collect()
    };
    for path in paths {
        let (old, new, now) = (base.get(&path), target.get(&path), working.get(&path));
        if now == new {
            continue;
        }
        let own = now.is_some() && now != old;
        if own && !force {
            conflicts.insert(path);
            continue;
        }
        if own {
            plan.overwritten.push(path.clone());
        }
        match new {
            Some(node) => plan.write.push((path, node.clone())),
            None if now.is_some() => plan.remove.push(path),
            None => {}
        }
    }
    // A file where a folder must be, or files below where a file must be, stand in the way unless they go.
    let going: HashSet<&String> = plan.remove.iter().collect();
    let mut in_the_way = BTreeSet::new();
    for (path, _) in &plan.write {
        let above = path.match_indices('/').map(|(at, _)| path[..at].to_owned());
        in_the_way.extend(above.filter(|above| working.contains_key(above) && !going.contains(above)));
        let below = format!("{path}/");
        in_the_way.extend(
            working
                .range(below.clone()..)
                .map(|(path, _)| path)
                .take_while(|path| path.starts_with(&below))
                .filter(|path| !going.contains(path))
                .cloned(),
        );
    }
    if force {
        plan.overwritten.extend(in_the_way.iter().cloned());
        plan.remove.extend(in_the_way);
    } else {
        conflicts.extend(in_the_way);
    }
    if conflicts.is_empty() { Ok(plan) } else { Err(conflicts.into_iter().collect()) }
}

/// The refusal that names the paths in the way.
pub(super) fn refusal(root: &Path, conflicts: &[String]) -> Failure {
    let named = conflicts.iter().take(NAMED).map(|path| format!("\n  {path}")).collect::<String>();
    let more = conflicts.len().saturating_sub(NAMED);
    let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    Failure::new(Kind::AnswerIsNo, format!("files with changes of their own would be lost:{named}{more}"))
        .at(root)
        .help("commit them or move them away; --force replaces them")
}
