//! The best model of a batch, out of its artefacts: into a folder, and from there into a registry.

use crate::folder::{Batch, Use};
use crate::results::{self, TaskResult};
use registry::{Provenance, Registered, Registry, who};
use shared::failure::{Failure, Kind};
use shared::fs::write_atomic;
use std::path::Path;
use store::{Digest, Key};

/// The result that is best, of those of some labels; all where there are none. A task can be named by the first digits of its name.
///
/// # Errors
/// No result, or a name that no task or several have.
pub async fn best(batch: &Batch, only: &[String], task: Option<&str>) -> Result<TaskResult, Failure> {
    batch.check_labels(only)?;
    let queue = batch.queue(Use::Look).await?;
    let mut all = results::read(batch, &*queue).await?;
    queue.close().await;
    all.retain(|result| only.is_empty() || only.contains(&result.label));
    if let Some(name) = task {
        all.retain(|result| result.task.starts_with(name));
        if all.len() > 1 {
            return Err(Failure::usage(format!("{} tasks begin with `{name}`", all.len())).help("give more digits"));
        }
    }
    let first = results::ranked(&all).into_iter().next().cloned();
    first.ok_or_else(|| {
        Failure::new(Kind::AnswerIsNo, "there is no such result yet")
            .at(&batch.root)
            .help("`batch show` says how far it is")
    })
}

/// Writes the files of a result below a folder. Each is checked by its hash.
///
/// # Errors
/// An artefact that is missing or damaged, or a folder that cannot be written.
pub async fn export(batch: &Batch, result: &TaskResult, out: &Path) -> Result<(), Failure> {
    let artefacts = batch.artefacts().await?;
    for (name, sha256) in &result.files {
        let digest: Digest =
            sha256.parse().map_err(|_| Failure::data(format!("`{sha256}` is no SHA-256")).at(&batch.root))?;
        let content = artefacts.get_blob(&Key::new("files")?, digest, shared::limits::ONNX_BYTES).await?;
        // Names come from results, which others may have written.
        let name = Key::new(name)?;
        write_atomic(&out.join(name.to_string()), &content)?;
    }
    let text = engines::documents::document(result)?;
    write_atomic(&out.join("result.json"), text.as_bytes())
}

/// Registers the models of a result in a registry.
///
/// # Errors
/// A result about a table, whose models no registry keeps; what the store says.
pub async fn register(batch: &Batch, result: &TaskResult, registry: &Registry) -> Result<Vec<Registered>, Failure> {
    let of_layers = result.files.keys().any(|name| name.ends_with("device.json"));
    if !of_layers {
        return Err(Failure::usage("the registry keeps models of layers, and this one predicts a table's columns")
            .help("write it into a folder by --out"));
    }
    let folder = tempfile::tempdir().map_err(|e| Failure::new(Kind::Io, format!("a temporary folder: {e}")))?;
    export(batch, result, folder.path()).await?;
    let data_revision = Some(format!("batch {} task {}", batch.header.name, &result.task[..result.task.len().min(12)]));
    let provenance = Provenance { data_revision, who: who() };
    registry.register(folder.path(), None, &provenance).await.map_err(Failure::from)
}
