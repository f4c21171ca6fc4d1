//! From a layer of an engine to a row of a training table.

use super::columns::Shape;
use serde::{Deserialize, Serialize};
use shared::engine::{Layer, LayerKind, Table, Tensor};

/// How layers are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub struct Extraction {
    /// Read layers as the reference does: by TensorRT's layer type alone, so that only `CaskConvolution`, `CaskPooling`
    /// and `CaskGemmConvolution` have a row, and with a pooling's window taken to be its whole input wherever no
    /// `Kernel` field stands (always).
    pub reference_compatible: bool,
}

/// Why a layer has no row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoRow {
    /// No table describes layers of its kind.
    #[error("no table describes layers of type {0}")]
    NoTable(String),
    /// A dimension or parameter that its table needs is missing.
    #[error("the engine info does not tell its {0}")]
    Missing(&'static str),
    /// Its tensors have other ranks than its table describes.
    #[error("its table describes two spatial axes, and it has {0}")]
    Rank(usize),
}

/// Reads a layer's row.
///
/// # Errors
/// When no table describes the layer or the engine info tells too little.
pub fn extract(layer: &Layer, how: Extraction) -> Result<Shape, NoRow> {
    let table = table_of(layer, how).ok_or_else(|| NoRow::NoTable(layer.layer_type.clone()))?;
    let values = match table {
        Table::Convolutional => convolution(layer)?,
        Table::Pooling => pooling(layer, how)?,
        Table::Dense => dense(layer)?,
        _ => sizes(layer)?,
    };
    Ok(Shape { table, values, precision: layer.precision() })
}

fn table_of(layer: &Layer, how: Extraction) -> Option<Table> {
    if how.reference_compatible {
        return match layer.layer_type.as_str() {
            "CaskConvolution" => Some(Table::Convolutional),
            "CaskPooling" => Some(Table::Pooling),
            "CaskGemmConvolution" => Some(Table::Dense),
            _ => None,
        };
    }
    layer.kind.table()
}

/// Batch, channels, height, width of an image tensor. Three dimensions are a batch of sequences where the layer's kernel
/// has one axis (the width is then 1), else an image without a batch.
fn image(layer: &Layer, tensor: Option<&Tensor>, what: &'static str) -> Result<[f64; 4], NoRow> {
    let tensor = tensor.ok_or(NoRow::Missing(what))?;
    let one_axis = layer.kernel.as_ref().is_some_and(|k| k.len() == 1);
    match tensor.dims.as_slice() {
        &[n, c, h, w] => Ok([n, c, h, w].map(extent)),
        &[n, c, l] if one_axis => Ok([n, c, l, 1].map(extent)),
        &[c, h, w] => Ok([1, c, h, w].map(extent)),
        other => Err(NoRow::Rank(other.len().saturating_sub(2))),
    }
}

/// A dimension known only at run time counts as 1; the parser has said so.
fn extent(dimension: i64) -> f64 {
    dimension.max(1) as f64
}

fn pair(values: Option<&Vec<u32>>, default: f64) -> Result<[f64; 2], NoRow> {
    match values.map(Vec::as_slice) {
        None | Some([]) => Ok([default, default]),
        Some(&[one]) => Ok([f64::from(one), 1.0]),
        Some(&[first, second]) => Ok([f64::from(first), f64::from(second)]),
        Some(more) => Err(NoRow::Rank(more.len())),
    }
}

fn convolution(layer: &Layer) -> Result<Vec<f64>, NoRow> {
    let input = image(layer, layer.inputs.first(), "input dimensions")?;
    let output = image(layer, layer.outputs.first(), "output dimensions")?;
    if layer.kernel.is_none() {
        return Err(NoRow::Missing("kernel"));
    }
    let kernel = pair(layer.kernel.as_ref(), 1.0)?;
    let stride = pair(layer.stride.as_ref(), 1.0)?;
    let padding = padding(layer)?;
    let dilation = pair(layer.dilation.as_ref(), 1.0)?;
    let mut values = images(input, output);
    values.extend(kernel.into_iter().chain(padding).chain(stride));
    values.push(f64::from(layer.groups.unwrap_or(1).max(1)));
    values.extend(dilation);
    values.push(layer.weights.map_or(f64::NAN, |w| w.count as f64));
    Ok(values)
}

fn pooling(layer: &Layer, how: Extraction) -> Result<Vec<f64>, NoRow> {
    let input = image(layer, layer.inputs.first(), "input dimensions")?;
    let output = image(layer, layer.outputs.first(), "output dimensions")?;
    let whole_input = how.reference_compatible || layer.kernel.is_none();
    let kernel = if whole_input { [input[2], input[3]] } else { pair(layer.kernel.as_ref(), 1.0)? };
    let mut values = images(input, output);
    values.extend(kernel.into_iter().chain(pair(layer.stride.as_ref(), 1.0)?));
    values.extend(padding(layer)?);
    Ok(values)
}

/// Padding of both spatial axes, before and after together.
fn padding(layer: &Layer) -> Result<[f64; 2], NoRow> {
    let before = pair(layer.padding_before.as_ref(), 0.0)?;
    let after = pair(layer.padding_after.as_ref(), 0.0)?;
    Ok([before[0] + after[0], before[1] + after[1]])
}

fn images(input: [f64; 4], output: [f64; 4]) -> Vec<f64> {
    let mut values = input.to_vec();
    values.extend(&output[1..]);
    values
}

fn dense(layer: &Layer) -> Result<Vec<f64>, NoRow> {
    let input = layer.inputs.first().ok_or(NoRow::Missing("input dimensions"))?;
    let output = layer.outputs.first().ok_or(NoRow::Missing("output dimensions"))?;
    let weights = match layer.weight_count() {
        0 => f64::NAN,
        count => count as f64,
    };
    Ok(vec![batch(input), input.elements() as f64, output.elements() as f64, weights])
}

fn sizes(layer: &Layer) -> Result<Vec<f64>, NoRow> {
    let main = layer.inputs.first().or(layer.outputs.first()).ok_or(NoRow::Missing("input dimensions"))?;
    let total = |tensors: &[Tensor]| tensors.iter().map(|t| t.elements() as f64).sum::<f64>();
    let weights = layer.weights.map_or(0.0, |w| w.count as f64);
    Ok(vec![batch(main), total(&layer.inputs), total(&layer.outputs), weights])
}

/// The outermost dimension of a tensor of at least two; TensorRT engines have explicit batches.
fn batch(tensor: &Tensor) -> f64 {
    if tensor.dims.len() >= 2 { extent(tensor.dims[0]) } else { 1.0 }
}

/// Why a layer without a predictor costs what it costs.
#[must_use]
pub fn is_free(layer: &Layer) -> bool {
    layer.kind.is_free() || (layer.kind == LayerKind::Reformat && layer.inputs.is_empty() && layer.outputs.is_empty())
}
