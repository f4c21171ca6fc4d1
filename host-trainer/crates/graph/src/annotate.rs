//! Notes written into an ONNX file, where viewers show them: as metadata of its nodes and of the model.

use crate::engine::broken;
use shared::failure::{Failure, Kind};
use shared::fs::write_atomic_with;
use shared::limits::GRAPH_BYTES;
use shared::protobuf::{Message, Value, Wire, WireError, header};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

/// What the keys written here begin with.
const OURS: &str = "layerjoule.";
/// `ModelProto.graph` and `ModelProto.metadata_props`, by `onnx.proto` of ONNX 1.16.
const GRAPH: u32 = 7;
const MODEL_METADATA: u32 = 14;
/// `GraphProto.node`.
const NODE: u32 = 1;
/// `NodeProto.output`, `NodeProto.name` and `NodeProto.metadata_props`.
const OUTPUT: u32 = 2;
const NAME: u32 = 3;
const NODE_METADATA: u32 = 9;

/// What is noted of a model and of its nodes: keys, which get the prefix `layerjoule.`, and values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotations {
    /// Of the model.
    pub model: Vec<(String, String)>,
    /// Of nodes, by their names; a node without one goes by its first output.
    pub nodes: HashMap<String, Vec<(String, String)>>,
}

/// Copies an ONNX file with notes, in place of those that an earlier copy got; everything else stays as it is, byte for byte. Weights
/// are copied and never held. How many nodes were found.
///
/// ```
/// use graph::{Annotations, annotate};
///
/// let folder = tempfile::tempdir().unwrap();
/// let (from, to) = (folder.path().join("a.onnx"), folder.path().join("b.onnx"));
/// // A model of one node, `relu`.
/// std::fs::write(&from, b"\x3a\x08\x0a\x06\x1a\x04relu").unwrap();
/// let note = ("runtime_ms".to_owned(), "0.5".to_owned());
/// let notes = Annotations { nodes: [("relu".to_owned(), vec![note])].into(), ..Annotations::default() };
/// assert_eq!(annotate(&from, &to, &notes)?, 1);
/// assert!(String::from_utf8_lossy(&std::fs::read(&to).unwrap()).contains("layerjoule.runtime_ms"));
/// # Ok::<(), shared::failure::Failure>(())
/// ```
///
/// # Errors
/// A file that cannot be read or is not ONNX, or one that cannot be written.
pub fn annotate(from: &Path, to: &Path, annotations: &Annotations) -> Result<usize, Failure> {
    let open = || File::open(from).map_err(|e| Failure::io(from, "read", &e));
    let file = open()?;
    let length = file.metadata().map_err(|e| Failure::io(from, "read", &e))?.len();
    let mut scan = Scan {
        wire: Wire::new(BufReader::with_capacity(1 << 16, file), GRAPH_BYTES),
        annotations,
        edits: Vec::new(),
        found: 0,
    };
    scan.model(length).map_err(|e| broken(e).default_path(from))?;
    let mut source = BufReader::with_capacity(1 << 16, open()?);
    // A failure to read would otherwise be told as one to write.
    let mut unread = None;
    let written =
        write_atomic_with(to, |out| copy(&mut source, &scan.edits, out).inspect_err(|e| unread = Some(e.kind())));
    match unread {
        Some(io::ErrorKind::UnexpectedEof) => {
            Err(Failure::new(Kind::Io, "changed while it was read").at(from).help("run the same command again"))
        }
        _ => written.map(|()| scan.found),
    }
}

/// A change of a file: bytes removed at a place, and others put there.
#[derive(Debug)]
struct Edit {
    at: u64,
    removed: u64,
    inserted: Vec<u8>,
}

/// Looks for the places of notes; changes come in the order of their places.
struct Scan<'a> {
    wire: Wire<BufReader<File>>,
    annotations: &'a Annotations,
    edits: Vec<Edit>,
    found: usize,
}

impl Scan<'_> {
    fn model(&mut self, length: u64) -> Result<(), WireError> {
        let mut graphs = 0;
        loop {
            let start = self.wire.at();
            let Some(field) = self.wire.field(length)? else { break };
            match (field.number, field.value) {
                (GRAPH, Value::Bytes(end)) => {
                    self.graph(start, end)?;
                    graphs += 1;
                }
                (MODEL_METADATA, Value::Bytes(end)) => {
                    if self.is_ours(end)? {
                        self.edits.push(Edit { at: start, removed: end - start, inserted: Vec::new() });
                    }
                }
                (_, value) => self.wire.pass(value)?,
            }
        }
        if graphs == 0 {
            return Err(WireError::Broken("has no graph", length));
        }
        let inserted = properties(MODEL_METADATA, &self.annotations.model);
        self.edits.push(Edit { at: length, removed: 0, inserted });
        Ok(())
    }

    fn graph(&mut self, start: u64, end: u64) -> Result<(), WireError> {
        let content = self.wire.at();
        // Its length is known when its nodes are.
        let head_at = self.edits.len();
        self.edits.push(Edit { at: start, removed: content - start, inserted: Vec::new() });
        let mut grown = 0;
        loop {
            let start = self.wire.at();
            let Some(field) = self.wire.field(end)? else { break };
            match (field.number, field.value) {
                (NODE, Value::Bytes(end)) => grown += self.node(start, end)?,
                (_, value) => self.wire.pass(value)?,
            }
        }
        self.edits[head_at].inserted = header(GRAPH, (end - content).saturating_add_signed(grown));
        Ok(())
    }

    /// By how many bytes the node grows.
    fn node(&mut self, start: u64, end: u64) -> Result<i64, WireError> {
        let content = self.wire.at();
        let (mut name, mut output) = (String::new(), String::new());
        let mut old = Vec::new();
        loop {
            let at = self.wire.at();
            let Some(field) = self.wire.field(end)? else { break };
            match (field.number, field.value) {
                (NAME, Value::Bytes(end)) => name = self.wire.text(end)?,
                (OUTPUT, Value::Bytes(end)) if output.is_empty() => output = self.wire.text(end)?,
                (NODE_METADATA, Value::Bytes(end)) => {
                    if self.is_ours(end)? {
                        old.push(Edit { at, removed: end - at, inserted: Vec::new() });
                    }
                }
                (_, value) => self.wire.pass(value)?,
            }
        }
        let notes = self.annotations.nodes.get(if name.is_empty() { &output } else { &name });
        self.found += usize::from(notes.is_some());
        let new = notes.map_or_else(Vec::new, |notes| properties(NODE_METADATA, notes));
        if old.is_empty() && new.is_empty() {
            return Ok(0);
        }
        let less: u64 = old.iter().map(|edit| edit.removed).sum();
        let head = header(NODE, end - content - less + new.len() as u64);
        let grown = (head.len() + new.len()) as i64 - (content - start + less) as i64;
        self.edits.push(Edit { at: start, removed: content - start, inserted: head });
        self.edits.append(&mut old);
        self.edits.push(Edit { at: end, removed: 0, inserted: new });
        Ok(grown)
    }

    /// Whether a pair of key and value that ends at `end` is one of ours. It is passed over.
    fn is_ours(&mut self, end: u64) -> Result<bool, WireError> {
        let mut ours = false;
        while let Some(field) = self.wire.field(end)? {
            match (field.number, field.value) {
                (1, Value::Bytes(end)) => ours = self.wire.text(end)?.starts_with(OURS),
                (_, value) => self.wire.pass(value)?,
            }
        }
        Ok(ours)
    }
}

/// Copies a file with changes.
fn copy(source: &mut BufReader<File>, edits: &[Edit], out: &mut (dyn Write + Send)) -> io::Result<()> {
    let mut at = 0;
    for edit in edits {
        let wanted = edit.at - at;
        if io::copy(&mut source.by_ref().take(wanted), out)? != wanted {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out.write_all(&edit.inserted)?;
        source.seek_relative(edit.removed as i64)?;
        at = edit.at + edit.removed;
    }
    Ok(())
}

/// Pairs of key and value (`StringStringEntryProto`), each a field of its own.
fn properties(field: u32, notes: &[(String, String)]) -> Vec<u8> {
    let pairs = notes.iter().fold(Message::default(), |pairs, (key, value)| {
        let key = format!("{OURS}{key}");
        pairs.message(field, &Message::default().bytes(1, key.as_bytes()).bytes(2, value.as_bytes()))
    });
    pairs.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(notes: &[(&str, &str)]) -> Vec<(String, String)> {
        notes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    /// A model with a name of its own, two nodes and a weight of 300 bytes.
    fn model() -> Vec<u8> {
        let field = |number: u32, content: &[u8]| Message::default().bytes(number, content).into_bytes();
        let conv = [field(1, b"x"), field(OUTPUT, b"y"), field(NAME, b"conv"), field(4, b"Conv")].concat();
        let relu = [field(1, b"y"), field(OUTPUT, b"z"), field(4, b"Relu")].concat();
        let weight = field(5, &[field(8, b"w"), field(9, &[7; 300])].concat());
        let graph = [field(NODE, &conv), field(2, b"net"), field(NODE, &relu), weight].concat();
        [
            vec![0x08, 0x0a],
            field(GRAPH, &graph),
            field(MODEL_METADATA, &[field(1, b"author"), field(2, b"me")].concat()),
        ]
        .concat()
    }

    fn annotated(content: &[u8], annotations: &Annotations) -> (Vec<u8>, usize) {
        let folder = tempfile::tempdir().expect("folder");
        let (from, to) = (folder.path().join("from.onnx"), folder.path().join("to.onnx"));
        std::fs::write(&from, content).expect("written");
        let found = annotate(&from, &to, annotations).expect("annotated");
        (std::fs::read(to).expect("read"), found)
    }

    #[test]
    fn notes_come_and_go_and_leave_everything_else_as_it_was() {
        let long = "x".repeat(500);
        let annotations = Annotations {
            model: notes(&[("device", "orin-nano@15W")]),
            nodes: [
                ("conv".to_owned(), notes(&[("runtime_ms", "0.5"), ("layer", &long)])),
                // It has no name.
                ("z".to_owned(), notes(&[("runtime_ms", "0.25")])),
                ("another".to_owned(), notes(&[("runtime_ms", "1")])),
            ]
            .into(),
        };
        let original = model();
        let (first, found) = annotated(&original, &annotations);
        assert_eq!(found, 2);
        let text = String::from_utf8_lossy(&first).into_owned();
        for written in ["layerjoule.device", "orin-nano@15W", "layerjoule.layer", &long, "0.25", "author"] {
            assert!(text.contains(written), "{written}");
        }
        let decoded = crate::read::decode(first.as_slice(), first.len() as u64).expect("still a model");
        assert_eq!(decoded.nodes.len(), 2);
        assert_eq!(annotated(&first, &annotations).0, first, "the same notes again change nothing");
        assert_eq!(annotated(&first, &Annotations::default()).0, original, "no notes take the old ones away");
    }

    #[test]
    fn what_is_no_model_is_refused_and_nothing_is_written() {
        let folder = tempfile::tempdir().expect("folder");
        let (from, to) = (folder.path().join("from.onnx"), folder.path().join("to.onnx"));
        for content in [&b"{}"[..], b"", &model()[..20]] {
            std::fs::write(&from, content).expect("written");
            let failure = annotate(&from, &to, &Annotations::default()).expect_err("refused");
            assert_eq!(failure.kind, Kind::Data, "{failure}");
            assert!(!to.exists());
        }
    }
}
