//! What a folder under version remembers.

use crate::Digest;
use crate::snapshot::check_ref;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use shared::failure::{Failure, Kind};
use shared::fs::{read_capped, write_atomic};
use std::collections::BTreeMap;
use std::path::Path;

/// The folder beside the data.
pub const FOLDER: &str = ".edge";
/// Version of both files.
pub(crate) const FORMAT: u32 = 1;

/// `config.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Version of the file.
    pub format: u32,
    /// The store's URL; it holds no secret, since such a URL is refused.
    pub remote: String,
    /// The folder of the snapshots that this folder stands for; empty for all of it.
    pub remote_dir: String,
    /// Whether the store was seen to be there when the folder was put under version. Folders of earlier versions, and those
    /// whose store was out of reach, may make it with their first push.
    #[serde(default)]
    pub store_seen: bool,
}

/// `state.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Version of the file.
    pub format: u32,
    /// The branch that this folder is on.
    pub branch: String,
    /// Where branches are here.
    pub local: BTreeMap<String, Digest>,
    /// Where branches were last seen in the store.
    pub remote: BTreeMap<String, RemoteHead>,
    /// Packs that wait to be pushed.
    pub staged: Vec<Digest>,
    /// The snapshot that the files of the folder came from or were last committed as, where that is not the branch's.
    #[serde(default)]
    pub detached: Option<Digest>,
}

/// A branch as it was last seen in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteHead {
    /// The number of the ledger's entry.
    pub number: u64,
    /// The snapshot.
    pub head: Digest,
    /// The indexes that find everything in it.
    pub indexes: Vec<Digest>,
}

impl State {
    pub(crate) fn new(branch: &str) -> Self {
        Self {
            format: FORMAT,
            branch: branch.into(),
            local: BTreeMap::new(),
            remote: BTreeMap::new(),
            staged: Vec::new(),
            detached: None,
        }
    }

    /// The snapshot that the folder stands on.
    #[must_use]
    pub fn head(&self) -> Option<Digest> {
        self.detached.or_else(|| self.local.get(&self.branch).copied())
    }
}

/// A limit that no honest file of ours reaches.
const FILE_BYTES: u64 = 256 << 20;

pub(crate) fn read<T: DeserializeOwned>(root: &Path, name: &str) -> Result<T, Failure> {
    let path = root.join(FOLDER).join(name);
    let content = read_capped(&path, FILE_BYTES)?;
    serde_json::from_slice(&content).map_err(|e| {
        Failure::data(format!("cannot be understood: {e}"))
            .at(&path)
            .help("run `data init` in a new folder and pull there")
    })
}

pub(crate) fn write<T: Serialize>(root: &Path, name: &str, value: &T) -> Result<(), Failure> {
    let path = root.join(FOLDER).join(name);
    let content = serde_json::to_vec_pretty(value).map_err(|e| Failure::from_error(Kind::Data, e).at(&path))?;
    write_atomic(&path, &content)
}

/// Checks a name that the user gave a branch or tag.
pub(crate) fn named(what: &str, name: &str) -> Result<(), Failure> {
    check_ref(name).map_err(|why| Failure::usage(format!("`{name}` {why}")).place(what.to_owned()))
}
