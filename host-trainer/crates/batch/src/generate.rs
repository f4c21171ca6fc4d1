//! From a configuration to a batch folder, and more tasks for one that is there.

use crate::configuration::{
    ConfigurationFile, Dataset, DatasetFile, Model, ModelChoice, Selection, Training, chosen, digest, matches,
};
use crate::data::{self, Data};
use crate::estimate::{self, Limits};
use crate::folder::{
    BATCH_FILE, Batch, DATA, Estimate, FORMAT, Header, Keeper, MOST_TASKS, Part, Use, model_key, part_path,
};
use crate::tasks::{Group, tasks_of};
use crate::training::{Job, check_pair};
use engines::documents::document;
use engines::{Engine, ProgramStamp, Resources, copies};
use shared::failure::{Failure, Kind};
use shared::fs::write_atomic;
use shared::run_folder::stamp;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, Permissions, TryLockError};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// Longest part of a folder's name that comes from the description, in characters.
const SLUG: usize = 40;
/// Between two looks at whether somebody else is done giving a batch its name.
const PAUSE: Duration = Duration::from_millis(20);

/// What is to be generated.
#[derive(Debug, Clone)]
pub struct Generate {
    /// The configuration file.
    pub configuration: PathBuf,
    /// The folder of all batches.
    pub batches: PathBuf,
    /// Models with the number of networks that each job trains; the configuration's own selection where it is empty.
    pub models: Vec<ModelChoice>,
    /// Jobs: every combination is trained so many times over.
    pub array: u64,
    /// Epochs, in place of the trainings' own.
    pub epochs: Option<usize>,
    /// Rows an epoch, in place of the trainings' own.
    pub samples_per_epoch: Option<usize>,
    /// Whether training stops early, in place of the trainings' own.
    pub early_stop: Option<bool>,
    /// What the batch is for, in place of the configuration's own.
    pub description: Option<String>,
    /// What starts workers.
    pub engine: Engine,
    /// What each worker may take.
    pub resources: Resources,
    /// Workers; by default as many as there are jobs, and no more than tasks.
    pub workers: Option<u64>,
    /// Where it is kept who works on what; by default what suits the engine.
    pub queue: Option<Keeper>,
    /// Where artefacts are kept: a URL; by default in the folder.
    pub artefacts: Option<String>,
    /// Whether data are copied into the folder; else it names where they lie now.
    pub copy_data: bool,
    /// Whether the program is copied into the folder.
    pub copy_program: bool,
    /// Whether a task is tried first, to see what it takes.
    pub trial: bool,
    /// Whether to generate what does not fit into memory or on the disk.
    pub force: bool,
}

/// What was read of a configuration.
struct Read {
    part: Part,
    /// The data sets' folders by content, to be copied.
    folders: HashMap<String, PathBuf>,
    data: HashMap<String, Data>,
    description: Option<String>,
    /// What was fetched for this, removed with it.
    _cache: tempfile::TempDir,
}

impl Generate {
    /// A batch of everything in a configuration, once, for workers of this machine.
    #[must_use]
    pub fn here(configuration: PathBuf, batches: PathBuf) -> Self {
        Self {
            configuration,
            batches,
            models: Vec::new(),
            array: 1,
            epochs: None,
            samples_per_epoch: None,
            early_stop: None,
            description: None,
            engine: Engine::Local,
            resources: Resources::default(),
            workers: None,
            queue: None,
            artefacts: None,
            copy_data: true,
            copy_program: false,
            trial: false,
            force: false,
        }
    }

    /// Writes the folder of a new batch, and enters its tasks where they are kept. Of two that generate at once each gets a folder
    /// of its own. What fails leaves no folder.
    ///
    /// # Errors
    /// A configuration that is wrong, models that no data can have, a database that cannot be reached, and sizes that do not fit.
    pub async fn run(&self) -> Result<Batch, Failure> {
        let mut read = self.read(&HashMap::new()).await?;
        let tasks = read.part.groups.iter().map(|group| group.count).sum::<u64>();
        let estimate = if self.trial { Some(self.estimate(&read)?) } else { None };
        let workers = self.workers.unwrap_or(self.array).clamp(1, tasks.max(1));
        let queue = self.queue.clone().unwrap_or_else(|| Keeper::suits(&self.engine));
        queue.check(&self.engine, self.artefacts.as_deref())?;
        fs::create_dir_all(&self.batches).map_err(|e| Failure::io(&self.batches, "create", &e))?;
        if let Some(estimate) = &estimate {
            let limits = Limits::of(&self.batches, self.artefacts.is_some());
            let checked = estimate::check(estimate, tasks, workers, self.engine.is_here(), &limits);
            if let Err(failure) = checked
                && !self.force
            {
                return Err(failure.help("train less, free some space, or generate it all the same by --force"));
            }
        }
        let staging = tempfile::Builder::new()
            .prefix(".generating-")
            .tempdir_in(&self.batches)
            .map_err(|e| Failure::io(&self.batches, "write", &e))?;
        let root = staging.path();
        self.place_data(&mut read, root, Path::new(""))?;
        let created_ms = UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as i64);
        let description = self.description.clone().or(read.description.clone()).unwrap_or_default();
        let id = digest("batch", &(&read.part, created_ms, std::process::id(), &description))?;
        self.stage(root, &read.part)?;
        // From here on one at a time: the next number is this one's.
        let lock_path = self.batches.join(".lock");
        let locked = |e: std::io::Error| Failure::io(&lock_path, "lock", &e);
        let lock = File::options().create(true).truncate(false).write(true).open(&lock_path).map_err(locked)?;
        // Without blocking the thread, on which whoever has the lock may be waiting for the network.
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
                Err(TryLockError::Error(e)) => return Err(locked(e)),
            }
        }
        let name = folder_name(self.next_number()?, created_ms, &description);
        let header = Header {
            format: FORMAT,
            id,
            name: name.clone(),
            description,
            created_ms,
            program: ProgramStamp::this()?,
            queue,
            artefacts: self.artefacts.clone().unwrap_or_else(|| "artefacts".to_owned()),
            engine: self.engine.name().to_owned(),
            workers,
            estimate,
        };
        write_atomic(&root.join(BATCH_FILE), document(&header)?.as_bytes())?;
        let staged = Batch::open(root)?;
        staged.job()?.write_files(&self.resources)?;
        // A database that cannot be reached and a disk that is full are known before there is a folder.
        staged.queue(Use::Change).await?.close().await;
        staged.publish().await?;
        let place = self.batches.join(&name);
        let kept = staging.keep();
        if let Err(e) = fs::rename(&kept, &place) {
            let _ = fs::remove_dir_all(&kept);
            return Err(Failure::io(&place, "write", &e));
        }
        drop(lock);
        fs::set_permissions(&place, Permissions::from_mode(0o755)).map_err(|e| Failure::io(&place, "write", &e))?;
        Batch::open(&place)
    }

    /// Writes what does not depend on the batch's name.
    fn stage(&self, root: &Path, part: &Part) -> Result<(), Failure> {
        write_atomic(&part_path(root, 1), document(part)?.as_bytes())?;
        let written = fs::read(&self.configuration).map_err(|e| Failure::io(&self.configuration, "read", &e))?;
        let extension = self.configuration.extension().map_or("toml".into(), |e| e.to_string_lossy().into_owned());
        write_atomic(&root.join(format!("configuration.{extension}")), &written)?;
        fs::create_dir_all(root.join("logs")).map_err(|e| Failure::io(root, "create", &e))?;
        if self.copy_program || self.engine.needs_program() {
            copies::copy_program(root)?;
        }
        Ok(())
    }

    /// The number after the last batch's.
    fn next_number(&self) -> Result<u64, Failure> {
        let names = fs::read_dir(&self.batches).map_err(|e| Failure::io(&self.batches, "list", &e))?;
        let number = |name: String| name.split('-').next().and_then(|number| number.parse::<u64>().ok());
        let used = names.flatten().filter_map(|entry| number(entry.file_name().to_string_lossy().into_owned())).max();
        Ok(used.unwrap_or(0) + 1)
    }

    /// Adds tasks to a batch: more repeats of what it has, or of what the configuration has besides. What is added at the same time
    /// by somebody else is numbered after it.
    ///
    /// # Errors
    /// As [`Generate::run`].
    pub async fn add_to(&self, batch: &mut Batch) -> Result<u64, Failure> {
        loop {
            batch.reread()?;
            let mut read = self.read(&counts(&batch.content.groups)).await?;
            let tasks = read.part.groups.iter().map(|group| group.count).sum::<u64>();
            if tasks + batch.tasks.len() as u64 > MOST_TASKS {
                return Err(Failure::usage("a batch has at most 1,000,000 tasks").at(&batch.root));
            }
            read.part.datasets.retain(|digest, _| !batch.content.datasets.contains_key(digest));
            self.place_data(&mut read, &batch.root, Path::new(""))?;
            if batch.append(&read.part)? {
                batch.publish().await?;
                batch.queue(Use::Change).await?.close().await;
                return Ok(tasks);
            }
        }
    }

    /// Reads the configuration and the data, and chooses the tasks. `known` are repeats that combinations have already.
    async fn read(&self, known: &HashMap<(String, String, String), u64>) -> Result<Read, Failure> {
        let file = ConfigurationFile::read(&self.configuration)?;
        let wrong = |message: String| Failure::usage(message).at(&self.configuration);
        let base = self.configuration.parent().unwrap_or(Path::new("."));
        let cache = tempfile::tempdir().map_err(|e| Failure::new(Kind::Io, format!("a temporary folder: {e}")))?;
        let selections = self.selections(&file);
        // Only what tasks use is read.
        let labels: Vec<String> = file.models.iter().map(Model::label).collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let dataset_names: Vec<&str> = file.datasets.keys().map(String::as_str).collect();
        let training_names: Vec<&str> = file.training.keys().map(String::as_str).collect();
        let mut part = Part::default();
        let (mut folders, mut in_memory) = (HashMap::new(), HashMap::new());
        let mut datasets: BTreeMap<&str, String> = BTreeMap::new();
        let mut trainings: BTreeMap<&str, String> = BTreeMap::new();
        let mut next = known.clone();
        for (number, selection) in selections.iter().enumerate() {
            let at = |message: String| match file.tasks.is_empty() || !self.models.is_empty() {
                true => wrong(message),
                false => wrong(message).place(format!("tasks, number {}", number + 1)),
            };
            let of_models = chosen("model", &selection.models, &labels).map_err(at)?;
            let of_models: Vec<&str> =
                of_models.into_iter().filter(|l| !selection.without.iter().any(|p| matches(p, l))).collect();
            for name in chosen("data set", &selection.datasets, &dataset_names).map_err(at)? {
                if !datasets.contains_key(name) {
                    let described = self.describe(name, &file.datasets[name], base, cache.path()).await?;
                    let (dataset, data, folder) = described;
                    let digest = dataset.content.digest()?;
                    datasets.insert(name, digest.clone());
                    part.datasets.entry(digest.clone()).or_insert(dataset);
                    folders.insert(digest.clone(), folder);
                    in_memory.insert(digest, data);
                }
                for training_name in chosen("training", &selection.training, &training_names).map_err(at)? {
                    if !trainings.contains_key(training_name) {
                        let training = self.training(&file.training[training_name]).map_err(wrong)?;
                        let digest = training.digest()?;
                        trainings.insert(training_name, digest.clone());
                        part.training_names.insert(digest.clone(), training_name.to_owned());
                        part.trainings.insert(digest, training);
                    }
                    for label in &of_models {
                        let Some(model) = file.models.iter().find(|model| model.label() == **label) else { continue };
                        check_pair(&part.datasets[&datasets[name]], model)
                            .map_err(|failure| failure.default_path(&self.configuration))?;
                        let digest = model.digest()?;
                        let combination = (datasets[name].clone(), digest.clone(), trainings[training_name].clone());
                        let count = selection.repeats.saturating_mul(self.array);
                        let first = next.entry(combination.clone()).or_insert(0);
                        let group = Group {
                            dataset: combination.0,
                            model: combination.1,
                            training: combination.2,
                            label: (*label).to_owned(),
                            first: *first,
                            count,
                        };
                        *first += count;
                        part.models.insert(model_key(label, &digest), model.clone());
                        part.groups.push(group);
                    }
                }
            }
        }
        let tasks = part.groups.iter().fold(0_u64, |sum, group| sum.saturating_add(group.count));
        if tasks == 0 {
            return Err(wrong("no task is left: every model that is named is left out".to_owned()));
        }
        if tasks > MOST_TASKS {
            return Err(wrong(format!("{tasks} tasks are more than the 1,000,000 that a batch may have")));
        }
        Ok(Read { part, folders, data: in_memory, description: file.description, _cache: cache })
    }

    async fn describe(
        &self,
        name: &str,
        file: &DatasetFile,
        base: &Path,
        cache: &Path,
    ) -> Result<(Dataset, Data, PathBuf), Failure> {
        let folder = data::local(file, base, &cache.join(name)).await?;
        let location = if self.copy_data || file.revision.is_some() {
            String::new()
        } else {
            let absolute = std::path::absolute(&folder).map_err(|e| Failure::io(&folder, "find", &e))?;
            absolute.display().to_string()
        };
        let described = data::describe(name, file, &folder, location).await;
        let (dataset, data) = described.map_err(|failure| failure.default_path(&self.configuration))?;
        Ok((dataset, data, folder))
    }

    fn training(&self, training: &Training) -> Result<Training, String> {
        let mut training = training.clone();
        training.epochs = self.epochs.unwrap_or(training.epochs);
        training.samples_per_epoch = self.samples_per_epoch.or(training.samples_per_epoch);
        training.early_stop = self.early_stop.unwrap_or(training.early_stop);
        training.check()?;
        Ok(training)
    }

    /// What is chosen: on the command line, else in the file, else everything once.
    fn selections(&self, file: &ConfigurationFile) -> Vec<Selection> {
        if !self.models.is_empty() {
            let one = |choice: &ModelChoice| Selection {
                models: vec![choice.model.clone()],
                repeats: choice.count,
                ..Selection::default()
            };
            return self.models.iter().map(one).collect();
        }
        if file.tasks.is_empty() { vec![Selection::default()] } else { file.tasks.clone() }
    }

    /// Copies data into a batch folder, and notes where each data set lies.
    fn place_data(&self, read: &mut Read, root: &Path, below: &Path) -> Result<(), Failure> {
        for (digest, dataset) in &mut read.part.datasets {
            if !dataset.location.is_empty() {
                continue;
            }
            // Data sets that read the same files share one copy.
            let name = &dataset.content.data_sha256()[..16];
            let location = below.join(DATA).join(name);
            copies::place_data(&read.folders[digest], root, &location)?;
            dataset.location = location.display().to_string();
        }
        Ok(())
    }

    fn estimate(&self, read: &Read) -> Result<Estimate, Failure> {
        // The task that takes most is tried: the widest model on the most rows.
        let tasks = tasks_of(&read.part.groups.iter().map(|g| Group { count: 1, ..g.clone() }).collect::<Vec<_>>(), 0)?;
        let size = |task: &crate::tasks::Task| -> u128 {
            let weights = read.part.models.get(&model_key(&task.label, &task.model)).map_or(0, estimate::weights);
            let training = &read.part.trainings[&task.training];
            let rows = read.part.datasets[&task.dataset].rows;
            u128::from(weights) * u128::from(rows) * training.epochs as u128
        };
        let Some(task) = tasks.iter().max_by_key(|task| size(task)) else {
            return Err(Failure::data("a batch without tasks"));
        };
        let job = Job {
            task,
            dataset: &read.part.datasets[&task.dataset],
            data: &read.data[&task.dataset],
            model: &read.part.models[&model_key(&task.label, &task.model)],
            training: &read.part.trainings[&task.training],
        };
        estimate::try_one(&job)
    }
}

/// Repeats that combinations have.
fn counts(groups: &[Group]) -> HashMap<(String, String, String), u64> {
    let mut counts = HashMap::new();
    for group in groups {
        let combination = (group.dataset.clone(), group.model.clone(), group.training.clone());
        let count = counts.entry(combination).or_insert(0);
        *count = (group.first + group.count).max(*count);
    }
    counts
}

/// `0001-2026-11-30-initial-training-test`: letters, digits and hyphens only.
fn folder_name(number: u64, created_ms: i64, description: &str) -> String {
    let mut slug = String::new();
    for c in description.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => slug.push(c.to_ascii_lowercase()),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
        if slug.len() >= SLUG {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    let date = &stamp::format_rfc3339(created_ms.saturating_mul(1_000_000))[.."YYYY-MM-DD".len()];
    let dash = if slug.is_empty() { "" } else { "-" };
    format!("{number:04}-{date}{dash}{slug}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_for_number_date_and_description() {
        let ms = 1_796_000_000_000;
        assert_eq!(folder_name(1, ms, "Initial training: test!"), "0001-2026-11-30-initial-training-test");
        assert_eq!(folder_name(12, 951_782_400_000, ""), "0012-2000-02-29");
        assert_eq!(folder_name(3, 0, "::"), "0003-1970-01-01");
        let long = folder_name(3, 0, &"long ".repeat(40));
        assert!(long.len() <= 5 + 11 + SLUG && !long.ends_with('-'), "{long}");
    }
}
