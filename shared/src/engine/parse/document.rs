//! Finds the layers in a text: where each stands, before anything is built from it.
//!
//! An engine info is an object with `Layers`, alone, wrapped in another object, or amid other text (a log); single
//! layers may also stand one after the other, as `IEngineInspector::getLayerInformation` prints them, or each on a line
//! of its own ([`oneline`]).

use super::error::EngineInfoError;
use super::oneline;
use super::scan::{Stop, Walk, is_blank, line_and_column};
use crate::limits;
use std::ops::Range;

/// Values in surrounding text that turned out not to be JSON, after which the search ends: a search that starts anew at
/// every bracket would take quadratic time.
const FALSE_STARTS: usize = 16;
/// Objects around the one with `Layers`.
const WRAPPERS: usize = 2;
/// Keys remembered to say what a file is that is no engine info.
const KEYS: usize = 32;

/// Where an engine info's parts stand.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// Each layer.
    pub(super) layers: Vec<Range<usize>>,
    /// Each list of bindings.
    pub(super) bindings: Vec<Range<usize>>,
    /// How many lists of layers there are.
    pub(super) engines: usize,
    /// Whether each layer is a line of text, not JSON.
    pub(super) oneline: bool,
    /// Where JSON that held layers broke off.
    pub(super) broken: Option<usize>,
    /// JSON values found.
    values: usize,
    /// Keys of the outermost objects, in case they are no engine info.
    keys: Vec<String>,
    /// Where JSON broke off that held no layer.
    false_start: Option<usize>,
    /// Whether the first member of the outermost object is a list of lists.
    nested_lists: bool,
}

/// Finds the layers of a text.
///
/// # Errors
/// Nesting too deep, too many layers, and every refusal that says what else the text is.
pub(super) fn find(text: &str) -> Result<Document, EngineInfoError> {
    let bytes = text.as_bytes();
    let mut document = Document::default();
    let mut at = 0;
    let mut false_starts = 0;
    while let Some(start) = next_start(bytes, at) {
        let mut walk = Walk::new(bytes, start);
        let layers_before = document.layers.len();
        let outcome = document.top(&mut walk);
        at = walk.at().max(start + 1);
        match outcome {
            Ok(()) => document.values += 1,
            Err(Stop::Broken(offset)) if document.layers.len() > layers_before => {
                document.broken.get_or_insert(offset);
            }
            Err(Stop::Broken(offset)) => {
                document.false_start.get_or_insert(offset);
                false_starts += 1;
                if false_starts >= FALSE_STARTS {
                    break;
                }
                at = start + 1;
            }
            Err(Stop::TooDeep(offset)) => {
                let (line, column) = line_and_column(bytes, offset);
                return Err(EngineInfoError::TooDeep { line, column });
            }
            Err(Stop::TooManyLayers) => return Err(EngineInfoError::TooManyLayers),
        }
    }
    if !document.layers.is_empty() {
        return Ok(document);
    }
    let refusal = document.refusal(bytes);
    let is_other_json = !matches!(
        refusal,
        EngineInfoError::NotJson | EngineInfoError::Broken { .. } | EngineInfoError::NotAnEngineInfo { .. }
    );
    let layers = if is_other_json { Vec::new() } else { oneline::find(text)? };
    if layers.is_empty() { Err(refusal) } else { Ok(Document { layers, oneline: true, ..Document::default() }) }
}

/// The next bracket that can start JSON of ours: an object with a key, or a list of objects, lists or strings. The
/// `[I]` and `[01/02/2024-10:00:00]` of a log are none.
fn next_start(bytes: &[u8], from: usize) -> Option<usize> {
    (from..bytes.len()).find(|&at| {
        let follow = || bytes[at + 1..].iter().copied().find(|b| !is_blank(*b));
        match bytes[at] {
            b'{' => matches!(follow(), Some(b'"' | b'}')),
            b'[' => matches!(follow(), Some(b'{' | b'[' | b'"' | b']')),
            _ => false,
        }
    })
}

impl Document {
    fn top(&mut self, walk: &mut Walk<'_>) -> Result<(), Stop> {
        match walk.peek() {
            Some(b'{') => self.object(walk, 0),
            Some(b'[') => walk.elements(|walk| match walk.peek() {
                Some(b'{') => self.object(walk, 0),
                _ => walk.value().map(drop),
            }),
            _ => walk.value().map(drop),
        }
    }

    /// An object that may be an engine, a layer, or hold an engine.
    fn object(&mut self, walk: &mut Walk<'_>, wrappers: usize) -> Result<(), Stop> {
        let start = walk.at();
        let (mut named, mut described, mut lists_layers) = (false, false, false);
        walk.members(|walk, key| {
            let first = walk.peek();
            if wrappers == 0 {
                self.remember(key, walk);
            }
            match (key, first) {
                (b"Layers" | b"layers", Some(b'[')) => {
                    lists_layers = true;
                    self.engines += 1;
                    walk.elements(|walk| {
                        let layer = walk.value()?;
                        self.push(layer)
                    })
                }
                (b"Bindings" | b"bindings", Some(b'[')) => {
                    let bindings = walk.value()?;
                    if self.bindings.len() < self.engines.max(1) {
                        self.bindings.push(bindings);
                    }
                    Ok(())
                }
                (_, Some(b'{')) if wrappers < WRAPPERS => self.object(walk, wrappers + 1),
                _ => {
                    named |= key == b"Name";
                    described |= matches!(key, b"LayerType" | b"ParameterType" | b"Inputs" | b"Outputs");
                    walk.value().map(drop)
                }
            }
        })?;
        if named && described && !lists_layers {
            self.push(start..walk.at())?;
        }
        Ok(())
    }

    fn push(&mut self, layer: Range<usize>) -> Result<(), Stop> {
        if self.layers.len() == limits::ENGINE_LAYERS {
            return Err(Stop::TooManyLayers);
        }
        self.layers.push(layer);
        Ok(())
    }

    fn remember(&mut self, key: &[u8], walk: &mut Walk<'_>) {
        if self.keys.is_empty() {
            self.nested_lists = walk.starts_with_nested_list();
        }
        let key = String::from_utf8_lossy(&key[..key.len().min(64)]);
        if self.keys.len() < KEYS && !self.keys.iter().any(|k| *k == key) {
            self.keys.push(key.into_owned());
        }
    }

    /// What a text without layers is.
    fn refusal(self, bytes: &[u8]) -> EngineInfoError {
        let has = |names: &[&str]| self.keys.iter().any(|key| names.contains(&key.as_str()));
        if self.engines > 0 && self.false_start.is_none() {
            EngineInfoError::NoLayers
        } else if has(&["averageMs", "timeMs", "percentage"]) {
            EngineInfoError::Profile
        } else if has(&["startEnqMs", "endEnqMs", "startComputeMs", "computeMs"]) {
            EngineInfoError::Times
        } else if has(&["values"]) && has(&["dimensions"]) {
            EngineInfoError::Outputs
        } else if has(&[
            "device_information",
            "performance_summary",
            "model_options",
            "build_options",
            "ComputeCapability",
        ]) {
            EngineInfoError::Metadata
        } else if self.nested_lists {
            EngineInfoError::Latencies
        } else if self.values > 0 && self.engines == 0 {
            EngineInfoError::NotAnEngineInfo { keys: self.keys.into_iter().take(5).collect() }
        } else if let Some(offset) = self.false_start {
            let (line, column) = line_and_column(bytes, offset);
            EngineInfoError::Broken { line, column }
        } else {
            EngineInfoError::NotJson
        }
    }
}
