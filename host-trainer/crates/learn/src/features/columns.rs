//! The columns of each training table, and the columns derived from them.
//!
//! Stored columns are those of the training CSV files: the reference's first, in its order, then ours. Derived columns
//! are functions of stored ones. A predictor may read any of both; its card lists the names in order.

use shared::engine::{Precision, Table};

/// Columns of `convolutional.csv` that the reference writes before `power, runtime, layer_name`.
const CONVOLUTIONAL: &[&str] = &[
    "batch_size",
    "input_size_0",
    "input_size_1",
    "input_size_2",
    "output_size_0",
    "output_size_1",
    "output_size_2",
    "kernel_0",
    "kernel_1",
    "padding_0",
    "padding_1",
    "stride_0",
    "stride_1",
];
/// Columns of `pooling.csv`, likewise: a convolution's without padding.
const POOLING: &[&str] = &[
    "batch_size",
    "input_size_0",
    "input_size_1",
    "input_size_2",
    "output_size_0",
    "output_size_1",
    "output_size_2",
    "kernel_0",
    "kernel_1",
    "stride_0",
    "stride_1",
];
/// Columns of `dense.csv` and of every further table. In `dense.csv` they are the products of the main input's and
/// output's dimensions, the batch included, as the reference has it; elsewhere the element counts of all inputs and of
/// all outputs.
const SIZES: &[&str] = &["batch_size", "input_size", "output_size"];

/// Numeric columns that we add after the reference's. Absent ones take the default beside them on reading.
const CONVOLUTIONAL_EXTRA: &[(&str, f64)] =
    &[("groups", 1.0), ("dilation_0", 1.0), ("dilation_1", 1.0), ("weights", f64::NAN)];
const POOLING_EXTRA: &[(&str, f64)] = &[("padding_0", 0.0), ("padding_1", 0.0)];
const SIZES_EXTRA: &[(&str, f64)] = &[("weights", f64::NAN)];

/// The precision assumed for rows without one: the reference measures in FP16.
pub const ASSUMED_PRECISION: Precision = Precision::Fp16;

/// The stored columns that the reference writes for a table.
#[must_use]
pub fn reference_columns(table: Table) -> &'static [&'static str] {
    match table {
        Table::Convolutional => CONVOLUTIONAL,
        Table::Pooling => POOLING,
        _ => SIZES,
    }
}

/// The numeric columns we add for a table, each with the value that stands in for an absent column. NaN means: derived
/// from the shape where the column is absent.
#[must_use]
pub fn extra_columns(table: Table) -> &'static [(&'static str, f64)] {
    match table {
        Table::Convolutional => CONVOLUTIONAL_EXTRA,
        Table::Pooling => POOLING_EXTRA,
        _ => SIZES_EXTRA,
    }
}

/// The header of a table's training CSV: the reference's columns, then ours.
#[must_use]
pub fn csv_header(table: Table) -> Vec<&'static str> {
    let mut header = reference_columns(table).to_vec();
    header.extend(["power", "runtime", "layer_name"]);
    let mut extra: Vec<_> = extra_columns(table).iter().map(|(name, _)| *name).collect();
    // `precision` stands before `weights`, where there are weights.
    let at = extra.iter().position(|name| *name == "weights").unwrap_or(extra.len());
    extra.insert(at, "precision");
    header.extend(extra);
    header.push("device");
    header
}

/// A layer's numbers: the stored columns of its table, reference first, and its precision.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// The table whose columns these are.
    pub table: Table,
    /// Values of [`reference_columns`], then of [`extra_columns`].
    pub values: Vec<f64>,
    /// The number format the layer computes in; none where the data do not tell.
    pub precision: Option<Precision>,
}

/// A column, resolved for one table: reading it is a field access or a short formula.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    read: Read,
}

#[derive(Debug, Clone, Copy)]
enum Read {
    Stored(usize),
    Derived(fn(&Shape) -> f64),
}

impl Column {
    /// The column of a name in a table, if there is one.
    #[must_use]
    pub fn resolve(table: Table, name: &str) -> Option<Self> {
        let derived = derived_columns(table).iter().find(|(n, _)| *n == name).map(|(_, f)| Read::Derived(*f));
        derived.or_else(|| stored_index(table, name).map(Read::Stored)).map(|read| Self { read })
    }

    /// The column's value for a layer.
    #[must_use]
    pub fn value(&self, shape: &Shape) -> f64 {
        match self.read {
            Read::Stored(index) => shape.values[index],
            Read::Derived(formula) => formula(shape),
        }
    }
}

/// Every column name of a table, stored then derived.
#[must_use]
pub fn names(table: Table) -> Vec<&'static str> {
    let stored = reference_columns(table).iter().copied().chain(extra_columns(table).iter().map(|(name, _)| *name));
    let mut names: Vec<_> = stored.collect();
    for (name, _) in derived_columns(table) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    names
}

/// The unit of a column, by its name.
#[must_use]
pub fn unit(name: &str) -> &'static str {
    match name {
        "batch_size" => "images",
        "input_size_0" | "output_size_0" | "group_channels" => "channels",
        "groups" => "groups",
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

fn stored_index(table: Table, name: &str) -> Option<usize> {
    let reference = reference_columns(table);
    reference
        .iter()
        .position(|n| *n == name)
        .or_else(|| extra_columns(table).iter().position(|(n, _)| *n == name).map(|i| i + reference.len()))
}

type Derived = (&'static str, fn(&Shape) -> f64);

/// `weights` is listed as derived too: where the file lacks it, it follows from the shape.
const CONVOLUTIONAL_DERIVED: &[Derived] = &[
    ("weights", Shape::weights),
    ("group_channels", Shape::group_channels),
    ("depthwise", |s| f64::from(u8::from(s.group_channels() <= 1.0 && s.stored("groups") > 1.0))),
    ("kernel_area", |s| s.stored("kernel_0") * s.stored("kernel_1")),
    ("element_bytes", Shape::element_bytes),
    ("input_elements", Shape::input_elements),
    ("output_elements", Shape::output_elements),
    ("macs", Shape::macs),
    ("input_bytes", |s| s.input_elements() * s.element_bytes()),
    ("output_bytes", |s| s.output_elements() * s.element_bytes()),
    ("weight_bytes", |s| s.weights() * s.element_bytes()),
];
const POOLING_DERIVED: &[Derived] = &[
    ("kernel_area", |s| s.stored("kernel_0") * s.stored("kernel_1")),
    ("element_bytes", Shape::element_bytes),
    ("input_elements", Shape::input_elements),
    ("output_elements", Shape::output_elements),
    ("window_reads", |s| s.output_elements() * s.stored("kernel_0") * s.stored("kernel_1")),
    ("input_bytes", |s| s.input_elements() * s.element_bytes()),
    ("output_bytes", |s| s.output_elements() * s.element_bytes()),
];
const SIZES_DERIVED: &[Derived] = &[
    ("weights", Shape::weights),
    ("input_features", |s| s.stored("input_size") / s.stored("batch_size")),
    ("output_features", |s| s.stored("output_size") / s.stored("batch_size")),
    ("element_bytes", Shape::element_bytes),
    ("input_elements", Shape::input_elements),
    ("output_elements", Shape::output_elements),
    ("macs", Shape::macs),
    ("input_bytes", |s| s.input_elements() * s.element_bytes()),
    ("output_bytes", |s| s.output_elements() * s.element_bytes()),
    ("weight_bytes", |s| s.weights() * s.element_bytes()),
];

fn derived_columns(table: Table) -> &'static [Derived] {
    match table {
        Table::Convolutional => CONVOLUTIONAL_DERIVED,
        Table::Pooling => POOLING_DERIVED,
        _ => SIZES_DERIVED,
    }
}

impl Shape {
    fn stored(&self, name: &str) -> f64 {
        stored_index(self.table, name).map_or(f64::NAN, |index| self.values[index])
    }

    /// Bytes of one element in the layer's precision.
    #[must_use]
    pub fn element_bytes(&self) -> f64 {
        f64::from(self.precision.unwrap_or(ASSUMED_PRECISION).bits()) / 8.0
    }

    /// Input channels that one output channel reads: `input_size_0 / groups`.
    #[must_use]
    pub fn group_channels(&self) -> f64 {
        self.stored("input_size_0") / self.stored("groups")
    }

    /// Elements read, weights excluded.
    #[must_use]
    pub fn input_elements(&self) -> f64 {
        match self.table {
            Table::Convolutional | Table::Pooling => self.values[..4].iter().product(),
            _ => self.stored("input_size"),
        }
    }

    /// Elements written.
    #[must_use]
    pub fn output_elements(&self) -> f64 {
        match self.table {
            Table::Convolutional | Table::Pooling => self.values[0] * self.values[4..7].iter().product::<f64>(),
            _ => self.stored("output_size"),
        }
    }

    /// Weights, as counted in the data or as they follow from the shape: kernel × group channels × output channels of a
    /// convolution; input × output features of a fully connected layer; none elsewhere.
    #[must_use]
    pub fn weights(&self) -> f64 {
        let counted = self.stored("weights");
        if counted.is_finite() {
            return counted;
        }
        match self.table {
            Table::Convolutional => {
                self.stored("kernel_0") * self.stored("kernel_1") * self.group_channels() * self.stored("output_size_0")
            }
            Table::Dense => {
                let batch = self.stored("batch_size");
                (self.stored("input_size") / batch) * (self.stored("output_size") / batch)
            }
            _ => 0.0,
        }
    }

    /// Multiply-accumulates. Convolution: output elements × group channels × kernel. Dense: a 1×1 convolution run as a
    /// matrix product has `weights = C·K` over `P` pixels, input `C·P` and output `K·P`, so that the MACs `C·K·P` are
    /// `√(input · output · weights)`; for a fully connected layer, `P = 1`, that is `input · output`.
    #[must_use]
    pub fn macs(&self) -> f64 {
        match self.table {
            Table::Convolutional => {
                self.output_elements() * self.group_channels() * self.stored("kernel_0") * self.stored("kernel_1")
            }
            Table::Dense => {
                let batch = self.stored("batch_size");
                let (input, output) = (self.stored("input_size") / batch, self.stored("output_size") / batch);
                batch * (input * output * self.weights()).sqrt()
            }
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convolution(groups: f64) -> Shape {
        let mut values = vec![2.0, 32.0, 56.0, 56.0, 64.0, 28.0, 28.0, 3.0, 3.0, 2.0, 2.0, 2.0, 2.0];
        values.extend([groups, 1.0, 1.0, f64::NAN]);
        Shape { table: Table::Convolutional, values, precision: Some(Precision::Int8) }
    }

    fn read(shape: &Shape, name: &str) -> f64 {
        Column::resolve(shape.table, name).expect("a column").value(shape)
    }

    #[test]
    fn macs_of_a_convolution_count_groups_and_batch() {
        assert_eq!(read(&convolution(1.0), "macs"), 2.0 * 64.0 * 28.0 * 28.0 * 32.0 * 9.0);
        assert_eq!(read(&convolution(32.0), "macs"), 2.0 * 64.0 * 28.0 * 28.0 * 9.0);
        assert_eq!(read(&convolution(32.0), "depthwise"), 1.0);
        assert_eq!(read(&convolution(1.0), "weights"), 9.0 * 32.0 * 64.0);
        assert_eq!(read(&convolution(1.0), "input_bytes"), 2.0 * 32.0 * 56.0 * 56.0);
    }

    #[test]
    fn macs_of_a_matrix_product_over_pixels_follow_from_its_weights() {
        let (channels, outputs, pixels, batch) = (96.0, 576.0, 196.0, 2.0);
        let shape = Shape {
            table: Table::Dense,
            values: vec![batch, batch * channels * pixels, batch * outputs * pixels, channels * outputs],
            precision: None,
        };
        assert!((read(&shape, "macs") - batch * channels * outputs * pixels).abs() < 1e-3);
        let connected = Shape { table: Table::Dense, values: vec![1.0, 512.0, 1000.0, f64::NAN], precision: None };
        assert_eq!(read(&connected, "macs"), 512_000.0);
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
}
