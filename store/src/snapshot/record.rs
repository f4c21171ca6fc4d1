//! What a snapshot says of itself.

use crate::Digest;
use serde::{Deserialize, Serialize};

/// Version of the snapshots that this program writes.
pub(crate) const FORMAT: u32 = 1;

/// A snapshot is at most so long, bytes.
pub(crate) const SNAPSHOT_BYTES: u64 = 64 << 20;

/// A folder as it stood at some time. Its name is the hash of its JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Version of the format.
    pub format: u32,
    /// The root folder's list.
    pub tree: Digest,
    /// The snapshot that it follows.
    pub parent: Option<Digest>,
    /// How many snapshots lead to it, itself included: where two histories part is found without walking them whole.
    pub generation: u64,
    /// Who made it.
    pub author: String,
    /// When, milliseconds since 1970 (UTC).
    pub time_unix_ms: u64,
    /// Why.
    pub message: String,
    /// The program that made it, with its version.
    pub program: String,
    /// Files in it.
    pub files: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// The run folders in it.
    pub runs: Vec<Run>,
}

/// What a run folder's manifest says. The whole manifest is the file `manifest.json` of that folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The run folder.
    pub folder: String,
    /// The manifest's hash.
    pub manifest: Digest,
    /// The model that ran.
    pub model: String,
    /// How the run ended.
    pub status: String,
    /// The board.
    pub board: Option<String>,
    /// The kind of power source.
    pub source: String,
    /// The program that measured.
    pub program: String,
}

impl Snapshot {
    /// The snapshot's name and what is stored.
    ///
    /// # Errors
    /// None in practice: every field can be written as JSON.
    pub fn encode(&self) -> Result<(Digest, Vec<u8>), serde_json::Error> {
        let bytes = serde_json::to_vec(self)?;
        Ok((Digest::of(&bytes), bytes))
    }

    /// Reads a snapshot from whatever bytes.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let snapshot: Self = serde_json::from_slice(bytes).map_err(|e| format!("is no snapshot: {e}"))?;
        if snapshot.format == FORMAT { Ok(snapshot) } else { Err(format!("has format {}", snapshot.format)) }
    }

    /// The message's first line.
    #[must_use]
    pub fn title(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }
}
