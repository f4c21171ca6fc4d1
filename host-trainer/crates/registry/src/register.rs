//! From a folder of fitted models to versions in the store.

use super::check::check;
use super::export::{PROVENANCE_FILE, read_provenance};
use super::registry::Files;
use super::{Alias, Error, Provenance, Record, Registry, Version};
use learn::model::{CARD_FILE, DEVICE_FILE, ONNX_FILE, Target, check_device_name, devices, model_folder};
use shared::engine::Table;
use shared::failure::Failure;
use shared::fs::read_capped;
use shared::limits;
use std::path::Path;
use store::{Append, Digest};

/// What became of a model that was registered.
#[derive(Debug, Clone, PartialEq)]
pub struct Registered {
    /// The model, under its number.
    pub version: Version,
    /// Whether it is new; the same model is registered once.
    pub new: bool,
}

impl Registry {
    /// Registers every model of a folder that `fit` or `export` wrote, or those of one device. Each is checked as before a
    /// promotion. Registering a folder again adds nothing. A store that is not there is made once the first model has passed.
    ///
    /// # Errors
    /// A folder without models, a model that is damaged or none of ours, or what the store says. Models registered before
    /// the failure stay registered.
    pub async fn register(
        &self,
        folder: &Path,
        device: Option<&str>,
        provenance: &Provenance,
    ) -> Result<Vec<Registered>, Error> {
        let names = match device {
            Some(name) => {
                check_device_name(name)?;
                vec![name.to_owned()]
            }
            None => devices(folder)?,
        };
        let sources = read_provenance(&folder.join(PROVENANCE_FILE))?;
        let mut registered = Vec::new();
        for name in &names {
            for (alias, files) in models_of(folder, name)? {
                registered.push(self.register_one(&alias, files, provenance, &sources).await?);
            }
        }
        if registered.is_empty() {
            return Err(Failure::data("holds no models").at(folder).help("train some with `host-trainer fit`").into());
        }
        Ok(registered)
    }

    async fn register_one(
        &self,
        alias: &Alias,
        files: Files,
        provenance: &Provenance,
        sources: &[Record],
    ) -> Result<Registered, Error> {
        let Files { card, onnx, device } = &files;
        let (card, onnx, device) = (card.clone(), onnx.clone(), device.clone());
        let model = Digest::of(&card);
        let (artefact, parsed) = files.parse(Path::new(&alias.to_string()))?;
        let (artefact, _) = check(alias.clone(), model, artefact, parsed).await?;
        self.store.make().await?;
        let ledger = self.registered(alias)?;
        let mut known = ledger.read::<Record>(1).await?;
        let mut record = None;
        for _ in 0..super::promote::ATTEMPTS {
            if let Some(same) = known.iter().find(|entry| entry.value.model == model) {
                let version = Version { version: same.number, record: same.value.clone() };
                return Ok(Registered { version, new: false });
            }
            let record = match &record {
                Some(record) => record,
                None => {
                    let device_file = self.put_blob(device.clone()).await?;
                    self.put_blob(onnx.clone()).await?;
                    self.put_blob(card.clone()).await?;
                    let mut made = Record::new(model, &artefact.card, device_file, provenance)?;
                    made.imported_from = sources.iter().find(|source| source.model == model).cloned().map(Box::new);
                    record.insert(made)
                }
            };
            let head = known.last().map_or(0, |entry| entry.number);
            match ledger.append(head, record).await? {
                Append::Done(version) => {
                    return Ok(Registered { version: Version { version, record: record.clone() }, new: true });
                }
                Append::Lost => known.extend(ledger.read(head + 1).await?),
            }
        }
        Err(Error::Contended(alias.to_string()))
    }
}

/// The models of one device below a folder of models, byte by byte.
fn models_of(folder: &Path, device: &str) -> Result<Vec<(Alias, Files)>, Error> {
    let device_file = read_capped(&folder.join(device).join(DEVICE_FILE), limits::SMALL_FILE_BYTES)?;
    let mut models = Vec::new();
    for table in Table::ALL {
        for target in Target::ALL {
            let place = model_folder(folder, device, table, target);
            if !place.join(CARD_FILE).exists() {
                continue;
            }
            let files = Files {
                card: read_capped(&place.join(CARD_FILE), limits::SMALL_FILE_BYTES)?,
                onnx: read_capped(&place.join(ONNX_FILE), limits::ONNX_BYTES)?,
                device: device_file.clone(),
            };
            models.push((Alias::new(device, table, target)?, files));
        }
    }
    Ok(models)
}
