//! Work, parameters and bytes of layers, against numbers worked out by hand.

#![allow(missing_docs)]

use shared::engine::{Engine, Layer, LayerKind, parse};

fn engine(layers: &str) -> Engine {
    let text = format!(r#"{{"Layers": [{layers}], "Bindings": ["in", "out"]}}"#);
    parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}")).0
}

fn tensor(name: &str, dims: &str, format: &str) -> String {
    format!(r#"{{"Name": "{name}", "Dimensions": {dims}, "Format/Datatype": "{format}"}}"#)
}

fn layer(layer_type: &str, inputs: &[String], output: &str, fields: &str) -> Layer {
    let comma = if fields.is_empty() { "" } else { ", " };
    let text = format!(
        r#"{{"Name": "l", "LayerType": "{layer_type}", "Inputs": [{}], "Outputs": [{}]{comma}{fields}}}"#,
        inputs.join(", "),
        tensor("out", output, "Half"),
    );
    engine(&text).layers.remove(0)
}

#[test]
fn groups_divide_the_work_of_a_convolution() {
    let with = |groups: u32| {
        let fields = format!(r#""Kernel": [3,3], "Stride": [1,1], "OutMaps": 64, "Groups": {groups}"#);
        layer("CaskConvolution", &[tensor("in", "[2,32,10,10]", "Half")], "[2,64,10,10]", &fields)
    };
    assert_eq!(with(1).macs(), Some(2 * 64 * 100 * 32 * 9));
    assert_eq!(with(4).macs(), Some(2 * 64 * 100 * 8 * 9));
    assert_eq!(with(32).macs(), Some(2 * 64 * 100 * 9));
    assert_eq!(with(32).kind, LayerKind::DepthwiseConvolution);
}

#[test]
fn a_transposed_convolution_works_on_its_input_pixels() {
    let fields = r#""Kernel": [4,4], "Stride": [2,2], "OutMaps": 16, "Groups": 1"#;
    let up = layer("CaskDeconvolution", &[tensor("in", "[1,8,5,5]", "Half")], "[1,16,10,10]", fields);
    assert_eq!((up.kind, up.macs()), (LayerKind::Deconvolution, Some(8 * 25 * 16 * 16)));
}

#[test]
fn a_convolution_fused_with_its_pooling_works_before_the_pooling() {
    let fields = r#""ParameterType": "ConvActPool", "ConvKernel": [7,7], "ConvStride": [2,2], "ConvDilation": [1,1],
        "ConvPrePadding": [3,3], "ConvPostPadding": [3,3], "ConvOutMaps": 64, "ConvGroups": 1,
        "ConvWeights": {"Type": "Int8", "Count": 9408}, "ConvActivation": "RELU", "PoolingWindowSize": [3,3]"#;
    let fused = layer("ConvActPool", &[tensor("in", "[1,3,224,224]", "Int8")], "[1,64,56,56]", fields);
    assert_eq!(fused.kind, LayerKind::Convolution);
    assert_eq!(fused.macs(), Some(112 * 112 * 9_408));
    assert_eq!(fused.activation.as_deref(), Some("RELU"));
    // With dilation the kernel reaches further and fits fewer times.
    let dilated = fields.replace(r#""ConvDilation": [1,1]"#, r#""ConvDilation": [2,2]"#);
    let dilated = layer("ConvActPool", &[tensor("in", "[1,3,224,224]", "Int8")], "[1,64,56,56]", &dilated);
    assert_eq!(dilated.macs(), Some(109 * 109 * 9_408));
}

#[test]
fn weights_stand_in_for_dimensions_that_are_not_told() {
    let fields = r#""OutMaps": 8, "Weights": {"Type": "Half", "Count": 216}"#;
    let no_kernel = layer("CaskConvolution", &[tensor("in", "[1,3,4,4]", "Half")], "[1,8,4,4]", fields);
    assert_eq!(no_kernel.macs(), Some(8 * 16 * 27));
}

#[test]
fn a_matrix_product_finds_its_weights_among_its_inputs() {
    let inputs = [
        tensor("in", "[1,9216]", "Half"),
        tensor("__mye583_dconst", "[9216,4096]", "Half"),
        tensor("alpha", "[1]", "Float"),
        tensor("beta", "[1]", "Float"),
        tensor("bias", "[1,4096]", "Half"),
    ];
    let gemm = layer("gemm", &inputs, "[1,4096]", "");
    assert_eq!((gemm.kind, gemm.macs()), (LayerKind::Dense, Some(9_216 * 4_096)));
    assert_eq!(gemm.parameters(), 9_216 * 4_096 + 4_096);
    assert_eq!(gemm.bytes_in(), 2 * 9_216 + 8, "weights and bias are not read twice");
    assert_eq!(gemm.bytes_weights(), 2 * (9_216 * 4_096 + 4_096));
    let transposed = layer("gemm", &[tensor("in", "[8,300]", "Half"), tensor("w", "[100,300]", "Half")], "[8,100]", "");
    assert_eq!((transposed.macs(), transposed.parameters()), (Some(8 * 300 * 100), 30_000));
}

#[test]
fn a_matrix_product_whose_weights_are_not_listed_still_has_them() {
    let gemm = layer("gemm", &[tensor("in", "[4,3136]", "Float")], "[4,1024]", "");
    assert_eq!((gemm.macs(), gemm.parameters()), (Some(4 * 3_136 * 1_024), 3_136 * 1_024));
    assert_eq!(gemm.weights, None, "what the file does not tell is not claimed");
}

#[test]
fn dense_layers_of_two_to_four_dimensions_agree() {
    for (input, output) in [("[6,16]", "[6,32]"), ("[2,3,16]", "[2,3,32]"), ("[1,2,3,16]", "[1,2,3,32]")] {
        let gemm = layer("gemm", &[tensor("in", input, "Half"), tensor("w", "[16,32]", "Half")], output, "");
        assert_eq!((gemm.macs(), gemm.parameters()), (Some(6 * 16 * 32), 512), "{input}");
    }
    let pixels = layer("FullyConnected", &[tensor("in", "[2,256,6,6]", "Half")], "[2,4096,1,1]", "");
    assert_eq!(pixels.macs(), Some(2 * 9_216 * 4_096));
    let fields = r#""Kernel": [1,1], "OutMaps": 10, "Groups": 1, "Weights": {"Type": "Half", "Count": 840}"#;
    let as_convolution = layer("CaskGemmConvolution", &[tensor("in", "[2,84,1,1]", "Half")], "[2,10,1,1]", fields);
    assert_eq!((as_convolution.kind, as_convolution.macs()), (LayerKind::Dense, Some(2 * 840)));
}

#[test]
fn a_product_of_two_activations_has_no_weights() {
    let producer = |name: &str| {
        format!(
            r#"{{"Name": "p{name}", "LayerType": "kgen", "Inputs": [{}], "Outputs": [{}]}}"#,
            tensor("in", "[8,12,128,64]", "Half"),
            tensor(name, "[8,12,64,128]", "Half")
        )
    };
    let product = format!(
        r#"{{"Name": "qk", "LayerType": "gemm", "Inputs": [{}, {}], "Outputs": [{}]}}"#,
        tensor("in", "[8,12,128,64]", "Half"),
        tensor("k", "[8,12,64,128]", "Half"),
        tensor("out", "[8,12,128,128]", "Half")
    );
    let engine = engine(&format!("{}, {product}", producer("k")));
    let attention = &engine.layers[1];
    assert_eq!(attention.macs(), Some(96 * 128 * 128 * 64));
    assert_eq!((attention.weights, attention.parameters()), (None, 0));
    assert_eq!(attention.bytes_in(), 2 * 2 * 96 * 128 * 64);
}

#[test]
fn bits_come_from_the_tensors() {
    for (format, bytes) in [
        ("Float", 400),
        ("Half", 200),
        ("BFloat16", 200),
        ("Int8", 100),
        ("FP8", 100),
        ("Int64", 800),
        ("Bool", 100),
        ("Int4", 50),
        ("UInt8", 100),
    ] {
        let copy = layer("Reformat", &[tensor("in", "[1,100]", format)], "[1,100]", "");
        assert_eq!((copy.bytes_in(), copy.bytes_out()), (bytes, 200), "{format}");
        assert_eq!((copy.macs(), copy.bytes_moved()), (Some(0), bytes + 200));
    }
    let three = layer("Reformat", &[tensor("in", "[3]", "Int4")], "[3]", "");
    assert_eq!(three.bytes_in(), 2, "a started byte counts whole");
}

#[test]
fn opaque_layers_have_unknown_work_and_totals_skip_them() {
    let foreign = layer("Myelin", &[tensor("in", "[1,8]", "Half")], "[1,8]", "");
    assert_eq!((foreign.macs(), foreign.bytes_moved()), (None, 32));
    let unknown = layer("Novelty", &[tensor("in", "[1,8]", "Half")], "[1,8]", "");
    assert_eq!((unknown.kind, unknown.macs()), (LayerKind::Unknown, None));
}

#[test]
fn huge_numbers_saturate() {
    let huge = i64::MAX;
    let dims = format!("[{huge},{huge},{huge},{huge}]");
    let fields = format!(r#""Kernel": [{0},{0}], "OutMaps": {0}, "Groups": 1"#, u32::MAX);
    for layer_type in ["CaskConvolution", "CaskDeconvolution", "ConvActPool", "gemm"] {
        let layer = layer(layer_type, &[tensor("in", &dims, "Float")], &dims, &fields);
        assert_eq!(layer.bytes_moved(), u64::MAX, "{layer_type}");
        assert!(layer.macs().is_some(), "{layer_type}");
    }
}
