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

/// Kinds whose layers do the same sort of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LayerFamily {
    /// Convolutions in which every output channel reads every input channel.
    Convolution,
    /// Matrix products, with weights or of activations, and attention.
    Product,
    /// Depthwise and grouped convolutions.
    SplitConvolution,
    /// Poolings.
    Pooling,
    /// Arithmetic element by element.
    Pointwise,
    /// Copies.
    Movement,
    /// Sums over rows: reductions, softmax, normalisations.
    Rows,
    /// Nothing at run time.
    Free,
    /// What the engine info does not describe.
    Opaque,
}

/// What is known of a kind.
struct Traits {
    kind: LayerKind,
    words: &'static str,
    family: LayerFamily,
    table: Option<Table>,
}

const fn kind(kind: LayerKind, words: &'static str, family: LayerFamily, table: Option<Table>) -> Traits {
    Traits { kind, words, family, table }
}

/// Every kind, in the order of [`LayerKind`].
const KINDS: [Traits; 19] = [
    kind(LayerKind::Convolution, "convolution", LayerFamily::Convolution, Some(Table::Convolutional)),
    kind(
        LayerKind::GroupedConvolution,
        "grouped convolution",
        LayerFamily::SplitConvolution,
        Some(Table::Convolutional),
    ),
    kind(
        LayerKind::DepthwiseConvolution,
        "depthwise convolution",
        LayerFamily::SplitConvolution,
        Some(Table::Convolutional),
    ),
    kind(LayerKind::Deconvolution, "deconvolution", LayerFamily::Convolution, Some(Table::Convolutional)),
    kind(LayerKind::Dense, "dense", LayerFamily::Product, Some(Table::Dense)),
    kind(LayerKind::MatrixProduct, "matrix product", LayerFamily::Product, Some(Table::MatrixProduct)),
    kind(LayerKind::Attention, "attention", LayerFamily::Product, Some(Table::Attention)),
    kind(LayerKind::Pooling, "pooling", LayerFamily::Pooling, Some(Table::Pooling)),
    kind(LayerKind::Pointwise, "pointwise", LayerFamily::Pointwise, Some(Table::Pointwise)),
    kind(LayerKind::Gelu, "GELU", LayerFamily::Pointwise, Some(Table::Gelu)),
    kind(LayerKind::Reduce, "reduction", LayerFamily::Rows, Some(Table::Reduce)),
    kind(LayerKind::Softmax, "softmax", LayerFamily::Rows, Some(Table::Softmax)),
    kind(LayerKind::Normalization, "normalisation", LayerFamily::Rows, Some(Table::Normalization)),
    kind(LayerKind::Reformat, "data movement", LayerFamily::Movement, Some(Table::Reformat)),
    kind(LayerKind::Constant, "constant", LayerFamily::Free, None),
    kind(LayerKind::NoOp, "no operation", LayerFamily::Free, None),
    kind(LayerKind::Foreign, "foreign subgraph", LayerFamily::Opaque, Some(Table::Foreign)),
    kind(LayerKind::Plugin, "plugin", LayerFamily::Opaque, None),
    kind(LayerKind::Unknown, "unknown", LayerFamily::Opaque, None),
];

/// A kind's number is its place in the list.
const _: () = {
    let mut place = 0;
    while place < KINDS.len() {
        assert!(KINDS[place].kind as usize == place);
        place += 1;
    }
    assert!(LayerKind::Unknown as usize + 1 == place);
};

impl LayerKind {
    fn traits(self) -> &'static Traits {
        &KINDS[self as usize]
    }

    /// The kind in words.
    ///
    /// ```
    /// assert_eq!(shared::engine::LayerKind::DepthwiseConvolution.words(), "depthwise convolution");
    /// ```
    #[must_use]
    pub fn words(self) -> &'static str {
        self.traits().words
    }

    /// The family of the kind.
    #[must_use]
    pub fn family(self) -> LayerFamily {
        self.traits().family
    }

    /// The training table of layers of this kind; none for those that cost nothing or that no table describes.
    #[must_use]
    pub fn table(self) -> Option<Table> {
        self.traits().table
    }

    /// Whether such a layer launches nothing at run time.
    #[must_use]
    pub fn is_free(self) -> bool {
        self.family() == LayerFamily::Free
    }

    /// Whether the engine info does not say what such a layer computes.
    #[must_use]
    pub fn is_opaque(self) -> bool {
        self.family() == LayerFamily::Opaque
    }

    /// Whether such a layer multiplies: convolutions and matrix products, with weights or with activations.
    #[must_use]
    pub fn multiplies(self) -> bool {
        self.is_convolution() || self.family() == LayerFamily::Product
    }

    /// Whether such a layer is a convolution of any sort.
    #[must_use]
    pub fn is_convolution(self) -> bool {
        matches!(self.family(), LayerFamily::Convolution | LayerFamily::SplitConvolution)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_a_kind_and_the_name_that_files_carry() {
        for table in Table::ALL {
            assert!(KINDS.iter().any(|traits| traits.table == Some(table)), "{table:?}");
            assert_eq!(serde_json::to_value(table).expect("JSON"), table.name());
        }
    }
}
