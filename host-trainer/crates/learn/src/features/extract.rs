//! From a layer of an engine to a row of a training table.

use super::shape::{
    AttentionShape, ConvShape, DenseShape, ElementsShape, LayerShape, LayerSpec, PoolShape, ProductShape, RowsShape,
    shape_of_table, with_tables,
};
use serde::{Deserialize, Serialize};
use shared::engine::{AttentionSizes, Image, Layer, ProductSizes, Table, Tensor, Window};

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
/// ```
/// use learn::features::{Extraction, LayerShape, extract};
///
/// let info = br#"{"Layers": [{"Name": "fc", "LayerType": "gemm",
///     "Inputs": [{"Name": "a", "Dimensions": [1, 512], "Format/Datatype": "Half"}],
///     "Outputs": [{"Name": "b", "Dimensions": [1, 1000], "Format/Datatype": "Half"}],
///     "Weights": {"Type": "Half", "Count": 512000}}]}"#;
/// let (engine, _) = shared::engine::parse(info)?;
/// let layer = extract(&engine.layers[0], Extraction::default())?;
/// let LayerShape::Dense(shape) = layer.shape else { panic!("a matrix product") };
/// assert_eq!((shape.input, shape.output, shape.weights), (512.0, 1000.0, Some(512_000.0)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When no table describes the layer or the engine info tells too little.
pub fn extract(layer: &Layer, how: Extraction) -> Result<LayerSpec, NoRow> {
    let table = table_of(layer, how).ok_or_else(|| NoRow::NoTable(layer.layer_type.clone()))?;
    let shape = shape_of_table!(table, Shape => Shape::from_layer(layer, how)?);
    Ok(LayerSpec { shape, precision: layer.precision() })
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

/// A shape that is read from a layer.
trait FromLayer: Sized {
    fn from_layer(layer: &Layer, how: Extraction) -> Result<Self, NoRow>;
}

/// Batch and extents of an image tensor. Three dimensions are a batch of sequences where the layer's kernel has one axis
/// (the width is then 1), else an image without a batch.
fn image(layer: &Layer, tensor: Option<&Tensor>, what: &'static str) -> Result<(f64, Image), NoRow> {
    let tensor = tensor.ok_or(NoRow::Missing(what))?;
    let one_axis = layer.kernel.as_ref().is_some_and(|k| k.len() == 1);
    let [batch, channels, height, width] = match tensor.dims.as_slice() {
        &[n, c, h, w] => [n, c, h, w].map(extent),
        &[n, c, l] if one_axis => [n, c, l, 1].map(extent),
        &[c, h, w] => [1, c, h, w].map(extent),
        other => return Err(NoRow::Rank(other.len().saturating_sub(2))),
    };
    Ok((batch, Image { channels, height, width }))
}

/// A dimension known only at run time counts as 1; the parser has said so.
fn extent(dimension: i64) -> f64 {
    dimension.max(1) as f64
}

/// The numbers of both spatial axes, each `default` where the engine info has none.
fn window(values: Option<&Vec<u32>>, default: f64) -> Result<Window, NoRow> {
    let (height, width) = match values.map(Vec::as_slice) {
        None | Some([]) => (default, default),
        Some(&[one]) => (f64::from(one), 1.0),
        Some(&[first, second]) => (f64::from(first), f64::from(second)),
        Some(more) => return Err(NoRow::Rank(more.len())),
    };
    Ok(Window { height, width })
}

impl FromLayer for ConvShape {
    fn from_layer(layer: &Layer, _: Extraction) -> Result<Self, NoRow> {
        let (batch, input) = image(layer, layer.inputs.first(), "input dimensions")?;
        let (_, output) = image(layer, layer.outputs.first(), "output dimensions")?;
        if layer.kernel.is_none() {
            return Err(NoRow::Missing("kernel"));
        }
        Ok(ConvShape {
            batch,
            input,
            output,
            kernel: window(layer.kernel.as_ref(), 1.0)?,
            stride: window(layer.stride.as_ref(), 1.0)?,
            padding: padding(layer)?,
            dilation: window(layer.dilation.as_ref(), 1.0)?,
            groups: f64::from(layer.groups.unwrap_or(1).max(1)),
            weights: layer.weights.map(|w| w.count as f64),
        })
    }
}

impl FromLayer for PoolShape {
    fn from_layer(layer: &Layer, how: Extraction) -> Result<Self, NoRow> {
        let (batch, input) = image(layer, layer.inputs.first(), "input dimensions")?;
        let (_, output) = image(layer, layer.outputs.first(), "output dimensions")?;
        let whole_input = how.reference_compatible || layer.kernel.is_none();
        let kernel = if whole_input {
            Window { height: input.height, width: input.width }
        } else {
            window(layer.kernel.as_ref(), 1.0)?
        };
        let stride = window(layer.stride.as_ref(), 1.0)?;
        Ok(PoolShape { batch, input, output, kernel, stride, padding: padding(layer)? })
    }
}

/// Padding of both spatial axes, before and after together.
fn padding(layer: &Layer) -> Result<Window, NoRow> {
    let before = window(layer.padding_before.as_ref(), 0.0)?;
    let after = window(layer.padding_after.as_ref(), 0.0)?;
    Ok(Window { height: before.height + after.height, width: before.width + after.width })
}

impl FromLayer for DenseShape {
    fn from_layer(layer: &Layer, _: Extraction) -> Result<Self, NoRow> {
        let input = layer.inputs.first().ok_or(NoRow::Missing("input dimensions"))?;
        let output = layer.outputs.first().ok_or(NoRow::Missing("output dimensions"))?;
        let weights = Some(layer.weight_count()).filter(|count| *count > 0).map(|count| count as f64);
        Ok(DenseShape {
            batch: batch(input),
            input: input.elements() as f64,
            output: output.elements() as f64,
            weights,
        })
    }
}

impl FromLayer for ProductShape {
    fn from_layer(layer: &Layer, _: Extraction) -> Result<Self, NoRow> {
        let input = layer.inputs.first().ok_or(NoRow::Missing("input dimensions"))?;
        let sizes = layer.product_sizes().ok_or(NoRow::Missing("operands"))?;
        let ProductSizes { products, rows, length, columns } = sizes;
        let [products, rows, length, columns] = [products, rows, length, columns].map(|size| size as f64);
        Ok(ProductShape { batch: images(input, products), sizes: ProductSizes { products, rows, length, columns } })
    }
}

impl FromLayer for AttentionShape {
    fn from_layer(layer: &Layer, _: Extraction) -> Result<Self, NoRow> {
        let input = layer.inputs.first().ok_or(NoRow::Missing("input dimensions"))?;
        let sizes = layer.attention_sizes().ok_or(NoRow::Missing("queries, keys and values"))?;
        let AttentionSizes { heads, queries, keys, head_size } = sizes;
        let [heads, queries, keys, head_size] = [heads, queries, keys, head_size].map(|size| size as f64);
        Ok(AttentionShape { batch: images(input, heads), sizes: AttentionSizes { heads, queries, keys, head_size } })
    }
}

/// The batch of a layer that computes a matrix for each image and head. With three dimensions, Myelin has joined both axes.
fn images(input: &Tensor, matrices: f64) -> f64 {
    if input.dims.len() > 3 { extent(input.dims[0]).min(matrices) } else { 1.0 }
}

/// A row is the last axis, as in attention and in layers of transformers.
impl FromLayer for RowsShape {
    fn from_layer(layer: &Layer, how: Extraction) -> Result<Self, NoRow> {
        let ElementsShape { batch, input, output, weights } = ElementsShape::from_layer(layer, how)?;
        let widest = layer.inputs.iter().chain(&layer.outputs).max_by_key(|tensor| tensor.elements());
        let row_length = widest.and_then(|tensor| tensor.dims.last()).map(|&last| extent(last));
        Ok(RowsShape { batch, input, output, weights, row_length })
    }
}

impl FromLayer for ElementsShape {
    fn from_layer(layer: &Layer, _: Extraction) -> Result<Self, NoRow> {
        let main = layer.inputs.first().or(layer.outputs.first()).ok_or(NoRow::Missing("input dimensions"))?;
        let total = |tensors: &[Tensor]| tensors.iter().map(|t| t.elements() as f64).sum::<f64>();
        Ok(ElementsShape {
            batch: batch(main),
            input: total(&layer.inputs),
            output: total(&layer.outputs),
            weights: Some(layer.weights.map_or(0.0, |w| w.count as f64)),
        })
    }
}

/// The outermost dimension of a tensor of at least two; TensorRT engines have explicit batches.
fn batch(tensor: &Tensor) -> f64 {
    if tensor.dims.len() >= 2 { extent(tensor.dims[0]) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A layer that multiplies two inputs of `batch` × `heads` matrices, by name and extents.
    fn product(batch: u32, heads: u32, [rows, length, columns]: [u32; 3]) -> Layer {
        let tensor = |name: &str, [a, b]: [u32; 2]| {
            format!(r#"{{"Name": "{name}", "Dimensions": [{batch},{heads},{a},{b}], "Format/Datatype": "Half"}}"#)
        };
        let info = format!(
            r#"{{"Layers": [{{"Name": "qk", "LayerType": "gemm", "Inputs": [{}, {}], "Outputs": [{}]}}], "Bindings": ["q", "k"]}}"#,
            tensor("q", [rows, length]),
            tensor("k", [length, columns]),
            tensor("qk", [rows, columns]),
        );
        let (engine, _) = shared::engine::parse(info.as_bytes()).expect("an engine info");
        engine.layers[0].clone()
    }

    proptest! {
        #[test]
        fn a_row_of_a_product_of_two_inputs_has_its_work(
            batch in 1_u32..9, heads in 1_u32..17, extents in [2_u32..300, 2_u32..300, 2_u32..300],
        ) {
            let layer = product(batch, heads, extents);
            let expected = f64::from(batch * heads) * extents.map(f64::from).iter().product::<f64>();
            let spec = extract(&layer, Extraction::default()).expect("a row");
            let macs = spec.work().macs.expect("macs");
            prop_assert_eq!(layer.weights, None);
            prop_assert!((macs / expected - 1.0).abs() < 1e-12, "{} {}", macs, expected);
            prop_assert_eq!(layer.macs(), Some(expected as u64));
        }
    }
}
