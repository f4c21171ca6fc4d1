//! A layer as its training table describes it: a shape with named fields, and the number format.
//!
//! All sizes are `f64`: a table holds numbers of any origin, and every model reads floating point.

use shared::engine::{
    AttentionSizes, ConvolutionSizes, Image, PoolingSizes, Precision, ProductSizes, Table, Window, Work,
};

/// The precision assumed for rows without one: the reference measures in FP16.
pub const ASSUMED_PRECISION: Precision = Precision::Fp16;

/// A convolution of any sort, transposed ones included.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ConvShape {
    /// Images per inference.
    pub batch: f64,
    /// Input extents.
    pub input: Image,
    /// Output extents.
    pub output: Image,
    /// Kernel extents.
    pub kernel: Window,
    /// Padding of each axis, before and after together.
    pub padding: Window,
    /// Steps of the kernel.
    pub stride: Window,
    /// Channel groups.
    pub groups: f64,
    /// Distance between the kernel's elements.
    pub dilation: Window,
    /// Number of weights, where it is counted.
    pub weights: Option<f64>,
}

impl ConvShape {
    /// Input channels that one output channel reads.
    #[must_use]
    pub fn group_channels(&self) -> f64 {
        self.input.channels / self.groups
    }

    /// Whether every output channel reads one input channel of its own.
    #[must_use]
    pub fn is_depthwise(&self) -> bool {
        self.group_channels() <= 1.0 && self.groups > 1.0
    }
}

/// A pooling over windows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PoolShape {
    /// Images per inference.
    pub batch: f64,
    /// Input extents.
    pub input: Image,
    /// Output extents.
    pub output: Image,
    /// Window extents.
    pub kernel: Window,
    /// Steps of the window.
    pub stride: Window,
    /// Padding of each axis, before and after together.
    pub padding: Window,
}

/// A product with weights.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DenseShape {
    /// Images per inference.
    pub batch: f64,
    /// Elements of the main input, the batch included.
    pub input: f64,
    /// Elements of the main output, the batch included.
    pub output: f64,
    /// Number of weights, where it is counted.
    pub weights: Option<f64>,
}

impl DenseShape {
    /// Input elements per image.
    #[must_use]
    pub fn input_features(&self) -> f64 {
        self.input / self.batch
    }

    /// Output elements per image.
    #[must_use]
    pub fn output_features(&self) -> f64 {
        self.output / self.batch
    }

    /// Weights as counted, else those of a fully connected layer: input × output features.
    #[must_use]
    pub fn weights(&self) -> f64 {
        self.weights.unwrap_or_else(|| self.input_features() * self.output_features())
    }
}

/// Products of two activations.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ProductShape {
    /// Images per inference.
    pub batch: f64,
    /// Their number and extents.
    pub sizes: ProductSizes<f64>,
}

/// Attention in one kernel.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AttentionShape {
    /// Images per inference.
    pub batch: f64,
    /// Its number of heads and their extents.
    pub sizes: AttentionSizes<f64>,
}

/// A layer that works on whole rows: softmax and normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RowsShape {
    /// Images per inference.
    pub batch: f64,
    /// Elements of all inputs, the batch included.
    pub input: f64,
    /// Elements of all outputs, the batch included.
    pub output: f64,
    /// Number of weights, where it is counted.
    pub weights: Option<f64>,
    /// Elements of a row, over which the layer sums; the whole image where it is not told.
    pub row_length: Option<f64>,
}

impl RowsShape {
    /// Elements of a row.
    #[must_use]
    pub fn row_length(&self) -> f64 {
        self.row_length.unwrap_or(self.output / self.batch)
    }
}

/// A layer known only by its element counts.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ElementsShape {
    /// Images per inference.
    pub batch: f64,
    /// Elements of all inputs, the batch included.
    pub input: f64,
    /// Elements of all outputs, the batch included.
    pub output: f64,
    /// Number of weights, where it is counted.
    pub weights: Option<f64>,
}

/// Calls a macro with `[…]` and the list of all tables: `table: variant of LayerShape(type of the shape)`. A new table stands here and
/// in `shared::engine::Table`.
macro_rules! with_tables {
    ($call:ident![$($arguments:tt)*]) => {
        $call! {
            [$($arguments)*]
            Convolutional: Conv(ConvShape),
            Dense: Dense(DenseShape),
            MatrixProduct: MatrixProduct(ProductShape),
            Attention: Attention(AttentionShape),
            Pooling: Pool(PoolShape),
            Pointwise: Pointwise(ElementsShape),
            Gelu: Gelu(ElementsShape),
            Reformat: Reformat(ElementsShape),
            Reduce: Reduce(ElementsShape),
            Softmax: Softmax(RowsShape),
            Normalization: Normalization(RowsShape),
            Foreign: Foreign(ElementsShape),
        }
    };
}

macro_rules! define_layer_shape {
    ([] $($table:ident: $variant:ident($shape:ty),)+) => {
        /// The shape of a layer, by the training table it belongs to.
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub enum LayerShape {
            $(
                #[doc = concat!("Row of [`", stringify!($table), "`](Table::", stringify!($table), ").")]
                $variant($shape),
            )+
        }

        impl LayerShape {
            /// The training table of the shape.
            #[must_use]
            pub fn table(&self) -> Table {
                match self {
                    $(Self::$variant(_) => Table::$table,)+
                }
            }
        }
    };
}

with_tables!(define_layer_shape![]);

/// Evaluates an expression with `$shape` bound to the shape inside a [`LayerShape`].
macro_rules! with_shape {
    ([$layer_shape:expr, $shape:ident => $value:expr] $($table:ident: $variant:ident($type:ty),)+) => {
        match $layer_shape {
            $(LayerShape::$variant($shape) => $value,)+
        }
    };
    ($($arguments:tt)+) => { with_tables!(with_shape![$($arguments)+]) };
}

/// Makes the [`LayerShape`] of a table out of an expression, for which the type alias `$shape` stands for the type of the shape.
macro_rules! shape_of_table {
    ([$of:expr, $shape:ident => $value:expr] $($table:ident: $variant:ident($type:ty),)+) => {
        match $of {
            $(Table::$table => {
                type $shape = $type;
                LayerShape::$variant($value)
            })+
        }
    };
    ($($arguments:tt)+) => { with_tables!(shape_of_table![$($arguments)+]) };
}

/// Evaluates an expression with the type alias `$shape` standing for the type of the shape of a table's layers.
macro_rules! with_type {
    ([$of:expr, $shape:ident => $value:expr] $($table:ident: $variant:ident($type:ty),)+) => {
        match $of {
            $(Table::$table => {
                type $shape = $type;
                $value
            })+
        }
    };
    ($($arguments:tt)+) => { with_tables!(with_type![$($arguments)+]) };
}

pub(super) use {shape_of_table, with_shape, with_tables, with_type};

/// A layer as its training table describes it.
///
/// ```
/// use learn::features::{ConvShape, LayerShape, LayerSpec};
/// use shared::engine::{Image, Precision, Table, Window};
///
/// let one = Window { height: 1.0, width: 1.0 };
/// let layer = LayerSpec {
///     shape: LayerShape::Conv(ConvShape {
///         batch: 1.0,
///         input: Image { channels: 64.0, height: 56.0, width: 56.0 },
///         output: Image { channels: 128.0, height: 28.0, width: 28.0 },
///         kernel: Window { height: 3.0, width: 3.0 },
///         padding: Window { height: 2.0, width: 2.0 },
///         stride: Window { height: 2.0, width: 2.0 },
///         groups: 1.0,
///         dilation: one,
///         weights: None,
///     }),
///     precision: Some(Precision::Int8),
/// };
/// assert_eq!(layer.table(), Table::Convolutional);
/// assert_eq!(layer.work().macs, Some(57_802_752.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerSpec {
    /// Its sizes.
    pub shape: LayerShape,
    /// The number format it computes in; none where the data do not say.
    pub precision: Option<Precision>,
}

impl LayerSpec {
    /// The training table that the layer belongs to.
    #[must_use]
    pub fn table(&self) -> Table {
        self.shape.table()
    }

    /// Images per inference.
    #[must_use]
    pub fn batch(&self) -> f64 {
        with_shape!(&self.shape, shape => shape.batch)
    }

    /// Bits of one element, those of [`ASSUMED_PRECISION`] where the precision is unknown.
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.precision.unwrap_or(ASSUMED_PRECISION).bits()
    }

    /// Bytes of one element, those of [`ASSUMED_PRECISION`] where the precision is unknown.
    #[must_use]
    pub fn element_bytes(&self) -> f64 {
        f64::from(self.bits()) / 8.0
    }

    /// What the layer has to do.
    #[must_use]
    pub fn work(&self) -> Work<f64> {
        let work = with_shape!(&self.shape, shape => shape.work(self.element_bytes()));
        // Nothing is known of the arithmetic inside an opaque layer.
        if self.table() == Table::Foreign { Work { macs: None, ..work } } else { work }
    }
}

impl ConvShape {
    fn work(&self, element_bytes: f64) -> Work<f64> {
        Work::convolution(ConvolutionSizes {
            batch: self.batch,
            input: self.input,
            output: self.output,
            group_channels: self.group_channels(),
            kernel: self.kernel,
            weights: self.weights,
            element_bytes,
        })
    }
}

impl PoolShape {
    fn work(&self, element_bytes: f64) -> Work<f64> {
        let Self { batch, input, output, kernel, .. } = *self;
        Work::pooling(PoolingSizes { batch, input, output, kernel, element_bytes })
    }
}

impl DenseShape {
    fn work(&self, element_bytes: f64) -> Work<f64> {
        Work::matrix_product(self.input, self.output, self.weights(), element_bytes)
    }
}

impl ProductShape {
    fn work(&self, element_bytes: f64) -> Work<f64> {
        Work::product(self.sizes, element_bytes)
    }
}

impl AttentionShape {
    fn work(&self, element_bytes: f64) -> Work<f64> {
        Work::attention(self.sizes, element_bytes)
    }
}

impl RowsShape {
    fn work(&self, element_bytes: f64) -> Work<f64> {
        Work::moving(Some(0.0), [self.input, self.output, self.weights.unwrap_or(0.0)], element_bytes)
    }
}

impl ElementsShape {
    fn work(&self, element_bytes: f64) -> Work<f64> {
        Work::moving(Some(0.0), [self.input, self.output, self.weights.unwrap_or(0.0)], element_bytes)
    }
}
