//! Where the models of a prediction come from.

use clap::Args;
use learn::predict::{Models, open_models};
use learn::what_if::Anchors;
use onnx::use_native_library;
use registry::{Cache, open_deployed};
use shared::failure::{Failure, Kind};
use shared::printer::Printer;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Models to predict with.
#[derive(Debug, Args)]
pub(super) struct ModelSource {
    /// Folder of models.
    #[arg(long, value_name = "DIR", default_value = "trained_models", env = "HOST_TRAINER_MODELS")]
    models: PathBuf,
    /// Model store to use instead of a folder: predict with the models deployed there.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Device to predict for, BOARD@MODE [default: the folder's default device, or the only device of the store].
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Native ONNX Runtime library to use instead of the embedded runtime.
    #[arg(long, value_name = "libonnxruntime.so", env = "HOST_TRAINER_ONNXRUNTIME")]
    onnxruntime: Option<PathBuf>,
}

impl ModelSource {
    /// Opens the models.
    pub(super) fn open(&self, printer: &Printer) -> Result<Models, Failure> {
        self.use_runtime()?;
        match &self.store {
            Some(store) => self.deployed(store, printer),
            None => open_models(&shipped(&self.models), self.device.as_deref()),
        }
    }

    /// Opens the models of every mode of the board, from which other modes are predicted; `own_mode` is the mode of a device whose
    /// own was not recorded.
    pub(super) fn anchors(&self, own_mode: Option<&str>, printer: &Printer) -> Result<Anchors, Failure> {
        self.use_runtime()?;
        match &self.store {
            Some(store) => Anchors::of(vec![Arc::new(self.deployed(store, printer)?)], own_mode),
            None => Anchors::open(&shipped(&self.models), self.device.as_deref(), own_mode),
        }
    }

    fn use_runtime(&self) -> Result<(), Failure> {
        if let Some(library) = &self.onnxruntime {
            if !library.is_file() {
                return Err(Failure::new(Kind::Io, "no such ONNX Runtime library").at(library).help(
                    "give the path of libonnxruntime.so, or leave --onnxruntime out to use the embedded runtime",
                ));
            }
            use_native_library(library);
        }
        Ok(())
    }

    fn deployed(&self, store: &str, printer: &Printer) -> Result<Models, Failure> {
        let cache = Cache::of_user();
        let opened = super::runtime::block_on(open_deployed(store, self.device.as_deref(), cache.as_ref()))??;
        if let Some(reason) = opened.offline {
            printer.warn(format!("{reason}; predicting with what was deployed when the store was last seen"));
        }
        Ok(opened.models)
    }
}

/// The default folder of models, where there is none here: the one that was installed with the program, `share/layerjoule` beside its
/// `bin`. A folder that was asked for is never replaced.
pub(super) fn shipped(models: &Path) -> PathBuf {
    let installed = || Some(std::env::current_exe().ok()?.parent()?.parent()?.join("share/layerjoule").join(models));
    match installed() {
        Some(folder) if models == Path::new("trained_models") && !models.exists() && folder.is_dir() => folder,
        _ => models.to_owned(),
    }
}
