//! The columns of each training table: which field of a [`LayerShape`] each one holds, and those derived from them.
//!
//! Stored columns are those of the training CSV files: the reference's first, in its order, then ours. Derived columns
//! are functions of stored ones. A predictor may read any of both; its card lists the names in order.

pub use super::column_lists::StoredColumn;

use super::column_lists::Columns;
use super::shape::{
    AttentionShape, ConvShape, DenseShape, ElementsShape, LayerShape, LayerSpec, PoolShape, ProductShape, RowsShape,
    shape_of_table, with_shape, with_tables, with_type,
};
use shared::engine::{Precision, Table};

/// The stored columns of a table, in the order of the training CSV: the reference's, then ours.
#[must_use]
pub fn stored_columns(table: Table) -> Vec<StoredColumn> {
    with_type!(table, Shape => Shape::STORED.iter().map(|stored| stored.column).collect())
}

/// The names of the stored columns that the reference writes for a table.
#[must_use]
pub fn reference_columns(table: Table) -> Vec<&'static str> {
    stored_columns(table).iter().filter(|column| column.absent.is_none()).map(|column| column.name).collect()
}

/// The header of a table's training CSV: the reference's columns, then ours.
///
/// ```
/// use learn::features::columns::csv_header;
/// use shared::engine::Table;
///
/// let header = csv_header(Table::Dense).join(",");
/// assert_eq!(header, "batch_size,input_size,output_size,power,runtime,layer_name,precision,weights,device");
/// ```
#[must_use]
pub fn csv_header(table: Table) -> Vec<&'static str> {
    let (reference, ours): (Vec<StoredColumn>, Vec<_>) =
        stored_columns(table).into_iter().partition(|column| column.absent.is_none());
    let mut header: Vec<&'static str> = reference.iter().map(|column| column.name).collect();
    header.extend(["power", "runtime", "layer_name"]);
    let mut ours: Vec<&'static str> = ours.iter().map(|column| column.name).collect();
    // `precision` stands before `weights`, where there are weights.
    let at = ours.iter().position(|name| *name == "weights").unwrap_or(ours.len());
    ours.insert(at, "precision");
    header.extend(ours);
    header.push("device");
    header
}

/// Every column name of a table, stored then derived.
#[must_use]
pub fn names(table: Table) -> Vec<&'static str> {
    let mut names: Vec<_> = stored_columns(table).iter().map(|column| column.name).collect();
    for name in derived_names(table) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn derived_names(table: Table) -> Vec<&'static str> {
    with_type!(table, Shape => Shape::DERIVED.iter().map(|derived| derived.name).collect())
}

/// The unit of a column, by its name.
#[must_use]
pub fn unit(name: &str) -> &'static str {
    match name {
        "batch_size" => "images",
        "input_size_0" | "output_size_0" | "group_channels" => "channels",
        "groups" => "groups",
        "products" => "products",
        "heads" => "heads",
        "rows" => "rows",
        "macs" => "multiply-accumulates",
        "weights" => "weights",
        "element_bytes" | "input_bytes" | "output_bytes" | "weight_bytes" => "bytes",
        "depthwise" => "0 or 1",
        "kernel_area" => "pixels²",
        name if name.starts_with("input_size_") || name.starts_with("output_size_") => "pixels",
        name if ["kernel_", "padding_", "stride_", "dilation_"].iter().any(|p| name.starts_with(p)) => "pixels",
        _ => "elements",
    }
}

/// A column, resolved for one table: reading it is a field access or a short formula.
///
/// ```
/// use learn::features::{Column, DenseShape, LayerShape, LayerSpec};
/// use shared::engine::Table;
///
/// let shape = DenseShape { batch: 2.0, input: 1024.0, output: 20.0, weights: None };
/// let layer = LayerSpec { shape: LayerShape::Dense(shape), precision: None };
/// let stored = Column::resolve(Table::Dense, "input_size").expect("a stored column");
/// let derived = Column::resolve(Table::Dense, "macs").expect("a derived column");
/// assert_eq!((stored.value(&layer), derived.value(&layer)), (1024.0, 2.0 * 512.0 * 10.0));
/// assert!(Column::resolve(Table::Dense, "kernel_0").is_none());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Column {
    table: Table,
    place: Place,
}

/// Where a column stands in the lists of its table's shape.
#[derive(Debug, Clone, Copy)]
enum Place {
    Stored(usize),
    Derived(usize),
}

impl Column {
    /// The column of a name in a table, if there is one.
    #[must_use]
    pub fn resolve(table: Table, name: &str) -> Option<Self> {
        let derived = derived_names(table).iter().position(|n| *n == name).map(Place::Derived);
        let stored = || stored_columns(table).iter().position(|column| column.name == name).map(Place::Stored);
        derived.or_else(stored).map(|place| Self { table, place })
    }

    /// The column's value for a layer; NaN for a layer of another table.
    #[must_use]
    pub fn value(&self, layer: &LayerSpec) -> f64 {
        if layer.table() != self.table {
            return f64::NAN;
        }
        with_shape!(&layer.shape, shape => self.read(shape, layer))
    }

    fn read<S: Columns>(&self, shape: &S, layer: &LayerSpec) -> f64 {
        match self.place {
            Place::Stored(index) => (S::STORED[index].get)(shape),
            Place::Derived(index) => (S::DERIVED[index].read)(shape, layer),
        }
    }
}

impl LayerSpec {
    /// Reads a layer from the stored columns of its table, in their order; `column` gives the value of each, or what
    /// stands in for it.
    ///
    /// ```
    /// use learn::features::LayerSpec;
    /// use shared::engine::Table;
    ///
    /// let row = [("batch_size", 1.0), ("input_size", 512.0), ("output_size", 1000.0)];
    /// let layer = LayerSpec::from_columns(Table::Dense, None, |column| {
    ///     let value = row.iter().find(|(name, _)| *name == column.name).map(|(_, value)| *value);
    ///     value.or(column.absent).ok_or(column.name)
    /// });
    /// assert_eq!(layer.expect("every column is there").work().macs, Some(512_000.0));
    /// ```
    ///
    /// # Errors
    /// The first error that `column` gives.
    pub fn from_columns<E>(
        table: Table,
        precision: Option<Precision>,
        column: impl FnMut(&StoredColumn) -> Result<f64, E>,
    ) -> Result<Self, E> {
        let shape = shape_of_table!(table, Shape => read::<Shape, E>(column)?);
        Ok(Self { shape, precision })
    }

    /// The stored columns of the layer's table with the layer's numbers; NaN for a number that is not counted.
    #[must_use]
    pub fn stored(&self) -> Vec<(&'static str, f64)> {
        with_shape!(&self.shape, shape => numbers(shape))
    }
}

fn read<S: Columns, E>(mut column: impl FnMut(&StoredColumn) -> Result<f64, E>) -> Result<S, E> {
    let mut shape = S::default();
    for stored in S::STORED {
        (stored.set)(&mut shape, column(&stored.column)?);
    }
    Ok(shape)
}

fn numbers<S: Columns>(shape: &S) -> Vec<(&'static str, f64)> {
    S::STORED.iter().map(|stored| (stored.column.name, (stored.get)(shape))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::engine::{Image, Window};

    fn convolution(groups: f64) -> LayerSpec {
        let two = Window { height: 2.0, width: 2.0 };
        let shape = ConvShape {
            batch: 2.0,
            input: Image { channels: 32.0, height: 56.0, width: 56.0 },
            output: Image { channels: 64.0, height: 28.0, width: 28.0 },
            kernel: Window { height: 3.0, width: 3.0 },
            padding: two,
            stride: two,
            groups,
            dilation: Window { height: 1.0, width: 1.0 },
            weights: None,
        };
        LayerSpec { shape: LayerShape::Conv(shape), precision: Some(Precision::Int8) }
    }

    fn dense(batch: f64, input: f64, output: f64, weights: Option<f64>) -> LayerSpec {
        LayerSpec { shape: LayerShape::Dense(DenseShape { batch, input, output, weights }), precision: None }
    }

    fn value(layer: &LayerSpec, name: &str) -> f64 {
        Column::resolve(layer.table(), name).expect("a column").value(layer)
    }

    #[test]
    fn macs_of_a_convolution_count_groups_and_batch() {
        assert_eq!(value(&convolution(1.0), "macs"), 2.0 * 64.0 * 28.0 * 28.0 * 32.0 * 9.0);
        assert_eq!(value(&convolution(32.0), "macs"), 2.0 * 64.0 * 28.0 * 28.0 * 9.0);
        assert_eq!(value(&convolution(32.0), "depthwise"), 1.0);
        assert_eq!(value(&convolution(1.0), "weights"), 9.0 * 32.0 * 64.0);
        assert_eq!(value(&convolution(1.0), "input_bytes"), 2.0 * 32.0 * 56.0 * 56.0);
    }

    #[test]
    fn macs_of_a_matrix_product_over_pixels_follow_from_its_weights() {
        let (channels, outputs, pixels, batch) = (96.0, 576.0, 196.0, 2.0);
        let layer = dense(batch, batch * channels * pixels, batch * outputs * pixels, Some(channels * outputs));
        assert!((value(&layer, "macs") - batch * channels * outputs * pixels).abs() < 1e-3);
        assert_eq!(value(&dense(1.0, 512.0, 1000.0, None), "macs"), 512_000.0);
    }

    #[test]
    fn the_header_starts_with_the_reference_columns() {
        let header = csv_header(Table::Convolutional).join(",");
        assert_eq!(
            header,
            "batch_size,input_size_0,input_size_1,input_size_2,output_size_0,output_size_1,output_size_2,kernel_0,\
             kernel_1,padding_0,padding_1,stride_0,stride_1,power,runtime,layer_name,groups,dilation_0,dilation_1,\
             precision,weights,device"
        );
        assert!(csv_header(Table::Pooling).join(",").ends_with("layer_name,padding_0,padding_1,precision,device"));
    }

    #[test]
    fn every_name_resolves() {
        for table in Table::ALL {
            for name in names(table) {
                assert!(Column::resolve(table, name).is_some(), "{name}");
            }
            assert!(Column::resolve(table, "no_such_column").is_none());
        }
    }

    #[test]
    fn every_stored_column_has_a_field_of_its_own() {
        for table in Table::ALL {
            let mut next = 0.0;
            let numbered = LayerSpec::from_columns(table, None, |_| {
                next += 1.0;
                Ok::<f64, ()>(next)
            })
            .expect("no column is refused");
            assert_eq!(numbered.table(), table);
            for (position, (name, number)) in numbered.stored().into_iter().enumerate() {
                assert_eq!(number, position as f64 + 1.0, "{name}");
                assert_eq!(stored_columns(table)[position].name, name);
            }
        }
    }

    #[test]
    fn an_absent_count_of_weights_follows_from_the_shape() {
        let absent = |column: &StoredColumn| Ok::<f64, ()>(column.absent.unwrap_or(4.0));
        let layer = LayerSpec::from_columns(Table::Convolutional, None, absent).expect("a layer");
        assert_eq!(value(&layer, "weights"), 4.0 * 4.0 * 4.0 * 4.0);
        let stored = layer.stored();
        assert!(stored.iter().any(|(name, number)| *name == "weights" && number.is_nan()), "{stored:?}");
    }

    #[test]
    fn a_column_of_another_table_has_no_value() {
        let column = Column::resolve(Table::Dense, "macs").expect("a column");
        assert!(column.value(&convolution(1.0)).is_nan());
    }
}
