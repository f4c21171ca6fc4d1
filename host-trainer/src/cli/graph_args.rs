//! Options of every command that reads ONNX graphs.

use clap::Args;
use graph::{Build, Options, ResidualSilu, input_shape};

/// What is assumed of an ONNX graph, which does not say it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options for ONNX graphs")]
pub(super) struct GraphArgs {
    /// Number formats that the builder may use: fp32, fp16, bf16, int8, best.
    #[arg(long, value_name = "PRECISION", default_value_t)]
    precision: Build,
    /// Batch size: replaces the outermost extent of every input.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    #[command(flatten)]
    shapes: ShapeArgs,
}

/// Shapes of a graph's inputs, and a choice of the builder.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options for ONNX graphs")]
pub(super) struct ShapeArgs {
    /// Shape of an input, such as images=1x3x640x640. May be repeated.
    #[arg(long, value_name = "NAME=EXTENTS", value_parser = input_shape)]
    input_shape: Vec<(String, Vec<i64>)>,
    /// In 16-bit engines, leave a SiLU with the addition behind it outside the convolution, as some builds do.
    #[arg(long)]
    residual_silu_apart: bool,
}

impl GraphArgs {
    /// The settings that they stand for.
    pub(super) fn options(&self) -> Options {
        self.shapes.options(self.precision, self.batch)
    }
}

impl ShapeArgs {
    /// The settings that they stand for, with a precision and a batch size.
    pub(super) fn options(&self, precision: Build, batch: Option<u32>) -> Options {
        Options {
            precision,
            input_shapes: self.input_shape.clone(),
            batch,
            residual_silu: if self.residual_silu_apart { ResidualSilu::Apart } else { ResidualSilu::Fused },
        }
    }
}
