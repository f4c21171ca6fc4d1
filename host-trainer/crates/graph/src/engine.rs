//! From an ONNX file to an engine info.

use crate::emit::{Written, layers};
use crate::fuse::fuse;
use crate::infer::{Refusal, Wanted, infer, node_name};
use crate::network::network;
use crate::options::{Build, Options};
use crate::read::{Model, decode};
use serde_json::{Value, json};
use shared::engine::Engine;
use shared::failure::{Failure, Kind};
use shared::protobuf::WireError;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// What every answer from a graph says.
pub const CAVEAT: &str = "layers as TensorRT would likely fuse them; the board may choose otherwise";

/// The layers that TensorRT would likely make of a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineFromGraph {
    /// The engine info, in the form that TensorRT's inspector writes.
    pub json: String,
    /// The same, read.
    pub engine: Engine,
    /// Multiply-accumulates of each layer, in the order of the engine's; none where they are not known.
    pub layer_macs: Vec<Option<u64>>,
    /// For each layer, whether it lies in a region that TensorRT may compile as one opaque layer.
    pub opaque: Vec<bool>,
    /// Multiply-accumulates of all layers for which they are known.
    pub macs: u64,
    /// Those of them in regions that TensorRT may compile as one opaque layer (Myelin).
    pub opaque_macs: u64,
    /// Operators whose work is not known, by node.
    pub unknown: Vec<String>,
    /// Whether layers compute in 8-bit integers.
    pub is_quantized: bool,
    /// What a reader should know of this answer, [`CAVEAT`] first.
    pub notes: Vec<String>,
}

impl EngineFromGraph {
    /// The share of multiply-accumulates in regions that TensorRT may compile as one opaque layer; 0 for a graph without any.
    #[must_use]
    pub fn opaque_share(&self) -> f64 {
        if self.macs == 0 { 0.0 } else { self.opaque_macs as f64 / self.macs as f64 }
    }

    /// The engine info with the multiply-accumulates of each layer (`macs`) and of all, and the notes, as one JSON document. It is
    /// still an engine info: what reads one passes over the further members.
    #[must_use]
    pub fn document(&self) -> Value {
        let mut document: Value = serde_json::from_str(&self.json).unwrap_or_default();
        if let Some(layers) = document.get_mut("Layers").and_then(Value::as_array_mut) {
            for ((layer, macs), opaque) in layers.iter_mut().zip(&self.layer_macs).zip(&self.opaque) {
                layer["macs"] = json!(macs);
                layer["opaque"] = json!(opaque);
            }
        }
        document["macs"] = json!(self.macs);
        document["opaque_macs"] = json!(self.opaque_macs);
        document["unknown"] = json!(self.unknown);
        document["notes"] = json!(self.notes);
        document
    }
}

/// Reads a graph from a file. Weights are passed over, so that time and memory do not grow with them.
///
/// # Errors
/// A file that cannot be read or is not ONNX, control flow, inputs with open extents, shapes that contradict each other, and
/// whatever exceeds [`shared::limits`].
pub fn engine_info(path: &Path, options: &Options) -> Result<EngineFromGraph, Failure> {
    let file = File::open(path).map_err(|e| Failure::io(path, "read", &e))?;
    let metadata = file.metadata().map_err(|e| Failure::io(path, "read", &e))?;
    if metadata.is_dir() {
        return Err(Failure::new(Kind::Io, "is a folder, not a file").at(path));
    }
    let model = decode(BufReader::with_capacity(1 << 16, file), metadata.len());
    from_model(model, options).map_err(|failure| failure.default_path(path))
}

/// As [`engine_info`], of a file's content.
///
/// ```
/// let failure = graph::engine_info_of(b"not a graph", &graph::Options::default()).unwrap_err();
/// assert!(failure.to_string().contains("is not an ONNX model"), "{failure}");
/// ```
///
/// # Errors
/// As [`engine_info`].
pub fn engine_info_of(content: &[u8], options: &Options) -> Result<EngineFromGraph, Failure> {
    from_model(decode(content, content.len() as u64), options)
}

fn from_model(model: Result<Model, WireError>, options: &Options) -> Result<EngineFromGraph, Failure> {
    let model = model.map_err(broken)?;
    if model.nodes.is_empty() {
        return Err(Failure::data("has a graph without operators"));
    }
    let wanted = Wanted { shapes: &options.input_shapes, batch: options.batch.map(i64::from) };
    let functions = model.functions.clone();
    let shaped = infer(model, &wanted).map_err(refused)?;
    let open: Vec<String> = shaped.open.iter().map(|&index| node_name(&shaped.model, index)).collect();
    let network = network(shaped);
    if network.ops.is_empty() {
        return Err(Failure::data("has a graph whose outputs do not depend on its inputs"));
    }
    let fused = fuse(&network, options);
    let written = layers(&network, &fused, options);
    let mut bindings: Vec<String> =
        network.shaped.inputs.iter().map(|&id| network.model().name(id).to_owned()).collect();
    bindings.extend(network.model().outputs.iter().map(|output| network.model().name(output.tensor).to_owned()));
    let unknown: Vec<String> = (0..network.ops.len())
        .filter(|&op| crate::network::macs(&network, op).is_none())
        .map(|op| format!("{} ({})", network.names(op).first().cloned().unwrap_or_default(), network.node(op).operator))
        .collect();
    let quantized = network.is_quantized;
    let mut engine = finish(written, &bindings, unknown)?;
    engine.is_quantized = quantized || options.precision == Build::Int8;
    engine.notes = notes(&engine, options, quantized, &functions, &open);
    Ok(engine)
}

fn finish(written: Vec<Written>, bindings: &[String], unknown: Vec<String>) -> Result<EngineFromGraph, Failure> {
    let layer_macs: Vec<Option<u64>> = written.iter().map(|layer| layer.macs).collect();
    let sum = |only_opaque: bool| {
        let counted = written.iter().filter(|layer| !only_opaque || layer.is_opaque);
        counted.filter_map(|layer| layer.macs).fold(0_u64, u64::saturating_add)
    };
    let (macs, opaque_macs) = (sum(false), sum(true));
    let opaque: Vec<bool> = written.iter().map(|layer| layer.is_opaque).collect();
    let layers: Vec<Value> = written.into_iter().map(|layer| Value::Object(layer.json)).collect();
    let json = json!({"Layers": layers, "Bindings": bindings}).to_string();
    let (engine, _) = shared::engine::parse(json.as_bytes())
        .map_err(|e| Failure::data("has too many or too large layers to be listed").caused_by(e))?;
    Ok(EngineFromGraph {
        json,
        engine,
        layer_macs,
        opaque,
        macs,
        opaque_macs,
        unknown,
        is_quantized: false,
        notes: Vec::new(),
    })
}

/// Most names that a note lists.
const NAMED: usize = 5;

fn some(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > NAMED { format!("{shown} and {} more", names.len() - NAMED) } else { shown }
}

fn notes(
    engine: &EngineFromGraph,
    options: &Options,
    quantized: bool,
    functions: &[String],
    open: &[String],
) -> Vec<String> {
    let mut notes = vec![CAVEAT.to_owned()];
    notes.push(format!(
        "{:.1} % of the multiply-accumulates lie in regions that TensorRT may compile as one opaque layer",
        100.0 * engine.opaque_share()
    ));
    if !engine.unknown.is_empty() {
        notes.push(format!("the work of {} is not known", some(&engine.unknown)));
    }
    if !open.is_empty() {
        notes.push(format!("the shapes behind {} are not known", some(open)));
    }
    if !functions.is_empty() {
        notes.push(format!("the model defines operators of its own, which are not taken apart: {}", some(functions)));
    }
    if options.precision == Build::Int8 && !quantized {
        notes.push(
            "the graph has no Q/DQ nodes: 8-bit integers are assumed wherever convolutions and dense layers allow them"
                .into(),
        );
    }
    notes
}

pub(crate) fn broken(error: WireError) -> Failure {
    match error {
        WireError::Io(error) => Failure::new(Kind::Io, format!("cannot read: {error}")).caused_by(error),
        WireError::Broken(what, at) => Failure::data(format!("is not an ONNX model, or is damaged: it {what}"))
            .place(format!("byte {at}"))
            .help("export the model again, or compare its size with that of the original"),
        WireError::TooMuch(what, limit) => Failure::data(format!("has more {what} than the {limit} that are read"))
            .help("export the part of the model that runs on the board"),
    }
}

fn refused(refusal: Refusal) -> Failure {
    let failure = if refusal.is_usage { Failure::usage(refusal.message) } else { Failure::data(refusal.message) };
    let failure = match refusal.place {
        Some(place) => failure.place(place),
        None => failure,
    };
    match refusal.help {
        Some(help) => failure.help(help),
        None => failure,
    }
}
