//! A model on disk: `<models>/<device>/<layer kind>/<target>/{model.onnx, card.json}`.

use super::{Card, Device, Target};
use onnx::Model;
use shared::engine::Table;
use shared::failure::Failure;
use shared::fs::{read_capped, write_atomic};
use shared::limits;
use std::path::{Path, PathBuf};

/// The model's graph.
pub const ONNX_FILE: &str = "model.onnx";
/// The model's card.
pub const CARD_FILE: &str = "card.json";

/// The folder of a model below a folder of models.
#[must_use]
pub fn model_folder(models: &Path, device: &str, table: Table, target: Target) -> PathBuf {
    models.join(device).join(table.name()).join(target.name())
}

/// A card with the graph it describes.
#[derive(Debug)]
pub struct Artefact {
    /// The card.
    pub card: Card,
    /// The ONNX file's bytes.
    pub onnx: Vec<u8>,
}

impl Artefact {
    /// Writes the model into its folder. The card is written last: it names the graph's hash, so that a pair torn by a
    /// power cut is noticed on reading.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn write(&self, models: &Path) -> Result<PathBuf, Failure> {
        let folder = model_folder(models, &self.card.device, self.card.layer_kind, self.card.target);
        write_atomic(&folder.join(ONNX_FILE), &self.onnx)?;
        write_atomic(&folder.join(CARD_FILE), &self.card.to_file()?)?;
        Ok(folder)
    }

    /// Reads a model and checks that the graph is the one the card describes.
    ///
    /// # Errors
    /// A file that is missing, damaged, or not the one the card names.
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let card = read_capped(&folder.join(CARD_FILE), limits::SMALL_FILE_BYTES)?;
        let onnx = read_capped(&folder.join(ONNX_FILE), limits::ONNX_BYTES)?;
        Self::parse(&card, onnx, folder)
    }

    /// Makes a model of a card file's and a graph's bytes, and checks that the graph is the one the card describes.
    /// `origin` is what failures call the folder that they came from.
    ///
    /// # Errors
    /// A card that cannot be understood, or a graph that is not the one it names.
    pub fn parse(card: &[u8], onnx: Vec<u8>, origin: &Path) -> Result<Self, Failure> {
        let card_path = origin.join(CARD_FILE);
        let card: Card = serde_json::from_slice(card).map_err(|e| {
            Failure::data(format!("is no model card: {e}"))
                .at(&card_path)
                .place(format!("line {}", e.line()))
                .help("fit the model again, or restore the file")
        })?;
        if card.schema_version != super::card::SCHEMA_VERSION {
            return Err(Failure::data(format!("has schema version {}", card.schema_version))
                .at(&card_path)
                .help("use the program version that wrote it, or fit the model again"));
        }
        if shared::digest::sha256(&onnx) != card.onnx_sha256 {
            return Err(Failure::data("is damaged: its SHA-256 is not the one its card names")
                .at(origin.join(ONNX_FILE))
                .help("fit the model again, or restore the file"));
        }
        Ok(Self { card, onnx })
    }

    /// Loads the graph and runs the card's self-test.
    ///
    /// # Errors
    /// A graph that does not load, does not fit its card, or does not reproduce the self-test.
    pub fn load(&self, folder: &Path) -> Result<Model, Failure> {
        let path = folder.join(ONNX_FILE);
        let failure =
            |message: String| Failure::data(message).at(&path).help("fit the model again, or restore the file");
        let model = Model::load(&self.onnx).map_err(|e| failure(e.to_string()))?;
        if model.feature_count() != self.card.features.len() {
            return Err(failure(format!(
                "takes {} features where its card lists {}",
                model.feature_count(),
                self.card.features.len()
            )));
        }
        let inputs: Vec<f32> = self.card.self_test.inputs.iter().flatten().copied().collect();
        let outputs = model.predict(&inputs).map_err(|e| failure(e.to_string()))?;
        if !self.card.self_test.passes(&outputs) {
            return Err(failure("does not reproduce the self-test of its card".to_owned()));
        }
        Ok(model)
    }
}

/// Writes all models of a device in place of those it had. They are written beside the old ones and swapped in by
/// one rename, so that a reader sees the old models or the new, and a fit that fails half-way leaves the old.
///
/// # Errors
/// Whatever the file system says.
pub fn replace_device(models: &Path, device: &Device, artefacts: &[Artefact]) -> Result<(), Failure> {
    let io = |doing: &'static str| move |e: std::io::Error| Failure::io(models, doing, &e);
    std::fs::create_dir_all(models).map_err(io("create the folder"))?;
    let staging = tempfile::Builder::new().prefix(".fitting-").tempdir_in(models).map_err(io("write"))?;
    for artefact in artefacts {
        artefact.write(staging.path())?;
    }
    device.write(staging.path())?;
    let (fresh, target) = (staging.path().join(&device.name), models.join(&device.name));
    // The old models, if any, change places with the new and go with the staging folder.
    swap(&fresh, &target).map_err(io("put the models in place"))
}

/// Puts `fresh` where `target` is; what was there ends up at `fresh`'s place or beside it.
fn swap(fresh: &Path, target: &Path) -> std::io::Result<()> {
    if !target.exists() {
        return std::fs::rename(fresh, target);
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, fresh, CWD, target, RenameFlags::EXCHANGE) {
            // Some file systems cannot exchange; two renames are the next best.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {}
            done => return done.map_err(Into::into),
        }
    }
    std::fs::rename(target, fresh.with_extension("replaced"))?;
    std::fs::rename(fresh, target)
}
