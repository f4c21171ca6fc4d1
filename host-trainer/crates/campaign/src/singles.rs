//! Layers that can be written and measured on their own.

use learn::features::{ConvShape, DenseShape, ElementsShape, LayerShape, LayerSpec, PoolShape, RowsShape};
use networks::{Combination, Nonlinearity, SingleLayer};
use shared::engine::{Image, Precision, Window};

/// Most elements of one tensor, and most weights, of a layer that is measured on its own: a file of several stays small.
const ELEMENTS: f64 = 8e6;
/// Most multiply-accumulates.
const MACS: f64 = 4e9;

/// A layer that can be measured on its own, as near to a layer of a network as such a file can be. None for layers of kinds that only
/// networks contain, and for those that are too large.
pub(crate) fn single(layer: &LayerSpec) -> Option<SingleLayer> {
    let found = match &layer.shape {
        LayerShape::Conv(shape) => convolution(shape)?,
        LayerShape::Dense(shape) => dense(shape)?,
        LayerShape::Pool(shape) => pooling(shape)?,
        LayerShape::Pointwise(shape) => elements(shape)?,
        LayerShape::Softmax(shape) => softmax(shape)?,
        _ => return None,
    };
    Some(found).filter(|single| is_small(&spec(single, None)))
}

/// Whether a layer is small enough to be measured on its own.
pub(crate) fn is_small(layer: &LayerSpec) -> bool {
    let work = layer.work();
    let most = [work.elements_in, work.elements_out, work.weights].into_iter().all(|count| count <= ELEMENTS);
    most && work.macs.is_none_or(|macs| macs <= MACS)
}

/// A whole number of at least one.
fn whole(value: f64) -> Option<u32> {
    (0.5..1e7).contains(&value).then(|| value.round() as u32)
}

fn pair(window: Window) -> Option<[u32; 2]> {
    Some([whole(window.height)?, whole(window.width)?])
}

fn image(image: Image) -> Option<[u32; 3]> {
    Some([whole(image.channels)?, whole(image.height)?, whole(image.width)?])
}

/// Half of a padding on both sides together.
fn halves(padding: Window) -> [u32; 2] {
    [padding.height, padding.width].map(|both| (both / 2.0).round().clamp(0.0, 1e3) as u32)
}

/// The extent that a window leaves; none where it does not fit.
fn extent(from: u32, window: u32, stride: u32, padding: u32) -> Option<u32> {
    Some((from + 2 * padding).checked_sub(window)? / stride.max(1) + 1)
}

fn convolution(shape: &ConvShape) -> Option<SingleLayer> {
    let input = image(shape.input)?;
    let (kernel, stride, padding) = (pair(shape.kernel)?, pair(shape.stride)?, halves(shape.padding));
    let dilation = whole(shape.dilation.height)?;
    let (channels, groups) = (whole(shape.output.channels)?, whole(shape.groups)?);
    // A transposed convolution enlarges.
    if shape.output.height > shape.input.height + 2.0 * f64::from(padding[0])
        || input[0] % groups != 0
        || channels % groups != 0
        || (shape.dilation.height - shape.dilation.width).abs() > 0.5
    {
        return None;
    }
    for axis in 0..2 {
        extent(input[axis + 1], dilation * (kernel[axis] - 1) + 1, stride[axis], padding[axis])?;
    }
    let batch = whole(shape.batch)?;
    let after = Nonlinearity::Relu;
    Some(SingleLayer::Convolution { batch, input, channels, kernel, stride, padding, dilation, groups, after })
}

/// A product over several rows, as in transformers, is one of a batch of rows.
fn dense(shape: &DenseShape) -> Option<SingleLayer> {
    let rows = (shape.input * shape.output / shape.weights()).sqrt();
    let batch = whole(rows)?;
    Some(SingleLayer::Dense { batch, inputs: whole(shape.input / rows)?, outputs: whole(shape.output / rows)? })
}

fn pooling(shape: &PoolShape) -> Option<SingleLayer> {
    let input = image(shape.input)?;
    let (kernel, padding) = (pair(shape.kernel)?, halves(shape.padding));
    let is_mean = kernel == [input[1], input[2]];
    let stride = if is_mean { [1, 1] } else { pair(shape.stride)? };
    for axis in 0..2 {
        // ONNX refuses a padding that a window does not reach over.
        extent(input[axis + 1], kernel[axis], stride[axis], padding[axis]).filter(|_| padding[axis] < kernel[axis])?;
    }
    Some(SingleLayer::Pooling { batch: whole(shape.batch)?, input, kernel, stride, padding, is_mean })
}

/// Elements as images whose extents are those of common networks.
fn elements(shape: &ElementsShape) -> Option<SingleLayer> {
    let batch = whole(shape.batch)?;
    let each = whole(shape.output / f64::from(batch))?;
    let side = [112, 56, 28, 14, 7, 1].into_iter().find(|side| each % (side * side) == 0)?;
    let combination = match shape.input / shape.output {
        ratio if (ratio - 1.0).abs() < 0.1 => Combination::Nonlinearity(Nonlinearity::Relu),
        ratio if (ratio - 2.0).abs() < 0.1 => Combination::Sum,
        _ => return None,
    };
    Some(SingleLayer::Elements { batch, input: [each / (side * side), side, side], combination })
}

fn softmax(shape: &RowsShape) -> Option<SingleLayer> {
    Some(SingleLayer::Softmax { rows: whole(shape.output / shape.row_length())?, columns: whole(shape.row_length())? })
}

/// The row that a layer should get when it is measured.
pub(crate) fn spec(layer: &SingleLayer, precision: Option<Precision>) -> LayerSpec {
    let window = |[height, width]: [u32; 2]| Window { height: height.into(), width: width.into() };
    let wide = |[channels, height, width]: [u32; 3]| Image {
        channels: channels.into(),
        height: height.into(),
        width: width.into(),
    };
    let after =
        |input: [u32; 3], channels: u32, kernel: [u32; 2], stride: [u32; 2], padding: [u32; 2], dilation: u32| {
            let of = |axis: usize| {
                let window = dilation * (kernel[axis] - 1) + 1;
                extent(input[axis + 1], window, stride[axis], padding[axis]).unwrap_or(1)
            };
            wide([channels, of(0), of(1)])
        };
    let both = |padding: [u32; 2]| window(padding.map(|one| 2 * one));
    let shape = match *layer {
        SingleLayer::Convolution { batch, input, channels, kernel, stride, padding, dilation, groups, .. } => {
            LayerShape::Conv(ConvShape {
                batch: batch.into(),
                input: wide(input),
                output: after(input, channels, kernel, stride, padding, dilation),
                kernel: window(kernel),
                padding: both(padding),
                stride: window(stride),
                groups: groups.into(),
                dilation: window([dilation; 2]),
                weights: None,
            })
        }
        SingleLayer::Dense { batch, inputs, outputs } => {
            let [batch, inputs, outputs] = [batch, inputs, outputs].map(f64::from);
            let weights = Some(inputs * outputs);
            LayerShape::Dense(DenseShape { batch, input: batch * inputs, output: batch * outputs, weights })
        }
        SingleLayer::Pooling { batch, input, kernel, stride, padding, .. } => LayerShape::Pool(PoolShape {
            batch: batch.into(),
            input: wide(input),
            output: after(input, input[0], kernel, stride, padding, 1),
            kernel: window(kernel),
            stride: window(stride),
            padding: both(padding),
        }),
        SingleLayer::Elements { batch, input, combination } => {
            let output = f64::from(batch) * input.map(f64::from).iter().product::<f64>();
            let inputs = if matches!(combination, Combination::Nonlinearity(_)) { 1.0 } else { 2.0 };
            LayerShape::Pointwise(ElementsShape {
                batch: batch.into(),
                input: inputs * output,
                output,
                weights: Some(0.0),
            })
        }
        SingleLayer::Softmax { rows, columns } => {
            let elements = f64::from(rows) * f64::from(columns);
            LayerShape::Softmax(RowsShape {
                batch: rows.into(),
                input: elements,
                output: elements,
                weights: Some(0.0),
                row_length: Some(columns.into()),
            })
        }
    };
    LayerSpec { shape, precision }
}

#[cfg(test)]
mod tests {
    use super::*;
    use graph::{Build, Options};
    use learn::features::{Extraction, extract};
    use networks::{WriteOptions, layers_file};

    /// What is planned of a layer is what its file comes to.
    #[test]
    fn the_row_of_a_single_layer_is_that_of_its_file() {
        let convolution = |groups, stride, kernel| SingleLayer::Convolution {
            batch: 1,
            input: [32, 28, 28],
            channels: 64,
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [kernel / 2; 2],
            dilation: 1,
            groups,
            after: Nonlinearity::Relu,
        };
        let layers = [
            convolution(1, 1, 3),
            convolution(32, 2, 5),
            SingleLayer::Dense { batch: 4, inputs: 256, outputs: 100 },
            SingleLayer::Pooling {
                batch: 1,
                input: [16, 28, 28],
                kernel: [3, 3],
                stride: [2, 2],
                padding: [1, 1],
                is_mean: false,
            },
            SingleLayer::Softmax { rows: 12, columns: 197 },
        ];
        for layer in layers {
            let file = layers_file("one", &[layer], &WriteOptions::default());
            let options = Options { precision: Build::Fp32, ..Options::default() };
            let read = graph::engine_info_of(&file.bytes(), &options).expect("reads");
            let measured: Vec<LayerSpec> = read
                .engine
                .layers
                .iter()
                .filter_map(|layer| extract(layer, Extraction::default()).ok())
                .filter(|found| found.table() == spec(&layer, None).table())
                .collect();
            let [measured] = measured[..] else { panic!("{layer:?}: {measured:?}") };
            let planned = spec(&layer, Some(Precision::Fp32));
            let (a, b) = (planned.work(), measured.work());
            assert_eq!((a.macs, a.elements_in, a.elements_out), (b.macs, b.elements_in, b.elements_out), "{layer:?}");
            assert_eq!(single(&measured), Some(layer));
        }
    }

    #[test]
    fn a_product_over_rows_is_a_batch_of_rows() {
        let shape =
            DenseShape { batch: 1.0, input: 197.0 * 192.0, output: 197.0 * 768.0, weights: Some(192.0 * 768.0) };
        let layer = LayerSpec { shape: LayerShape::Dense(shape), precision: None };
        assert_eq!(single(&layer), Some(SingleLayer::Dense { batch: 197, inputs: 192, outputs: 768 }));
    }

    #[test]
    fn what_enlarges_or_is_huge_is_left_to_networks() {
        let one = Window { height: 1.0, width: 1.0 };
        let image = |channels, side| Image { channels, height: side, width: side };
        let shape = ConvShape {
            batch: 1.0,
            input: image(16.0, 28.0),
            output: image(16.0, 56.0),
            kernel: Window { height: 2.0, width: 2.0 },
            padding: Window { height: 0.0, width: 0.0 },
            stride: Window { height: 2.0, width: 2.0 },
            groups: 1.0,
            dilation: one,
            weights: None,
        };
        let of = |shape| single(&LayerSpec { shape: LayerShape::Conv(shape), precision: None });
        assert_eq!(of(shape), None);
        assert!(of(ConvShape { output: image(16.0, 14.0), ..shape }).is_some());
        let huge = ConvShape { input: image(512.0, 512.0), output: image(512.0, 256.0), ..shape };
        assert_eq!(of(huge), None);
    }
}
