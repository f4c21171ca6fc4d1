//! The training data that studies of this server use.

use learn::training::{self, TrainingData};
use shared::failure::Failure;
use std::path::PathBuf;

/// The folder of training data, where the server was given one.
#[derive(Debug)]
pub(super) struct StudyData {
    folder: Option<PathBuf>,
}

impl StudyData {
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// Whether there is a folder, without which no study can be started.
    pub(super) fn exists(&self) -> bool {
        self.folder.is_some()
    }

    /// Reads the data: `samples` rows of each table, or all rows.
    ///
    /// # Errors
    /// No folder, data that cannot be read, fewer rows than `samples`.
    pub(super) fn read(&self, samples: Option<usize>) -> Result<TrainingData, Failure> {
        let folder = self.folder.as_ref().ok_or_else(|| {
            Failure::usage("this server was told of no training data")
                .help("start it with --data DIR, a folder that `host-trainer dataset` wrote")
        })?;
        let mut data = training::read(folder)?;
        if let Some(samples) = samples {
            data.sample(samples).map_err(Failure::usage)?;
        }
        Ok(data)
    }
}
