//! The total parser: whatever layers a file holds, and a list of what was odd about it.

use super::Engine;
use crate::failure::Failure;
use crate::fs::read_capped;
use crate::limits;
use std::path::Path;

/// Something odd about an engine info that did not keep the rest from being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The layer it concerns: index and name.
    pub layer: Option<(usize, String)>,
    /// The field it concerns.
    pub field: Option<String>,
    /// What is odd.
    pub message: String,
}

/// Why a file holds no layer information at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineInfoError {
    /// There is no JSON in it.
    #[error("is not JSON")]
    NotJson,
}

/// Parses an engine info of any dialect.
///
/// # Errors
/// Only what holds no layer information at all; everything else becomes a diagnostic.
pub fn parse(_content: &[u8]) -> Result<(Engine, Vec<Diagnostic>), EngineInfoError> {
    Err(EngineInfoError::NotJson)
}

/// Reads and parses an engine-info file.
///
/// # Errors
/// As [`parse`], with the file named, and whatever keeps the file from being read.
pub fn read(path: &Path) -> Result<(Engine, Vec<Diagnostic>), Failure> {
    let content = read_capped(path, limits::ENGINE_INFO_BYTES)?;
    parse(&content).map_err(|e| Failure::data(e.to_string()).at(path))
}
