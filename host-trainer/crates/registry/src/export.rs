//! Models out of a registry, as a folder that `predict --models` and another registry read.

use super::{Alias, Error, Promotion, Record, Registry, Version};
use learn::model::{CARD_FILE, DEVICE_FILE, ONNX_FILE, model_folder};
use serde::{Deserialize, Serialize};
use shared::failure::{Failure, Kind};
use shared::fs::{read_capped, write_atomic};
use shared::limits;
use std::path::Path;
use store::Entry;

/// The file beside exported models that says where they came from.
pub(super) const PROVENANCE_FILE: &str = "registry.json";

/// Where exported models came from.
#[derive(Debug, Serialize, Deserialize)]
struct Exported {
    schema_version: u32,
    /// The store's URL without secrets.
    store: String,
    /// The models, as registered.
    models: Vec<Record>,
    /// What was deployed when, of their aliases.
    #[serde(skip_deserializing)]
    history: Vec<(u64, Promotion)>,
}

impl Registry {
    /// Writes models, at most one an alias and all of one device, into `<folder>/<device>`, which must not exist; with
    /// their records and the audit trail of their aliases beside them in `registry.json`.
    ///
    /// # Errors
    /// A folder that has such a device, a blob that is missing or damaged, or file system errors.
    pub async fn export(&self, versions: &[Version], folder: &Path) -> Result<(), Error> {
        let Some(first) = versions.first() else { return Err(Error::Unknown("there is nothing to export".into())) };
        let device = first.record.alias.device();
        if versions.iter().any(|version| version.record.alias.device() != device) {
            return Err(Error::Name("models of several devices are exported one device at a time".into()));
        }
        let target = folder.join(device);
        if target.exists() {
            return Err(Failure::usage("is there already").at(target).help("export into another folder").into());
        }
        let io = |doing: &'static str| move |e: std::io::Error| Error::Failed(Failure::io(folder, doing, &e));
        std::fs::create_dir_all(folder).map_err(io("create the folder"))?;
        let staging = tempfile::Builder::new().prefix(".exporting-").tempdir_in(folder).map_err(io("write"))?;
        let mut history = Vec::new();
        // The last device file wins, as for those who predict from the store.
        let mut latest: Option<(String, Vec<u8>)> = None;
        for version in versions {
            let record = &version.record;
            let files = self.files(record.into(), None).await?;
            let place = model_folder(staging.path(), device, record.alias.table(), record.alias.target());
            write_atomic(&place.join(ONNX_FILE), &files.onnx)?;
            write_atomic(&place.join(CARD_FILE), &files.card)?;
            let trail = self.trail(&record.alias).await?;
            let when = trail.deployment_of(record.model).map_or(&record.registered, |promotion| &promotion.stamp);
            if latest.as_ref().is_none_or(|(known, _)| when.when > *known) {
                latest = Some((when.when.clone(), files.device));
            }
            history.extend(trail.entries().iter().map(|Entry { number, value }| (*number, value.clone())));
        }
        if let Some((_, device_file)) = latest {
            write_atomic(&staging.path().join(device).join(DEVICE_FILE), &device_file)?;
        }
        let exported = Exported {
            schema_version: 1,
            store: self.name().to_owned(),
            models: versions.iter().map(|version| version.record.clone()).collect(),
            history,
        };
        let json = serde_json::to_vec_pretty(&exported).map_err(|e| Failure::from_error(Kind::Data, e))?;
        write_atomic(&folder.join(PROVENANCE_FILE), &json)?;
        std::fs::rename(staging.path().join(device), &target).map_err(io("put the models in place"))
    }

    /// The deployed versions of a device, one an alias.
    ///
    /// # Errors
    /// As [`Registry::deployed`].
    pub async fn deployed_versions(&self, device: &str) -> Result<Vec<Version>, Error> {
        let mut versions = Vec::new();
        for promotion in self.deployed(device).await?.models {
            let alias: &Alias = &promotion.alias;
            let found = self.versions(alias).await?.into_iter().find(|version| version.record.model == promotion.to);
            versions.push(found.ok_or_else(|| {
                Error::Unknown(format!("{}: {alias}: the deployed model is not registered", self.name()))
            })?);
        }
        Ok(versions)
    }
}

/// The records of an exported folder; `None` where the folder was not exported.
pub(super) fn read_provenance(path: &Path) -> Result<Vec<Record>, Error> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let json = read_capped(path, limits::SMALL_FILE_BYTES)?;
    let exported: Exported = serde_json::from_slice(&json).map_err(|e| {
        Failure::data(format!("does not say where models came from: {e}"))
            .at(path)
            .help("restore the file, or remove it to import the models without their past")
    })?;
    Ok(exported.models)
}
