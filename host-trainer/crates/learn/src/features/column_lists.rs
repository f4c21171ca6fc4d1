//! The lists of columns of each shape: those stored in training tables, and those derived from them.

use super::shape::{
    AttentionShape, ConvShape, DenseShape, ElementsShape, LayerSpec, PoolShape, ProductShape, RowsShape,
};

/// A column of a training CSV.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StoredColumn {
    /// Its name.
    pub name: &'static str,
    /// The value that stands in where the column or the field is absent; NaN where the number then follows from the other
    /// columns. None for the reference's columns, which have to be there.
    pub absent: Option<f64>,
}

/// A stored column with the field that holds it.
pub(super) struct Stored<S> {
    pub(super) column: StoredColumn,
    pub(super) get: fn(&S) -> f64,
    pub(super) set: fn(&mut S, f64),
}

/// A column that follows from a layer's other numbers.
pub(super) struct Derived<S> {
    pub(super) name: &'static str,
    pub(super) read: fn(&S, &LayerSpec) -> f64,
}

/// A shape whose fields are columns.
pub(super) trait Columns: Default + 'static {
    /// The reference's columns in its order, then ours.
    const STORED: &'static [Stored<Self>];
    /// Columns derived from them. A name that is stored as well stands here where an absent value follows from the shape.
    const DERIVED: &'static [Derived<Self>];
}

/// A field of a shape as a number of a table: NaN stands for an optional one that is absent.
trait Field {
    fn number(&self) -> f64;
    fn of(number: f64) -> Self;
}

impl Field for f64 {
    fn number(&self) -> f64 {
        *self
    }

    fn of(number: f64) -> Self {
        number
    }
}

impl Field for Option<f64> {
    fn number(&self) -> f64 {
        self.unwrap_or(f64::NAN)
    }

    fn of(number: f64) -> Self {
        Some(number).filter(|number| number.is_finite())
    }
}

/// The stored columns of a shape: `name: field`, and `name: field = value` for one that may be absent.
macro_rules! stored {
    (@absent) => { None };
    (@absent $absent:expr) => { Some($absent) };
    ($($name:literal: $($field:ident).+ $(= $absent:expr)?;)+) => {
        &[$(Stored {
            column: StoredColumn { name: $name, absent: stored!(@absent $($absent)?) },
            get: |shape| Field::number(&shape.$($field).+),
            set: |shape, number| shape.$($field).+ = Field::of(number),
        }),+]
    };
}

/// What a layer's work gives, whatever its shape, by the name of the column.
macro_rules! of_work {
    ("weights") => {
        |_, layer| layer.work().weights
    };
    ("element_bytes") => {
        |_, layer| layer.element_bytes()
    };
    ("input_elements") => {
        |_, layer| layer.work().elements_in
    };
    ("output_elements") => {
        |_, layer| layer.work().elements_out
    };
    // 0 for an opaque layer, whose arithmetic is unknown.
    ("macs") => {
        |_, layer| layer.work().macs.unwrap_or(0.0)
    };
    ("window_reads") => {
        |_, layer| layer.work().window_reads.unwrap_or(f64::NAN)
    };
    ("input_bytes") => {
        |_, layer| layer.work().bytes_in
    };
    ("output_bytes") => {
        |_, layer| layer.work().bytes_out
    };
    ("weight_bytes") => {
        |_, layer| layer.work().bytes_weights
    };
}

/// The derived columns of a shape: `name: |shape| value`, or the name alone for what its work gives.
macro_rules! derived {
    (@read $name:tt) => { of_work!($name) };
    (@read $name:tt $shape:ident $value:expr) => { |$shape, _| $value };
    ($($name:tt $(: |$shape:ident| $value:expr)?;)+) => {
        &[$(Derived { name: $name, read: derived!(@read $name $($shape $value)?) }),+]
    };
}

impl Columns for ConvShape {
    const STORED: &'static [Stored<Self>] = stored! {
        "batch_size": batch;
        "input_size_0": input.channels;
        "input_size_1": input.height;
        "input_size_2": input.width;
        "output_size_0": output.channels;
        "output_size_1": output.height;
        "output_size_2": output.width;
        "kernel_0": kernel.height;
        "kernel_1": kernel.width;
        "padding_0": padding.height;
        "padding_1": padding.width;
        "stride_0": stride.height;
        "stride_1": stride.width;
        "groups": groups = 1.0;
        "dilation_0": dilation.height = 1.0;
        "dilation_1": dilation.width = 1.0;
        "weights": weights = f64::NAN;
    };
    const DERIVED: &'static [Derived<Self>] = derived! {
        "weights";
        "group_channels": |shape| shape.group_channels();
        "depthwise": |shape| f64::from(u8::from(shape.is_depthwise()));
        "kernel_area": |shape| shape.kernel.height * shape.kernel.width;
        "element_bytes";
        "input_elements";
        "output_elements";
        "macs";
        "input_bytes";
        "output_bytes";
        "weight_bytes";
    };
}

impl Columns for PoolShape {
    const STORED: &'static [Stored<Self>] = stored! {
        "batch_size": batch;
        "input_size_0": input.channels;
        "input_size_1": input.height;
        "input_size_2": input.width;
        "output_size_0": output.channels;
        "output_size_1": output.height;
        "output_size_2": output.width;
        "kernel_0": kernel.height;
        "kernel_1": kernel.width;
        "stride_0": stride.height;
        "stride_1": stride.width;
        "padding_0": padding.height = 0.0;
        "padding_1": padding.width = 0.0;
    };
    const DERIVED: &'static [Derived<Self>] = derived! {
        "kernel_area": |shape| shape.kernel.height * shape.kernel.width;
        "element_bytes";
        "input_elements";
        "output_elements";
        "window_reads";
        "input_bytes";
        "output_bytes";
    };
}

/// `input_size` and `output_size` are the products of the main input's and output's dimensions, the batch included, as the
/// reference has it.
impl Columns for DenseShape {
    const STORED: &'static [Stored<Self>] = stored! {
        "batch_size": batch;
        "input_size": input;
        "output_size": output;
        "weights": weights = f64::NAN;
    };
    const DERIVED: &'static [Derived<Self>] = derived! {
        "weights": |shape| shape.weights();
        "input_features": |shape| shape.input_features();
        "output_features": |shape| shape.output_features();
        "element_bytes";
        "input_elements";
        "output_elements";
        "macs";
        "input_bytes";
        "output_bytes";
        "weight_bytes";
    };
}

/// `products` counts images × heads; `input_elements` are those of both operands.
impl Columns for ProductShape {
    const STORED: &'static [Stored<Self>] = stored! {
        "batch_size": batch;
        "products": sizes.products;
        "rows": sizes.rows;
        "length": sizes.length;
        "columns": sizes.columns;
    };
    const DERIVED: &'static [Derived<Self>] = derived! {
        "element_bytes";
        "input_elements";
        "output_elements";
        "macs";
        "input_bytes";
        "output_bytes";
    };
}

/// `heads` counts images × heads; `scores` are the elements of all softmaxes.
impl Columns for AttentionShape {
    const STORED: &'static [Stored<Self>] = stored! {
        "batch_size": batch;
        "heads": sizes.heads;
        "queries": sizes.queries;
        "keys": sizes.keys;
        "head_size": sizes.head_size;
    };
    const DERIVED: &'static [Derived<Self>] = derived! {
        "scores": |shape| shape.sizes.heads * shape.sizes.queries * shape.sizes.keys;
        "element_bytes";
        "input_elements";
        "output_elements";
        "macs";
        "input_bytes";
        "output_bytes";
    };
}

/// `input_size` and `output_size` are the element counts of all inputs and of all outputs; `row_length` is what one sum goes over.
impl Columns for RowsShape {
    const STORED: &'static [Stored<Self>] = stored! {
        "batch_size": batch;
        "input_size": input;
        "output_size": output;
        "weights": weights = f64::NAN;
        "row_length": row_length = f64::NAN;
    };
    const DERIVED: &'static [Derived<Self>] = derived! {
        "weights";
        "row_length": |shape| shape.row_length();
        "rows": |shape| shape.output / shape.row_length();
        "input_features": |shape| shape.input / shape.batch;
        "output_features": |shape| shape.output / shape.batch;
        "element_bytes";
        "input_elements";
        "output_elements";
        "macs";
        "input_bytes";
        "output_bytes";
        "weight_bytes";
    };
}

/// `input_size` and `output_size` are the element counts of all inputs and of all outputs.
impl Columns for ElementsShape {
    const STORED: &'static [Stored<Self>] = stored! {
        "batch_size": batch;
        "input_size": input;
        "output_size": output;
        "weights": weights = f64::NAN;
    };
    const DERIVED: &'static [Derived<Self>] = derived! {
        "weights";
        "input_features": |shape| shape.input / shape.batch;
        "output_features": |shape| shape.output / shape.batch;
        "element_bytes";
        "input_elements";
        "output_elements";
        "macs";
        "input_bytes";
        "output_bytes";
        "weight_bytes";
    };
}
