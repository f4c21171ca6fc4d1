//! What a batch does not need any more.

use crate::folder::{Batch, Use};
use crate::queue::State;
use crate::results;
use shared::failure::{Failure, Kind};
use std::collections::BTreeSet;
use store::Key;

/// What was removed, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Removes checkpoints of finished tasks, and files that no result names: what a worker left that was killed. With `keep`, also the
/// files of all but so many best results of each model. Nothing is removed where `dry` is set.
///
/// # Errors
/// A batch that workers are at, a queue or a store that cannot be reached.
pub async fn collect(batch: &Batch, keep: Option<usize>, dry: bool) -> Result<Removed, Failure> {
    let queue = batch.queue(Use::Look).await?;
    let rows = queue.rows().await?;
    if rows.iter().any(|row| row.state == State::Running && !row.silent) {
        return Err(Failure::new(Kind::AnswerIsNo, "workers are at this batch")
            .at(&batch.root)
            .help("wait for them, or `batch cancel` them"));
    }
    let finished: BTreeSet<String> =
        rows.into_iter().filter(|row| matches!(row.state, State::Done | State::Cancelled)).map(|row| row.id).collect();
    let all = results::read(batch, &*queue).await?;
    let mut named: BTreeSet<String> = BTreeSet::new();
    let mut kept_of: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for result in results::ranked(&all) {
        let kept = kept_of.entry(&result.label).or_default();
        *kept += 1;
        if keep.is_none_or(|keep| *kept <= keep) {
            named.extend(result.files.values().chain(result.weights.values()).cloned());
        }
    }
    let artefacts = batch.artefacts().await?;
    let mut removed = Removed::default();
    for folder in ["files", "weights", "checkpoints"] {
        for listed in artefacts.list_all(&Key::new(folder)?, None).await? {
            let name = listed.key.to_string();
            let goes = match folder {
                "checkpoints" => name.split('/').nth(1).is_some_and(|task| finished.contains(task)),
                _ => !named.contains(listed.key.name()),
            };
            if goes {
                removed.objects += 1;
                removed.bytes += listed.size;
                if !dry {
                    artefacts.delete(&listed.key).await?;
                }
            }
        }
    }
    Ok(removed)
}
