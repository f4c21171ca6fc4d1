//! Small graphs, one rule or one mistake each.

#![allow(missing_docs)]

mod onnx;

use graph::{Build, EngineFromGraph, Options, ResidualSilu, engine_info, engine_info_of, read_engine};
use onnx::{Model, Value, bytes};
use proptest::prelude::*;
use shared::engine::{LayerKind, Precision};
use shared::failure::{Failure, Kind};
use std::path::Path;
use std::time::{Duration, Instant};

fn build(model: &Model, precision: Build) -> EngineFromGraph {
    engine_info_of(&model.bytes(), &Options { precision, ..Options::default() }).expect("a graph")
}

fn refuse(model: &Model) -> Failure {
    engine_info_of(&model.bytes(), &Options::default()).expect_err("must be refused")
}

/// Names of layers that do something, without layout changes at the edges.
fn names(answer: &EngineFromGraph) -> Vec<&str> {
    let layers = answer.engine.layers.iter().filter(|layer| layer.kind != LayerKind::NoOp);
    layers.map(|layer| layer.name.as_str()).filter(|name| !name.starts_with("Reformatting CopyNode")).collect()
}

fn image(channels: i64) -> Model {
    Model::new().input("x", &[1, channels, 32, 32])
}

#[test]
fn what_follows_a_convolution_runs_inside_it() {
    let model = image(8)
        .conv("x", "c", [8, 16, 3])
        .weights("s", &[16])
        .node("BatchNormalization", &["c", "s", "s", "s", "s"], &["bn"], &[])
        .weights("scale", &[16, 1, 1])
        .node("Mul", &["bn", "scale"], &["m"], &[])
        .weights("shift", &[1, 16, 1, 1])
        .node("Add", &["m", "shift"], &["a"], &[])
        .node("LeakyRelu", &["a"], &["y"], &[])
        .output("y");
    let answer = build(&model, Build::Fp32);
    assert_eq!(names(&answer), ["c + y"]);
    let layer = answer.engine.layers.iter().find(|layer| layer.kind == LayerKind::Convolution).expect("a convolution");
    assert_eq!(layer.fused, ["c", "bn", "m", "a", "y"]);
    assert_eq!(layer.activation.as_deref(), Some("LEAKY_RELU"));
    assert_eq!((layer.weights.map(|w| w.count), layer.bias.map(|b| b.count)), (Some(16 * 8 * 9), Some(16)));
    assert_eq!(answer.macs, 32 * 32 * 16 * 8 * 9);
}

#[test]
fn a_second_reader_keeps_an_activation_out() {
    let model = image(8)
        .conv("x", "c", [8, 8, 3])
        .node("Relu", &["c"], &["r"], &[])
        .node("Add", &["c", "r"], &["y"], &[])
        .output("y");
    assert_eq!(names(&build(&model, Build::Fp32)), ["c", "PWN(PWN(r), PWN(y))"]);
}

#[test]
fn the_later_convolution_takes_the_addition() {
    let block = |first: &str, second: &str| {
        image(8)
            .conv("x", first, [8, 8, 3])
            .conv("x", second, [8, 8, 1])
            .node("Add", &["a", "b"], &["s"], &[])
            .node("Relu", &["s"], &["y"], &[])
            .output("y")
    };
    assert_eq!(names(&build(&block("a", "b"), Build::Fp32)), ["a", "b + s + y"]);
    assert_eq!(names(&build(&block("b", "a"), Build::Fp32)), ["b", "a + s + y"]);
}

#[test]
fn equal_convolutions_of_one_input_run_side_by_side() {
    let two = |kernels: [i64; 2], groups: [i64; 2], relu: [bool; 2]| {
        let mut model = image(8).grouped("x", "a", [8, 8, kernels[0]], groups[0], 1).grouped(
            "x",
            "b",
            [8, 16, kernels[1]],
            groups[1],
            1,
        );
        let mut ends = ["a", "b"];
        if relu[0] {
            model = model.node("Relu", &["a"], &["ar"], &[]);
            ends[0] = "ar";
        }
        if relu[1] {
            model = model.node("Relu", &["b"], &["br"], &[]);
            ends[1] = "br";
        }
        let model = model.node("Concat", &ends, &["y"], &[("axis", Value::Int(1))]).output("y");
        let answer = build(&model, Build::Fp16);
        names(&answer).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(two([3, 3], [1, 1], [false, false]), ["a || b", "a copy", "b copy"]);
    assert_eq!(two([3, 3], [1, 1], [true, true]), ["a + ar || b + br", "ar copy", "br copy"]);
    for (kernels, groups, relu) in
        [([3, 1], [1, 1], [false; 2]), ([3, 3], [8, 1], [false; 2]), ([3, 3], [1, 1], [true, false])]
    {
        let apart = two(kernels, groups, relu);
        assert!(
            apart.len() == 2 && apart.iter().all(|name| !name.contains("||")),
            "{kernels:?} {groups:?} {relu:?}: {apart:?}"
        );
    }
}

/// Two convolutions with SiLU, the second with the first's result added behind it.
fn silu() -> Model {
    image(3)
        .conv("x", "c1", [3, 8, 3])
        .node("Sigmoid", &["c1"], &["s1"], &[])
        .node("Mul", &["c1", "s1"], &["m1"], &[])
        .conv("m1", "c2", [8, 8, 3])
        .node("Sigmoid", &["c2"], &["s2"], &[])
        .node("Mul", &["c2", "s2"], &["m2"], &[])
        .node("Add", &["m1", "m2"], &["y"], &[])
        .output("y")
}

#[test]
fn silu_goes_by_precision() {
    let chain = "PWN(PWN(PWN(s2), PWN(m2)), PWN(y))";
    let first = ["c1", "PWN(PWN(s1), PWN(m1))"];
    assert_eq!(names(&build(&silu(), Build::Fp32)), [first[0], first[1], "c2", chain]);
    for precision in [Build::Fp16, Build::Bf16, Build::Best] {
        assert_eq!(names(&build(&silu(), precision)), [first[0], first[1], &format!("c2 + {chain}")]);
    }
    let options = Options { residual_silu: ResidualSilu::Apart, ..Options::default() };
    let apart = engine_info_of(&silu().bytes(), &options).expect("a graph");
    assert_eq!(names(&apart), [first[0], first[1], "c2", chain]);
}

#[test]
fn concatenations_cost_what_cannot_be_written_in_place() {
    let model = image(8)
        .conv("x", "c1", [8, 8, 1])
        .ints("parts", &[4, 4])
        .node("Split", &["c1", "parts"], &["p0", "p1"], &[("axis", Value::Int(1))])
        .conv("p1", "c2", [4, 4, 3])
        .node(
            "MaxPool",
            &["c2"],
            &["mp"],
            &[("kernel_shape", Value::Ints(&[3, 3])), ("pads", Value::Ints(&[1, 1, 1, 1]))],
        )
        .node("Concat", &["p0", "c2", "mp"], &["cat"], &[("axis", Value::Int(1))])
        .conv("cat", "y", [12, 8, 1])
        .output("y");
    let answer = build(&model, Build::Fp16);
    // The pooling reads what the convolution writes, so that it cannot lie inside the concatenation; the pooling's result can.
    assert_eq!(names(&answer), ["c1", "c2", "mp", "p0 copy", "c2 copy", "y"]);
    let layer = |name: &str| answer.engine.layers.iter().find(|layer| layer.name == name).expect(name);
    assert_eq!((layer("c2").inputs[0].name.as_str(), &layer("c2").inputs[0].dims), ("c1", &vec![1, 4, 32, 32]));
    assert_eq!(layer("mp").outputs[0].name, "cat");
    assert_eq!(layer("y").inputs[0].dims, [1, 12, 32, 32]);
}

#[test]
fn attention_is_products_and_kernels() {
    let model = Model::new()
        .input("q", &[1, 2, 64, 32])
        .node("Transpose", &["q"], &["k"], &[("perm", Value::Ints(&[0, 1, 3, 2]))])
        .node("MatMul", &["q", "k"], &["qk"], &[])
        .scalar("scale", 0.125)
        .node("Mul", &["qk", "scale"], &["scaled"], &[])
        .node("Softmax", &["scaled"], &["p"], &[("axis", Value::Int(-1))])
        .node("MatMul", &["p", "q"], &["y"], &[])
        .output("y");
    let answer = build(&model, Build::Fp16);
    let types: Vec<&str> = answer.engine.layers.iter().map(|layer| layer.layer_type.as_str()).collect();
    assert_eq!(types, ["shape_call", "kgen", "gemm", "kgen", "gemm"]);
    assert_eq!((answer.macs, answer.engine.macs()), (2 * 2 * 64 * 64 * 32, 2 * 2 * 64 * 64 * 32));
    let kinds: Vec<LayerKind> = answer.engine.layers[1..].iter().map(|layer| layer.kind).collect();
    let product = LayerKind::MatrixProduct;
    assert_eq!(kinds, [LayerKind::Pointwise, product, LayerKind::Softmax, product]);
    assert_eq!((answer.opaque_macs, answer.opaque_share()), (answer.macs, 1.0));
    assert!(
        answer.notes[0].contains("the board may choose otherwise") && answer.notes[1].starts_with("100.0 %"),
        "{:?}",
        answer.notes
    );
}

#[test]
fn attention_in_one_operator_is_one_layer() {
    let model = Model::new()
        .input("q", &[1, 12, 197, 64])
        .input("k", &[1, 12, 49, 64])
        .node("Attention", &["q", "k", "k"], &["y"], &[])
        .output("y");
    let answer = build(&model, Build::Fp16);
    let [layer] = answer.engine.layers.as_slice() else { panic!("{:?}", answer.engine.layers) };
    assert_eq!((layer.kind, &layer.outputs[0].dims), (LayerKind::Attention, &vec![1, 12, 197, 64]));
    let macs = 2 * 12 * 197 * 49 * 64;
    assert_eq!((answer.macs, layer.macs()), (macs, Some(macs)));
}

/// A block of two convolutions in 8-bit integers, with Q/DQ in front of each, and an addition whose operand is quantised or not.
fn quantized(residual: bool) -> Model {
    let pair = |model: Model, tensor: &str| {
        let (q, dq) = (format!("{tensor}.q"), format!("{tensor}.dq"));
        model.node("QuantizeLinear", &[tensor, "scale", "zero"], &[&q], &[]).node(
            "DequantizeLinear",
            &[&q, "scale", "zero"],
            &[&dq],
            &[],
        )
    };
    let convolution = |model: Model, input: &str, name: &str| {
        let weights = format!("{name}.w");
        let model = pair(model.weights(&weights, &[8, 8, 3, 3]), &weights);
        let pads = ("pads", Value::Ints(&[1, 1, 1, 1]));
        model.node("Conv", &[input, &format!("{weights}.dq")], &[name], &[("kernel_shape", Value::Ints(&[3, 3])), pads])
    };
    let model = image(8).scalar("scale", 0.02).scalar("zero", 0.0);
    let model = convolution(pair(model, "x"), "x.dq", "c1").node("Relu", &["c1"], &["r1"], &[]);
    let model = convolution(pair(model, "r1"), "r1.dq", "c2");
    let other = if residual { "r1.dq" } else { "r1" };
    model.node("Add", &["c2", other], &["s"], &[]).node("Relu", &["s"], &["y"], &[]).output("y")
}

#[test]
fn quantised_graphs_compute_in_8_bits() {
    for residual in [true, false] {
        let answer = build(&quantized(residual), Build::Best);
        let convolutions: Vec<_> =
            answer.engine.layers.iter().filter(|layer| layer.layer_type == "CaskConvolution").collect();
        assert_eq!(convolutions.len(), 2);
        for layer in &convolutions {
            assert_eq!(layer.precision(), Some(Precision::Int8), "{}", layer.name);
            assert_eq!(layer.inputs[0].precision, Some(Precision::Int8), "{}", layer.name);
        }
        assert_eq!(convolutions[0].name, "c1.w + c1.w.q + c1 + r1");
        // The input is converted by a layer of its own; the first convolution's result only where full precision is wanted too.
        let converted: Vec<&str> = names(&answer).into_iter().filter(|name| name.ends_with(".q")).collect();
        assert_eq!(converted, if residual { vec!["x.q"] } else { vec!["x.q", "r1.q"] });
    }
    let calibrated = build(&image(8).conv("x", "y", [8, 8, 3]).output("y"), Build::Int8);
    assert!(calibrated.notes.iter().any(|note| note.contains("no Q/DQ nodes")), "{:?}", calibrated.notes);
}

#[test]
fn what_does_nothing_is_no_layer() {
    let model = image(8)
        .node("Identity", &["x"], &["i"], &[])
        .conv("i", "c", [8, 8, 3])
        .node("GlobalAveragePool", &["c"], &["g"], &[])
        .node("AveragePool", &["g"], &["again"], &[("kernel_shape", Value::Ints(&[1, 1]))])
        .node("Flatten", &["again"], &["f"], &[])
        .node("Dropout", &["f"], &["d"], &[])
        .weights("w", &[10, 8])
        .weights("b", &[10])
        .node("Gemm", &["d", "w", "b"], &["y"], &[("transB", Value::Int(1))])
        .output("y");
    let answer = build(&model, Build::Fp32);
    assert_eq!(names(&answer), ["c", "g", "y"]);
    let types: Vec<&str> = answer.engine.layers.iter().map(|layer| layer.layer_type.as_str()).collect();
    assert_eq!(types, ["Reformat", "CaskConvolution", "CaskPooling", "NoOp", "CaskGemmConvolution"]);
    assert_eq!(answer.macs, 32 * 32 * 8 * 8 * 9 + 80);
    assert_eq!(answer.engine.bindings, ["x", "y"]);
}

#[test]
fn shape_arithmetic_is_folded() {
    // Cuts an image in half as PyTorch exports `chunk`: Shape, Gather, Add, Div, Mul, Slice.
    let model = image(8)
        .node("Shape", &["x"], &["shape"], &[])
        .ints("one", &[1])
        .ints("two", &[2])
        .ints("zero", &[0])
        .node("Gather", &["shape", "one"], &["channels"], &[("axis", Value::Int(0))])
        .node("Add", &["channels", "one"], &["more"], &[])
        .node("Div", &["more", "two"], &["half"], &[])
        .node("Slice", &["x", "zero", "half", "one"], &["low"], &[])
        .conv("low", "y", [4, 8, 3])
        .output("y");
    assert_eq!(build(&model, Build::Fp16).macs, 32 * 32 * 8 * 4 * 9);
}

#[test]
fn an_unknown_operator_is_named_and_passed() {
    let model = image(8).conv("x", "c", [8, 8, 3]).node("DepthFromMagic", &["c"], &["y"], &[]).output("y");
    let answer = build(&model, Build::Fp16);
    assert_eq!(answer.unknown, ["y (DepthFromMagic)"]);
    assert!(answer.notes.iter().any(|note| note.contains("DepthFromMagic")), "{:?}", answer.notes);
    assert_eq!(answer.engine.layers.last().map(|layer| layer.layer_type.as_str()), Some("DepthFromMagic"));
    assert_eq!(answer.layer_macs.last(), Some(&None));
    // What reads it has no shape, and no work that could be wrong.
    let more = image(8).node("DepthFromMagic", &["x"], &["m"], &[]).conv("m", "y", [8, 8, 3]).output("y");
    let answer = build(&more, Build::Fp16);
    assert_eq!((answer.macs, answer.unknown.len()), (0, 2));
}

#[test]
fn weights_need_not_be_there() {
    let external = image(8).external("w", &[8, 8, 3, 3]).node("Conv", &["x", "w"], &["y"], &[]).output("y");
    let raw = vec![0; 4 * 8 * 8 * 9];
    let full = image(8).full_weights("w", &[8, 8, 3, 3], &raw).node("Conv", &["x", "w"], &["y"], &[]).output("y");
    let stripped = image(8).weights("w", &[8, 8, 3, 3]).node("Conv", &["x", "w"], &["y"], &[]).output("y");
    let answers = [external, full, stripped].map(|model| build(&model, Build::Fp16));
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    assert_eq!(answers[0].macs, 30 * 30 * 8 * 8 * 9);
}

#[test]
fn open_extents_are_asked_for_by_name() {
    let model = Model::new().input("images", &[-1, 3, 0, 0]).conv("images", "y", [3, 8, 3]).output("y");
    let failure = refuse(&model);
    assert_eq!(failure.kind, Kind::Usage);
    assert_eq!(
        failure.report(false),
        "error: input `images`: has extents that are open: N×3×?×?\n\
         hint: give them: --input-shape images=1x3x224x224"
    );
    let shapes =
        |shape: &[i64]| Options { input_shapes: vec![("images".into(), shape.to_vec())], ..Options::default() };
    let answer = engine_info_of(&model.bytes(), &shapes(&[2, 3, 64, 48])).expect("a graph");
    assert_eq!(answer.macs, 2 * 64 * 48 * 8 * 27);
    for wrong in [&[1, 3, 64][..], &[1, 5, 64, 64]] {
        assert!(engine_info_of(&model.bytes(), &shapes(wrong)).is_err(), "{wrong:?}");
    }
    let other = Options { input_shapes: vec![("image".into(), vec![1, 3, 8, 8])], ..Options::default() };
    let failure = engine_info_of(&model.bytes(), &other).expect_err("another name");
    assert!(failure.report(false).contains("its inputs are `images`"), "{}", failure.report(false));
    let only_batch = Model::new().input("x", &[-1, 3, 8, 8]).conv("x", "y", [3, 8, 3]).output("y");
    assert!(refuse(&only_batch).help.is_some_and(|help| help.contains("--batch")));
}

#[test]
fn a_batch_size_reaches_shapes_that_the_exporter_wrote_down() {
    let model = image(8)
        .conv("x", "c", [8, 8, 3])
        .ints("shape", &[1, 8, 1024])
        .node("Reshape", &["c", "shape"], &["flat"], &[])
        .node("Softmax", &["flat"], &["y"], &[("axis", Value::Int(-1))])
        .output("y");
    let one = build(&model, Build::Fp16);
    let four = engine_info_of(&model.bytes(), &Options { batch: Some(4), ..Options::default() }).expect("a graph");
    assert_eq!(four.macs, 4 * one.macs);
    assert_eq!(four.engine.layers.last().expect("layers").outputs[0].dims, [4, 8, 1024]);
    let stuck = image(8).ints("shape", &[8, 1024]).node("Reshape", &["x", "shape"], &["y"], &[]).output("y");
    let failure =
        engine_info_of(&stuck.bytes(), &Options { batch: Some(4), ..Options::default() }).expect_err("it does not fit");
    assert!(failure.report(false).contains("batch size of 1"), "{}", failure.report(false));
}

#[test]
fn control_flow_and_sequences_are_refused_by_name() {
    let branch = image(8).node("If", &["x"], &["y"], &[("then_branch", Value::Graph)]).output("y");
    assert!(refuse(&branch).to_string().starts_with("node `y`: `If` decides at run time"), "{}", refuse(&branch));
    let sequence = image(8).node("SequenceConstruct", &["x"], &["y"], &[]).output("y");
    assert!(refuse(&sequence).to_string().contains("`SequenceConstruct`"));
    let hidden = image(8).node("Fancy", &["x"], &["y"], &[("body", Value::Graph)]).output("y");
    assert!(refuse(&hidden).to_string().contains("has a graph of its own"));
}

#[test]
fn contradictions_are_refused_at_their_node() {
    let conv = |dims: &[i64]| image(8).weights("w", dims).node("Conv", &["x", "w"], &["y"], &[]).output("y");
    let scaled = |scale: f32| {
        image(8)
            .floats("scales", &[1.0, 1.0, scale, scale])
            .node("Resize", &["x", "", "scales"], &["y"], &[])
            .output("y")
    };
    let circle = image(8).node("Add", &["x", "b"], &["a"], &[]).node("Relu", &["a"], &["b"], &[]).output("b");
    for (model, says) in [
        (conv(&[8, 7, 3, 3]), "for 8 channels"),
        (conv(&[8, 8, 99, 99]), "has a window of 99 over an extent of 32"),
        (conv(&[8]), "has weights of the shape [8]"),
        (conv(&[8, 8, -3, 3]), "has an extent of -3"),
        (scaled(f32::NAN), "scales [1, 8, 32, 32] by"),
        (scaled(-2.0), "scales [1, 8, 32, 32] by"),
        (scaled(f32::INFINITY), "scales [1, 8, 32, 32] by"),
        (scaled(1e20), "would have"),
        (circle, "the graph has a circle"),
        (image(8).node("Relu", &["nothing"], &["y"], &[]).output("y"), "which nothing makes"),
        (
            image(8).node("Relu", &["x"], &["y"], &[]).node("Relu", &["x"], &["y"], &[]).output("y"),
            "as another node does",
        ),
        (image(8).ints("s", &[-1, -1]).node("Reshape", &["x", "s"], &["y"], &[]).output("y"), "makes [-1, -1]"),
        (
            image(8).ints("s", &[i64::MAX, i64::MAX, 1, 1]).node("Expand", &["x", "s"], &["y"], &[]).output("y"),
            "node `y`",
        ),
        (
            image(8).ints("s", &[0, 0, 0, 0, i64::MAX, 0, 0, 0]).node("Pad", &["x", "s"], &["y"], &[]).output("y"),
            "would have",
        ),
        (
            image(8).node("Transpose", &["x"], &["y"], &[("perm", Value::Ints(&[0, 0, 1, 2]))]).output("y"),
            "orders the axes",
        ),
        (image(8).node("Softmax", &["x"], &["y"], &[]), "do not depend on its inputs"),
        (Model::new(), "without operators"),
    ] {
        let failure = refuse(&model);
        assert!(failure.to_string().contains(says), "{failure}");
        assert_eq!(failure.kind, Kind::Data, "{failure}");
    }
}

#[test]
fn constants_that_would_fill_memory_are_not_made() {
    for (operator, values) in [("ConstantOfShape", vec![1 << 19, 1 << 19]), ("Range", vec![0, 1 << 38, 1])] {
        let mut model = image(8);
        let names: Vec<String> = if operator == "Range" {
            for (index, value) in values.iter().enumerate() {
                model = model.ints(&format!("v{index}"), &[*value]);
            }
            (0..3).map(|index| format!("v{index}")).collect()
        } else {
            model = model.ints("v", &values);
            vec!["v".into()]
        };
        let inputs: Vec<&str> = names.iter().map(String::as_str).collect();
        let model = model.node(operator, &inputs, &["big"], &[]).node("Relu", &["x"], &["y"], &[]).output("y");
        let start = Instant::now();
        build(&model, Build::Fp16);
        assert!(start.elapsed() < Duration::from_secs(2), "{operator}");
    }
}

#[test]
fn a_million_nodes_are_refused_before_they_fill_memory() {
    let mut node = Vec::new();
    bytes(&mut node, 1, b"x");
    bytes(&mut node, 4, b"Relu");
    let mut graph = Vec::new();
    for _ in 0..1_000_000 {
        bytes(&mut graph, 1, &node);
    }
    let mut file = vec![0x08, 8];
    bytes(&mut file, 7, &graph);
    let failure = engine_info_of(&file, &Options::default()).expect_err("too many");
    assert!(failure.to_string().contains("more nodes than the 100000"), "{failure}");
}

#[test]
fn a_long_graph_takes_no_longer_than_its_length() {
    let mut model = image(8);
    let names: Vec<String> = (0..20_000).map(|index| format!("t{index}")).collect();
    let mut before = "x";
    for name in &names {
        model = model.node("Relu", &[before], &[name], &[]);
        before = name;
    }
    let file = model.output(before).bytes();
    let start = Instant::now();
    engine_info_of(&file, &Options::default()).expect("a graph");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn a_file_that_breaks_off_is_refused_wherever_it_does() {
    let file = silu().bytes();
    for length in 0..file.len() {
        // A cut between two fields of the graph cannot be told from a smaller graph; the graph's own length can.
        let failure = engine_info_of(&file[..length], &Options::default()).expect_err("cut off");
        assert!(failure.to_string().contains("is not an ONNX model, or is damaged"), "{length}: {failure}");
    }
}

#[test]
fn what_is_not_onnx_is_refused_with_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, "version https://git-lfs.github.com/spec/v1\n").expect("a file");
    let failure = engine_info(&path, &Options::default()).expect_err("not ONNX");
    assert_eq!((failure.kind, failure.path.as_deref()), (Kind::Data, Some(path.as_path())));
    assert_eq!(engine_info(Path::new("/nowhere.onnx"), &Options::default()).expect_err("absent").kind, Kind::Io);
    assert_eq!(engine_info(folder.path(), &Options::default()).expect_err("a folder").kind, Kind::Io);
}

#[test]
fn one_reader_takes_engine_infos_and_graphs() {
    let folder = tempfile::tempdir().expect("a folder");
    let answer = build(&silu(), Build::Fp16);
    let write = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("a file");
        read_engine(&path, &Options::default()).expect(name)
    };
    let graph = write("a.onnx", &silu().bytes());
    assert_eq!(graph.engine, answer.engine);
    let origin = graph.graph.expect("it comes from a graph");
    assert_eq!(origin.notes[0], graph::CAVEAT);
    assert_eq!(origin.opaque_time_share([(0, 1.0), (1, 3.0)]), Some(0.0));
    // Without an extension the content decides.
    assert!(write("a", &silu().bytes()).graph.is_some());
    for (name, content) in
        [("b.json", answer.json.clone()), ("c", answer.json.clone()), ("d.json", answer.document().to_string())]
    {
        let info = write(name, content.as_bytes());
        assert_eq!((&info.engine, info.graph), (&answer.engine, None), "{name}");
    }
}

#[test]
fn a_written_list_is_read_back_with_the_same_work() {
    let answer = build(&silu(), Build::Fp16);
    assert_eq!(answer.engine.macs(), answer.macs);
    let per_layer: Vec<Option<u64>> = answer.engine.layers.iter().map(shared::engine::Layer::macs).collect();
    assert_eq!(per_layer, answer.layer_macs);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_change_of_a_file_makes_it_panic(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        for model in [silu(), quantized(false)] {
            let mut file = model.bytes();
            for (at, byte) in &changes {
                let position = at.index(file.len());
                file[position] = *byte;
            }
            match engine_info_of(&file, &Options::default()) {
                Ok(answer) => prop_assert!(!answer.engine.layers.is_empty()),
                Err(failure) => prop_assert!(!failure.to_string().is_empty()),
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(content in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = engine_info_of(&content, &Options::default());
    }
}
