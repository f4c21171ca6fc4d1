//! Uploaded engines, stored by the hash of their content, so that a link to a result keeps working.
//!
//! Each engine is a file in a folder, named by the SHA-256 of the engine info: a line of JSON (name and number of layers), then
//! the engine info as it was sent. They survive a restart. When there are too many or they take too much space, the least
//! recently used are removed.

use graph::{GraphOrigin, Options, is_onnx_content, read_graph};
use shared::engine::{self, Diagnostic, Engine};
use shared::failure::{Failure, Kind};
use shared::fs::{read_capped, write_atomic_with};
use shared::limits;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use store::Digest;

/// The most engines stored.
const ENGINES: usize = 200;
/// The most bytes of all engines together.
const BYTES: u64 = 1 << 30;
/// The most parsed engines in memory.
const PARSED: usize = 8;
/// The most layers of all parsed engines in memory. A larger engine is parsed at each use.
const PARSED_LAYERS: usize = 50_000;
/// The most characters of a name.
const NAME: usize = 120;

/// An uploaded engine, parsed.
#[derive(Debug)]
pub(crate) struct UploadedEngine {
    /// SHA-256 of the engine info.
    pub(crate) id: Digest,
    /// The name of the uploaded file.
    pub(crate) name: String,
    /// The parsed engine.
    pub(crate) engine: Engine,
    /// Diagnostics of the parser.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What is said of an engine that was derived from an ONNX graph.
    pub(crate) graph: Option<GraphOrigin>,
}

/// An uploaded engine as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UploadSummary {
    /// SHA-256 of the engine info.
    pub(crate) id: Digest,
    /// The name of the uploaded file.
    pub(crate) name: String,
    /// The number of its layers.
    pub(crate) layers: usize,
    used: SystemTime,
    bytes: u64,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Header {
    name: String,
    layers: usize,
}

/// The uploaded engines.
#[derive(Debug)]
pub(crate) struct Uploads {
    folder: PathBuf,
    index: Mutex<Index>,
}

#[derive(Debug, Default)]
struct Index {
    entries: Vec<UploadSummary>,
    parsed: VecDeque<Arc<UploadedEngine>>,
}

impl Uploads {
    /// Opens a folder of uploaded engines. Other files in it are left alone.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        let listing = match std::fs::read_dir(folder) {
            Ok(listing) => listing.collect(),
            // It is created with the first engine.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(Failure::io(folder, "list the uploaded engines", &e)),
        };
        let mut entries: Vec<UploadSummary> =
            listing.into_iter().filter_map(Result::ok).filter_map(|file| entry(&file.path())).collect();
        entries.sort_by_key(|entry| entry.used);
        let uploads = Self { folder: folder.to_owned(), index: Mutex::new(Index { entries, parsed: VecDeque::new() }) };
        uploads.shrink();
        Ok(uploads)
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, id: Digest) -> PathBuf {
        self.folder.join(format!("{id}.engine"))
    }

    /// Parses and stores an engine info or an ONNX graph. The same content replaces the stored engine, under the new name.
    ///
    /// # Errors
    /// A file that is neither, or cannot be written.
    pub(crate) fn put(&self, name: &str, content: &[u8]) -> Result<Arc<UploadedEngine>, Failure> {
        let name = title(name);
        let id = Digest::of(content);
        let uploaded = Arc::new(UploadedEngine::parse(id, name.clone(), content)?);
        let head = Header { name: name.clone(), layers: uploaded.engine.layers.len() };
        let mut line = serde_json::to_vec(&head).map_err(|e| Failure::from_error(Kind::Data, e))?;
        line.push(b'\n');
        std::fs::create_dir_all(&self.folder)
            .map_err(|e| Failure::io(&self.folder, "make the folder of uploaded engines", &e))?;
        write_atomic_with(&self.path(id), |out| out.write_all(&line).and_then(|()| out.write_all(content)))?;
        let bytes = (line.len() + content.len()) as u64;
        let mut index = self.index();
        index.entries.retain(|entry| entry.id != id);
        index.entries.push(UploadSummary { id, name, layers: head.layers, used: SystemTime::now(), bytes });
        index.remember(&uploaded);
        drop(index);
        self.shrink();
        Ok(uploaded)
    }

    /// A stored engine. `None` where it is not stored, or not any more.
    ///
    /// # Errors
    /// A file that cannot be read, or whose content does not match its name.
    pub(crate) fn get(&self, id: Digest) -> Result<Option<Arc<UploadedEngine>>, Failure> {
        let path = self.path(id);
        {
            let mut index = self.index();
            let Some(at) = index.entries.iter().position(|entry| entry.id == id) else { return Ok(None) };
            let mut entry = index.entries.remove(at);
            entry.used = SystemTime::now();
            index.entries.push(entry);
            if let Some(uploaded) = index.parsed.iter().find(|uploaded| uploaded.id == id).cloned() {
                return Ok(Some(uploaded));
            }
        }
        let file = read_capped(&path, limits::ENGINE_INFO_BYTES + 4096)?;
        let (head, content) = split(&file).ok_or_else(|| Failure::data("is no kept engine").at(&path))?;
        if Digest::of(content) != id {
            return Err(Failure::data("does not hold what its name says").at(&path).help("upload the engine again"));
        }
        let uploaded = Arc::new(UploadedEngine::parse(id, head.name, content)?);
        self.index().remember(&uploaded);
        Ok(Some(uploaded))
    }

    /// The engine info of a stored engine as it was sent.
    ///
    /// # Errors
    /// As [`Self::get`].
    #[cfg(test)]
    fn content(&self, id: Digest) -> Result<Vec<u8>, Failure> {
        let file = read_capped(&self.path(id), limits::ENGINE_INFO_BYTES + 4096)?;
        Ok(split(&file).map(|(_, content)| content.to_vec()).unwrap_or_default())
    }

    /// The most recently used engines, latest first.
    pub(crate) fn latest(&self, most: usize) -> Vec<UploadSummary> {
        self.index().entries.iter().rev().take(most).cloned().collect()
    }

    /// Removes the least recently used engines beyond the limits.
    fn shrink(&self) {
        let gone: Vec<Digest> = {
            let mut index = self.index();
            let mut bytes: u64 = index.entries.iter().map(|entry| entry.bytes).sum();
            let mut count = 0;
            for entry in &index.entries {
                if index.entries.len() - count <= ENGINES && bytes <= BYTES || index.entries.len() - count <= 1 {
                    break;
                }
                bytes -= entry.bytes;
                count += 1;
            }
            index.entries.drain(..count).map(|entry| entry.id).collect()
        };
        for id in gone {
            // A file that cannot be removed is found again at the next start.
            let _ = std::fs::remove_file(self.path(id));
        }
    }
}

impl Index {
    fn remember(&mut self, uploaded: &Arc<UploadedEngine>) {
        self.parsed.retain(|other| other.id != uploaded.id);
        self.parsed.push_back(Arc::clone(uploaded));
        let layers = |index: &Self| index.parsed.iter().map(|s| s.engine.layers.len()).sum::<usize>();
        while self.parsed.len() > PARSED || layers(self) > PARSED_LAYERS && !self.parsed.is_empty() {
            self.parsed.pop_front();
        }
    }
}

impl UploadedEngine {
    fn parse(id: Digest, name: String, content: &[u8]) -> Result<Self, Failure> {
        if is_onnx_content(content) {
            let opened = read_graph(content, &Options::default()).map_err(|failure| failure.default_path(&name))?;
            return Ok(Self { id, name, engine: opened.engine, diagnostics: opened.diagnostics, graph: opened.graph });
        }
        let (engine, diagnostics) = engine::parse(content).map_err(|error| error.failure(&name))?;
        Ok(Self { id, name, engine, diagnostics, graph: None })
    }
}

/// The last component of a file name, without control characters.
fn title(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|c| !c.is_control()).take(NAME).collect();
    if clean.trim().is_empty() { "engine".to_owned() } else { clean.trim().to_owned() }
}

fn split(file: &[u8]) -> Option<(Header, &[u8])> {
    let end = memchr::memchr(b'\n', &file[..file.len().min(4096)])?;
    Some((serde_json::from_slice(&file[..end]).ok()?, &file[end + 1..]))
}

fn entry(path: &Path) -> Option<UploadSummary> {
    use std::io::Read as _;
    let id = Digest::from_str(path.file_name()?.to_str()?.strip_suffix(".engine")?).ok()?;
    let file = std::fs::File::open(path).ok()?;
    let metadata = file.metadata().ok()?;
    let mut start = Vec::new();
    file.take(4096).read_to_end(&mut start).ok()?;
    let (head, _) = split(&start)?;
    Some(UploadSummary {
        id,
        name: title(&head.name),
        layers: head.layers,
        used: metadata.modified().ok()?,
        bytes: metadata.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use simulate::architectures::{Options, engine_info};

    fn info(name: &str) -> Vec<u8> {
        engine_info(name, Options::default()).expect("known").into_bytes()
    }

    #[test]
    fn an_engine_is_found_again_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let id = {
            let uploads = Uploads::open(folder.path()).expect("opens");
            uploads.put("../../etc/res\u{1b}net.json", &info("resnet18")).expect("kept").id
        };
        std::fs::write(folder.path().join("notes.txt"), "not ours").expect("written");
        let uploads = Uploads::open(folder.path()).expect("opens");
        let uploaded = uploads.get(id).expect("readable").expect("kept");
        assert_eq!(uploaded.name, "resnet.json");
        assert_eq!(uploads.content(id).expect("readable"), info("resnet18"));
        assert_eq!(uploads.latest(9).len(), 1);
        assert!(uploads.get(Digest::of(b"other")).expect("no failure").is_none());
    }

    #[test]
    fn what_is_no_engine_is_refused_and_not_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let uploads = Uploads::open(folder.path()).expect("opens");
        let failure = uploads.put("a.json", b"{\"a\": 1}").expect_err("no layers");
        assert!(failure.to_string().contains("a.json"), "{failure}");
        assert!(failure.help.is_some());
        assert!(uploads.latest(9).is_empty());
    }

    #[test]
    fn a_damaged_file_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let id = Uploads::open(folder.path()).expect("opens").put("a", &info("lenet")).expect("kept").id;
        let path = folder.path().join(format!("{id}.engine"));
        let mut file = std::fs::read(&path).expect("there");
        let last = file.len() - 2;
        file[last] ^= 1;
        std::fs::write(&path, file).expect("written");
        let failure = Uploads::open(folder.path()).expect("opens").get(id).expect_err("damaged");
        assert!(failure.to_string().contains("does not hold"), "{failure}");
    }

    #[test]
    fn the_least_recently_used_engine_goes_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let uploads = Uploads::open(folder.path()).expect("opens");
        let first = uploads.put("first", &info("lenet")).expect("kept").id;
        let second = uploads.put("second", &info("alexnet")).expect("kept").id;
        uploads.get(first).expect("readable");
        for i in 0..ENGINES - 1 {
            let one =
                format!("{{\"Layers\":[{{\"Name\":\"n{i}\",\"LayerType\":\"NoOp\",\"Inputs\":[],\"Outputs\":[]}}]}}");
            uploads.put("small", one.as_bytes()).expect("kept");
        }
        assert!(uploads.get(second).expect("no failure").is_none());
        assert!(uploads.get(first).expect("no failure").is_some());
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), ENGINES);
    }
}
