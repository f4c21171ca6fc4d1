//! What a layer has to do: multiply-accumulates, elements and bytes moved.
//!
//! Each formula stands here once. It is generic over the number, so that the same lines give the counts of an engine's
//! layer ([`u64`], saturating), the columns of a training table (`f64`), and the terms of a model's graph (symbolic
//! formulas).

use std::num::Saturating;
use std::ops::{Add, Div, Mul};

/// A number that work can be computed in.
pub trait Number: Clone + Add<Output = Self> + Mul<Output = Self> + Div<Output = Self> {
    /// 0.
    fn zero() -> Self;

    /// The square root.
    #[must_use]
    fn sqrt(self) -> Self;
}

impl Number for f64 {
    fn zero() -> Self {
        0.0
    }

    fn sqrt(self) -> Self {
        self.sqrt()
    }
}

impl Number for Saturating<u64> {
    fn zero() -> Self {
        Self(0)
    }

    fn sqrt(self) -> Self {
        Self(self.0.isqrt())
    }
}

/// Extents of one image: a tensor without its batch axis.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Image<N = f64> {
    /// Channels.
    pub channels: N,
    /// Height in pixels.
    pub height: N,
    /// Width in pixels.
    pub width: N,
}

/// One number for each spatial axis: a kernel's extents, a stride, a padding.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Window<N = f64> {
    /// Along the height, in pixels.
    pub height: N,
    /// Along the width, in pixels.
    pub width: N,
}

/// The sizes of a convolution that its work follows from.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvolutionSizes<N> {
    /// Images per inference.
    pub batch: N,
    /// Input extents.
    pub input: Image<N>,
    /// Output extents.
    pub output: Image<N>,
    /// Input channels that one output channel reads.
    pub group_channels: N,
    /// Kernel extents.
    pub kernel: Window<N>,
    /// Number of weights, where it is counted; otherwise it follows from the other sizes.
    pub weights: Option<N>,
    /// Bytes of one element.
    pub element_bytes: N,
}

/// The sizes of a pooling that its work follows from.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolingSizes<N> {
    /// Images per inference.
    pub batch: N,
    /// Input extents.
    pub input: Image<N>,
    /// Output extents.
    pub output: Image<N>,
    /// Window extents.
    pub kernel: Window<N>,
    /// Bytes of one element.
    pub element_bytes: N,
}

/// The sizes of products of two activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProductSizes<N> {
    /// Products that the layer computes: one for each image and head.
    pub products: N,
    /// Rows of one result.
    pub rows: N,
    /// Length of the axis summed over.
    pub length: N,
    /// Columns of one result.
    pub columns: N,
}

/// The sizes of attention in one kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AttentionSizes<N> {
    /// Softmaxes over one matrix: one for each image and head.
    pub heads: N,
    /// Queries of a head.
    pub queries: N,
    /// Keys, and values, of a head.
    pub keys: N,
    /// Numbers of one query, key and value.
    pub head_size: N,
}

/// What a layer has to do.
///
/// ```
/// use shared::engine::{ConvolutionSizes, Image, Window, Work};
///
/// // 3×3 convolution of a 56×56 image, 64 to 64 channels, FP16.
/// let image = Image { channels: 64.0, height: 56.0, width: 56.0 };
/// let work = Work::convolution(ConvolutionSizes {
///     batch: 1.0,
///     input: image,
///     output: image,
///     group_channels: 64.0,
///     kernel: Window { height: 3.0, width: 3.0 },
///     weights: None,
///     element_bytes: 2.0,
/// });
/// assert_eq!(work.macs, Some(115_605_504.0));
/// assert_eq!(work.bytes_weights, 2.0 * 36_864.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work<N = u64> {
    /// Multiply-accumulates: 0 for a layer that multiplies nothing by convention (pooling, element-wise arithmetic,
    /// copies), none for an opaque one.
    pub macs: Option<N>,
    /// Elements that a pooling reads through its windows; none for every other layer.
    pub window_reads: Option<N>,
    /// Elements of the inputs, parameters excluded.
    pub elements_in: N,
    /// Elements of the outputs.
    pub elements_out: N,
    /// Number of weights; biases are included where they are counted.
    pub weights: N,
    /// Bytes of the inputs, parameters excluded.
    pub bytes_in: N,
    /// Bytes of the outputs.
    pub bytes_out: N,
    /// Bytes of the weights; biases are included where they are counted.
    pub bytes_weights: N,
    /// Bytes read and written at least: inputs, outputs and weights, each once. 0 for a layer that does nothing at run
    /// time.
    pub bytes_moved: N,
}

/// Multiply-accumulates of a convolution: each output element sums over group channels × kernel extents.
pub(super) fn convolution_macs<N: Number>(elements_out: N, summed: N) -> N {
    elements_out * summed
}

impl<N: Number> Work<N> {
    /// Work of a convolution: MACs are output elements × group channels × kernel extents.
    #[must_use]
    pub fn convolution(sizes: ConvolutionSizes<N>) -> Self {
        let ConvolutionSizes { batch, input, output, group_channels, kernel, weights, element_bytes } = sizes;
        let elements_in = batch.clone() * input.channels * input.height * input.width;
        let elements_out = batch * output.height * output.width * output.channels.clone();
        let summed = group_channels * kernel.height * kernel.width;
        let weights = weights.unwrap_or_else(|| summed.clone() * output.channels);
        let macs = convolution_macs(elements_out.clone(), summed);
        Self::moving(Some(macs), [elements_in, elements_out, weights], element_bytes)
    }

    /// Work of a pooling: each output element reads a window.
    #[must_use]
    pub fn pooling(sizes: PoolingSizes<N>) -> Self {
        let PoolingSizes { batch, input, output, kernel, element_bytes } = sizes;
        let elements_in = batch.clone() * input.channels * input.height * input.width;
        let elements_out = batch * output.height * output.width * output.channels;
        let reads = elements_out.clone() * kernel.height * kernel.width;
        let work = Self::moving(Some(N::zero()), [elements_in, elements_out, N::zero()], element_bytes);
        Self { window_reads: Some(reads), ..work }
    }

    /// Work of a matrix product, from its element counts alone. A 1×1 convolution that runs as a matrix product has `C·K`
    /// weights over `P` pixels, `C·P` inputs and `K·P` outputs, so that its MACs `C·K·P` are `√(inputs · outputs · weights)`;
    /// for a fully connected layer, `P = 1`, that is inputs × outputs of one image.
    #[must_use]
    pub fn matrix_product(elements_in: N, elements_out: N, weights: N, element_bytes: N) -> Self {
        let macs = (elements_in.clone() * elements_out.clone() * weights.clone()).sqrt();
        Self::moving(Some(macs), [elements_in, elements_out, weights], element_bytes)
    }

    /// Work of products of two activations: each result element sums over the length that both share.
    #[must_use]
    pub fn product(sizes: ProductSizes<N>, element_bytes: N) -> Self {
        let ProductSizes { products, rows, length, columns } = sizes;
        let elements_in = products.clone() * length.clone() * (rows.clone() + columns.clone());
        let elements_out = products * rows * columns;
        let macs = elements_out.clone() * length;
        Self::moving(Some(macs), [elements_in, elements_out, N::zero()], element_bytes)
    }

    /// Work of attention in one kernel: two products of queries × keys × head size, of which the scores between them stay on the
    /// chip (Dao et al., 2022, arXiv:2205.14135).
    #[must_use]
    pub fn attention(sizes: AttentionSizes<N>, element_bytes: N) -> Self {
        let AttentionSizes { heads, queries, keys, head_size } = sizes;
        let half = heads.clone() * queries.clone() * keys.clone() * head_size.clone();
        let elements_in = heads.clone() * head_size.clone() * (queries.clone() + keys.clone() + keys);
        let elements_out = heads * queries * head_size;
        Self::moving(Some(half.clone() + half), [elements_in, elements_out, N::zero()], element_bytes)
    }

    /// Work of a layer by its element counts: inputs, outputs and weights, all of one number format.
    #[must_use]
    pub fn moving(macs: Option<N>, elements: [N; 3], element_bytes: N) -> Self {
        let [elements_in, elements_out, weights] = elements;
        let bytes = |elements: &N| elements.clone() * element_bytes.clone();
        Self {
            macs,
            window_reads: None,
            bytes_in: bytes(&elements_in),
            bytes_out: bytes(&elements_out),
            bytes_weights: bytes(&weights),
            bytes_moved: (elements_in.clone() + elements_out.clone() + weights.clone()) * element_bytes.clone(),
            elements_in,
            elements_out,
            weights,
        }
    }

    /// Elements read and written at least: inputs, outputs and weights, each once.
    #[must_use]
    pub fn elements_moved(&self) -> N {
        self.elements_in.clone() + self.elements_out.clone() + self.weights.clone()
    }

    /// Multiply-accumulates, or the window reads of a pooling: whatever the layer repeats most; none for an opaque layer.
    #[must_use]
    pub fn operations(&self) -> Option<N> {
        self.window_reads.clone().or_else(|| self.macs.clone())
    }
}
