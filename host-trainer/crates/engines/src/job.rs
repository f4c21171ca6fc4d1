//! What an engine starts workers on.

use crate::choice::{Engine, Resources};
use std::path::{Path, PathBuf};

/// What all folders of one kind of work have in common: batches, studies.
#[derive(Debug)]
pub struct Family {
    /// What one is called in messages, names and manifests: `batch`.
    pub noun: &'static str,
    /// What workers take of it, in the plural: `tasks`.
    pub units: &'static str,
    /// What the folder of all is called, here and where pods find it: `batches`.
    pub folder: &'static str,
    /// The command of a worker, before the folder.
    pub work: [&'static str; 2],
    /// The command that starts workers, before the folder.
    pub submit: [&'static str; 2],
    /// What the comment in `submit.sh` says of further arguments.
    pub submit_arguments: &'static str,
    /// The document in the folder that describes it.
    pub header: &'static str,
    /// What a worker does that is told to stop: `keeps where it is and hands its task back`.
    pub stops: &'static str,
    /// Whether a worker takes `--grace`, the seconds in which it stops.
    pub takes_grace: bool,
    /// What to do where the folder's disk cannot be reached by pods, besides a volume.
    pub help_pods: &'static str,
    /// What to do where a host does not have the folder.
    pub help_hosts: &'static str,
}

/// A folder with all that workers read, and what tells it from others.
///
/// ```
/// use engines::{Engine, Family, Job, Resources};
///
/// static SUMS: Family = Family {
///     noun: "sum",
///     units: "terms",
///     folder: "sums",
///     work: ["sum", "work"],
///     submit: ["sum", "submit"],
///     submit_arguments: "",
///     header: "sum.json",
///     stops: "hands its terms back",
///     takes_grace: true,
///     help_pods: "name a store",
///     help_hosts: "name a database",
/// };
/// let job = Job {
///     family: &SUMS,
///     root: "sums/first".into(),
///     name: "first".into(),
///     id: "0af1".into(),
///     label: "sum-first".into(),
///     engine: Engine::Slurm,
///     workers: 4,
///     on_one_disk: true,
///     published: None,
///     environment: Vec::new(),
/// };
/// let files = job.files(&Resources::default())?;
/// let (name, script, is_program) = &files[1];
/// assert!(name == "slurm/worker.sh" && *is_program);
/// assert!(script.contains("#SBATCH --job-name=sum-first") && script.contains("sum work . --grace 50"));
/// # Ok::<(), shared::failure::Failure>(())
/// ```
pub struct Job {
    /// What kind of work it is.
    pub family: &'static Family,
    /// The folder.
    pub root: PathBuf,
    /// The folder's name when it was written.
    pub name: String,
    /// Its own name among all, which its description holds.
    pub id: String,
    /// Its name as every engine takes it: lower-case letters, digits and hyphens, 50 characters at most.
    pub label: String,
    /// What starts workers.
    pub engine: Engine,
    /// Workers that are started by default.
    pub workers: u64,
    /// Whether all workers must see this very folder: they write what others read there.
    pub on_one_disk: bool,
    /// What a worker without the folder is given; none where nothing can be worked on without it.
    pub published: Option<String>,
    /// Variables that processes of this machine get besides their own. They may hold secrets.
    pub environment: Vec<(String, String)>,
}

impl Job {
    /// What workers of Slurm and Kubernetes are given behind the folder.
    pub(crate) fn grace(&self, resources: &Resources) -> Vec<String> {
        match self.family.takes_grace {
            true => vec!["--grace".to_owned(), resources.grace_s.saturating_sub(10).max(1).to_string()],
            false => Vec::new(),
        }
    }

    /// The folder as it lies now, without links.
    pub(crate) fn root(&self) -> Result<PathBuf, shared::failure::Failure> {
        self.root.canonicalize().map_err(|e| shared::failure::Failure::io(&self.root, "find", &e))
    }

    /// The folder's name as it lies now.
    pub(crate) fn present_name(&self) -> String {
        let root = self.root.canonicalize().unwrap_or_else(|_| self.root.clone());
        name_of(&root).unwrap_or_else(|| self.name.clone())
    }
}

fn name_of(path: &Path) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}
