//! A batch as a folder: everything that its workers need, by relative paths, so that it can be moved and copied.
//!
//! ```text
//! 0001-2026-11-30-initial-training-test/
//!   batch.json        what the batch is: format, description, program, where tasks and artefacts are kept
//!   parts/000001.json data sets, models, trainings and tasks; `add` writes another part
//!   data/             copies of the data
//!   tasks.sqlite      who works on what and all results (or `queue/`, or a database elsewhere)
//!   artefacts/        models, checkpoints and weights by hash
//!   logs/             what workers and engines say
//!   submissions/      what was submitted, one file each time
//!   submit.sh, …      what an engine is given
//! ```

use crate::configuration::{Dataset, Model, Training};
use crate::queue::{Entry, ObjectQueue, Queue, SqlQueue};
use crate::tasks::{Group, Task, tasks_of};
use engines::documents::{create_once, document};
use engines::{Engine, ProgramStamp};
use serde::{Deserialize, Serialize};
use shared::failure::{Failure, Kind};
use shared::fs::read_capped;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{Key, Store};
use tune::database::Location;

/// The newest format of a batch folder that this version reads and writes.
pub const FORMAT: u32 = 1;
/// Describes the batch.
pub const BATCH_FILE: &str = "batch.json";
/// Folder of the parts.
pub(crate) const PARTS: &str = "parts";
/// Folder of copies of data.
pub(crate) const DATA: &str = "data";
/// The SQLite file of a batch that is worked on by one machine.
const SQLITE: &str = "tasks.sqlite";
/// The environment variable that names the database of a batch, where a password is needed.
pub const DATABASE_VARIABLE: &str = "HOST_TRAINER_BATCH_DB";
/// A part is at most so long, bytes.
const PART_BYTES: u64 = 256 << 20;
/// Tasks of one batch.
pub(crate) const MOST_TASKS: u64 = 1_000_000;

/// Where it is kept who works on which task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keeper {
    /// A SQLite file in the batch folder: for workers on one machine.
    Sqlite,
    /// A folder in the batch folder: for workers that share a disk, without a server.
    Folder,
    /// A PostgreSQL database, by its URL without a password.
    Postgres(String),
    /// An object store, by its URL, without a server.
    Store(String),
}

impl Keeper {
    /// A keeper from what a user says: `sqlite`, `folder`, or a URL.
    ///
    /// ```
    /// use batch::folder::Keeper;
    ///
    /// assert_eq!(Keeper::parse("folder"), Ok(Keeper::Folder));
    /// assert_eq!(Keeper::parse("s3://bucket/a"), Ok(Keeper::Store("s3://bucket/a".into())));
    /// assert!(Keeper::parse("postgres://me:secret@db/x").is_err_and(|e| !e.contains("secret")));
    /// assert!(Keeper::parse("redis").is_err());
    /// ```
    ///
    /// # Errors
    /// A sentence, without the URL, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            None if text == "sqlite" => Ok(Self::Sqlite),
            None if text == "folder" => Ok(Self::Folder),
            None => Err("a queue is `sqlite`, `folder`, a postgres:// URL, or the URL of an object store".into()),
            Some(("postgres" | "postgresql", _)) => {
                if Location::parse(text)?.holds_password() {
                    return Err(format!(
                        "a password has no place in a batch folder; give the URL without it, and with it by {DATABASE_VARIABLE}, \
                         or the password by PGPASSWORD or ~/.pgpass"
                    ));
                }
                Ok(Self::Postgres(text.to_owned()))
            }
            Some(_) => Store::open(text).map(|_| Self::Store(text.to_owned())).map_err(|e| e.to_string()),
        }
    }

    /// Where tasks are kept, unless somebody says otherwise: SQLite for one machine, and for several a folder on the disk that
    /// they share, which takes no server and no locks.
    #[must_use]
    pub(crate) fn suits(engine: &Engine) -> Self {
        match engine {
            Engine::Local => Self::Sqlite,
            Engine::Slurm | Engine::Ssh(_) | Engine::Kubernetes => Self::Folder,
        }
    }

    /// Refuses a place for tasks that an engine's workers cannot share.
    ///
    /// # Errors
    /// Why, and what to take.
    pub(crate) fn check(&self, engine: &Engine, artefacts: Option<&str>) -> Result<(), Failure> {
        if *self == Self::Sqlite && *engine != Engine::Local {
            return Err(Failure::usage("SQLite is for workers on one machine: on a shared disk it gets damaged")
                .help("take --queue folder, a postgres:// URL, or the URL of an object store"));
        }
        if artefacts.is_some_and(|url| !url.contains("://")) {
            return Err(Failure::usage("--artefacts is the URL of a store; without it they lie in the batch folder"));
        }
        Ok(())
    }

    /// The word for it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Folder => "folder",
            Self::Postgres(_) => "postgres",
            Self::Store(_) => "store",
        }
    }
}

/// What a task takes, measured by one that was trained for a short while.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Seconds of one task, at most: every epoch is trained.
    pub task_seconds: f64,
    /// Memory of one worker, bytes.
    pub worker_bytes: u64,
    /// What the artefacts of one task take, bytes.
    pub artefact_bytes: u64,
}

/// What a batch is. It never changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The folder's format.
    pub format: u32,
    /// The batch's own name among all, by which a database keeps its tasks.
    pub id: String,
    /// The folder's name when it was generated.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// When it was generated, in milliseconds since 1970.
    pub created_ms: i64,
    /// The program that generated it.
    pub program: ProgramStamp,
    /// Where its tasks are kept.
    pub queue: Keeper,
    /// Where its artefacts are kept: a folder below the batch's, or a URL.
    pub artefacts: String,
    /// The engine that it was generated for.
    pub engine: String,
    /// Workers that are started by default.
    pub workers: u64,
    /// What a task takes; none where none was tried.
    pub estimate: Option<Estimate>,
}

/// Data sets, models, trainings and tasks that were added together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Data sets by content.
    pub datasets: BTreeMap<String, Dataset>,
    /// Models by content and label.
    pub models: BTreeMap<String, Model>,
    /// Trainings by content.
    pub trainings: BTreeMap<String, Training>,
    /// Names of trainings, by content.
    pub training_names: BTreeMap<String, String>,
    /// Tasks.
    pub groups: Vec<Group>,
}

/// What a folder of tasks is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// To look at tasks.
    Look,
    /// To change tasks, or to work on them.
    Change,
}

/// A batch folder that was read.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The folder.
    pub root: PathBuf,
    /// What the batch is.
    pub header: Header,
    /// Everything in its parts.
    pub content: Part,
    /// Its tasks, by number.
    pub tasks: Vec<Task>,
    /// Parts that it has.
    pub parts: u64,
}

/// The format alone, which every version can read.
#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

impl Batch {
    /// Reads a batch folder.
    ///
    /// # Errors
    /// A folder that is no batch, is damaged, or was written by a newer version.
    pub fn open(root: &Path) -> Result<Self, Failure> {
        let path = root.join(BATCH_FILE);
        if !path.exists() {
            return Err(Failure::new(Kind::Io, "is no batch: it has no batch.json")
                .at(root)
                .help("name a folder that `batch generate` wrote; `batch show` lists them"));
        }
        let content = read_capped(&path, shared::limits::SMALL_FILE_BYTES)?;
        let damaged = |e: serde_json::Error| {
            let place = format!("line {}", e.line());
            Failure::data(format!("is no description of a batch: {e}")).at(&path).place(place).caused_by(e)
        };
        let format = serde_json::from_slice::<FormatOnly>(&content).map_err(damaged)?.format;
        if format > FORMAT {
            return Err(Failure::data(format!(
                "was written by a newer version: the batch has format {format}, this version reads up to {FORMAT}"
            ))
            .at(&path)
            .help("use the version of host-trainer that generated it, or a later one"));
        }
        let header: Header = serde_json::from_slice(&content).map_err(damaged)?;
        let mut batch = Self { root: root.to_owned(), header, content: Part::default(), tasks: Vec::new(), parts: 0 };
        while batch.read_part()? {}
        if batch.parts == 0 {
            return Err(Failure::data("has no part with tasks").at(root.join(PARTS)).help("restore parts/000001.json"));
        }
        Ok(batch)
    }

    /// Reads the next part, if it is there.
    fn read_part(&mut self) -> Result<bool, Failure> {
        let path = part_path(&self.root, self.parts + 1);
        if !path.exists() {
            return Ok(false);
        }
        let content = read_capped(&path, PART_BYTES)?;
        let part: Part = serde_json::from_slice(&content).map_err(|e| {
            let place = format!("line {}", e.line());
            Failure::data(format!("is no part of a batch: {e}")).at(&path).place(place).caused_by(e)
        })?;
        let count: u64 = part.groups.iter().map(|group| group.count.min(MOST_TASKS + 1)).sum();
        if count.saturating_add(self.tasks.len() as u64) > MOST_TASKS {
            return Err(Failure::data("names more than 1,000,000 tasks").at(&path));
        }
        self.tasks.extend(tasks_of(&part.groups, self.tasks.len() as u64)?);
        self.content.datasets.extend(part.datasets);
        self.content.models.extend(part.models);
        self.content.trainings.extend(part.trainings);
        self.content.training_names.extend(part.training_names);
        self.content.groups.extend(part.groups);
        self.parts += 1;
        Ok(true)
    }

    /// Reads parts that were added since; whether there were any.
    ///
    /// # Errors
    /// As [`Batch::open`].
    pub fn reread(&mut self) -> Result<bool, Failure> {
        let before = self.parts;
        while self.read_part()? {}
        Ok(self.parts > before)
    }

    /// Adds a part after those that this value knows. False where another was quicker: read it, and decide again.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn append(&mut self, part: &Part) -> Result<bool, Failure> {
        let path = part_path(&self.root, self.parts + 1);
        if !create_once(&path, document(part)?.as_bytes())? {
            return Ok(false);
        }
        self.read_part()
    }

    /// The folder's name.
    #[must_use]
    pub fn name(&self) -> String {
        let root = self.root.canonicalize().unwrap_or_else(|_| self.root.clone());
        root.file_name().map_or_else(|| self.root.display().to_string(), |name| name.to_string_lossy().into_owned())
    }

    /// Labels of the models, sorted.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        let labels: std::collections::BTreeSet<&str> =
            self.content.groups.iter().map(|group| group.label.as_str()).collect();
        labels.into_iter().map(str::to_owned).collect()
    }

    /// Refuses labels that no model of the batch has.
    ///
    /// # Errors
    /// The label, with near ones.
    pub fn check_labels(&self, labels: &[String]) -> Result<(), Failure> {
        let known = self.labels();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        match labels.iter().find(|label| !known.contains(&label.as_str())) {
            Some(label) => {
                let near = shared::near::near(label, &known);
                Err(Failure::usage(format!("no model of the batch is called `{label}`{near}")).at(&self.root))
            }
            None => Ok(()),
        }
    }

    /// The tasks as a queue knows them.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let entry = |task: &Task| Entry { number: task.number, id: task.id.clone(), label: task.label.clone() };
        self.tasks.iter().map(entry).collect()
    }

    /// What is trained by a task.
    ///
    /// # Errors
    /// A part that does not have what the task names.
    pub fn parts_of(&self, task: &Task) -> Result<(&Dataset, &Model, &Training), Failure> {
        let content = &self.content;
        let missing = |what: &str| {
            Failure::data(format!("has no {what} for the task {}", &task.id[..task.id.len().min(12)])).at(&self.root)
        };
        let model = content.models.get(&model_key(&task.label, &task.model));
        Ok((
            content.datasets.get(&task.dataset).ok_or_else(|| missing("data set"))?,
            model.ok_or_else(|| missing("model"))?,
            content.trainings.get(&task.training).ok_or_else(|| missing("training"))?,
        ))
    }

    /// Who works on which task, with every task entered. Looking writes nothing.
    ///
    /// # Errors
    /// A database or store that cannot be reached.
    pub async fn queue(&self, how: Use) -> Result<Arc<dyn Queue>, Failure> {
        let id = &self.header.id;
        let queue: Arc<dyn Queue> = match &self.header.queue {
            Keeper::Sqlite => {
                let location = Location::File(self.root.join(SQLITE));
                match how {
                    Use::Look => Arc::new(SqlQueue::read(&location, id).await?),
                    Use::Change => Arc::new(SqlQueue::make(&location, id).await?),
                }
            }
            Keeper::Postgres(url) => {
                let given = std::env::var(DATABASE_VARIABLE).ok();
                let location = Location::parse(given.as_deref().unwrap_or(url)).map_err(Failure::usage)?;
                match how {
                    Use::Look => Arc::new(SqlQueue::read(&location, id).await?),
                    Use::Change => Arc::new(SqlQueue::make(&location, id).await?),
                }
            }
            Keeper::Folder => self.objects(how, &self.root.join("queue").display().to_string(), "tasks")?,
            Keeper::Store(url) => self.objects(how, url, &format!("batches/{id}"))?,
        };
        if how == Use::Change || matches!(self.header.queue, Keeper::Folder | Keeper::Store(_)) {
            queue.enter(&self.entries()).await?;
        }
        Ok(queue)
    }

    fn objects(&self, how: Use, url: &str, folder: &str) -> Result<Arc<dyn Queue>, Failure> {
        let (store, folder) = (Store::open(url)?, Key::new(folder)?);
        Ok(match how {
            Use::Look => Arc::new(ObjectQueue::looking(store, folder)),
            Use::Change => Arc::new(ObjectQueue::new(store, folder)),
        })
    }

    /// The store of the artefacts; it is made where it is not there.
    ///
    /// # Errors
    /// A store that cannot be reached.
    pub async fn artefacts(&self) -> Result<Store, Failure> {
        let place = &self.header.artefacts;
        let store = match place.contains("://") {
            true => Store::open(place)?,
            false => Store::open(&self.root.join(place).display().to_string())?,
        };
        store.make().await?;
        Ok(store)
    }
}

/// By what a part names a model: the same content may have several labels.
pub(crate) fn model_key(label: &str, digest: &str) -> String {
    format!("{label} {digest}")
}

pub(crate) fn part_path(root: &Path, number: u64) -> PathBuf {
    root.join(PARTS).join(format!("{number:06}.json"))
}

/// The batch folders below a folder, by name; what is no batch is passed over, what is damaged is told.
///
/// # Errors
/// A folder that cannot be listed.
pub fn batches(folder: &Path) -> Result<(Vec<Batch>, Vec<Failure>), Failure> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
        Err(e) => return Err(Failure::io(folder, "list", &e)),
    };
    let hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| !hidden(path) && path.join(BATCH_FILE).exists())
        .collect();
    paths.sort();
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    for path in paths {
        match Batch::open(&path) {
            Ok(batch) => found.push(batch),
            Err(failure) => wrong.push(failure),
        }
    }
    Ok((found, wrong))
}

impl Batch {
    /// The batch's name as every engine takes it: lower-case letters, digits and hyphens, 50 characters at most.
    #[must_use]
    pub fn name_for_engines(&self) -> String {
        let (number, rest) = self.header.name.split_once('-').unwrap_or((&self.header.name, ""));
        let name = format!("batch-{number}-{}-{rest}", &self.header.id[..self.header.id.len().min(8)]);
        name.chars().take(50).collect::<String>().trim_end_matches('-').to_owned()
    }
}

/// The folder of a batch, by its path, its name among all batches, or its number.
///
/// # Errors
/// No such batch, or several of that number.
pub fn find(batches: &Path, name: &str) -> Result<PathBuf, Failure> {
    let path = PathBuf::from(name);
    if path.join(BATCH_FILE).exists() {
        return Ok(path);
    }
    let inside = batches.join(name);
    if !name.contains(['/', '\\']) && inside.join(BATCH_FILE).exists() {
        return Ok(inside);
    }
    let entries = std::fs::read_dir(batches).map_or_else(|_| Vec::new(), |entries| entries.flatten().collect());
    let wanted = name.parse::<u64>().ok();
    let names: Vec<String> = entries
        .iter()
        .filter(|entry| entry.path().join(BATCH_FILE).exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .collect();
    let number = |name: &String| name.split('-').next().and_then(|number| number.parse::<u64>().ok());
    let of_number: Vec<&String> = names.iter().filter(|name| wanted.is_some() && number(name) == wanted).collect();
    match of_number.as_slice() {
        [only] => Ok(batches.join(only)),
        [] => {
            let known: Vec<&str> = names.iter().map(String::as_str).collect();
            let near = if known.is_empty() { String::new() } else { shared::near::near(name, &known) };
            Err(Failure::new(Kind::Io, format!("there is no batch `{name}`{near}"))
                .at(batches)
                .help("`batch show` lists them; --batches names their folder"))
        }
        several => {
            let names: Vec<&str> = several.iter().map(|name| name.as_str()).collect();
            Err(Failure::usage(format!("several batches have the number {name}: {}", names.join(", "))).at(batches))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_is_for_one_machine() {
        assert!(Keeper::Sqlite.check(&Engine::Slurm, None).is_err());
        assert!(Keeper::Sqlite.check(&Engine::Local, None).is_ok());
        assert!(Keeper::Folder.check(&Engine::Slurm, Some("bucket")).is_err());
    }
}
