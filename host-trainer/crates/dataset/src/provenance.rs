//! Where the tables of a network came from.

use super::outcome::LeftOut;
use serde::Serialize;
use shared::digest::sha256_file;
use shared::failure::{Failure, Kind};
use shared::fs::write_atomic;
use std::path::Path;

/// `provenance.json` in a network's folder.
#[derive(Debug, Serialize)]
pub(crate) struct Provenance {
    pub(crate) schema_version: u32,
    pub(crate) program: String,
    pub(crate) model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) per_layer_measurements: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) power: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reference_compatible: Option<bool>,
    /// Files that were read, with their SHA-256.
    pub(crate) made_from: Vec<(String, String)>,
    /// Files that these were made from in turn.
    pub(crate) raw: Vec<(String, String)>,
    pub(crate) written: Vec<(String, String)>,
    pub(crate) left_out: Vec<LeftOut>,
}

impl Provenance {
    /// That of some files written to a network's folder.
    ///
    /// # Errors
    /// A file that cannot be read back.
    pub(crate) fn new(model: String, folder: &Path, written: &[String], left_out: &[LeftOut]) -> Result<Self, Failure> {
        let hashed = written.iter().map(|name| Ok((name.clone(), sha256_file(&folder.join(name))?)));
        Ok(Self {
            schema_version: 1,
            program: concat!("host-trainer ", env!("CARGO_PKG_VERSION")).into(),
            model,
            per_layer_measurements: None,
            power: None,
            reference_compatible: None,
            made_from: Vec::new(),
            raw: Vec::new(),
            written: hashed.collect::<Result<_, Failure>>()?,
            left_out: left_out.to_vec(),
        })
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self).map_err(|e| Failure::from_error(Kind::Data, e))?;
        write_atomic(&folder.join("provenance.json"), (text + "\n").as_bytes())
    }
}
