//! `host-trainer engine-info`: ONNX graph in, the layers that TensorRT would likely run out.

use super::graph_args::GraphArgs;
use crate::output::{figure, json, render, shorten};
use clap::{Args, ValueEnum};
use graph::{CAVEAT, EngineFromGraph, engine_info};
use shared::failure::Failure;
use shared::fs::write_atomic;
use shared::printer::Printer;
use std::path::{Path, PathBuf};

/// List the layers that TensorRT would likely make of an ONNX graph, without a device.
#[derive(Debug, Args)]
pub(super) struct EngineInfo {
    /// ONNX file. Its weights are not needed and not read.
    #[arg(value_name = "MODEL.onnx")]
    model: PathBuf,
    /// File that receives the engine info, for `predict` and every other command that reads one.
    #[arg(long, value_name = "FILE.json")]
    out: Option<PathBuf>,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: ListFormat,
    #[command(flatten)]
    graph: GraphArgs,
}

/// How the list of layers is written to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum ListFormat {
    /// A table for people.
    #[default]
    Human,
    /// The engine info as one JSON document, with `macs` of each layer and of all.
    Json,
}

impl EngineInfo {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let answer = engine_info(&self.model, &self.graph.options())?;
        match self.format {
            ListFormat::Human => printer.data(&human(&self.model, &answer))?,
            ListFormat::Json => printer.data(&json(&answer.document())?)?,
        }
        // The caveat stands in the table already.
        answer.notes.iter().skip(1).for_each(|note| printer.say(note));
        if let Some(path) = &self.out {
            write_atomic(path, answer.json.as_bytes())?;
            printer.say(format!("wrote {}", path.display()));
        }
        Ok(())
    }
}

fn human(file: &Path, answer: &EngineFromGraph) -> String {
    let millions = |macs: Option<u64>| figure(macs.map(|macs| macs as f64 / 1e6), 3);
    let rows = answer.engine.layers.iter().zip(&answer.layer_macs).map(|(layer, &macs)| {
        let shape = layer
            .outputs
            .first()
            .map_or_else(String::new, |tensor| tensor.dims.iter().map(i64::to_string).collect::<Vec<_>>().join("×"));
        vec![layer.index.to_string(), shorten(&layer.name, 60), layer.layer_type.clone(), shape, millions(macs)]
    });
    let mut text = format!("{}: {CAVEAT}\n\n", file.display());
    text.push_str(&render(&["#", "layer", "type", "output", "MMAC"], rows.collect(), 4));
    let counted = answer.engine.layers.iter().filter(|layer| !layer.kind.is_free()).count();
    text.push_str(&format!(
        "\nlayers  {}, {counted} of which cost something\nMACs    {} million\n",
        answer.engine.layers.len(),
        millions(Some(answer.macs)),
    ));
    text
}
