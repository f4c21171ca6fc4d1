//! What an engine is given, as files of the folder.

use crate::choice::{Engine, Resources};
use crate::copies::PROGRAM;
use crate::job::Job;
use crate::{kubernetes, slurm};
use shared::failure::Failure;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

fn submit_script(job: &Job) -> String {
    let family = job.family;
    format!(
        r#"#!/bin/sh
# Starts workers on this {noun}, wherever the folder lies now{arguments}.
here=$(cd "$(dirname "$0")" && pwd)
if [ -x "$here/{PROGRAM}" ]; then program=$here/{PROGRAM}; else program=${{HOST_TRAINER:-host-trainer}}; fi
exec "$program" {submit} "$here" "$@"
"#,
        noun = family.noun,
        arguments = family.submit_arguments,
        submit = family.submit.join(" ")
    )
}

impl Job {
    /// Writes scripts and manifests into the folder.
    ///
    /// # Errors
    /// What the engine needs and is not given, or a folder that cannot be written.
    pub fn write_files(&self, resources: &Resources) -> Result<(), Failure> {
        for (name, content, executable) in self.files(resources)? {
            let path = self.root.join(&name);
            shared::fs::write_atomic(&path, content.as_bytes())?;
            if executable {
                fs::set_permissions(&path, Permissions::from_mode(0o755))
                    .map_err(|e| Failure::io(&path, "write", &e))?;
            }
        }
        Ok(())
    }

    /// The engine's files by path, and whether each is a program.
    ///
    /// # Errors
    /// What the engine needs and is not given.
    pub fn files(&self, resources: &Resources) -> Result<Vec<(String, String, bool)>, Failure> {
        let mut files = vec![("submit.sh".to_owned(), submit_script(self), true)];
        match &self.engine {
            Engine::Local | Engine::Ssh(_) => {}
            Engine::Slurm => files.push(("slurm/worker.sh".to_owned(), slurm::worker_script(self, resources), true)),
            Engine::Kubernetes => {
                kubernetes::check(self, resources)?;
                for (name, indexed) in [("job-indexed", true), ("job", false)] {
                    let text = kubernetes::manifest(self, resources, indexed);
                    files.push((format!("kubernetes/{name}.yaml"), text, false));
                }
            }
        }
        Ok(files)
    }
}
