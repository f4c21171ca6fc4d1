//! A study as a folder: all that its workers read, by relative paths, so that it can be moved and copied.
//!
//! ```text
//! hybrid-1f0e9a77/
//!   study.json          name, trials, program, database, engine, where its rows come from
//!   specification.toml  plan, search space, sampler, pruner, seed, and the SHA-256 of the data
//!   data/               a copy of the data
//!   logs/               what workers and engines say
//!   submissions/        what was submitted, one file each time
//!   submit.sh, …        what an engine is given
//! ```
//!
//! Trials are kept in the study's database, nowhere else.

use crate::database::Location;
use crate::origin::Origin;
use crate::studies::Specification;
use crate::subject::Subject;
use engines::documents::document;
use engines::{Engine, Family, Job, ProgramStamp, Resources, copies, published};
use learn::fit::toml_failure;
use serde::{Deserialize, Serialize};
use shared::failure::{Failure, Kind};
use shared::fs::{read_capped, write_atomic};
use shared::limits::SMALL_FILE_BYTES;
use shared::text::read_text;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use store::Store;

/// The newest format of a study's folder that this version reads and writes.
const FORMAT: u32 = 1;
/// Describes the study.
const STUDY_FILE: &str = "study.json";
/// What determines its trials.
const SPECIFICATION: &str = "specification.toml";
/// Folder of the copy of its data.
const DATA: &str = "data";
/// Longest part of an engine's name for a study that comes from the study's, in characters.
const SLUG: usize = 35;

/// What engines are told of studies.
const FAMILY: Family = Family {
    noun: "study",
    units: "trials",
    folder: "tunes",
    work: ["studies", "work"],
    submit: ["studies", "submit"],
    submit_arguments: "",
    header: STUDY_FILE,
    stops: "hands its trials back",
    takes_grace: false,
    help_pods: "name a store that they fetch it from by --artefacts",
    help_hosts: "keep the study in PostgreSQL by --shared-db",
};

/// What workers read of a study, besides its specification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The folder's format.
    pub format: u32,
    /// A name by content: of all that workers read.
    pub id: String,
    /// The study's name.
    pub name: String,
    /// Trials that it is to have.
    pub trials: u64,
    /// The program that wrote the folder.
    pub program: ProgramStamp,
    /// The database by its URL, without a password; none for a SQLite file, which workers are told where they start.
    pub database: Option<String>,
    /// The store that has a copy of the folder, by URL.
    pub artefacts: Option<String>,
    /// What starts workers.
    pub engine: String,
    /// Workers that are started by default.
    pub workers: u64,
    /// Trials that each worker works on at once.
    pub jobs: usize,
    /// Seconds that a trial stays with a silent worker.
    pub lease_s: f64,
    /// Where its rows come from.
    pub rows: Origin,
}

/// A study's folder that was read.
#[derive(Debug, Clone)]
pub struct StudyFolder {
    /// The folder.
    pub root: PathBuf,
    /// What it is.
    pub header: Header,
    /// What determines its trials.
    pub specification: Specification,
}

/// A study's folder that is to be written.
#[derive(Debug)]
pub struct Layout<'a> {
    /// The folder of all studies.
    pub tunes: &'a Path,
    /// The study's name, which the folder has too.
    pub name: &'a str,
    /// What determines its trials.
    pub specification: &'a Specification,
    /// Trials that it is to have.
    pub trials: u64,
    /// Where its rows come from now.
    pub rows: &'a Origin,
    /// Where its trials are kept.
    pub database: &'a Location,
    /// A store for a copy of the folder, by URL.
    pub artefacts: Option<&'a str>,
    /// What starts workers.
    pub engine: &'a Engine,
    /// What each worker may take.
    pub resources: &'a Resources,
    /// Workers.
    pub workers: u64,
    /// Trials that each worker works on at once.
    pub jobs: usize,
    /// Seconds that a trial stays with a silent worker.
    pub lease_s: f64,
    /// Whether the program is copied into the folder.
    pub copy_program: bool,
}

/// The format alone, which every version can read.
#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

impl Layout<'_> {
    /// What is to be written. Nothing is written yet.
    ///
    /// # Errors
    /// A database that the engine's workers cannot share, a name that no folder can have, or an engine that is not given what it
    /// needs, each with what to take.
    pub fn header(&self) -> Result<Header, Failure> {
        if *self.engine != Engine::Local && matches!(self.database, Location::File(_)) {
            return Err(Failure::usage("SQLite is for workers on one machine: on a shared disk it gets damaged")
                .help("keep the study in PostgreSQL: --shared-db postgres://HOST/DATABASE, or HOST_TRAINER_STUDIES"));
        }
        if self.artefacts.is_some_and(|url| !url.contains("://")) {
            return Err(Failure::usage("--artefacts is the URL of a store"));
        }
        if self.name.starts_with('.') {
            return Err(Failure::usage(format!("`{}` is no name for a folder", self.name))
                .help("give a --study-id that begins with a letter or a digit"));
        }
        let rows = self.rows.moved(&self.data());
        let database = match self.database {
            Location::File(_) => None,
            Location::Postgres(_) => Some(self.database.without_password()),
        };
        let read = (self.name, self.trials, &database, self.jobs, self.lease_s, &rows, self.specification);
        let header = Header {
            format: FORMAT,
            id: shared::digest::sha256(document(&read)?.as_bytes()),
            name: self.name.to_owned(),
            trials: self.trials,
            program: ProgramStamp::this()?,
            database,
            artefacts: self.artefacts.map(str::to_owned),
            engine: self.engine.name(),
            workers: self.workers,
            jobs: self.jobs,
            lease_s: self.lease_s,
            rows,
        };
        job(&self.tunes.join(self.name), &header, Vec::new())?.files(self.resources)?;
        Ok(header)
    }

    /// Where the copy of the data lies in the folder.
    fn data(&self) -> PathBuf {
        Path::new(DATA).join(self.specification.data_sha256.get(..16).unwrap_or_default())
    }

    /// Writes the folder, whole or not at all. One that is there of the same study keeps its data, logs and submissions, and gets the
    /// engine, the number of trials and of workers that are wanted now.
    ///
    /// # Errors
    /// A folder of another study, one that cannot be written, or a store that cannot be reached.
    pub async fn write(&self, header: Header) -> Result<StudyFolder, Failure> {
        let root = self.tunes.join(self.name);
        if !root.exists() {
            fs::create_dir_all(self.tunes).map_err(|e| Failure::io(self.tunes, "create", &e))?;
            let staging = tempfile::Builder::new()
                .prefix(".generating-")
                .tempdir_in(self.tunes)
                .map_err(|e| Failure::io(self.tunes, "write", &e))?;
            self.fill(staging.path(), &header).await?;
            fs::set_permissions(staging.path(), Permissions::from_mode(0o755))
                .map_err(|e| Failure::io(&root, "write", &e))?;
            match fs::rename(staging.path(), &root) {
                Ok(()) => {
                    // It is not there any more to be removed.
                    let _ = staging.keep();
                    return StudyFolder::open(&root);
                }
                // Somebody else was quicker.
                Err(_) if root.exists() => {}
                Err(e) => return Err(Failure::io(&root, "write", &e)),
            }
        }
        let there = StudyFolder::open(&root)?;
        if let Some(what) = self.specification.difference(&there.specification) {
            return Err(Failure::usage(format!("is the folder of a study that was begun with another {what}"))
                .at(&root)
                .help("give another --study-id, or another --tunes"));
        }
        self.fill(&root, &header).await?;
        StudyFolder::open(&root)
    }

    async fn fill(&self, root: &Path, header: &Header) -> Result<(), Failure> {
        if let Some(folder) = self.rows.folder() {
            copies::place_data(folder, root, &self.data())?;
        }
        let text = self.specification.to_text().map_err(|e| Failure::from_error(Kind::Data, e))?;
        write_atomic(&root.join(SPECIFICATION), text.as_bytes())?;
        fs::create_dir_all(root.join("logs")).map_err(|e| Failure::io(root, "create", &e))?;
        if self.copy_program || self.engine.needs_program() {
            copies::copy_program(root)?;
        }
        job(root, header, Vec::new())?.write_files(self.resources)?;
        // The description last: a folder that has it has all.
        write_atomic(&root.join(STUDY_FILE), document(header)?.as_bytes())?;
        if let Some(url) = self.artefacts {
            let store = Store::open(url)?;
            store.make().await?;
            published::publish(root, &[DATA, SPECIFICATION, STUDY_FILE], &store, &header.id).await?;
        }
        Ok(())
    }
}

impl StudyFolder {
    /// Reads a study's folder.
    ///
    /// # Errors
    /// A folder that is none of a study, is damaged, or was written by a newer version.
    pub fn open(root: &Path) -> Result<Self, Failure> {
        let path = root.join(STUDY_FILE);
        if !path.exists() {
            return Err(Failure::new(Kind::Io, format!("is no study's folder: it has no {STUDY_FILE}"))
                .at(root)
                .help("name a folder that `tune --on` wrote"));
        }
        let content = read_capped(&path, SMALL_FILE_BYTES)?;
        let damaged = |e: serde_json::Error| {
            let place = format!("line {}", e.line());
            Failure::data(format!("is no description of a study: {e}")).at(&path).place(place).caused_by(e)
        };
        let format = serde_json::from_slice::<FormatOnly>(&content).map_err(damaged)?.format;
        if format > FORMAT {
            return Err(Failure::data(format!(
                "was written by a newer version: the folder has format {format}, this version reads up to {FORMAT}"
            ))
            .at(&path)
            .help("use the version of host-trainer that wrote it, or a later one"));
        }
        let header = serde_json::from_slice(&content).map_err(damaged)?;
        let path = root.join(SPECIFICATION);
        let text = read_text(&path, SMALL_FILE_BYTES)?;
        let specification = toml::from_str(&text).map_err(|e| toml_failure(&path, &text, &e))?;
        Ok(Self { root: root.to_owned(), header, specification })
    }

    /// The folder of a study by its path, or by the study's name among the folders of all.
    ///
    /// # Errors
    /// No such folder.
    pub fn find(tunes: &Path, name: &str) -> Result<Self, Failure> {
        match Self::look(tunes, name)? {
            Some(folder) => Ok(folder),
            None => Err(Failure::new(Kind::Io, format!("there is no folder of a study `{name}`"))
                .at(tunes)
                .help("name a folder that `tune --on` wrote; --tunes names the folder of all")),
        }
    }

    /// As [`StudyFolder::find`]; none where there is none.
    ///
    /// # Errors
    /// A folder that is damaged.
    pub fn look(tunes: &Path, name: &str) -> Result<Option<Self>, Failure> {
        let inside = (!name.contains(['/', '\\'])).then(|| tunes.join(name));
        let places = [Some(PathBuf::from(name)), inside];
        let found = places.into_iter().flatten().find(|place| place.join(STUDY_FILE).exists());
        found.map(|place| Self::open(&place)).transpose()
    }

    /// Opens a folder, or what a manifest names: a store with the study's name in it, which is fetched below `cache`.
    ///
    /// # Errors
    /// As [`StudyFolder::find`]; a store that cannot be reached or does not have the study.
    pub async fn fetch(tunes: &Path, place: &str, cache: &Path) -> Result<Self, Failure> {
        match place.contains("://") {
            true => Self::open(&published::find(&FAMILY, place, cache).await?),
            false => Self::find(tunes, place),
        }
    }

    /// What the study is about, read from the copy of its data.
    ///
    /// # Errors
    /// Data that cannot be read, or were changed.
    pub async fn subject(&self) -> Result<Subject, Failure> {
        self.header.rows.subject(&self.specification, &self.root).await
    }

    /// The study as an engine knows it. `environment` are variables that processes of this machine get; they may hold secrets.
    ///
    /// # Errors
    /// An engine that this version does not know.
    pub fn job(&self, environment: Vec<(String, String)>) -> Result<Job, Failure> {
        job(&self.root, &self.header, environment)
    }
}

fn job(root: &Path, header: &Header, environment: Vec<(String, String)>) -> Result<Job, Failure> {
    let Header { id, name, database, artefacts, engine, workers, .. } = header;
    Ok(Job {
        family: &FAMILY,
        root: root.to_owned(),
        name: name.clone(),
        id: id.clone(),
        label: label(name, id),
        engine: engine.parse().map_err(Failure::data)?,
        workers: *workers,
        on_one_disk: database.is_none(),
        published: artefacts.as_ref().map(|url| published::place(url, id)),
        environment,
    })
}

/// A study's name as every engine takes it: lower-case letters, digits and hyphens, 50 characters at most.
fn label(name: &str, id: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let slug: String = name.chars().map(plain).take(SLUG).collect();
    format!("study-{}-{}", slug.trim_matches('-'), &id[..id.len().min(8)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_get_a_name_that_all_of_them_take() {
        let id = "0123456789abcdef";
        assert_eq!(label("Hybrid_1.b", id), "study-hybrid-1-b-01234567");
        let long = label(&"Long.".repeat(40), id);
        assert!(long.len() <= 50 && !long.contains("--0"), "{long}");
        assert_eq!(label("_", id), "study--01234567");
    }
}
