//! The total parser: whatever layers a file holds, and a list of what was unexpected in it.
//!
//! The text is walked before anything is built from it ([`document`], [`scan`]), so that size, depth and number of
//! layers are refused before they cost memory; then each layer is read alone ([`layer`], [`fields`]), so that a broken
//! one costs itself only.

mod batch;
mod diagnostic;
mod document;
mod error;
mod fields;
mod json;
mod layer;
mod names;
mod notes;
mod oneline;
mod scan;

pub use batch::{Batch, BatchEngine, BatchError, Budgets, batch};
pub use diagnostic::Diagnostic;
pub use error::EngineInfoError;
pub use layer::named;

use super::kind::LayerKind;
use super::layer::{Engine, Layer, Weights};
use crate::failure::Failure;
use crate::fs::read_capped;
use crate::limits;
use crate::text;
use json::{Field, Json};
use notes::Notes;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

/// Parses an engine info of any dialect.
///
/// ```
/// use shared::engine::LayerKind;
///
/// let info = br#"{"Layers": [{"Name": "relu1", "LayerType": "PointWiseV2",
///     "Inputs": [{"Name": "a", "Dimensions": [1, 64, 56, 56], "Format/Datatype": "Half"}],
///     "Outputs": [{"Name": "b", "Dimensions": [1, 64, 56, 56]}]}]}"#;
/// let (engine, diagnostics) = shared::engine::parse(info)?;
/// assert_eq!(engine.layers[0].kind, LayerKind::Pointwise);
/// assert!(diagnostics.is_empty());
/// # Ok::<(), shared::engine::EngineInfoError>(())
/// ```
///
/// # Errors
/// Only what holds no layer information at all; everything else becomes a diagnostic.
pub fn parse(content: &[u8]) -> Result<(Engine, Vec<Diagnostic>), EngineInfoError> {
    if content.len() as u64 > limits::ENGINE_INFO_BYTES {
        return Err(EngineInfoError::TooLarge);
    }
    let mut notes = Notes::default();
    let text = decode(content, &mut notes)?;
    let document = document::find(&text)?;
    let mut engine = read_engine(&text, &document, &mut notes)?;
    if document.engines > 1 {
        notes.file(format!("holds {} engines; their layers are listed one after the other", document.engines));
    }
    if let Some(offset) = document.broken {
        let (line, column) = scan::line_and_column(text.as_bytes(), offset);
        let read = engine.layers.len();
        notes.file(format!("breaks off at line {line}, column {column}; the {read} layers before it are read"));
    }
    assign_profiles(&mut engine);
    name_constant_operands(&mut engine);
    note_repeated_names(&engine, &mut notes);
    note_dynamic_dimensions(&engine, &mut notes);
    Ok((engine, notes.finish()))
}

/// Reads and parses an engine-info file.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("empty.json");
/// std::fs::write(&path, "{}")?;
/// let failure = shared::engine::read(&path).expect_err("no layers");
/// assert!(failure.to_string().contains("empty.json"));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// As [`parse`], with the file named, and whatever keeps the file from being read.
pub fn read(path: &Path) -> Result<(Engine, Vec<Diagnostic>), Failure> {
    if std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() > limits::ENGINE_INFO_BYTES) {
        // Mostly it is the serialised engine, and its first bytes say so.
        let mut head = Vec::new();
        let file = File::open(path).map_err(|e| Failure::io(path, "read", &e))?;
        file.take(HEAD as u64).read_to_end(&mut head).map_err(|e| Failure::io(path, "read", &e))?;
        let error = refuse_binary(&head).err().unwrap_or(EngineInfoError::TooLarge);
        return Err(error.failure(path));
    }
    let content = read_capped(path, limits::ENGINE_INFO_BYTES)?;
    parse(&content).map_err(|error| error.failure(path))
}

/// The content as text.
fn decode<'a>(content: &'a [u8], notes: &mut Notes) -> Result<Cow<'a, str>, EngineInfoError> {
    refuse_binary(content)?;
    let text::Decoded { text, encoding, foreign } = text::decode(content);
    if let Some(sentence) = foreign.sentence(encoding) {
        notes.file(sentence);
    }
    if text.trim().is_empty() {
        return Err(EngineInfoError::Empty);
    }
    // `json.dump` of what TensorRT returned, which is a string already, makes JSON in a JSON string.
    if text.trim_start().starts_with('"')
        && let Ok(inner) = text::json::from_str::<String>(&text)
    {
        return Ok(Cow::Owned(inner));
    }
    Ok(text)
}

/// Bytes at the beginning of a file that show what it is.
const HEAD: usize = 4096;
/// Of the characters at the beginning of a text, the share that may be control characters or no characters at all: names
/// padded with U+0000 are text, and a third of any binary file is neither.
const TEXT_HAS_LESS: usize = 3;

/// Refuses what is no text. A serialised engine starts with `ftrt` or `ptrt`, after a length and JSON in the files of
/// one popular exporter; an ONNX model is a protobuf whose first field is its small IR version.
fn refuse_binary(content: &[u8]) -> Result<(), EngineInfoError> {
    let head = &content[..content.len().min(HEAD)];
    let is_control = |byte: u8| byte < b' ' && !matches!(byte, b'\t' | b'\n' | 0x0c | b'\r' | 0x1b | 0x1e | 0x1f);
    if text::Encoding::of(content).1 > 0 || !(std::str::from_utf8(head).is_err() || head.iter().any(|&b| is_control(b)))
    {
        return Ok(());
    }
    let has_engine = || head.windows(4).any(|window| window == b"ftrt" || window == b"ptrt");
    let known = match head {
        [0x08, 1..=30, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42, ..] => Some(EngineInfoError::OnnxModel),
        [b'P', b'K', 3, 4, ..] => Some(EngineInfoError::Binary { what: Some("a ZIP archive or PyTorch model") }),
        [0x1f, 0x8b, ..] => Some(EngineInfoError::Binary { what: Some("gzip-compressed") }),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(EngineInfoError::Binary { what: Some("zstd-compressed") }),
        [0x7f, b'E', b'L', b'F', ..] => Some(EngineInfoError::Binary { what: Some("a program or library") }),
        [0x80, 2..=5, ..] => Some(EngineInfoError::Binary { what: Some("a Python pickle") }),
        [b'S', b'Q', b'L', b'i', b't', b'e', b' ', ..] => {
            Some(EngineInfoError::Binary { what: Some("a SQLite database") })
        }
        [b'f' | b'p', b't', b'r', b't', ..] => Some(EngineInfoError::EngineBinary),
        _ => None,
    };
    let is_text = || {
        let decoded = text::decode(head);
        // Binary formats begin with numbers, of which some byte is zero or no text.
        let begins = decoded.text.bytes().take(4).all(|byte| byte != 0);
        let no_text = |c: &char| *c == char::REPLACEMENT_CHARACTER || u8::try_from(*c).is_ok_and(is_control);
        let strange = decoded.text.chars().filter(no_text).count();
        begins && strange * TEXT_HAS_LESS <= decoded.text.chars().count()
    };
    match known {
        Some(refusal) => Err(refusal),
        None if is_text() => Ok(()),
        None if has_engine() => Err(EngineInfoError::EngineBinary),
        None => Err(EngineInfoError::Binary { what: None }),
    }
}

fn read_engine(text: &str, document: &document::Document, notes: &mut Notes) -> Result<Engine, EngineInfoError> {
    let mut engine = Engine::default();
    let (mut named_only, mut tensors) = (0, 0);
    for (index, range) in document.layers.iter().enumerate() {
        let layer = match read_value(text, range, index, document.oneline, notes) {
            Some(Json::Object(object)) => {
                named_only += usize::from(!layer::is_described(&object) && object.contains(Field::Name));
                layer::read(index, &object, notes)
            }
            Some(Json::String(name)) => {
                named_only += 1;
                notes.layer(index, &name, None, "is only a name; nothing else is known about this layer".into());
                layer::named(index, name.into_owned())
            }
            Some(_) => {
                notes.layer(index, "", None, "is neither an object nor a name and is left out".into());
                continue;
            }
            None => continue,
        };
        tensors += layer.inputs.len() + layer.outputs.len();
        if tensors > limits::ENGINE_TENSORS {
            return Err(EngineInfoError::TooManyTensors);
        }
        engine.layers.push(layer);
    }
    let layers = document.layers.len();
    if engine.layers.is_empty() {
        return Err(EngineInfoError::Unreadable { layers });
    }
    if named_only == engine.layers.len() {
        return Err(EngineInfoError::NamesOnly { layers });
    }
    if document.oneline {
        engine.bindings = oneline::bindings(text);
    }
    for range in &document.bindings {
        read_bindings(&text[range.clone()], &mut engine.bindings, notes);
    }
    Ok(engine)
}

/// A layer's JSON; none, and a note, where it cannot be read.
fn read_value<'a>(
    text: &'a str,
    range: &Range<usize>,
    index: usize,
    oneline: bool,
    notes: &mut Notes,
) -> Option<Json<'a>> {
    if range.len() > limits::ENGINE_LAYER_BYTES {
        let message = format!("is larger than the {} MiB that are read of a layer", limits::ENGINE_LAYER_BYTES >> 20);
        notes.layer(index, "", None, message);
        return None;
    }
    let json = &text[range.clone()];
    if oneline {
        return Some(oneline::layer(json).into());
    }
    // What was put right is read into values of its own, which need nothing of its text.
    let mut repaired = || {
        let value = text::json::from_str::<Value>(json)?;
        layer::note_control_characters(index, &value, notes);
        Ok(Json::from(value))
    };
    match serde_json::from_str(json).or_else(|error| repaired().map_err(|_: serde_json::Error| error)) {
        Ok(value) => Some(value),
        Err(error) => {
            notes.layer(index, "", None, format!("is not valid JSON and is left out ({error})"));
            None
        }
    }
}

fn read_bindings(json: &str, bindings: &mut Vec<String>, notes: &mut Notes) {
    if json.len() > limits::ENGINE_LAYER_BYTES {
        notes.file("has `Bindings` too long to be read".into());
        return;
    }
    match text::json::from_str::<Vec<Value>>(json) {
        Ok(list) => {
            for value in list {
                match value {
                    Value::String(name) => bindings.push(name),
                    Value::Object(object) if object.get("Name").is_some_and(Value::is_string) => {
                        bindings.extend(object["Name"].as_str().map(str::to_owned));
                    }
                    _ => notes.file("has a binding that is not a name".into()),
                }
            }
        }
        Err(error) => notes.file(format!("has `Bindings` that cannot be read ({error})")),
    }
}

/// TensorRT suffixes the names of every profile but the first.
fn assign_profiles(engine: &mut Engine) {
    if engine.layers.iter().any(|layer| layer.profile.is_some()) {
        for layer in &mut engine.layers {
            layer.profile.get_or_insert(0);
        }
    }
}

/// Myelin lists the weights of a `gemm` among its inputs. An operand that no layer writes and that is no input of the
/// engine is a constant. With two operands that are none, the layer multiplies activations.
fn name_constant_operands(engine: &mut Engine) {
    let needs = |layer: &Layer| layer.kind == LayerKind::Dense && layer.weights.is_none() && layer.inputs.len() > 1;
    if !engine.layers.iter().any(needs) {
        return;
    }
    let written = engine.layers.iter().flat_map(|l| &l.outputs).map(|t| t.name.as_str());
    let variable: HashSet<&str> = written.chain(engine.bindings.iter().map(String::as_str)).collect();
    let is_constant = |name: &str| !variable.contains(name);
    let found: Vec<(usize, Option<Weights>, Option<Weights>, bool)> = engine
        .layers
        .iter()
        .enumerate()
        .filter(|(_, layer)| needs(layer))
        .map(|(position, layer)| {
            let constant = |operand: Option<usize>| {
                let tensor = &layer.inputs[operand?];
                is_constant(&tensor.name).then(|| Weights { precision: tensor.precision, count: tensor.elements() })
            };
            let operand = layer.second_operand();
            let weights = constant(operand);
            (position, weights, weights.and_then(|_| constant(layer.addend())), weights.is_none() && operand.is_some())
        })
        .collect();
    for (position, weights, bias, is_product) in found {
        let layer = &mut engine.layers[position];
        layer.weights = weights;
        layer.bias = layer.bias.or(bias);
        if is_product {
            layer.kind = LayerKind::MatrixProduct;
        }
    }
}

fn note_repeated_names(engine: &Engine, notes: &mut Notes) {
    let mut seen: HashMap<&str, (usize, usize)> = HashMap::new();
    for layer in &engine.layers {
        seen.entry(&layer.name).and_modify(|(_, count)| *count += 1).or_insert((layer.index, 1));
    }
    let mut repeated: Vec<_> = seen.into_iter().filter(|(_, (_, count))| *count > 1).collect();
    repeated.sort_unstable_by_key(|&(_, (first, _))| first);
    for (name, (first, count)) in repeated {
        notes.layer(
            first,
            name,
            Some("Name"),
            format!("is the name of {count} layers; only their places tell them apart"),
        );
    }
}

fn note_dynamic_dimensions(engine: &Engine, notes: &mut Notes) {
    let is_dynamic = |layer: &&Layer| layer.inputs.iter().chain(&layer.outputs).any(|t| t.dims.contains(&-1));
    let count = engine.layers.iter().filter(is_dynamic).count();
    if let Some(first) = engine.layers.iter().find(is_dynamic) {
        let message = format!(
            "has dimensions known only at run time (-1), as {count} layers here have; each counts as 1, so work and \
             bytes are too small (build with fixed shapes, or inspect the engine with an execution context)"
        );
        notes.layer(first.index, &first.name, Some("Dimensions"), message);
    }
}
