//! The work of an engine's layers, from their tensors and parameters.
//!
//! Everything saturates, and a dimension known only at run time counts as 1.

use super::kind::LayerKind;
use super::layer::{Engine, Layer};
use super::tensor::{Precision, Tensor};
use super::work::{AttentionSizes, ProductSizes, Work, convolution_macs};
use std::num::Saturating;

impl Precision {
    /// Bits of one element.
    #[must_use]
    pub fn bits(self) -> u32 {
        match self {
            Self::Int64 => 64,
            Self::Fp32 | Self::Int32 => 32,
            Self::Fp16 | Self::Bf16 => 16,
            Self::Fp8 | Self::Int8 | Self::Uint8 | Self::Bool => 8,
            Self::Fp4 | Self::Int4 => 4,
        }
    }

    /// Bytes that this many elements take, a started byte counted whole.
    #[must_use]
    pub fn bytes(self, elements: u64) -> u64 {
        let bits = u128::from(elements) * u128::from(self.bits());
        u64::try_from(bits.div_ceil(8)).unwrap_or(u64::MAX)
    }
}

/// A dimension as a factor: one known only at run time is 1.
fn extent(dimension: i64) -> u64 {
    u64::try_from(dimension).unwrap_or(1)
}

fn product(factors: impl IntoIterator<Item = u64>) -> u64 {
    factors.into_iter().fold(1, u64::saturating_mul)
}

impl Tensor {
    /// Number of elements; a dimension known only at run time counts as 1. Saturates.
    #[must_use]
    pub fn elements(&self) -> u64 {
        product(self.dims.iter().map(|&d| extent(d)))
    }

    /// Number of channels: the second dimension.
    #[must_use]
    pub fn channels(&self) -> Option<u64> {
        self.dims.get(1).map(|&d| extent(d))
    }

    /// The spatial extents, after batch and channels; empty for tensors of two dimensions or fewer.
    #[must_use]
    pub fn spatial(&self) -> &[i64] {
        self.dims.get(2..).unwrap_or_default()
    }

    fn pixels(&self) -> u64 {
        product(self.spatial().iter().map(|&d| extent(d)))
    }
}

impl Layer {
    /// The precision the layer computes in: that of its weights, else of its inputs, else of its outputs.
    #[must_use]
    pub fn precision(&self) -> Option<Precision> {
        self.weights
            .and_then(|w| w.precision)
            .or_else(|| self.inputs.iter().chain(&self.outputs).find_map(|t| t.precision))
    }

    /// The tensor that the layer works on: its first input.
    #[must_use]
    pub fn input(&self) -> Option<&Tensor> {
        self.inputs.first()
    }

    /// The tensor that the layer makes: its first output.
    #[must_use]
    pub fn output(&self) -> Option<&Tensor> {
        self.outputs.first()
    }

    /// The batch size: the outermost dimension of the input; 1 where it is known only at run time.
    #[must_use]
    pub fn batch(&self) -> Option<u64> {
        self.input()?.dims.first().map(|&d| extent(d))
    }

    /// What the layer has to do.
    ///
    /// ```
    /// let info = br#"{"Layers": [{"Name": "conv1", "LayerType": "CaskConvolution", "Kernel": [3, 3], "OutMaps": 64,
    ///     "Inputs": [{"Name": "a", "Dimensions": [1, 3, 224, 224], "Format/Datatype": "Half"}],
    ///     "Outputs": [{"Name": "b", "Dimensions": [1, 64, 224, 224], "Format/Datatype": "Half"}],
    ///     "Weights": {"Type": "Half", "Count": 1728}}]}"#;
    /// let (engine, _) = shared::engine::parse(info)?;
    /// let work = engine.layers[0].work();
    /// assert_eq!(work.macs, Some(64 * 224 * 224 * 3 * 9));
    /// assert_eq!(work.bytes_moved, 2 * (3 * 224 * 224 + 64 * 224 * 224 + 1728));
    /// # Ok::<(), shared::engine::EngineInfoError>(())
    /// ```
    #[must_use]
    pub fn work(&self) -> Work {
        let elements = |tensors: &[Tensor]| tensors.iter().map(Tensor::elements).fold(0, u64::saturating_add);
        let window = self.kernel_elements().filter(|_| self.kind == LayerKind::Pooling);
        Work {
            macs: self.macs(),
            window_reads: window.map(|window| elements(&self.outputs).saturating_mul(window)),
            elements_in: self.data().map(Tensor::elements).fold(0, u64::saturating_add),
            elements_out: elements(&self.outputs),
            weights: self.parameters(),
            bytes_in: self.bytes_in(),
            bytes_out: self.bytes_out(),
            bytes_weights: self.bytes_weights(),
            bytes_moved: self.bytes_moved(),
        }
    }

    /// Multiply-accumulates; `Some(0)` for what does none by convention (pooling, element-wise arithmetic, copies), none
    /// where the layer is opaque or its dimensions are not told.
    ///
    /// Convolution: batch × output channels × output extents × (input channels ÷ groups) × kernel extents. Transposed
    /// convolution: the same with the *input* extents, since every input element meets the kernel once. Matrix
    /// product: elements of the output × length of the contracted axis.
    #[must_use]
    pub fn macs(&self) -> Option<u64> {
        match self.kind {
            LayerKind::Convolution | LayerKind::GroupedConvolution | LayerKind::DepthwiseConvolution => {
                self.convolution_macs()
            }
            LayerKind::Deconvolution => self.deconvolution_macs(),
            LayerKind::Dense if self.kernel.is_some() => self.convolution_macs(),
            LayerKind::Dense => {
                let contracted = self.contraction()?;
                Some(self.output()?.elements().saturating_mul(contracted.length))
            }
            LayerKind::MatrixProduct => {
                let ProductSizes { products, rows, length, columns } = self.product_sizes()?;
                Some(product([products, rows, length, columns]))
            }
            LayerKind::Attention => {
                let AttentionSizes { heads, queries, keys, head_size } = self.attention_sizes()?;
                Some(product([2, heads, queries, keys, head_size]))
            }
            kind if kind.is_opaque() => None,
            _ => Some(0),
        }
    }

    fn kernel_elements(&self) -> Option<u64> {
        self.kernel.as_ref().map(|kernel| product(kernel.iter().map(|&e| u64::from(e))))
    }

    fn output_channels(&self) -> Option<u64> {
        self.out_maps.filter(|&maps| maps > 0).map(u64::from).or_else(|| self.output()?.channels())
    }

    /// Groups, which a depthwise kernel need not tell.
    fn group_count(&self) -> Option<u64> {
        match self.groups {
            Some(groups) => Some(u64::from(groups).max(1)),
            None if self.kind == LayerKind::DepthwiseConvolution => self.input()?.channels().map(|c| c.max(1)),
            None => Some(1),
        }
    }

    fn convolution_macs(&self) -> Option<u64> {
        let output_channels = self.output_channels()?;
        let from_input = || {
            let channels = self.input()?.channels()? / self.group_count()?;
            Some(channels.max(1).saturating_mul(self.kernel_elements()?))
        };
        let from_weights = || self.weights?.count.checked_div(output_channels);
        let per_output = from_input().or_else(from_weights)?;
        let elements_out = product([self.batch()?, output_channels, self.convolved_pixels()?]);
        Some(convolution_macs(Saturating(elements_out), Saturating(per_output)).0)
    }

    /// Output extents of the convolution itself: those of the output, unless a pooling follows inside the layer.
    fn convolved_pixels(&self) -> Option<u64> {
        if !self.layer_type.eq_ignore_ascii_case("ConvActPool") {
            return self.output().map(Tensor::pixels);
        }
        let kernel = self.kernel.as_ref()?;
        let spatial = self.input()?.spatial();
        let at = |field: &Option<Vec<u32>>, axis: usize, default: u32| {
            i128::from(field.as_ref().and_then(|f| f.get(axis).copied()).unwrap_or(default))
        };
        let extents = spatial.iter().zip(kernel).enumerate().map(|(axis, (&extent, &kernel))| {
            let padded = i128::from(extent) + at(&self.padding_before, axis, 0) + at(&self.padding_after, axis, 0);
            let reach = at(&self.dilation, axis, 1) * (i128::from(kernel) - 1) + 1;
            let steps = (padded - reach) / at(&self.stride, axis, 1).max(1) + 1;
            u64::try_from(steps.max(1)).unwrap_or(u64::MAX)
        });
        Some(product(extents))
    }

    fn deconvolution_macs(&self) -> Option<u64> {
        let per_input = self.output_channels()?.checked_div(self.group_count()?)?.max(1);
        Some(product([self.input()?.elements(), per_input, self.kernel_elements()?]))
    }

    /// What a matrix product contracts.
    fn contraction(&self) -> Option<Contraction> {
        let (left, output) = (self.input()?, self.output()?);
        // The columns are the output's last axis; [1, N, 1, 1] stands for [1, N], as convolutions have it.
        let columns_of = |dims: &[i64]| dims.last().map(|&d| extent(d).max(1));
        let significant = output.dims.iter().rposition(|&d| d != 1).map_or(0, |last| last + 1);
        let stripped = columns_of(&output.dims[..significant]).unwrap_or(1);
        let length_for = |columns: u64| {
            let rows = output.elements().checked_div(columns).filter(|&rows| rows > 0)?;
            left.elements().checked_div(rows).filter(|&length| length > 0)
        };
        let operand_for = |columns: u64, length: u64| {
            let wanted = columns.saturating_mul(length);
            let fits = |t: &Tensor| {
                let last_two = t.dims.iter().rev().take(2).map(|&d| extent(d));
                t.dims.len() >= 2 && product(last_two) == wanted && t.elements() >= wanted && wanted > 1
            };
            self.inputs.iter().skip(1).position(fits).map(|position| position + 1)
        };
        let mut candidates = vec![columns_of(&output.dims).unwrap_or(1), stripped];
        candidates.dedup();
        let with_operand = candidates.iter().find_map(|&columns| {
            let length = length_for(columns)?;
            operand_for(columns, length).map(|operand| Contraction { columns, length, operand: Some(operand) })
        });
        with_operand.or_else(|| {
            let length = match self.weights {
                Some(weights) if weights.count.is_multiple_of(stripped) => weights.count / stripped,
                _ => length_for(stripped)?,
            };
            Some(Contraction { columns: stripped, length, operand: None })
        })
    }

    /// The input that holds the second matrix of a product, where it is listed: its position.
    pub(super) fn second_operand(&self) -> Option<usize> {
        if self.kind == LayerKind::Dense && self.kernel.is_none() { self.contraction()?.operand } else { None }
    }

    /// The input that is added to a matrix product's columns, where it is listed: its position.
    pub(super) fn addend(&self) -> Option<usize> {
        let contraction = self.contraction()?;
        let fits = |(position, tensor): (usize, &Tensor)| {
            position > 0 && Some(position) != contraction.operand && tensor.elements() == contraction.columns
        };
        // `alpha` and `beta` have one element too where there is one column.
        if contraction.columns > 1 { self.inputs.iter().enumerate().position(fits) } else { None }
    }

    /// Number of weights: as told, or, for a matrix product whose second matrix is neither told nor an input, what that
    /// matrix must hold.
    #[must_use]
    pub fn weight_count(&self) -> u64 {
        match self.weights {
            Some(weights) => weights.count,
            None if self.kind == LayerKind::Dense && self.kernel.is_none() => match self.contraction() {
                Some(c) if c.operand.is_none() => c.length.saturating_mul(c.columns),
                _ => 0,
            },
            None => 0,
        }
    }

    /// The sizes of a product of two activations. None for other layers, and where the dimensions do not tell them.
    ///
    /// ```
    /// use shared::engine::ProductSizes;
    ///
    /// // Queries × keys of an attention: 12 heads, 128 tokens, 64 numbers per token.
    /// let info = br#"{"Layers": [{"Name": "qk", "LayerType": "gemm", "Inputs": [
    ///     {"Name": "q", "Dimensions": [1, 12, 128, 64], "Format/Datatype": "Half"},
    ///     {"Name": "k", "Dimensions": [1, 12, 64, 128], "Format/Datatype": "Half"}],
    ///     "Outputs": [{"Name": "qk", "Dimensions": [1, 12, 128, 128], "Format/Datatype": "Half"}]}],
    ///     "Bindings": ["q", "k", "qk"]}"#;
    /// let (engine, _) = shared::engine::parse(info)?;
    /// let sizes = ProductSizes { products: 12, rows: 128, length: 64, columns: 128 };
    /// assert_eq!((engine.layers[0].product_sizes(), engine.layers[0].weight_count()), (Some(sizes), 0));
    /// # Ok::<(), shared::engine::EngineInfoError>(())
    /// ```
    #[must_use]
    pub fn product_sizes(&self) -> Option<ProductSizes<u64>> {
        if self.kind != LayerKind::MatrixProduct {
            return None;
        }
        let Contraction { columns, length, operand } = self.contraction()?;
        let of_one = length.saturating_mul(columns);
        let products = self.inputs.get(operand?)?.elements().checked_div(of_one).filter(|&products| products > 0)?;
        let all_rows = self.output()?.elements().checked_div(columns)?;
        Some(ProductSizes { products, rows: all_rows.checked_div(products)?, length, columns })
    }

    /// The sizes of attention in one kernel, whose first inputs are queries and keys (which may be the values too), with an axis of
    /// tokens and one of numbers last. None for other layers, and where the dimensions do not tell them.
    ///
    /// ```
    /// use shared::engine::AttentionSizes;
    ///
    /// let tensor = r#""Dimensions": [1, 12, 197, 64], "Format/Datatype": "Half""#;
    /// let info = format!(r#"{{"Layers": [{{"Name": "a", "LayerType": "fusion", "TacticName": "_gemm_mha_v2_0x1", "Inputs": [
    ///     {{"Name": "q", {tensor}}}, {{"Name": "k", {tensor}}}, {{"Name": "v", {tensor}}}],
    ///     "Outputs": [{{"Name": "o", {tensor}}}]}}]}}"#);
    /// let (engine, _) = shared::engine::parse(info.as_bytes())?;
    /// let sizes = AttentionSizes { heads: 12, queries: 197, keys: 197, head_size: 64 };
    /// assert_eq!(engine.layers[0].attention_sizes(), Some(sizes));
    /// assert_eq!(engine.layers[0].macs(), Some(2 * 12 * 197 * 197 * 64));
    /// # Ok::<(), shared::engine::EngineInfoError>(())
    /// ```
    #[must_use]
    pub fn attention_sizes(&self) -> Option<AttentionSizes<u64>> {
        let ([query, key, ..], LayerKind::Attention) = (self.inputs.as_slice(), self.kind) else { return None };
        let [outer @ .., queries, head_size] = query.dims.as_slice() else { return None };
        let heads = product(outer.iter().map(|&d| extent(d)));
        let (queries, head_size) = (extent(*queries), extent(*head_size));
        let keys = key.elements().checked_div(heads.saturating_mul(head_size))?;
        // Keys may be transposed. What else has other extents is not attention as described here.
        let fits = self.output()?.elements() == query.elements() && keys > 0 && head_size > 1;
        fits.then_some(AttentionSizes { heads, queries, keys, head_size })
    }

    /// Number of weights and biases.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.weight_count().saturating_add(self.bias.map_or(0, |bias| bias.count))
    }

    /// Bytes of a tensor; where its number format is not told, it counts as the layer's, and failing that as 32 bits.
    fn tensor_bytes(&self, tensor: &Tensor) -> u64 {
        tensor.precision.or_else(|| self.precision()).unwrap_or(Precision::Fp32).bytes(tensor.elements())
    }

    /// The input tensors, without weights and biases that are listed among them.
    fn data(&self) -> impl Iterator<Item = &Tensor> {
        let (weights, bias) = match self.weights {
            Some(_) => (self.second_operand(), self.bias.and_then(|_| self.addend())),
            None => (None, None),
        };
        let is_data = move |position: usize| Some(position) != weights && Some(position) != bias;
        self.inputs.iter().enumerate().filter(move |(position, _)| is_data(*position)).map(|(_, tensor)| tensor)
    }

    /// Bytes of the input tensors, without weights and biases that are listed among them.
    #[must_use]
    pub fn bytes_in(&self) -> u64 {
        self.data().map(|tensor| self.tensor_bytes(tensor)).fold(0, u64::saturating_add)
    }

    /// Bytes of the output tensors.
    #[must_use]
    pub fn bytes_out(&self) -> u64 {
        self.outputs.iter().map(|tensor| self.tensor_bytes(tensor)).fold(0, u64::saturating_add)
    }

    /// Bytes of weights and biases.
    #[must_use]
    pub fn bytes_weights(&self) -> u64 {
        let layer = self.precision().unwrap_or(Precision::Fp32);
        let weights = self.weights.and_then(|w| w.precision).unwrap_or(layer).bytes(self.weight_count());
        let bias = self.bias.map_or(0, |bias| bias.precision.unwrap_or(layer).bytes(bias.count));
        weights.saturating_add(bias)
    }

    /// Bytes that the layer reads and writes at least: inputs, outputs and parameters, each once. Nothing for layers
    /// that do nothing at run time.
    #[must_use]
    pub fn bytes_moved(&self) -> u64 {
        if self.kind.is_free() {
            return 0;
        }
        self.bytes_in().saturating_add(self.bytes_out()).saturating_add(self.bytes_weights())
    }

    /// Whether a window of the kernel's extents covers the whole input, so that one element a channel remains.
    pub(super) fn covers_its_input(&self) -> bool {
        let Some(spatial) = self.input().map(Tensor::spatial).filter(|s| !s.is_empty()) else { return false };
        match &self.kernel {
            Some(window) => {
                window.len() == spatial.len() && window.iter().zip(spatial).all(|(&w, &s)| s > 0 && i64::from(w) >= s)
            }
            None => self.output().is_some_and(|output| output.spatial().iter().all(|&extent| extent == 1)),
        }
    }
}

/// The shape of a matrix product.
struct Contraction {
    /// Columns of the output.
    columns: u64,
    /// Length of the axis summed over.
    length: u64,
    /// Which input is the second matrix, if one is.
    operand: Option<usize>,
}

impl Engine {
    /// Multiply-accumulates of all layers for which they are known.
    #[must_use]
    pub fn macs(&self) -> u64 {
        self.layers.iter().filter_map(Layer::macs).fold(0, u64::saturating_add)
    }

    /// Weights and biases of all layers.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.layers.iter().map(Layer::parameters).fold(0, u64::saturating_add)
    }

    /// Number of optimisation profiles.
    #[must_use]
    pub fn profiles(&self) -> usize {
        self.layers.iter().filter_map(|layer| layer.profile).max().map_or(1, |last| last.saturating_add(1))
    }

    /// The layers that one inference with an optimisation profile runs: an engine lists every profile's.
    ///
    /// ```
    /// let info = br#"{"Layers": [
    ///     {"Name": "a", "LayerType": "NoOp"}, {"Name": "a [profile 1]", "LayerType": "NoOp"}]}"#;
    /// let (engine, _) = shared::engine::parse(info)?;
    /// assert_eq!(engine.layers_of_profile(1).count(), 1);
    /// # Ok::<(), shared::engine::EngineInfoError>(())
    /// ```
    pub fn layers_of_profile(&self, profile: usize) -> impl Iterator<Item = &Layer> {
        self.layers.iter().filter(move |layer| layer.profile.is_none_or(|of| of == profile))
    }
}
