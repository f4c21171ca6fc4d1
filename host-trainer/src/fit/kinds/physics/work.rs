//! What a layer's work consists of, as formulas over the features that physical models read.

use crate::fit::formula::Formula;
use shared::engine::Table;

/// The features read of a convolution.
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
    "stride_0",
    "stride_1",
    "group_channels",
    "element_bytes",
];
/// The features read of a pooling.
const POOLING: &[&str] = &[
    "batch_size",
    "input_size_0",
    "input_size_1",
    "input_size_2",
    "output_size_1",
    "output_size_2",
    "kernel_0",
    "kernel_1",
    "stride_0",
    "stride_1",
    "element_bytes",
];
/// The features read of every other layer.
const SIZES: &[&str] = &["batch_size", "input_size", "output_size", "weights", "element_bytes"];

/// Channels that one tile of a matrix product covers; GPU kernels compute whole tiles.
const TILES: [f64; 3] = [32.0, 64.0, 128.0];

/// The features that physical models read of a table's layers.
pub(crate) fn features(table: Table) -> &'static [&'static str] {
    match table {
        Table::Convolutional => CONVOLUTIONAL,
        Table::Pooling => POOLING,
        _ => SIZES,
    }
}

/// A part of a layer's work.
#[derive(Debug, Clone)]
pub(crate) struct Quantity {
    /// Its name, for the card.
    pub(crate) name: String,
    /// Its formula.
    pub(crate) formula: Formula,
    /// Whether it is arithmetic, whose rate depends on the precision.
    pub(crate) arithmetic: bool,
}

fn quantity(name: &str, formula: Formula) -> Quantity {
    Quantity { name: name.to_owned(), formula, arithmetic: false }
}

fn arithmetic(name: &str, formula: Formula) -> Quantity {
    Quantity { name: name.to_owned(), formula, arithmetic: true }
}

/// A feature by its name.
fn column(table: Table, name: &str) -> Formula {
    let position = features(table).iter().position(|feature| *feature == name);
    position.map_or(Formula::Constant(0.0), Formula::Column)
}

/// The bytes of one element, by which precisions are told apart.
pub(crate) fn element_bytes(table: Table) -> Formula {
    column(table, "element_bytes")
}

fn one() -> Formula {
    Formula::Constant(1.0)
}

/// Sizes of a layer that formulas are made of.
struct Sizes {
    batch: Formula,
    input: Formula,
    output: Formula,
    weights: Formula,
    macs: Formula,
    bytes: Formula,
}

impl Sizes {
    fn of(table: Table) -> Self {
        let c = |name: &str| column(table, name);
        let batch = c("batch_size");
        let (input, output, weights, macs) = match table {
            Table::Convolutional => {
                let depth = c("group_channels") * c("kernel_0") * c("kernel_1");
                let output = batch.clone() * c("output_size_1") * c("output_size_2") * c("output_size_0");
                let macs = output.clone() * depth.clone();
                (image(table), output, depth * c("output_size_0"), macs)
            }
            Table::Pooling => {
                let output = batch.clone() * c("output_size_1") * c("output_size_2") * c("input_size_0");
                let reads = output.clone() * c("kernel_0") * c("kernel_1");
                (image(table), output, Formula::Constant(0.0), reads)
            }
            _ => {
                let (input, output, weights) = (c("input_size"), c("output_size"), c("weights"));
                // A product of a C·P by a C·K matrix: see `Shape::macs`.
                let macs = (input.clone() * output.clone() * weights.clone()).root();
                (input, output, weights, macs)
            }
        };
        Self { batch, input, output, weights, macs, bytes: element_bytes(table) }
    }

    /// Operations for each element that must be moved.
    fn intensity(&self) -> Formula {
        self.macs.clone() / (self.input.clone() + self.output.clone() + self.weights.clone())
    }
}

fn image(table: Table) -> Formula {
    let c = |name: &str| column(table, name);
    c("batch_size") * c("input_size_0") * c("input_size_1") * c("input_size_2")
}

/// Whether bytes in, out and of weights have prices of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prices {
    /// One price for every byte: a device has one memory, and a few networks cannot tell its uses apart.
    One,
    /// A price for each use.
    Each,
}

/// What a layer's run time or energy is the non-negative sum of: a constant for its launch, arithmetic as it is and in
/// whole tiles, the length of the sum behind one output, which no number of cores shortens, and bytes moved; launch and
/// arithmetic apart for depthwise convolutions, whose kernels differ.
pub(crate) fn additive(table: Table, prices: Prices) -> Vec<Quantity> {
    let s = Sizes::of(table);
    let of_bytes = |elements: &Formula| elements.clone() * s.bytes.clone();
    let moved = || quantity("bytes", of_bytes(&(s.input.clone() + s.output.clone() + s.weights.clone())));
    match table {
        Table::Convolutional => {
            let c = |name: &str| column(table, name);
            let depthwise = c("input_size_0").above(1.5) * (one() - c("group_channels").above(1.5));
            let dense = one() - depthwise.clone();
            let in_depthwise = |f: &Formula| depthwise.clone() * f.clone();
            let in_dense = |f: &Formula| dense.clone() * f.clone();
            let pixels = s.batch.clone() * c("output_size_1") * c("output_size_2");
            let depth = c("group_channels") * c("kernel_0") * c("kernel_1");
            let mut all = vec![
                quantity("launch", dense.clone()),
                quantity("launch, depthwise", depthwise.clone()),
                arithmetic("MACs", in_dense(&s.macs)),
                arithmetic("MACs, depthwise", in_depthwise(&s.macs)),
                arithmetic("MACs an output", in_dense(&depth)),
                quantity("bytes of patches", in_dense(&of_bytes(&(depth.clone() * pixels.clone())))),
            ];
            for tile in TILES {
                let tiled = c("output_size_0").rounded_up(tile) * pixels.clone().rounded_up(tile) * depth.clone();
                all.push(arithmetic(&format!("MACs in tiles of {tile}"), in_dense(&tiled)));
            }
            match prices {
                Prices::One => all.push(moved()),
                Prices::Each => all.extend([
                    quantity("bytes in", in_dense(&of_bytes(&s.input))),
                    quantity("bytes in, depthwise", in_depthwise(&of_bytes(&s.input))),
                    quantity("bytes out", in_dense(&of_bytes(&s.output))),
                    quantity("bytes out, depthwise", in_depthwise(&of_bytes(&s.output))),
                    quantity("bytes of weights", of_bytes(&s.weights)),
                ]),
            }
            all
        }
        _ => {
            let mut all = vec![quantity("launch", one())];
            match table {
                Table::Dense => all.push(arithmetic("MACs", s.macs.clone())),
                Table::Pooling => all.push(quantity("window reads", of_bytes(&s.macs))),
                _ => {}
            }
            match prices {
                Prices::One => all.push(moved()),
                Prices::Each => {
                    all.push(quantity("bytes in", of_bytes(&s.input)));
                    all.push(quantity("bytes out", of_bytes(&s.output)));
                    if table != Table::Pooling {
                        all.push(quantity("bytes of weights", of_bytes(&s.weights)));
                    }
                }
            }
            all
        }
    }
}

/// What fills a GPU: the quantities whose growth saturates it, and with it the power it draws.
pub(crate) fn loads(table: Table) -> Vec<Quantity> {
    let s = Sizes::of(table);
    let mut all = vec![quantity("elements in", s.input.clone()), quantity("elements out", s.output.clone())];
    if matches!(table, Table::Convolutional | Table::Dense | Table::Pooling) {
        all.push(quantity("MACs", s.macs.clone()));
        all.push(quantity("MACs an element", s.intensity()));
    }
    if matches!(table, Table::Convolutional | Table::Dense) {
        all.push(quantity("weights", s.weights.clone()));
    }
    all
}

/// What the residual's trees ask: sizes and what follows from them. Products and quotients only, so that no rounding
/// tells memory from graph.
pub(crate) fn questions(table: Table) -> Vec<Quantity> {
    let c = |name: &str| quantity(name, column(table, name));
    let s = Sizes::of(table);
    let mut all = match table {
        Table::Convolutional => {
            let mut all = [
                "input_size_0",
                "output_size_0",
                "input_size_1",
                "output_size_1",
                "kernel_0",
                "stride_0",
                "group_channels",
            ]
            .map(c)
            .to_vec();
            let depth = column(table, "group_channels") * column(table, "kernel_0") * column(table, "kernel_1");
            let pixels = column(table, "output_size_1") * column(table, "output_size_2");
            all.push(quantity("patch elements", depth * pixels));
            all
        }
        Table::Pooling => ["input_size_0", "input_size_1", "output_size_1", "kernel_0", "stride_0"].map(c).to_vec(),
        _ => Vec::new(),
    };
    all.extend([
        c("batch_size"),
        c("element_bytes"),
        quantity("elements in", s.input.clone()),
        quantity("elements out", s.output.clone()),
    ]);
    if table != Table::Pooling {
        all.push(quantity("weights", s.weights.clone()));
    }
    if matches!(table, Table::Convolutional | Table::Dense | Table::Pooling) {
        all.push(quantity("MACs", s.macs.clone()));
        all.push(quantity("MACs an element", s.intensity()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Column;
    use crate::features::columns::Shape;
    use shared::engine::Precision;

    #[test]
    fn quantities_agree_with_the_columns_of_the_same_name() {
        let mut values = vec![2.0, 32.0, 56.0, 56.0, 64.0, 28.0, 28.0, 3.0, 5.0, 2.0, 2.0, 2.0, 2.0];
        values.extend([4.0, 1.0, 1.0, f64::NAN]);
        let convolution = Shape { table: Table::Convolutional, values, precision: Some(Precision::Fp16) };
        let dense = Shape { table: Table::Dense, values: vec![2.0, 1024.0, 20.0, f64::NAN], precision: None };
        for shape in [convolution, dense] {
            let read = |name: &str| Column::resolve(shape.table, name).expect("a column").value(&shape);
            let row: Vec<f64> = features(shape.table).iter().map(|name| read(name)).collect();
            let sizes = Sizes::of(shape.table);
            assert_eq!(sizes.macs.value(&row), read("macs"));
            assert_eq!(sizes.weights.value(&row), read("weights"));
            assert_eq!(sizes.input.value(&row), read("input_elements"));
            assert_eq!(sizes.output.value(&row), read("output_elements"));
        }
    }

    #[test]
    fn a_depthwise_convolution_has_its_own_terms_and_a_dense_one_its_own() {
        let row = |group_channels: f64| {
            [1.0, 32.0, 8.0, 8.0, 32.0, 8.0, 8.0, 3.0, 3.0, 1.0, 1.0, group_channels, 2.0].to_vec()
        };
        for quantity in
            [Prices::One, Prices::Each].into_iter().flat_map(|prices| additive(Table::Convolutional, prices))
        {
            let (depthwise, dense) = (quantity.formula.value(&row(1.0)), quantity.formula.value(&row(32.0)));
            if quantity.name == "bytes" {
                assert!(dense > depthwise && depthwise > 0.0, "{quantity:?}");
            } else if quantity.name.ends_with("depthwise") {
                assert!(depthwise > 0.0 && dense == 0.0, "{quantity:?}");
            } else if quantity.name != "bytes of weights" {
                assert!(depthwise == 0.0 && dense > 0.0, "{quantity:?}");
            }
        }
    }
}
