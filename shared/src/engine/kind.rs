//! What a layer does.

use serde::{Deserialize, Serialize};

/// What a layer computes, whatever kernel TensorRT chose for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerKind {
    /// Convolution with one group.
    Convolution,
    /// Convolution with more than one group and more than one input channel a group.
    GroupedConvolution,
    /// Convolution with one input channel a group.
    DepthwiseConvolution,
    /// Transposed convolution.
    Deconvolution,
    /// Product with a matrix of weights: `gemm`, a fully connected layer, or a 1×1 convolution that TensorRT runs as a matrix
    /// product.
    Dense,
    /// Product of two activations, as of queries and keys.
    MatrixProduct,
    /// Attention in one kernel: softmax of queries × keys, times values.
    Attention,
    /// Pooling over a window, a global one included.
    Pooling,
    /// Arithmetic element by element: pointwise, scale, activation, fused kernels that TensorRT generates (`kgen`).
    Pointwise,
    /// Arithmetic element by element with a GELU, which takes an error function for each element.
    Gelu,
    /// Sum, mean or maximum over axes.
    Reduce,
    /// Softmax.
    Softmax,
    /// Normalisation by mean and variance over a row, a group or an image: `LayerNormalization` and its relatives.
    Normalization,
    /// Data movement: reformat, shuffle, slice, padding, concatenation, gather.
    Reformat,
    /// A constant: no input, copied or nothing at run time.
    Constant,
    /// Does nothing at run time: `NoOp`, `shape_call`.
    NoOp,
    /// A subgraph compiled as one opaque kernel: Myelin, `ForeignNode`.
    Foreign,
    /// A plugin.
    Plugin,
    /// A type that this program does not know.
    Unknown,
}

/// The training table a layer belongs to, and with it the predictor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Convolutions of every sort; the reference's `convolutional.csv`.
    Convolutional,
    /// Products with weights; the reference's `dense.csv`.
    Dense,
    /// Products of two activations.
    MatrixProduct,
    /// Attention in one kernel.
    Attention,
    /// Pooling; the reference's `pooling.csv`.
    Pooling,
    /// Element-wise arithmetic.
    Pointwise,
    /// Element-wise arithmetic with a GELU.
    Gelu,
    /// Data movement.
    Reformat,
    /// Reductions.
    Reduce,
    /// Softmax.
    Softmax,
    /// Normalisations by mean and variance.
    Normalization,
    /// Opaque Myelin subgraphs.
    Foreign,
}

impl Table {
    /// Every table, in the order in which reports list them.
    pub const ALL: [Self; 12] = [
        Self::Convolutional,
        Self::Dense,
        Self::MatrixProduct,
        Self::Attention,
        Self::Pooling,
        Self::Pointwise,
        Self::Gelu,
        Self::Reformat,
        Self::Reduce,
        Self::Softmax,
        Self::Normalization,
        Self::Foreign,
    ];

    /// The name that files and folders carry.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Convolutional => "convolutional",
            Self::Dense => "dense",
            Self::MatrixProduct => "matrix_product",
            Self::Attention => "attention",
            Self::Pooling => "pooling",
            Self::Pointwise => "pointwise",
            Self::Gelu => "gelu",
            Self::Reformat => "reformat",
            Self::Reduce => "reduce",
            Self::Softmax => "softmax",
            Self::Normalization => "normalization",
            Self::Foreign => "foreign",
        }
    }

    /// The table of a name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }
}

impl LayerKind {
    /// The training table of layers of this kind; none for those that cost nothing or that no table describes.
    #[must_use]
    pub fn table(self) -> Option<Table> {
        match self {
            Self::Convolution | Self::GroupedConvolution | Self::DepthwiseConvolution | Self::Deconvolution => {
                Some(Table::Convolutional)
            }
            Self::Dense => Some(Table::Dense),
            Self::MatrixProduct => Some(Table::MatrixProduct),
            Self::Attention => Some(Table::Attention),
            Self::Pooling => Some(Table::Pooling),
            Self::Pointwise => Some(Table::Pointwise),
            Self::Gelu => Some(Table::Gelu),
            Self::Reformat => Some(Table::Reformat),
            Self::Reduce => Some(Table::Reduce),
            Self::Softmax => Some(Table::Softmax),
            Self::Normalization => Some(Table::Normalization),
            Self::Foreign => Some(Table::Foreign),
            Self::Constant | Self::NoOp | Self::Plugin | Self::Unknown => None,
        }
    }

    /// Whether such a layer launches nothing at run time.
    #[must_use]
    pub fn is_free(self) -> bool {
        matches!(self, Self::NoOp | Self::Constant)
    }
}
