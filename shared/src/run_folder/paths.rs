//! Where the files of a run lie.

use std::path::{Path, PathBuf};

/// The paths of one run folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    folder: PathBuf,
    model: String,
}

impl RunFolder {
    /// The folder of a model below a root such as `raw_data`.
    #[must_use]
    pub fn new(root: &Path, model: &str) -> Self {
        Self { folder: root.join(model), model: model.to_owned() }
    }

    /// An existing folder; its name is the model's. `None` for a path without a name.
    #[must_use]
    pub fn at(folder: &Path) -> Option<Self> {
        let model = folder.file_name()?.to_str()?.to_owned();
        Some(Self { folder: folder.to_owned(), model })
    }

    /// Whether a name can be a model's: not empty, no path separator, no leading dot, no control character.
    #[must_use]
    pub fn is_model_name(name: &str) -> bool {
        !name.is_empty()
            && name.len() <= 120
            && !name.starts_with('.')
            && !name.chars().any(|c| c.is_control() || matches!(c, '/' | '\\' | ':'))
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// The model's name.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// `<model>_power_log.log`.
    #[must_use]
    pub fn power_log(&self) -> PathBuf {
        self.folder.join(format!("{}_power_log.log", self.model))
    }

    /// `<model>_tensorrt.json`.
    #[must_use]
    pub fn model_run(&self) -> PathBuf {
        self.folder.join(format!("{}_tensorrt.json", self.model))
    }

    /// `trt_profiling/trt_engine_info.json`.
    #[must_use]
    pub fn engine_info(&self) -> PathBuf {
        self.folder.join("trt_profiling/trt_engine_info.json")
    }

    /// `trt_profiling/trt_layer_latency.json`.
    #[must_use]
    pub fn layer_latency(&self) -> PathBuf {
        self.folder.join("trt_profiling/trt_layer_latency.json")
    }

    /// `manifest.json`.
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        self.folder.join("manifest.json")
    }

    /// `samples.eplog`.
    #[must_use]
    pub fn sample_log(&self) -> PathBuf {
        self.folder.join("samples.eplog")
    }

    /// `truth.json` of a simulated run.
    #[must_use]
    pub fn truth(&self) -> PathBuf {
        self.folder.join("truth.json")
    }

    /// `idling_power.json` of a root such as `raw_data`.
    #[must_use]
    pub fn idle_power(root: &Path) -> PathBuf {
        root.join("idling_power.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_the_reference_layout() {
        let run = RunFolder::new(Path::new("raw_data"), "resnet18");
        assert_eq!(run.power_log(), Path::new("raw_data/resnet18/resnet18_power_log.log"));
        assert_eq!(run.model_run(), Path::new("raw_data/resnet18/resnet18_tensorrt.json"));
        assert_eq!(RunFolder::at(run.path()), Some(run));
    }

    #[test]
    fn a_model_name_cannot_leave_its_folder() {
        for bad in ["", "..", ".hidden", "a/b", "a\\b", "a\nb"] {
            assert!(!RunFolder::is_model_name(bad), "{bad:?}");
        }
        assert!(RunFolder::is_model_name("resnet18-fp16_v2.1"));
    }
}
