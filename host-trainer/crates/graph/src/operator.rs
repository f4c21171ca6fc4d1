//! What each ONNX operator is to TensorRT: the one list that shapes and fusion share.

use crate::read::Node;

/// What an operator does, as far as shapes and fusion are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// Convolution.
    Convolution,
    /// Transposed convolution.
    Deconvolution,
    /// `Gemm`: a dense layer with its bias.
    Gemm,
    /// Matrix product.
    MatMul,
    /// Attention: two products with a softmax between them.
    Attention,
    /// Pooling over a window or over the whole image.
    Pooling,
    /// One input, output of the same shape.
    Unary,
    /// Two or more inputs, broadcast.
    Elementwise,
    /// Truth values from two inputs, broadcast.
    Comparison,
    /// Softmax along an axis.
    Softmax,
    /// Normalisation over channels or the last axes, with its own scale.
    Normalization,
    /// Batch normalisation: constants per channel.
    BatchNormalization,
    /// Sum, mean or maximum over axes.
    Reduce,
    /// Joins tensors.
    Concat,
    /// Cuts a tensor into parts.
    Split,
    /// Takes a range.
    Slice,
    /// The same bytes under another shape.
    View,
    /// Moves axes.
    Transpose,
    /// Changes the size of an image.
    Resize,
    /// Adds a border.
    Pad,
    /// Picks, repeats or places elements.
    Gather,
    /// Sorts or finds the largest.
    Select,
    /// Changes the number format.
    Cast,
    /// `QuantizeLinear`.
    Quantize,
    /// `DequantizeLinear`.
    Dequantize,
    /// Does nothing to its first input.
    Alias,
    /// Makes a constant, a shape, a range.
    Constant,
    /// Runs a graph of its own, or works on sequences: refused.
    Control,
    /// Known to ONNX, opaque here: recurrent networks, detection, sampling.
    Opaque,
    /// Not an operator of ONNX, or one that came later.
    Unknown,
}

/// Element-wise operators with one input.
const UNARY: &[&str] = &[
    "Abs",
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Ceil",
    "Celu",
    "Clip",
    "Cos",
    "Cosh",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "IsInf",
    "IsNaN",
    "LeakyRelu",
    "Log",
    "Mish",
    "Neg",
    "Not",
    "Reciprocal",
    "Relu",
    "Round",
    "Selu",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Silu",
    "Sin",
    "Sinh",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Swish",
    "Tan",
    "Tanh",
    "ThresholdedRelu",
    "BitwiseNot",
];
/// Element-wise operators with several inputs.
const ELEMENTWISE: &[&str] = &[
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Pow",
    "Mod",
    "Min",
    "Max",
    "Sum",
    "Mean",
    "PRelu",
    "Where",
    "BitShift",
    "BitwiseAnd",
    "BitwiseOr",
    "BitwiseXor",
];
/// Comparisons and logic.
const COMPARISON: &[&str] = &["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor"];
/// Operators with a graph of their own or with values that are not tensors.
const CONTROL: &[&str] = &[
    "If",
    "Loop",
    "Scan",
    "SequenceAt",
    "SequenceConstruct",
    "SequenceEmpty",
    "SequenceErase",
    "SequenceInsert",
    "SequenceLength",
    "SequenceMap",
    "SplitToSequence",
    "ConcatFromSequence",
    "Optional",
    "OptionalGetElement",
    "OptionalHasElement",
];

impl Class {
    /// The class of a node.
    pub(crate) fn of(node: &Node) -> Self {
        if !matches!(node.domain.as_str(), "" | "ai.onnx" | "com.microsoft") {
            return Self::Unknown;
        }
        let operator = node.operator.as_str();
        match operator {
            "Conv" | "ConvInteger" | "QLinearConv" => Self::Convolution,
            "ConvTranspose" => Self::Deconvolution,
            "Gemm" => Self::Gemm,
            "MatMul" | "MatMulInteger" | "QLinearMatMul" | "Einsum" => Self::MatMul,
            "MaxPool" | "AveragePool" | "LpPool" | "GlobalAveragePool" | "GlobalMaxPool" | "GlobalLpPool" => {
                Self::Pooling
            }
            "Softmax" | "LogSoftmax" | "Hardmax" => Self::Softmax,
            "LayerNormalization"
            | "InstanceNormalization"
            | "GroupNormalization"
            | "LpNormalization"
            | "RMSNormalization"
            | "MeanVarianceNormalization"
            | "LRN"
            | "SimplifiedLayerNormalization" => Self::Normalization,
            "BatchNormalization" => Self::BatchNormalization,
            // That of ONNX. Another of the same name, of ONNX Runtime, has other inputs.
            "Attention" if node.domain != "com.microsoft" => Self::Attention,
            "Concat" => Self::Concat,
            "Split" => Self::Split,
            "Slice" => Self::Slice,
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => Self::View,
            "Transpose" | "DepthToSpace" | "SpaceToDepth" => Self::Transpose,
            "Resize" | "Upsample" => Self::Resize,
            "Pad" => Self::Pad,
            "Gather" | "GatherElements" | "GatherND" | "ScatterND" | "ScatterElements" | "Scatter" | "Expand"
            | "Tile" | "Trilu" | "OneHot" | "CumSum" | "Compress" | "ReverseSequence" => Self::Gather,
            "TopK" | "ArgMax" | "ArgMin" | "NonZero" | "Unique" => Self::Select,
            "Cast" | "CastLike" => Self::Cast,
            "QuantizeLinear" => Self::Quantize,
            "DequantizeLinear" => Self::Dequantize,
            "Identity" | "Dropout" => Self::Alias,
            "Constant" | "ConstantOfShape" | "Shape" | "Size" | "Range" | "EyeLike" => Self::Constant,
            "RNN" | "LSTM" | "GRU" | "GridSample" | "RoiAlign" | "MaxRoiPool" | "NonMaxSuppression" | "DFT"
            | "STFT" | "DeformConv" | "Col2Im" | "Det" | "AffineGrid" | "RotaryEmbedding" | "MaxUnpool" => Self::Opaque,
            _ if operator.starts_with("Reduce") => Self::Reduce,
            _ if UNARY.contains(&operator) => Self::Unary,
            _ if ELEMENTWISE.contains(&operator) => Self::Elementwise,
            _ if COMPARISON.contains(&operator) => Self::Comparison,
            _ if CONTROL.contains(&operator) => Self::Control,
            _ => Self::Unknown,
        }
    }

    /// Whether TensorRT computes it element by element.
    pub(crate) fn is_pointwise(self) -> bool {
        matches!(self, Self::Unary | Self::Elementwise | Self::Comparison | Self::BatchNormalization)
    }
}
