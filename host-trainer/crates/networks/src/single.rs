//! Single layers, one or several side by side in a file.

use crate::architecture::WriteOptions;
use crate::builder::{Builder, Edge, Filter, Nonlinearity};
use crate::file::OnnxFile;

/// How the elements of tensors are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Combination {
    /// A nonlinearity of one tensor.
    Nonlinearity(Nonlinearity),
    /// The sum of two.
    Sum,
    /// The product of two.
    Product,
}

/// A layer that can be written on its own. Extents are channels, height and width; the first number is the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SingleLayer {
    /// A convolution with a bias and what follows it in the same kernel.
    Convolution {
        /// Images.
        batch: u32,
        /// Input extents.
        input: [u32; 3],
        /// Output channels.
        channels: u32,
        /// Kernel extents.
        kernel: [u32; 2],
        /// Steps.
        stride: [u32; 2],
        /// Padding on each side.
        padding: [u32; 2],
        /// Distance between the kernel's elements.
        dilation: u32,
        /// Channel groups.
        groups: u32,
        /// What follows.
        after: Nonlinearity,
    },
    /// A fully connected layer.
    Dense {
        /// Images.
        batch: u32,
        /// Input features.
        inputs: u32,
        /// Output features.
        outputs: u32,
    },
    /// A maximum or a mean over windows.
    Pooling {
        /// Images.
        batch: u32,
        /// Input extents.
        input: [u32; 3],
        /// Window extents.
        kernel: [u32; 2],
        /// Steps.
        stride: [u32; 2],
        /// Padding on each side.
        padding: [u32; 2],
        /// Whether it takes means.
        is_mean: bool,
    },
    /// A combination, element by element.
    Elements {
        /// Images.
        batch: u32,
        /// Extents.
        input: [u32; 3],
        /// What is computed.
        combination: Combination,
    },
    /// Softmax along the last of two dimensions.
    Softmax {
        /// Rows.
        rows: u32,
        /// Elements of a row.
        columns: u32,
    },
}

impl SingleLayer {
    fn build(&self, builder: &mut Builder, name: &str) -> Edge {
        let images = |builder: &mut Builder, batch: u32, input: [u32; 3], place: &str| {
            let dims: Vec<u64> = [batch].into_iter().chain(input).map(|dim| u64::from(dim.max(1))).collect();
            builder.input(&format!("{name}_{place}"), &dims)
        };
        let wide = |pair: [u32; 2]| pair.map(u64::from);
        match *self {
            Self::Convolution { batch, input, channels, kernel, stride, padding, dilation, groups, after } => {
                let x = images(builder, batch, input, "input");
                let filter = Filter {
                    channels: channels.into(),
                    kernel: wide(kernel),
                    stride: wide(stride),
                    padding: wide(padding),
                    dilation: dilation.into(),
                    groups: groups.into(),
                };
                builder.convolve(&x, name, filter, after)
            }
            Self::Dense { batch, inputs, outputs } => {
                let x = builder.input(&format!("{name}_input"), &[batch.into(), inputs.into()]);
                builder.dense(&x, name, outputs.into(), Nonlinearity::Linear)
            }
            Self::Pooling { batch, input, kernel, stride, padding, is_mean } => {
                let x = images(builder, batch, input, "input");
                if kernel == [input[1], input[2]] && is_mean {
                    return builder.global_average(&x, name);
                }
                let window = Filter {
                    kernel: wide(kernel),
                    stride: wide(stride),
                    padding: wide(padding),
                    ..Filter::window(1, 1, 0)
                };
                if is_mean { builder.average_pool(&x, name, window) } else { builder.max_pool(&x, name, window) }
            }
            Self::Elements { batch, input, combination } => {
                let x = images(builder, batch, input, "input");
                match combination {
                    Combination::Nonlinearity(after) => builder.activate(&x, name, after),
                    Combination::Sum => {
                        let other = images(builder, batch, input, "other");
                        builder.add(&x, &other, name)
                    }
                    Combination::Product => {
                        let other = images(builder, batch, input, "other");
                        builder.multiply(&x, &other, name)
                    }
                }
            }
            Self::Softmax { rows, columns } => {
                let x = builder.input(&format!("{name}_input"), &[rows.into(), columns.into()]);
                builder.softmax(&x, name)
            }
        }
    }
}

/// Layers side by side in one file, each with inputs and an output of its own, named `layer0`, `layer1` and so on.
///
/// A file of several layers is loaded and warmed up once, and its layers do not find their own weights still in the cache from the
/// inference before, as a layer alone does.
///
/// ```
/// use networks::{SingleLayer, WriteOptions, layers_file};
/// let dense = SingleLayer::Dense { batch: 1, inputs: 64, outputs: 10 };
/// let file = layers_file("sample", &[dense, SingleLayer::Softmax { rows: 1, columns: 10 }], &WriteOptions::default());
/// assert_eq!(file.parameters(), 650);
/// ```
#[must_use]
pub fn layers_file(name: &str, layers: &[SingleLayer], options: &WriteOptions) -> OnnxFile {
    let mut builder = Builder::new(name, options.format, options.storage, options.seed);
    let mut outputs = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        outputs.push(layer.build(&mut builder, &format!("layer{index}")));
    }
    builder.finish(&outputs.iter().collect::<Vec<_>>())
}
