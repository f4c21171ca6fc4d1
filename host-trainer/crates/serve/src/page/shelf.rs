//! Engines that were uploaded, kept by what they hold so that a link to a result opens again.
//!
//! They lie in a folder, one file each, named by the SHA-256 of the engine info: a first line of JSON (the name it came
//! under) and then the file as it came. A restart of the server finds them again. When there are too many, or they take
//! too much, those go first that were not looked at for longest.

use shared::engine::{self, Diagnostic, Engine};
use shared::failure::Failure;
use shared::fs::{read_capped, write_atomic_with};
use shared::limits;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use store::Digest;

/// Engines kept.
const ENGINES: usize = 200;
/// Bytes that all of them may take together.
const BYTES: u64 = 1 << 30;
/// Engines kept parsed in memory.
const PARSED: usize = 8;
/// Layers of all engines kept parsed; a single larger one is read anew each time.
const PARSED_LAYERS: usize = 50_000;
/// Longest name kept, in characters.
const NAME: usize = 120;

/// An engine with what was read of it.
#[derive(Debug)]
pub(super) struct Shelved {
    /// SHA-256 of the engine info.
    pub(super) id: Digest,
    /// The name it came under.
    pub(super) name: String,
    /// Its layers.
    pub(super) engine: Engine,
    /// What was odd about the file.
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// A kept engine, as lists name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// SHA-256 of the engine info.
    pub(super) id: Digest,
    /// The name it came under.
    pub(super) name: String,
    /// How many layers it has.
    pub(super) layers: usize,
    used: SystemTime,
    bytes: u64,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Head {
    name: String,
    layers: usize,
}

/// The kept engines.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    parsed: VecDeque<Arc<Shelved>>,
}

impl Shelf {
    /// Opens a folder of kept engines. Files that are none of ours are left alone.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        let listing = match std::fs::read_dir(folder) {
            Ok(listing) => listing.collect(),
            // It is made with the first engine.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(Failure::io(folder, "list the uploaded engines", &e)),
        };
        let mut entries: Vec<Entry> =
            listing.into_iter().filter_map(Result::ok).filter_map(|file| entry(&file.path())).collect();
        entries.sort_by_key(|entry| entry.used);
        let shelf = Self { folder: folder.to_owned(), state: Mutex::new(State { entries, parsed: VecDeque::new() }) };
        shelf.shrink();
        Ok(shelf)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, id: Digest) -> PathBuf {
        self.folder.join(format!("{id}.engine"))
    }

    /// Reads an engine info and keeps it. The same content again is the same engine, under the name it came with last.
    ///
    /// # Errors
    /// What cannot be read as an engine info, or cannot be written.
    pub(super) fn put(&self, name: &str, content: &[u8]) -> Result<Arc<Shelved>, Failure> {
        let name = title(name);
        let (engine, diagnostics) = engine::parse(content).map_err(|error| refusal(&name, &error))?;
        let id = Digest::of(content);
        let shelved = Arc::new(Shelved { id, name: name.clone(), engine, diagnostics });
        let head = Head { name: name.clone(), layers: shelved.engine.layers.len() };
        let mut line = serde_json::to_vec(&head).map_err(|e| Failure::data(e.to_string()))?;
        line.push(b'\n');
        std::fs::create_dir_all(&self.folder)
            .map_err(|e| Failure::io(&self.folder, "make the folder of uploaded engines", &e))?;
        write_atomic_with(&self.path(id), |out| out.write_all(&line).and_then(|()| out.write_all(content)))?;
        let bytes = (line.len() + content.len()) as u64;
        let mut state = self.state();
        state.entries.retain(|entry| entry.id != id);
        state.entries.push(Entry { id, name, layers: head.layers, used: SystemTime::now(), bytes });
        state.keep(&shelved);
        drop(state);
        self.shrink();
        Ok(shelved)
    }

    /// An engine kept earlier; none where it is not, or not any more.
    ///
    /// # Errors
    /// A file that cannot be read, or does not hold what its name says.
    pub(super) fn get(&self, id: Digest) -> Result<Option<Arc<Shelved>>, Failure> {
        let path = self.path(id);
        {
            let mut state = self.state();
            let Some(at) = state.entries.iter().position(|entry| entry.id == id) else { return Ok(None) };
            let mut entry = state.entries.remove(at);
            entry.used = SystemTime::now();
            state.entries.push(entry);
            if let Some(shelved) = state.parsed.iter().find(|shelved| shelved.id == id).cloned() {
                return Ok(Some(shelved));
            }
        }
        let file = read_capped(&path, limits::ENGINE_INFO_BYTES + 4096)?;
        let (head, content) = split(&file).ok_or_else(|| Failure::data("is no kept engine").at(&path))?;
        if Digest::of(content) != id {
            return Err(Failure::data("does not hold what its name says").at(&path).help("upload the engine again"));
        }
        let (engine, diagnostics) = engine::parse(content).map_err(|error| refusal(&head.name, &error))?;
        let shelved = Arc::new(Shelved { id, name: head.name, engine, diagnostics });
        self.state().keep(&shelved);
        Ok(Some(shelved))
    }

    /// The engine info of a kept engine as it came.
    ///
    /// # Errors
    /// As [`Self::get`].
    #[cfg(test)]
    fn content(&self, id: Digest) -> Result<Vec<u8>, Failure> {
        let file = read_capped(&self.path(id), limits::ENGINE_INFO_BYTES + 4096)?;
        Ok(split(&file).map(|(_, content)| content.to_vec()).unwrap_or_default())
    }

    /// The engines looked at last, latest first.
    pub(super) fn latest(&self, most: usize) -> Vec<Entry> {
        self.state().entries.iter().rev().take(most).cloned().collect()
    }

    /// Lets go of those not looked at for longest.
    fn shrink(&self) {
        let gone: Vec<Digest> = {
            let mut state = self.state();
            let mut bytes: u64 = state.entries.iter().map(|entry| entry.bytes).sum();
            let mut count = 0;
            for entry in &state.entries {
                if state.entries.len() - count <= ENGINES && bytes <= BYTES || state.entries.len() - count <= 1 {
                    break;
                }
                bytes -= entry.bytes;
                count += 1;
            }
            state.entries.drain(..count).map(|entry| entry.id).collect()
        };
        for id in gone {
            // A file that stays is found and let go of at the next start.
            let _ = std::fs::remove_file(self.path(id));
        }
    }
}

impl State {
    fn keep(&mut self, shelved: &Arc<Shelved>) {
        self.parsed.retain(|other| other.id != shelved.id);
        self.parsed.push_back(Arc::clone(shelved));
        let layers = |state: &Self| state.parsed.iter().map(|s| s.engine.layers.len()).sum::<usize>();
        while self.parsed.len() > PARSED || layers(self) > PARSED_LAYERS && !self.parsed.is_empty() {
            self.parsed.pop_front();
        }
    }
}

fn refusal(name: &str, error: &engine::EngineInfoError) -> Failure {
    let failure = Failure::data(error.to_string()).at(name).help(error.help());
    match error.place() {
        Some(place) => failure.place(place),
        None => failure,
    }
}

/// A file's last component as people may read it, without what cannot be shown.
fn title(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|c| !c.is_control()).take(NAME).collect();
    if clean.trim().is_empty() { "engine".to_owned() } else { clean.trim().to_owned() }
}

fn split(file: &[u8]) -> Option<(Head, &[u8])> {
    let end = memchr::memchr(b'\n', &file[..file.len().min(4096)])?;
    Some((serde_json::from_slice(&file[..end]).ok()?, &file[end + 1..]))
}

fn entry(path: &Path) -> Option<Entry> {
    use std::io::Read as _;
    let id = Digest::from_str(path.file_name()?.to_str()?.strip_suffix(".engine")?).ok()?;
    let file = std::fs::File::open(path).ok()?;
    let metadata = file.metadata().ok()?;
    let mut start = Vec::new();
    file.take(4096).read_to_end(&mut start).ok()?;
    let (head, _) = split(&start)?;
    Some(Entry {
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
            let shelf = Shelf::open(folder.path()).expect("opens");
            shelf.put("../../etc/res\u{1b}net.json", &info("resnet18")).expect("kept").id
        };
        std::fs::write(folder.path().join("notes.txt"), "not ours").expect("written");
        let shelf = Shelf::open(folder.path()).expect("opens");
        let shelved = shelf.get(id).expect("readable").expect("kept");
        assert_eq!(shelved.name, "resnet.json");
        assert_eq!(shelf.content(id).expect("readable"), info("resnet18"));
        assert_eq!(shelf.latest(9).len(), 1);
        assert!(shelf.get(Digest::of(b"other")).expect("no failure").is_none());
    }

    #[test]
    fn what_is_no_engine_is_refused_and_not_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::open(folder.path()).expect("opens");
        let failure = shelf.put("a.json", b"{\"a\": 1}").expect_err("no layers");
        assert!(failure.to_string().contains("a.json"), "{failure}");
        assert!(failure.help.is_some());
        assert!(shelf.latest(9).is_empty());
    }

    #[test]
    fn a_damaged_file_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let id = Shelf::open(folder.path()).expect("opens").put("a", &info("lenet")).expect("kept").id;
        let path = folder.path().join(format!("{id}.engine"));
        let mut file = std::fs::read(&path).expect("there");
        let last = file.len() - 2;
        file[last] ^= 1;
        std::fs::write(&path, file).expect("written");
        let failure = Shelf::open(folder.path()).expect("opens").get(id).expect_err("damaged");
        assert!(failure.to_string().contains("does not hold"), "{failure}");
    }

    #[test]
    fn the_one_not_looked_at_for_longest_goes_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::open(folder.path()).expect("opens");
        let first = shelf.put("first", &info("lenet")).expect("kept").id;
        let second = shelf.put("second", &info("alexnet")).expect("kept").id;
        shelf.get(first).expect("readable");
        for i in 0..ENGINES - 1 {
            let one =
                format!("{{\"Layers\":[{{\"Name\":\"n{i}\",\"LayerType\":\"NoOp\",\"Inputs\":[],\"Outputs\":[]}}]}}");
            shelf.put("small", one.as_bytes()).expect("kept");
        }
        assert!(shelf.get(second).expect("no failure").is_none());
        assert!(shelf.get(first).expect("no failure").is_some());
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), ENGINES);
    }
}
