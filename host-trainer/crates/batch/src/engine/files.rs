//! What an engine is given, as files of a batch folder.

use super::choice::{Engine, Resources};
use super::{kubernetes, slurm};
use crate::folder::Batch;
use shared::failure::Failure;

const SUBMIT: &str = r#"#!/bin/sh
# Starts workers on this batch, wherever the folder lies now: all of it, or the models that are named (CLASS.ARCHITECTURE).
here=$(cd "$(dirname "$0")" && pwd)
if [ -x "$here/bin/host-trainer" ]; then program=$here/bin/host-trainer; else program=${HOST_TRAINER:-host-trainer}; fi
exec "$program" batch submit "$here" "$@"
"#;

impl Engine {
    /// The files of a batch folder by path, and whether each is a program.
    ///
    /// # Errors
    /// What the engine needs and is not given.
    pub(crate) fn files(&self, batch: &Batch, resources: &Resources) -> Result<Vec<(String, String, bool)>, Failure> {
        let mut files = vec![("submit.sh".to_owned(), SUBMIT.to_owned(), true)];
        match self {
            Self::Local | Self::Ssh(_) => {}
            Self::Slurm => files.push(("slurm/worker.sh".to_owned(), slurm::worker_script(batch, resources), true)),
            Self::Kubernetes => {
                kubernetes::check(batch, resources)?;
                for (name, indexed) in [("job-indexed", true), ("job", false)] {
                    let text = kubernetes::manifest(batch, resources, batch.header.workers, indexed, &[]);
                    files.push((format!("kubernetes/{name}.yaml"), text, false));
                }
            }
        }
        Ok(files)
    }
}
