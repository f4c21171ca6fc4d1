//! What an alignment reported.

use align::quality::{EnergyReport, MappingReport};
use serde::Deserialize;
use shared::device::Hardware;
use shared::failure::{Failure, Kind};
use shared::fs::read_capped;
use shared::limits;
use std::path::Path;

/// What is needed of an alignment's quality report.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Report {
    /// The device.
    pub(crate) device: Option<String>,
    /// What is known of it.
    #[serde(default)]
    pub(crate) hardware: Option<Hardware>,
    /// The method.
    pub(crate) method: String,
    /// Energy.
    pub(crate) energy: EnergyReport,
    /// The mapping file that was written with it.
    #[serde(default)]
    pub(crate) mapping: Option<MappingReport>,
    /// Files that the alignment was made from.
    #[serde(default)]
    pub(crate) made_from: Vec<(String, String)>,
}

impl Report {
    /// Reads a quality report; `None` where there is none, as in EdgeProfiler's preprocessed data.
    ///
    /// # Errors
    /// When it cannot be read or is not a report.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, Failure> {
        if !path.is_file() {
            return Ok(None);
        }
        let content = read_capped(path, limits::SMALL_FILE_BYTES)?;
        serde_json::from_slice(&content).map(Some).map_err(|e| Failure::from_error(Kind::Data, e).at(path))
    }
}
