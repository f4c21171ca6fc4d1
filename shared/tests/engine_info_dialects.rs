//! Engine infos as the various writers leave them, in small.

#![allow(missing_docs)]

use shared::engine::{Diagnostic, Engine, Layer, LayerKind, Precision, parse};

fn read(text: &str) -> (Engine, Vec<Diagnostic>) {
    parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The layers of a text about which nothing is odd.
fn clean(text: &str) -> Vec<Layer> {
    let (engine, diagnostics) = read(text);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    engine.layers
}

const CONVOLUTION: &str = r#"{
  "Name": "conv1 + relu1", "LayerType": "CaskConvolution",
  "Inputs": [{"Name": "x", "Location": "Device", "Dimensions": [2,3,32,32],
              "Format/Datatype": "Channel major FP16 format where channel % 4 == 0"}],
  "Outputs": [{"Name": "y", "Location": "Device", "Dimensions": [2,16,16,16],
               "Format/Datatype": "Channel major FP16 format where channel % 8 == 0"}],
  "ParameterType": "Convolution", "Kernel": [3,5], "PaddingMode": "kEXPLICIT_ROUND_DOWN",
  "PrePadding": [1,2], "PostPadding": [0,2], "Stride": [2,2], "Dilation": [1,1], "OutMaps": 16, "Groups": 1,
  "Weights": {"Type": "Half", "Count": 720}, "Bias": {"Type": "Float", "Count": 16},
  "Activation": "RELU", "TacticName": "some_kernel", "TacticValue": "0x01", "StreamId": 0,
  "Metadata": "[ONNX Layer: /conv1/Conv]\u001e[ONNX Layer: /relu1/Relu]"}"#;

fn engine_of(layers: &str) -> String {
    format!(r#"{{"Layers": [{layers}], "Bindings": ["x", "y"]}}"#)
}

#[test]
fn a_detailed_layer_is_read_in_full() {
    let layers = clean(&engine_of(CONVOLUTION));
    let layer = &layers[0];
    assert_eq!((layer.index, layer.name.as_str(), layer.kind), (0, "conv1 + relu1", LayerKind::Convolution));
    assert_eq!(layer.inputs[0].dims, [2, 3, 32, 32]);
    assert_eq!(layer.inputs[0].precision, Some(Precision::Fp16));
    assert_eq!(layer.kernel.as_deref(), Some(&[3, 5][..]));
    assert_eq!(layer.stride.as_deref(), Some(&[2, 2][..]));
    assert_eq!(layer.padding_before.as_deref(), Some(&[1, 2][..]));
    assert_eq!(layer.padding_after.as_deref(), Some(&[0, 2][..]));
    assert_eq!(layer.dilation.as_deref(), Some(&[1, 1][..]));
    assert_eq!((layer.groups, layer.out_maps), (Some(1), Some(16)));
    assert_eq!(layer.weights.map(|w| (w.precision, w.count)), Some((Some(Precision::Fp16), 720)));
    assert_eq!(layer.bias.map(|b| (b.precision, b.count)), Some((Some(Precision::Fp32), 16)));
    assert_eq!(layer.activation.as_deref(), Some("RELU"));
    assert_eq!(layer.tactic.as_deref(), Some("some_kernel"));
    assert_eq!(layer.fused, ["/conv1/Conv", "/relu1/Relu"]);
    assert_eq!(layer.profile, None);
    assert_eq!(layer.macs(), Some(2 * 16 * 16 * 16 * 3 * 15));
    assert_eq!(layer.parameters(), 736);
    assert_eq!(layer.bytes_in(), 2 * 3 * 32 * 32 * 2);
    assert_eq!(layer.bytes_out(), 2 * 16 * 16 * 16 * 2);
    assert_eq!(layer.bytes_weights(), 720 * 2 + 16 * 4);
}

#[test]
fn json_is_found_amid_a_log() {
    let log = format!(
        "[01/02/2025-10:00:00] [I] === Engine {{detailed}} ===\n&&&& RUNNING [TRT] \"quoted\n{}\n[I] done {{}} []\n",
        engine_of(CONVOLUTION)
    );
    assert_eq!(clean(&log)[0].name, "conv1 + relu1");
}

#[test]
fn single_layers_one_after_the_other_are_an_engine() {
    let text =
        format!("--- Layer 0 ---\n{CONVOLUTION}\n--- Layer 1 ---\n{}", CONVOLUTION.replace("conv1 +", "conv2 +"));
    let layers = clean(&text);
    assert_eq!(layers.len(), 2);
    assert_eq!((layers[1].index, layers[1].name.as_str()), (1, "conv2 + relu1"));
    let list = format!("[{CONVOLUTION}]");
    assert_eq!(clean(&list).len(), 1);
}

#[test]
fn wrapped_encoded_and_redirected_texts_are_read() {
    let engine = engine_of(CONVOLUTION);
    assert_eq!(clean(&format!(r#"{{"engine": {{"info": {engine}}}}}"#)).len(), 1);
    assert_eq!(clean(&serde_json::to_string(&engine).expect("a string")).len(), 1);
    assert_eq!(clean(&format!("\u{feff}{engine}")).len(), 1);
    let mut utf16 = vec![0xff, 0xfe];
    utf16.extend(engine.encode_utf16().flat_map(u16::to_le_bytes));
    assert_eq!(parse(&utf16).expect("UTF-16").0.layers.len(), 1);
    assert_eq!(parse(&utf16[2..]).expect("UTF-16 without a mark").0.layers.len(), 1);
    let (_, diagnostics) = parse(&[engine.as_bytes(), b"\n\xb5\xb5"].concat()).expect("a foreign byte");
    assert!(diagnostics[0].message.starts_with("2 bytes are not UTF-8, the first on line "), "{diagnostics:?}");
    let (two, diagnostics) = read(&format!(r#"{{"acc_0": {engine}, "acc_1": {}}}"#, engine.replace("conv1", "c")));
    assert_eq!(two.layers.len(), 2);
    assert_eq!(diagnostics[0].message, "holds 2 engines; their layers are listed one after the other");
}

/// Raw control characters, which TensorRT writes into names and metadata, and which logs have around them.
#[test]
fn any_control_character_spoils_only_its_field() {
    for code in (0..0x20_u8).chain([0x7f]) {
        let control = char::from(code);
        let named = CONVOLUTION
            .replace("conv1 + relu1", &format!("conv1{control}r"))
            .replace("some_kernel", &format!("k{control}"));
        let text = format!("log {control}{control}\n{}{control}\n", engine_of(&named));
        let (engine, diagnostics) = read(&text);
        let layer = &engine.layers[0];
        assert_eq!(
            (layer.name.as_str(), layer.kind),
            (format!("conv1{control}r").as_str(), LayerKind::Convolution),
            "{code}"
        );
        assert_eq!(layer.tactic, Some(format!("k{control}")), "{code}");
        let expected = match code {
            // What separates operators, and white space, is ordinary.
            0x1e | 0x1f | 0x7f | b'\t' | b'\n' | b'\r' => Vec::new(),
            _ => ["Name", "TacticName"]
                .map(|field| (Some(field.to_owned()), format!("holds the control character U+{code:04X}")))
                .to_vec(),
        };
        let found: Vec<_> = diagnostics.into_iter().map(|d| (d.field, d.message)).collect();
        assert_eq!(found, expected, "{code}");
    }
    // The two characters `0` and `1` are none, and neither is an escape.
    let plain = CONVOLUTION.replace("conv1 + relu1", "c01_\\u0001x");
    assert_eq!(clean(&engine_of(&plain))[0].name, "c01_\u{1}x");
    // A name in a buffer of fixed length is padded.
    let padded = CONVOLUTION.replace("conv1 + relu1", &format!("conv1{}", "\0".repeat(100)));
    assert!(read(&engine_of(&padded)).0.layers[0].name.starts_with("conv1\0"));
}

#[test]
fn one_line_a_layer_reads_like_json() {
    let log = "[01/02/2025-10:00:00] [I] [TRT] Layers:\n\
        Name: Reformatting CopyNode for Input Tensor 0 to conv1, LayerType: Reformat, Inputs: [ { Name: x, Location: \
        Device, Dimensions: [-1,3,8,8], Format/Datatype: Row major linear FP16 format }], Outputs: [ { Name: y, \
        Location: Device, Dimensions: [-1,3,8,8], Format/Datatype: Channel major FP16 format where channel % 4 == 0 \
        }], ParameterType: Reformat, Origin: REFORMAT, TacticValue: 0x01, StreamId: 0, Metadata: \n\
        Name: conv1 [profile 1], LayerType: CaskConvolution, Inputs: [ { Name: y, Dimensions: [1,3,8,8], \
        Format/Datatype: Half }], Outputs: [ { Name: z, Dimensions: [1,4,8,8], Format/Datatype: Half }], \
        ParameterType: Convolution, Kernel: [1,1], Stride: [1,1], Groups: 1, OutMaps: 4, Weights: {\"Type\": \"Half\", \
        \"Count\": 12}, Activation: NONE, TacticName: some_kernel, TacticValue: 0x02, Metadata: [ONNX Layer: /c/Conv]\n\
        \nBindings:\nx\nz\n[01/02/2025-10:00:01] [I] done\n";
    let (engine, diagnostics) = read(log);
    assert_eq!(engine.bindings, ["x", "z"]);
    assert_eq!(diagnostics.len(), 1, "only the dimension known at run time: {diagnostics:?}");
    let [reformat, convolution] = &engine.layers[..] else { panic!("two layers") };
    assert_eq!(reformat.kind, LayerKind::Reformat);
    assert_eq!(reformat.outputs[0].precision, Some(Precision::Fp16));
    assert_eq!((convolution.kind, convolution.macs()), (LayerKind::Convolution, Some(4 * 64 * 3)));
    assert_eq!((reformat.profile, convolution.profile), (Some(0), Some(1)));
    assert_eq!(convolution.fused, ["/c/Conv"]);
}

#[test]
fn profiles_are_told_apart() {
    let second = CONVOLUTION.replace("relu1\"", "relu1 [profile 1]\"");
    let (engine, diagnostics) = read(&engine_of(&format!("{CONVOLUTION}, {second}")));
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    assert_eq!(engine.profiles(), 2);
    assert_eq!(engine.layers[1].name, "conv1 + relu1 [profile 1]");
    assert_eq!(engine.layers_of_profile(0).map(|l| l.index).collect::<Vec<_>>(), [0]);
    assert_eq!(engine.layers_of_profile(1).map(|l| l.index).collect::<Vec<_>>(), [1]);
    assert_eq!(read(&engine_of(CONVOLUTION)).0.profiles(), 1);
}

#[test]
fn dimensions_known_only_at_run_time_count_as_one_and_are_reported_once() {
    let dynamic = CONVOLUTION.replace("[2,3,", "[-1,3,").replace("[2,16,", "[-1,16,");
    let (engine, diagnostics) = read(&engine_of(&format!("{dynamic}, {}", dynamic.replace("conv1", "conv2"))));
    assert_eq!(engine.layers[0].batch(), Some(1));
    assert_eq!(engine.layers[0].macs(), Some(16 * 16 * 16 * 45));
    assert_eq!(diagnostics.len(), 1);
    assert_eq!(diagnostics[0].field.as_deref(), Some("Dimensions"));
    assert!(diagnostics[0].message.contains("as 2 layers"), "{}", diagnostics[0]);
}

#[test]
fn layers_with_one_name_keep_their_places() {
    let (engine, diagnostics) = read(&engine_of(&format!("{CONVOLUTION}, {CONVOLUTION}")));
    assert_eq!(engine.layers.iter().map(|l| l.index).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(diagnostics.len(), 1);
    assert!(diagnostics[0].message.contains("2 layers"), "{}", diagnostics[0]);
}

#[test]
fn tensors_of_any_rank_are_read() {
    let with = |dims: &str, kernel: &str| {
        format!(
            r#"{{"Name": "l", "LayerType": "CaskConvolution", "Kernel": {kernel}, "Groups": 1, "OutMaps": 8,
                "Inputs": [{{"Name": "i", "Dimensions": {dims}, "Format/Datatype": "Half"}}],
                "Outputs": [{{"Name": "o", "Dimensions": {dims}, "Format/Datatype": "Half"}}]}}"#
        )
    };
    for (dims, kernel, macs) in [
        ("[]", "[1]", None),
        ("[4]", "[1]", None),
        ("[2, 4]", "[1]", Some(2 * 8 * 4)),
        ("[2, 4, 10]", "[3]", Some(2 * 8 * 10 * 4 * 3)),
        ("[2, 4, 5, 6]", "[3, 3]", Some(2 * 8 * 30 * 4 * 9)),
        ("[2, 4, 5, 6, 7]", "[3, 3, 3]", Some(2 * 8 * 210 * 4 * 27)),
    ] {
        let layers = clean(&engine_of(&with(dims, kernel)));
        assert_eq!(layers[0].macs(), macs, "{dims}");
    }
    let scalar = clean(&engine_of(&with("[]", "[1]")));
    assert_eq!(scalar[0].bytes_in(), 2);
}

#[test]
fn layers_without_inputs_or_outputs_are_layers() {
    let layers = clean(&engine_of(
        r#"{"Name": "dummy_shape_call__mye1_myl0_0", "LayerType": "shape_call", "Inputs": [], "Outputs": [],
            "TacticName": "", "StreamId": 0, "Metadata": ""},
           {"Name": "w", "LayerType": "Constant", "Inputs": [],
            "Outputs": [{"Name": "w_output", "Dimensions": [64], "Format/Datatype": "Float"}], "ParameterType": "Constant"},
           {"Name": "[trainStation1]", "LayerType": "TrainStation"}"#,
    ));
    assert_eq!(
        layers.iter().map(|l| l.kind).collect::<Vec<_>>(),
        [LayerKind::NoOp, LayerKind::Constant, LayerKind::NoOp]
    );
    assert!(layers.iter().all(|l| l.macs() == Some(0) && l.bytes_moved() == 0 && l.tactic.is_none()));
}

#[test]
fn names_among_objects_become_layers_without_detail() {
    let (engine, diagnostics) = read(&engine_of(&format!(r#""[trainStation1]", {CONVOLUTION}, "tail""#)));
    assert_eq!(engine.layers.len(), 3);
    assert_eq!((engine.layers[2].name.as_str(), engine.layers[2].kind), ("tail", LayerKind::Unknown));
    assert_eq!(engine.layers[2].macs(), None);
    assert_eq!(diagnostics.iter().map(|d| d.layer.clone().expect("layer").0).collect::<Vec<_>>(), [0, 2]);
}

/// One field of the convolution replaced; the diagnostics as "field: message".
fn with_field(from: &str, to: &str) -> (Layer, Vec<String>) {
    assert!(CONVOLUTION.contains(from), "{from}");
    let (mut engine, diagnostics) = read(&engine_of(&CONVOLUTION.replacen(from, to, 1)));
    let notes = diagnostics.iter().map(|d| {
        assert_eq!(d.layer.as_ref().map(|l| l.0), Some(0), "{d}");
        format!("{}: {}", d.field.as_deref().unwrap_or("-"), d.message)
    });
    (engine.layers.remove(0), notes.collect())
}

#[test]
fn a_field_of_a_wrong_type_is_named_and_the_rest_is_read() {
    for (from, to, note) in [
        (r#""Kernel": [3,5]"#, r#""Kernel": "3x5""#, "Kernel: is \"3x5\", not a short list"),
        (r#""Stride": [2,2]"#, r#""Stride": [2,0]"#, "Stride: is [2, 0], not a short list"),
        (r#""Stride": [2,2]"#, r#""Stride": [NaN, 2]"#, "Stride: is [\"NaN\", 2], not a short list"),
        (r#""PrePadding": [1,2]"#, r#""PrePadding": [-1,2]"#, "PrePadding: is [-1, 2], not a short list"),
        (r#""Groups": 1"#, r#""Groups": "one""#, "Groups: is \"one\", not a whole number"),
        (r#""Groups": 1"#, r#""Groups": 1.5"#, "Groups: is 1.5, not a whole number"),
        (r#""OutMaps": 16"#, r#""OutMaps": 1e300"#, "OutMaps: is 1e+300, not a whole number"),
        (r#"{"Type": "Half", "Count": 720}"#, "7", "Weights: is 7, not a `Type` and a `Count`"),
        (
            r#"{"Type": "Half", "Count": 720}"#,
            r#"{"Type": "Odd", "Count": 720}"#,
            "Weights: has the number format \"Odd\"",
        ),
        ("[2,3,32,32]", r#"[2,"3",32,32]"#, "Inputs[0].Dimensions: is [2, \"3\", 32, 32], not a short list"),
        ("[2,3,32,32]", "Infinity", "Inputs[0].Dimensions: is \"Infinity\", not a short list"),
        (r#""Location": "Device", "Dimensions": [2,16,16,16],"#, "", "Outputs[0]: has no `Dimensions`"),
        (r#""TacticName": "some_kernel""#, r#""TacticName": 7"#, "TacticName: is 7, not a text"),
        (r#""Activation": "RELU""#, r#""Activation": {}"#, "Activation: is an object, not a text"),
        (r#""ParameterType": "Convolution""#, r#""ParameterType": true"#, "ParameterType: is true, not a text"),
        (r#""Name": "conv1 + relu1""#, r#""Name": 1"#, "Name: is 1, not a text"),
        (r#""Name": "conv1 + relu1", "#, "", "Name: is missing"),
        (r#""LayerType": "CaskConvolution""#, r#""LayerType": null, "Spare": [{}]"#, ""),
    ] {
        let (layer, notes) = with_field(from, to);
        if note.is_empty() {
            assert!(notes.is_empty(), "{notes:?}");
        } else {
            assert_eq!(notes.len(), 1, "{to}: {notes:?}");
            assert!(notes[0].starts_with(note), "{to}: {notes:?}");
        }
        // What stands around the field is read.
        assert_eq!(layer.kind, LayerKind::Convolution, "{to}");
        assert_eq!(layer.padding_after.as_deref(), Some(&[0, 2][..]), "{to}");
        assert_eq!(layer.outputs[0].precision, Some(Precision::Fp16), "{to}");
    }
}

#[test]
fn a_layer_that_is_no_json_costs_only_itself() {
    let (engine, diagnostics) = read(&engine_of(&format!(r#"{{"Name": "a" 12}}, {CONVOLUTION}, 7, null"#)));
    assert_eq!(engine.layers.len(), 1);
    assert_eq!(engine.layers[0].index, 1, "its place in the engine stays");
    assert_eq!(diagnostics.iter().map(|d| d.layer.clone().expect("layer").0).collect::<Vec<_>>(), [0, 2, 3]);
}

#[test]
fn a_file_that_breaks_off_yields_what_came_before() {
    let whole = engine_of(&format!("{CONVOLUTION},\n{}", CONVOLUTION.replace("conv1", "conv2")));
    let (engine, diagnostics) = read(&whole[..whole.len() - 80]);
    assert_eq!(engine.layers.len(), 1);
    assert_eq!(diagnostics.len(), 1);
    assert!(diagnostics[0].message.contains("breaks off at line"), "{}", diagnostics[0]);
}

#[test]
fn only_a_window_over_the_whole_input_is_global() {
    let pooling = |window: &str, output: &str| {
        let layers = clean(&engine_of(&format!(
            r#"{{"Name": "[REDUCE]-[aten_ops.mean.dim]-[/mean]", "LayerType": "CaskPooling", "ParameterType": "Pooling",
                "PoolingType": "AVERAGE", {window} "Stride": [1,1],
                "Inputs": [{{"Name": "i", "Dimensions": [1,64,7,7], "Format/Datatype": "Half"}}],
                "Outputs": [{{"Name": "o", "Dimensions": {output}, "Format/Datatype": "Half"}}]}}"#
        )));
        assert_eq!(layers[0].kind, LayerKind::Pooling);
        (layers[0].global, layers[0].kernel.clone())
    };
    assert_eq!(pooling(r#""WindowSize": [7,7],"#, "[1,64,1,1]"), (true, Some(vec![7, 7])));
    assert_eq!(pooling(r#""WindowSize": [3,3],"#, "[1,64,5,5]"), (false, Some(vec![3, 3])));
    assert_eq!(pooling("", "[1,64,1,1]"), (true, None));
}
