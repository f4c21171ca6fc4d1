//! Whatever describes an engine: an engine info, or an ONNX graph from which one is derived.

use crate::correction::{Correction, LayoutChanges, either_way, of_products};
use crate::engine::{EngineFromGraph, engine_info, engine_info_of};
use crate::options::Options;
use shared::engine::{Diagnostic, Engine};
use shared::failure::Failure;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// An engine, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenedEngine {
    /// The layers.
    pub engine: Engine,
    /// What was unexpected in an engine info; empty for a graph.
    pub diagnostics: Vec<Diagnostic>,
    /// What is said of an engine that was derived from a graph; none for an engine info.
    pub graph: Option<GraphOrigin>,
}

/// What is said of an engine that was derived from a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphOrigin {
    /// Share of the multiply-accumulates in regions that TensorRT may compile as one opaque layer, 0 to 1.
    pub opaque_share: f64,
    /// For each layer, whether it lies in such a region.
    pub opaque: Vec<bool>,
    /// Layout changes between kernels, which the list lacks.
    pub layout_changes: LayoutChanges,
    /// What a reader should know, [`CAVEAT`](crate::CAVEAT) first.
    pub notes: Vec<String>,
}

impl GraphOrigin {
    /// Which share of a run time lies in regions that TensorRT may compile as one opaque layer, given each layer's time, by index;
    /// none where no layer has a time.
    #[must_use]
    pub fn opaque_time_share(&self, times: impl IntoIterator<Item = (usize, f64)>) -> Option<f64> {
        let (mut all, mut opaque) = (0.0, 0.0);
        for (index, time) in times {
            all += time;
            if self.opaque.get(index).copied().unwrap_or(false) {
                opaque += time;
            }
        }
        (all > 0.0).then(|| opaque / all)
    }

    /// The notes, with what they mean for a predicted run time, given each layer's time in ms, by index.
    #[must_use]
    pub fn remarks(&self, times: impl IntoIterator<Item = (usize, f64)>) -> Vec<String> {
        let mut remarks = self.notes.clone();
        if let Some(share) = self.opaque_time_share(times) {
            let place = remarks.len().min(2);
            remarks.insert(place, format!("{:.1} % of the predicted run time lies in such regions", 100.0 * share));
        }
        remarks
    }

    /// What a predicted run time, ms, may lack or have too much of, since a graph does not tell it. `total` gives the run time that
    /// is predicted for an engine, ms, or none where it is not known as a whole; it is asked for variants of the engine if 1×1
    /// convolutions may run either way.
    ///
    /// # Errors
    /// What `total` returns.
    pub fn corrections<E>(
        &self,
        engine: &Engine,
        listed_ms: f64,
        total: impl Fn(&Engine) -> Result<Option<f64>, E>,
    ) -> Result<Vec<Correction>, E> {
        let mut corrections = vec![self.layout_changes.added_to(listed_ms)];
        if let Some([convolutions, products]) = either_way(engine)
            && let (Some(first), Some(second)) = (total(&convolutions)?, total(&products)?)
        {
            corrections.push(of_products(listed_ms, [first, second]));
        }
        Ok(corrections)
    }
}

/// Whether a file is an ONNX graph: by its name, else by its first byte, with which no engine info begins.
///
/// # Errors
/// A file that cannot be read.
pub fn is_onnx(path: &Path) -> Result<bool, Failure> {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx")) {
        return Ok(true);
    }
    if path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json") || extension.eq_ignore_ascii_case("txt"))
    {
        return Ok(false);
    }
    let mut first = [0];
    let mut file = File::open(path).map_err(|e| Failure::io(path, "read", &e))?;
    let read = file.read(&mut first).map_err(|e| Failure::io(path, "read", &e))?;
    Ok(read == 1 && is_onnx_content(&first))
}

/// Whether a content begins as an ONNX graph does: with the number of its format, the first field.
#[must_use]
pub fn is_onnx_content(content: &[u8]) -> bool {
    content.first() == Some(&0x08)
}

/// Reads an engine from a file: an engine info in any dialect, or an ONNX graph, to which the options apply.
///
/// ```
/// use graph::{Options, read_engine};
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("engine.json");
/// std::fs::write(&path, r#"{"Layers": [{"Name": "relu", "LayerType": "PointWiseV2", "Inputs": [], "Outputs": []}]}"#).unwrap();
/// let opened = read_engine(&path, &Options::default())?;
/// assert_eq!((opened.engine.layers.len(), opened.graph), (1, None));
/// # Ok::<(), shared::failure::Failure>(())
/// ```
///
/// # Errors
/// What `shared::engine::read` and [`engine_info`] refuse.
pub fn read_engine(path: &Path, options: &Options) -> Result<OpenedEngine, Failure> {
    if is_onnx(path)? {
        return engine_info(path, options).map(opened);
    }
    let (engine, diagnostics) = shared::engine::read(path)?;
    Ok(OpenedEngine { engine, diagnostics, graph: None })
}

/// As [`read_engine`], of a graph's content.
///
/// # Errors
/// As [`engine_info_of`].
pub fn read_graph(content: &[u8], options: &Options) -> Result<OpenedEngine, Failure> {
    engine_info_of(content, options).map(opened)
}

fn opened(answer: EngineFromGraph) -> OpenedEngine {
    let origin = GraphOrigin {
        opaque_share: answer.opaque_share(),
        opaque: answer.opaque,
        layout_changes: LayoutChanges::of(answer.is_quantized),
        notes: answer.notes,
    };
    OpenedEngine { engine: answer.engine, diagnostics: Vec::new(), graph: Some(origin) }
}
