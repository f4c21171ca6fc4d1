//! What a layer's work consists of, as formulas over the features that physical models read.

use estimators::formula::Formula;
use shared::engine::{AttentionSizes, ConvolutionSizes, Image, PoolingSizes, ProductSizes, Table, Window, Work};

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
/// The features read of a product of two activations.
const PRODUCT: &[&str] = &["batch_size", "products", "rows", "length", "columns", "element_bytes"];
/// The features read of attention in one kernel.
const ATTENTION: &[&str] = &["batch_size", "heads", "queries", "keys", "head_size", "element_bytes"];
/// The features read of a layer that works on whole rows.
const ROWS: &[&str] = &["batch_size", "input_size", "output_size", "weights", "row_length", "element_bytes"];
/// The features read of every other layer.
const SIZES: &[&str] = &["batch_size", "input_size", "output_size", "weights", "element_bytes"];

/// Channels that one tile of a matrix product covers; GPU kernels compute whole tiles.
const TILES: [f64; 3] = [32.0, 64.0, 128.0];

/// Width and height of the block of outputs that one group of threads computes in Winograd's algorithm.
const WINOGRAD_BLOCK: [f64; 2] = [16.0, 8.0];

/// The features that physical models read of a table's layers.
pub(crate) fn features(table: Table) -> &'static [&'static str] {
    match table {
        Table::Convolutional => CONVOLUTIONAL,
        Table::Pooling => POOLING,
        Table::MatrixProduct => PRODUCT,
        Table::Attention => ATTENTION,
        Table::Softmax | Table::Normalization => ROWS,
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
///
/// # Panics
/// Where physical models read no such feature of the table: the names stand in this file.
fn column(table: Table, name: &str) -> Formula {
    let position = features(table).iter().position(|feature| *feature == name);
    Formula::Column(position.unwrap_or_else(|| panic!("`{name}` is not a feature of {} layers", table.name())))
}

/// The bytes of one element, by which precisions are told apart.
pub(crate) fn element_bytes(table: Table) -> Formula {
    column(table, "element_bytes")
}

fn one() -> Formula {
    Formula::Constant(1.0)
}

/// The work of a table's layers, as formulas over the features.
fn work(table: Table) -> Work<Formula> {
    let c = |name: &str| column(table, name);
    match table {
        Table::Convolutional => Work::convolution(ConvolutionSizes {
            batch: c("batch_size"),
            input: Image { channels: c("input_size_0"), height: c("input_size_1"), width: c("input_size_2") },
            output: Image { channels: c("output_size_0"), height: c("output_size_1"), width: c("output_size_2") },
            group_channels: c("group_channels"),
            kernel: Window { height: c("kernel_0"), width: c("kernel_1") },
            weights: None,
            element_bytes: c("element_bytes"),
        }),
        Table::Pooling => Work::pooling(PoolingSizes {
            batch: c("batch_size"),
            input: Image { channels: c("input_size_0"), height: c("input_size_1"), width: c("input_size_2") },
            // A pooling keeps the number of channels.
            output: Image { channels: c("input_size_0"), height: c("output_size_1"), width: c("output_size_2") },
            kernel: Window { height: c("kernel_0"), width: c("kernel_1") },
            element_bytes: c("element_bytes"),
        }),
        Table::Dense => Work::matrix_product(c("input_size"), c("output_size"), c("weights"), c("element_bytes")),
        Table::MatrixProduct => Work::product(product_sizes(), c("element_bytes")),
        Table::Attention => Work::attention(attention_sizes(), c("element_bytes")),
        _ => Work::moving(None, [c("input_size"), c("output_size"), c("weights")], c("element_bytes")),
    }
}

fn product_sizes() -> ProductSizes<Formula> {
    let c = |name: &str| column(Table::MatrixProduct, name);
    ProductSizes { products: c("products"), rows: c("rows"), length: c("length"), columns: c("columns") }
}

fn attention_sizes() -> AttentionSizes<Formula> {
    let c = |name: &str| column(Table::Attention, name);
    AttentionSizes { heads: c("heads"), queries: c("queries"), keys: c("keys"), head_size: c("head_size") }
}

/// Whether a table's layers multiply: their arithmetic, and not only what they move, takes time.
fn multiplies(table: Table) -> bool {
    matches!(table, Table::Convolutional | Table::Dense | Table::MatrixProduct | Table::Attention)
}

/// Multiply-accumulates, or a pooling's window reads: what fills the GPU's arithmetic; 0 where a layer has neither.
fn operations(work: &Work<Formula>) -> Formula {
    work.operations().unwrap_or(Formula::Constant(0.0))
}

fn in_bytes(table: Table, elements: &Formula) -> Formula {
    elements.clone() * element_bytes(table)
}

/// How finely costs are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prices {
    /// One price for every byte and every kernel size: a device has one memory, and a few networks cannot tell its uses
    /// apart.
    One,
    /// As `One`, and the same costs for all kinds of layers: a few totals do not tell which kind a cost belongs to.
    Shared,
    /// A price for each use of memory, and of 3×3 kernels apart from others.
    Each,
}

/// What a layer's run time or energy is the non-negative sum of: a constant for its launch, arithmetic, bytes moved.
pub(crate) fn additive(table: Table, prices: Prices) -> Vec<Quantity> {
    let w = work(table);
    let mut all = match table {
        Table::Convolutional => return convolution(w, prices),
        Table::Dense if prices == Prices::Shared => {
            let mut all = vec![quantity("launch", one()), arithmetic("MACs", operations(&w))];
            all.extend(TILES.map(|tile| arithmetic(&format!("MACs in tiles of {tile}"), product_tiles(tile))));
            all.push(quantity("bytes of patches", w.bytes_in.clone()));
            all
        }
        Table::Dense => vec![quantity("launch", one()), arithmetic("MACs", operations(&w))],
        Table::MatrixProduct => {
            let ProductSizes { products, rows, length, columns } = product_sizes();
            let tile = TILES[1];
            let tiles = products * rows.rounded_up(tile) * columns.rounded_up(tile) * length;
            vec![
                quantity("launch", one()),
                arithmetic("MACs", operations(&w)),
                arithmetic("MACs in tiles of 64", tiles),
            ]
        }
        Table::Attention => {
            let AttentionSizes { heads, queries, keys, .. } = attention_sizes();
            vec![
                quantity("launch", one()),
                arithmetic("MACs", operations(&w)),
                arithmetic("exponentials", heads * queries * keys),
            ]
        }
        // Such layers stand in a network once or twice: a few totals would put on them whatever sets these networks apart.
        Table::Softmax | Table::Normalization | Table::Gelu if prices == Prices::Shared => {
            vec![quantity("launch", one())]
        }
        // A row is summed up as a whole before its first element is known, however short it is.
        Table::Softmax | Table::Normalization => vec![
            quantity("launch", one()),
            quantity("rows", column(table, "output_size") / column(table, "row_length")),
        ],
        Table::Gelu => vec![quantity("launch", one()), arithmetic("error functions", w.elements_out.clone())],
        Table::Pooling => {
            vec![quantity("launch", one()), quantity("window reads", in_bytes(table, &operations(&w)))]
        }
        _ => vec![quantity("launch", one())],
    };
    match prices {
        Prices::One | Prices::Shared => all.push(quantity("bytes", w.bytes_moved)),
        Prices::Each => {
            all.push(quantity("bytes in", w.bytes_in));
            all.push(quantity("bytes out", w.bytes_out));
            if !matches!(table, Table::Pooling | Table::MatrixProduct | Table::Attention) {
                all.push(quantity("bytes of weights", w.bytes_weights));
            }
        }
    }
    all
}

/// Arithmetic in whole tiles of a product with weights, which a 1×1 convolution of an image is: pixels and output channels are rounded up. A
/// product of one row, which no kernel computes in tiles, has none.
fn product_tiles(tile: f64) -> Formula {
    let c = |name: &str| column(Table::Dense, name);
    let rows = (c("input_size") * c("output_size") / c("weights")).root();
    let columns = (c("output_size") * c("weights") / c("input_size")).root();
    let length = (c("input_size") * c("weights") / c("output_size")).root();
    rows.clone().above(1.5) * rows.rounded_up(tile) * columns.rounded_up(tile) * length
}

/// Of a convolution: arithmetic as it is and in whole tiles, and the length of the sum behind one output, which no number
/// of cores shortens; launch and arithmetic apart for depthwise convolutions, whose kernels differ.
fn convolution(w: Work<Formula>, prices: Prices) -> Vec<Quantity> {
    let c = |name: &str| column(Table::Convolutional, name);
    let macs = operations(&w);
    let depthwise = c("input_size_0").above(1.5) * (one() - c("group_channels").above(1.5));
    let dense = one() - depthwise.clone();
    let in_depthwise = |f: &Formula| depthwise.clone() * f.clone();
    let in_dense = |f: &Formula| dense.clone() * f.clone();
    let pixels = c("batch_size") * c("output_size_1") * c("output_size_2");
    let depth = c("group_channels") * c("kernel_0") * c("kernel_1");
    let in_tiles = |tile: f64| c("output_size_0").rounded_up(tile) * pixels.clone().rounded_up(tile) * depth.clone();
    let mut all = vec![
        quantity("launch", dense.clone()),
        quantity("launch, depthwise", depthwise.clone()),
        arithmetic("MACs", in_dense(&macs)),
        arithmetic("MACs, depthwise", in_depthwise(&macs)),
        arithmetic("MACs an output", in_dense(&depth)),
        quantity("bytes of patches", in_dense(&in_bytes(Table::Convolutional, &(depth.clone() * pixels.clone())))),
    ];
    for tile in TILES {
        all.push(arithmetic(&format!("MACs in tiles of {tile}"), in_dense(&in_tiles(tile))));
    }
    if prices != Prices::Each {
        all.push(quantity("bytes", w.bytes_moved));
        return all;
    }
    // 3×3 kernels have algorithms of their own (Winograd's: Lavin and Gray, 2015, arXiv:1509.09308), so that every other
    // costs more for the same arithmetic. As a surcharge on the others, since of a size that training lacks the price
    // without it is known.
    let is_three = |name: &str| c(name).above(2.5) - c(name).above(3.5);
    let three = is_three("kernel_0") * is_three("kernel_1");
    let other = one() - three.clone();
    let [width, height] = WINOGRAD_BLOCK;
    let blocks = c("batch_size")
        * c("output_size_1").rounded_up(height)
        * c("output_size_2").rounded_up(width)
        * c("output_size_0").rounded_up(TILES[0])
        * c("group_channels");
    all.extend([
        arithmetic("MACs, not 3×3", in_dense(&(other.clone() * macs.clone()))),
        arithmetic("MACs in tiles of 64, not 3×3", in_dense(&(other.clone() * in_tiles(TILES[1])))),
        arithmetic("MACs, depthwise, not 3×3", in_depthwise(&(other * macs))),
        arithmetic("products in blocks of 16×8, 3×3", in_dense(&(three * blocks))),
        quantity("bytes in", in_dense(&w.bytes_in)),
        quantity("bytes in, depthwise", in_depthwise(&w.bytes_in)),
        quantity("bytes out", in_dense(&w.bytes_out)),
        quantity("bytes out, depthwise", in_depthwise(&w.bytes_out)),
        quantity("bytes of weights", w.bytes_weights),
    ]);
    all
}

/// What fills a GPU: the quantities whose growth saturates it, and with it the power it draws.
pub(crate) fn loads(table: Table) -> Vec<Quantity> {
    let w = work(table);
    let mut all =
        vec![quantity("elements in", w.elements_in.clone()), quantity("elements out", w.elements_out.clone())];
    if multiplies(table) || table == Table::Pooling {
        all.push(quantity("MACs", operations(&w)));
    }
    all.extend(intensity(table));
    if matches!(table, Table::Convolutional | Table::Dense) {
        all.push(quantity("weights", w.weights));
    }
    all
}

/// What the residual's trees ask of any layer: its sizes. Products and quotients only, so that no rounding tells memory from
/// graph.
pub(crate) fn sizes(table: Table) -> Vec<Quantity> {
    let c = |name: &str| quantity(name, column(table, name));
    let w = work(table);
    let mut all = match table {
        Table::Convolutional => {
            ["input_size_0", "output_size_0", "input_size_1", "output_size_1", "kernel_0", "stride_0", "group_channels"]
                .map(c)
                .to_vec()
        }
        Table::Pooling => ["input_size_0", "input_size_1", "output_size_1", "kernel_0", "stride_0"].map(c).to_vec(),
        Table::MatrixProduct => ["products", "rows", "length", "columns"].map(c).to_vec(),
        Table::Attention => ["heads", "queries", "keys", "head_size"].map(c).to_vec(),
        Table::Softmax | Table::Normalization => ["weights", "row_length"].map(c).to_vec(),
        _ => vec![c("weights")],
    };
    all.extend([
        c("batch_size"),
        c("element_bytes"),
        quantity("elements in", w.elements_in.clone()),
        quantity("elements out", w.elements_out.clone()),
    ]);
    all
}

/// Operations for each element that must be moved, where a layer operates at all.
pub(crate) fn intensity(table: Table) -> Option<Quantity> {
    (multiplies(table) || table == Table::Pooling).then(|| {
        let w = work(table);
        quantity("MACs an element", operations(&w) / w.elements_moved())
    })
}

/// What follows from the sizes, which trees that learn from single layers ask besides.
pub(crate) fn products(table: Table) -> Vec<Quantity> {
    let w = work(table);
    let mut all = Vec::new();
    if table == Table::Convolutional {
        let depth = column(table, "group_channels") * column(table, "kernel_0") * column(table, "kernel_1");
        let pixels = column(table, "output_size_1") * column(table, "output_size_2");
        all.push(quantity("patch elements", depth * pixels));
        all.push(quantity("weights", w.weights.clone()));
    }
    if multiplies(table) || table == Table::Pooling {
        all.push(quantity("MACs", operations(&w)));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{
        AttentionShape, Column, ConvShape, DenseShape, LayerShape, LayerSpec, ProductShape, RowsShape,
    };
    use shared::engine::Precision;

    #[test]
    fn quantities_agree_with_the_columns_of_the_same_name() {
        let both = |size: f64| Window { height: size, width: size };
        let convolution = LayerShape::Conv(ConvShape {
            batch: 2.0,
            input: Image { channels: 32.0, height: 56.0, width: 56.0 },
            output: Image { channels: 64.0, height: 28.0, width: 28.0 },
            kernel: Window { height: 3.0, width: 5.0 },
            padding: both(2.0),
            stride: both(2.0),
            groups: 4.0,
            dilation: both(1.0),
            weights: None,
        });
        let dense = LayerShape::Dense(DenseShape { batch: 2.0, input: 1024.0, output: 20.0, weights: None });
        let product = LayerShape::MatrixProduct(ProductShape {
            batch: 2.0,
            sizes: ProductSizes { products: 24.0, rows: 197.0, length: 64.0, columns: 197.0 },
        });
        let attention = LayerShape::Attention(AttentionShape {
            batch: 2.0,
            sizes: AttentionSizes { heads: 24.0, queries: 197.0, keys: 49.0, head_size: 64.0 },
        });
        let rows = RowsShape { batch: 2.0, input: 394.0, output: 394.0, weights: Some(394.0), row_length: Some(197.0) };
        for (shape, precision) in [
            (convolution, Some(Precision::Fp16)),
            (dense, None),
            (product, Some(Precision::Fp32)),
            (attention, Some(Precision::Int8)),
            (LayerShape::Normalization(rows), None),
        ] {
            let layer = LayerSpec { shape, precision };
            let read = |name: &str| Column::resolve(layer.table(), name).expect("a column").value(&layer);
            let row: Vec<f64> = features(layer.table()).iter().map(|name| read(name)).collect();
            let quantities = work(layer.table());
            assert_eq!(operations(&quantities).value(&row), read("macs"));
            if Column::resolve(layer.table(), "weights").is_some() {
                assert_eq!(quantities.weights.value(&row), read("weights"));
            }
            assert_eq!(quantities.elements_in.value(&row), read("input_elements"));
            assert_eq!(quantities.elements_out.value(&row), read("output_elements"));
            assert_eq!(quantities.bytes_moved.value(&row), layer.work().bytes_moved);
        }
    }

    #[test]
    #[should_panic(expected = "`input_sizes` is not a feature of dense layers")]
    fn a_misspelt_feature_is_refused() {
        column(Table::Dense, "input_sizes");
    }

    /// Each name in this file is looked up here, so that a misspelt one fails the tests and not a fit.
    #[test]
    fn every_formula_reads_features_of_its_table() {
        for table in Table::ALL {
            let additive = [Prices::One, Prices::Shared, Prices::Each].map(|prices| additive(table, prices));
            let mut quantities: Vec<Quantity> = additive.into_iter().flatten().collect();
            quantities.extend(loads(table).into_iter().chain(sizes(table)));
            quantities.extend(products(table).into_iter().chain(intensity(table)));
            let row = vec![1.0; features(table).len()];
            for Quantity { name, formula, .. } in quantities {
                assert!(formula.value(&row).is_finite(), "{} {name}", table.name());
            }
        }
    }

    #[test]
    fn depthwise_convolutions_and_three_by_three_kernels_have_terms_of_their_own() {
        let quantities =
            || [Prices::One, Prices::Each].into_iter().flat_map(|prices| additive(Table::Convolutional, prices));
        for (group_channels, kernel) in [(1.0, 3.0), (1.0, 5.0), (32.0, 3.0), (32.0, 5.0)] {
            let row = [1.0, 32.0, 8.0, 8.0, 32.0, 8.0, 8.0, kernel, kernel, 1.0, 1.0, group_channels, 2.0];
            for quantity in quantities() {
                let name = &quantity.name;
                let shared = name == "bytes" || name == "bytes of weights";
                let of_its_groups = shared || name.contains("depthwise") == (group_channels == 1.0);
                let of_its_kernel = match (name.contains("not 3×3"), name.ends_with("3×3")) {
                    (true, _) => kernel == 5.0,
                    (_, true) => kernel == 3.0,
                    _ => true,
                };
                assert_eq!(quantity.formula.value(&row) > 0.0, of_its_groups && of_its_kernel, "{name}: {row:?}");
            }
        }
        assert!(quantities().any(|q| q.name.ends_with(", 3×3")) && quantities().any(|q| q.name.contains("not 3×3")));
    }
}
