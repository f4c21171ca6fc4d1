//! Why a file holds no layer information at all.

use crate::failure::Failure;
use crate::limits;
use std::path::PathBuf;

/// What an engine info is asked for with, for every refusal whose cure is a new export.
const EXPORT: &str = "build and export again with `trtexec --profilingVerbosity=detailed --exportLayerInfo=FILE.json …`; \
     in Python set `config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED` before building and write \
     `engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON)`; \
     with Torch-TensorRT compile with `debug=True`, or in a `torch_tensorrt.dynamo.Debugger`";

/// Which file to give, for every refusal of one that is something else.
const GIVE: &str = "give the JSON that `trtexec --exportLayerInfo=FILE.json` or TensorRT's engine inspector wrote";

/// Why a file holds no layer information at all. Its text completes "FILE …"; [`EngineInfoError::help`] names the next
/// step and [`EngineInfoError::place`] where in the file it went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineInfoError {
    /// Nothing but white space.
    #[error("is empty")]
    Empty,
    /// Text without JSON in it.
    #[error("is not JSON and holds no engine info")]
    NotJson,
    /// JSON that ends or breaks before its first layer.
    #[error("is JSON that breaks off before its first layer")]
    Broken {
        /// Line, from 1.
        line: usize,
        /// Column, from 1, in bytes.
        column: usize,
    },
    /// Layers, but only their names: the engine was built without detailed verbosity.
    #[error("lists the names of {layers} layers and nothing else about them")]
    NamesOnly {
        /// How many names it lists.
        layers: usize,
    },
    /// An engine without layers: built with no verbosity at all, or with nothing in it.
    #[error("lists no layers")]
    NoLayers,
    /// `Layers` holds nothing that describes a layer.
    #[error("lists {layers} layers, none of which can be read")]
    Unreadable {
        /// How many entries `Layers` has.
        layers: usize,
    },
    /// The times that `trtexec --exportProfile` writes for each layer.
    #[error("is a profile (layer times), not an engine info")]
    Profile,
    /// The times that `trtexec --exportTimes` writes for each inference.
    #[error("holds inference times, not an engine info")]
    Times,
    /// The tensors that `trtexec --exportOutput` writes.
    #[error("holds output tensors, not an engine info")]
    Outputs,
    /// Metadata of a build or a profile, as the engine explorer keeps them.
    #[error("is build or profiling metadata, not an engine info")]
    Metadata,
    /// The layer latencies of a run folder.
    #[error("holds layer latencies, not an engine info")]
    Latencies,
    /// Some other JSON.
    #[error("is JSON without `Layers`{}", found(.keys))]
    NotAnEngineInfo {
        /// The first keys it has.
        keys: Vec<String>,
    },
    /// An ONNX model.
    #[error("is an ONNX model, not an engine info")]
    OnnxModel,
    /// A serialised TensorRT engine.
    #[error("is a TensorRT engine, not its description")]
    EngineBinary,
    /// Something else that is no text.
    #[error("is not a text file{}", what.map(|w| format!(" ({w})")).unwrap_or_default())]
    Binary {
        /// What it is, where its first bytes tell.
        what: Option<&'static str>,
    },
    /// Larger than [`limits::ENGINE_INFO_BYTES`].
    #[error("is larger than the {} MiB that are read", limits::ENGINE_INFO_BYTES >> 20)]
    TooLarge,
    /// Nested deeper than [`limits::ENGINE_INFO_DEPTH`].
    #[error("is nested deeper than {} levels", limits::ENGINE_INFO_DEPTH)]
    TooDeep {
        /// Line, from 1.
        line: usize,
        /// Column, from 1, in bytes.
        column: usize,
    },
    /// More layers than [`limits::ENGINE_LAYERS`].
    #[error("lists more than {} layers", limits::ENGINE_LAYERS)]
    TooManyLayers,
    /// More tensors than [`limits::ENGINE_TENSORS`].
    #[error("lists more than {} tensors", limits::ENGINE_TENSORS)]
    TooManyTensors,
}

fn found(keys: &[String]) -> String {
    if keys.is_empty() { String::new() } else { format!("; it has `{}`", keys.join("`, `")) }
}

impl EngineInfoError {
    /// The failure of a file, with its place and the next step.
    pub fn failure(&self, at: impl Into<PathBuf>) -> Failure {
        let failure = Failure::data(self.to_string()).at(at).help(self.help());
        match self.place() {
            Some(place) => failure.place(place),
            None => failure,
        }
    }

    /// The next step.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::NamesOnly { .. } => {
                format!("the engine was built without the option `--profilingVerbosity=detailed`: {EXPORT}")
            }
            Self::NoLayers => format!("the engine was built with `--profilingVerbosity=none`, or is empty: {EXPORT}"),
            Self::Empty
            | Self::NotJson
            | Self::Unreadable { .. }
            | Self::NotAnEngineInfo { .. }
            | Self::Binary { .. } => GIVE.into(),
            Self::Broken { .. } => "the file is cut off or damaged; copy or export it again".into(),
            Self::Profile => {
                "give the file that `--exportLayerInfo` wrote; this one comes from `--exportProfile`".into()
            }
            Self::Times => "give the file that `--exportLayerInfo` wrote; this one comes from `--exportTimes`".into(),
            Self::Outputs => {
                "give the file that `--exportLayerInfo` wrote; this one comes from `--exportOutput`".into()
            }
            Self::Metadata => {
                "give the file that `--exportLayerInfo` wrote (the engine explorer names it `*.graph.json`)".into()
            }
            Self::Latencies => "give `trt_engine_info.json`, which lies beside it in the run folder".into(),
            Self::OnnxModel => {
                "build it first: `trtexec --onnx=MODEL.onnx --profilingVerbosity=detailed --exportLayerInfo=FILE.json`"
                    .into()
            }
            Self::EngineBinary => {
                "export its description: `trtexec --loadEngine=FILE.engine --exportLayerInfo=FILE.json --skipInference` \
                 (the engine must have been built with `--profilingVerbosity=detailed`)"
                    .into()
            }
            Self::TooLarge | Self::TooDeep { .. } | Self::TooManyLayers | Self::TooManyTensors => {
                "no engine info of TensorRT comes near this; check that it is the right file".into()
            }
        }
    }

    /// Where in the file, if it is one place.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        match self {
            Self::Broken { line, column } | Self::TooDeep { line, column } => {
                Some(format!("line {line}, column {column}"))
            }
            _ => None,
        }
    }
}
