//! Real graphs against real engines: which nodes TensorRT fused, multiply-accumulates, times.

#![allow(missing_docs)]
// Figures that a failing run, or one with --nocapture, shows.
#![allow(clippy::print_stderr)]

mod onnx;

use gated_tests::{data, measured, run};
use graph::{Build, EngineFromGraph, Options, engine_info, engine_info_of};
use shared::engine::{Engine, Layer, LayerKind, parse};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::Read;
use std::process::ExitCode;
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    run(vec![
        measured("pairs_fuse_the_same_nodes", "onnx_graphs", pairs_fuse_the_same_nodes),
        measured("yolo26_fp32_fuses_the_same_nodes", "onnx_graphs", yolo26_fp32_fuses_the_same_nodes),
        measured("yolov5_fp16_fuses_the_same_nodes", "onnx_graphs", yolov5_fp16_fuses_the_same_nodes),
        measured("orin_engines_have_the_same_layers", "onnx_graphs", orin_engines_have_the_same_layers),
        measured("every_graph_has_its_published_macs", "onnx_graphs", every_graph_has_its_published_macs),
        measured("every_graph_is_listed_completely", "onnx_graphs", every_graph_is_listed_completely),
        measured("no_graph_takes_long", "onnx_graphs", no_graph_takes_long),
        measured(
            "layout_changes_take_the_shares_that_are_stated",
            "engine_info",
            layout_changes_take_the_shares_that_are_stated,
        ),
        measured("transformers_are_covered", "onnx_graphs", transformers_are_covered),
        measured(
            "channels_tell_products_as_often_as_is_stated",
            "engine_info",
            channels_tell_products_as_often_as_is_stated,
        ),
    ])
}

/// A graph of the folder, unpacked if it is packed.
fn content(name: &str) -> Vec<u8> {
    let path = data(&format!("onnx_graphs/{name}.onnx"));
    match fs::read(&path) {
        Ok(content) => content,
        Err(_) => {
            let packed = fs::File::open(path.with_extension("onnx.gz")).expect(name);
            let mut content = Vec::new();
            flate2::read::GzDecoder::new(packed).read_to_end(&mut content).expect(name);
            content
        }
    }
}

fn options(precision: Build) -> Options {
    Options { precision, ..Options::default() }
}

fn product(name: &str, precision: Build) -> (EngineFromGraph, HashMap<String, String>) {
    let content = content(name);
    let answer = engine_info_of(&content, &options(precision)).unwrap_or_else(|failure| panic!("{name}: {failure}"));
    (answer, onnx::operators(&content))
}

fn truth(file: &str) -> Engine {
    parse(&fs::read(data(&format!("engine_info/{file}"))).expect(file)).expect(file).0
}

/// Whether a layer is a convolution, dense layer, pooling or pointwise layer; kernels that Myelin generates are none.
fn is_compared(layer: &Layer) -> bool {
    layer.layer_type != "kgen"
        && matches!(
            layer.kind,
            LayerKind::Convolution
                | LayerKind::GroupedConvolution
                | LayerKind::DepthwiseConvolution
                | LayerKind::Deconvolution
                | LayerKind::Dense
                | LayerKind::MatrixProduct
                | LayerKind::Pooling
                | LayerKind::Pointwise
                | LayerKind::Gelu
        )
}

/// The nodes of a graph among names, without those that fusion does not keep.
fn nodes<'a>(names: impl IntoIterator<Item = &'a str>, operators: &HashMap<String, String>) -> BTreeSet<String> {
    const IGNORED: [&str; 5] = ["Identity", "Constant", "Reshape", "Cast", "QuantizeLinear"];
    let is_kept = |name: &&str| operators.get(*name).is_some_and(|operator| !IGNORED.contains(&operator.as_str()));
    names.into_iter().filter(is_kept).map(str::to_owned).collect()
}

fn sets(engine: &Engine, operators: &HashMap<String, String>) -> BTreeMap<BTreeSet<String>, usize> {
    let layers = engine.layers.iter().filter(|layer| is_compared(layer));
    count(layers.map(|layer| nodes(layer.fused.iter().map(String::as_str), operators)).filter(|set| !set.is_empty()))
}

fn count<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    counts
}

/// Ours, theirs, and how many are equal; prints what differs.
fn compare<T: Ord + std::fmt::Debug>(name: &str, ours: &BTreeMap<T, usize>, theirs: &BTreeMap<T, usize>) -> [usize; 3] {
    let total = |counts: &BTreeMap<T, usize>| counts.values().sum();
    let equal = ours.iter().map(|(item, n)| theirs.get(item).copied().unwrap_or(0).min(*n)).sum();
    for (item, n) in theirs.iter().filter(|(item, n)| ours.get(item).copied().unwrap_or(0) < **n) {
        eprintln!("{name}: only the engine has {n} × {item:?}");
    }
    for (item, n) in ours.iter().filter(|(item, n)| theirs.get(item).copied().unwrap_or(0) < **n) {
        eprintln!("{name}: only the graph has {n} × {item:?}");
    }
    [total(ours), total(theirs), equal]
}

fn pairs_fuse_the_same_nodes() {
    for (name, file, precision, layers, macs) in [
        ("resnet18_224", "evpe_desktop__torch_onnx_trt_resnet18.json", Build::Fp32, 23, 1_814_073_344),
        ("alexnet_224", "evpe_desktop__torch_onnx_trt_alexnet.json", Build::Fp32, 11, 714_188_480),
        ("alexnet_224", "evpe_desktop__trtexec_alexnet_fp16_v1.graph.json", Build::Fp16, 11, 714_188_480),
        ("mobilenet_v2_224", "evpe_desktop__torch_onnx_trt_mobilenet_v2.json", Build::Fp32, 54, 300_774_272),
        ("mobilenet_v2_224", "evpe_desktop__trtexec_mobilenet_v2_fp16.graph.json", Build::Fp16, 54, 300_774_272),
    ] {
        let (ours, operators) = product(name, precision);
        let theirs = truth(file);
        let counts = compare(file, &sets(&ours.engine, &operators), &sets(&theirs, &operators));
        assert_eq!(counts, [layers; 3], "{file}");
        assert_eq!((ours.macs, ours.engine.macs(), theirs.macs()), (macs, macs, macs), "{file}");
    }
}

fn yolo26_fp32_fuses_the_same_nodes() {
    let (ours, operators) = product("yolo26n_nc1_640", Build::Fp32);
    let theirs = truth("public__yolo26n_nc1_fp32_derived.layers.json");
    assert_eq!(compare("yolo26n", &sets(&ours.engine, &operators), &sets(&theirs, &operators)), [191; 3]);
    let of = |engine: &Engine, layer_type: &str| {
        let layers = engine.layers.iter().filter(|layer| layer.layer_type == layer_type);
        layers.filter_map(Layer::macs).sum::<u64>()
    };
    assert_eq!(of(&ours.engine, "gemm"), 61_440_000);
    assert_eq!(of(&theirs, "gemm"), 61_440_000);
    let convolutions = of(&ours.engine, "CaskConvolution") + of(&ours.engine, "CaskGemmConvolution");
    assert_eq!(convolutions, 2_593_459_200);
    let copies = |engine: &Engine| {
        engine
            .layers
            .iter()
            .filter(|layer| layer.name.ends_with(" copy"))
            .map(|l| l.name.clone())
            .collect::<BTreeSet<_>>()
    };
    let (ours, theirs) = (copies(&ours.engine), copies(&theirs));
    assert_eq!(theirs.len(), 27);
    let missed: Vec<_> = theirs.difference(&ours).collect();
    let added: Vec<_> = ours.difference(&theirs).collect();
    assert!(missed.len() <= 1 && added.is_empty(), "missed {missed:?}, added {added:?}");
}

/// Names of a list of profiler output that has nothing but names.
fn names_of(file: &str) -> Vec<String> {
    let document: serde_json::Value = serde_json::from_slice(&fs::read(data(file)).expect(file)).expect(file);
    let layers = document["Layers"].as_array().expect("layers").clone();
    layers.into_iter().filter_map(|layer| layer.as_str().map(str::to_owned)).collect()
}

fn yolov5_fp16_fuses_the_same_nodes() {
    let (ours, operators) = product("yolov5n_640", Build::Fp16);
    // The head of the listed network is another one.
    let in_body = |name: &&str| {
        let number =
            name.strip_prefix("/model.").and_then(|rest| rest.split('/').next()).and_then(|n| n.parse::<u32>().ok());
        number.is_some_and(|number| number <= 23)
    };
    let names = names_of("engine_info/unnamed__yolov5_fp16_names.layers.json");
    let layers = names.iter().filter(|name| {
        !name.starts_with("Reformatting CopyNode") && !name.ends_with(" copy") && !name.ends_with("/Resize")
    });
    let theirs = count(
        layers
            .map(|name| {
                let parts = name.split([',', '+', '|', '(', ')', ' ']).filter(in_body);
                nodes(parts, &operators)
            })
            .filter(|set| !set.is_empty()),
    );
    let all = ours.engine.layers.iter().filter(|layer| is_compared(layer));
    let ours = count(
        all.map(|layer| nodes(layer.fused.iter().map(String::as_str).filter(in_body), &operators))
            .filter(|set| !set.is_empty()),
    );
    assert_eq!(compare("yolov5n", &ours, &theirs), [69; 3]);
}

fn orin_engines_have_the_same_layers() {
    for (name, file, layers) in [
        ("resnet18_224", "evpe_orin__sample_resnet18.json", 23),
        ("mobilenet_v2_224", "evpe_orin__mobilenet_v2_fp16_5000runs.json", 54),
    ] {
        // A 1×1 convolution that runs as a product is a matter of timing. Trailing extents of 1 are a matter of taste.
        let shapes = |engine: &Engine| {
            let compared =
                engine.layers.iter().filter(|layer| is_compared(layer) && layer.kind != LayerKind::Pointwise);
            count(compared.map(|layer| {
                let mut dims = layer.outputs[0].dims.clone();
                while dims.last() == Some(&1) {
                    dims.pop();
                }
                (layer.kind == LayerKind::Pooling, dims)
            }))
        };
        let (ours, _) = product(name, Build::Fp16);
        assert_eq!(compare(file, &shapes(&ours.engine), &shapes(&truth(file))), [layers; 3], "{file}");
    }
}

/// Millions of multiply-accumulates of convolutions, dense layers and products, as published with the graphs.
const PUBLISHED: [(&str, f64); 32] = [
    ("alexnet_224", 714.188),
    ("deeplabv3_mobilenet_v3_large_224", 1882.169),
    ("densenet121_224", 2834.162),
    ("fcn_resnet50_224", 26484.498),
    ("googlenet_224", 1498.376),
    ("inception_v3_299", 5713.216),
    ("mobilenet_v2_224", 300.774),
    ("mobilenet_v3_large_224", 216.590),
    ("mobilenet_v3_small_224", 56.510),
    ("resnet18_224", 1814.073),
    ("resnet34_224", 3663.761),
    ("resnet50_224", 4089.184),
    ("resnext50_32x4d_224", 4230.480),
    ("shufflenet_v2_x1_0_224", 144.908),
    ("squeezenet1_0_224", 818.925),
    ("squeezenet1_1_224", 349.152),
    ("swin_t_224", 4490.0),
    ("vgg16_224", 15470.264),
    ("vit_b_16_224", 17563.828),
    ("yolo11n_640", 3271.251),
    ("yolo26n_640", 2740.154),
    ("yolo26n_nc1_640", 2654.899),
    ("yolov10n_640", 3378.720),
    ("yolov10s_640", 10851.302),
    ("yolov5n_640", 3862.451),
    ("yolov5s_640", 11997.722),
    ("yolov8m_640", 39468.365),
    ("yolov8n-seg_640", 6001.382),
    ("yolov8n_160", 273.250),
    ("yolov8n_320", 1092.998),
    ("yolov8n_640", 4371.994),
    ("yolov8s_640", 14301.312),
];

fn every_graph_has_its_published_macs() {
    for (name, published) in PUBLISHED {
        let (answer, _) = product(name, Build::Fp16);
        let ours = answer.macs as f64 / 1e6;
        eprintln!("{name}: {ours:.3} M, published {published:.3} M, opaque {:.1} %", 100.0 * answer.opaque_share());
        assert!((ours / published - 1.0).abs() <= 0.005, "{name}: {ours} M, published {published} M");
    }
}

fn every_graph_is_listed_completely() {
    for (name, _) in PUBLISHED {
        for precision in Build::ALL {
            let (answer, _) = product(name, precision);
            assert_eq!(answer.unknown, [""; 0], "{name}");
            let read = answer.engine.macs();
            assert!(
                read.abs_diff(answer.macs) * 200 <= answer.macs,
                "{name}: read back as {read}, not {}",
                answer.macs
            );
            for layer in answer.engine.layers.iter().filter(|layer| layer.kind != LayerKind::NoOp) {
                assert_ne!(layer.kind, LayerKind::Unknown, "{name}: {}", layer.name);
                let tensors = layer.inputs.iter().chain(&layer.outputs);
                for tensor in tensors {
                    assert!(tensor.precision.is_some(), "{name}: {} of {}", tensor.name, layer.name);
                    assert!(!tensor.name.is_empty(), "{name}: {}", layer.name);
                }
                assert!(!layer.outputs.is_empty(), "{name}: {}", layer.name);
            }
        }
    }
}

fn no_graph_takes_long() {
    for (name, _) in PUBLISHED {
        let content = content(name);
        let took = (0..5).map(|_| {
            let start = Instant::now();
            engine_info_of(&content, &Options::default()).expect(name);
            start.elapsed()
        });
        let best = took.min().unwrap_or_default();
        eprintln!("{name}: {:.1} ms", best.as_secs_f64() * 1e3);
        // Ten times the goal of 50 ms: test builds are hardly optimised, and the machine does other things.
        assert!(best < Duration::from_millis(500), "{name}: {best:?}");
    }
    let path = data("onnx_graphs/resnet18_224.onnx");
    assert!(engine_info(&path, &Options::default()).is_ok());
}

fn transformers_are_covered() {
    for name in ["vit_b_16_224", "swin_t_224"] {
        let (answer, _) = product(name, Build::Fp16);
        let tabled: u64 =
            answer.engine.layers.iter().filter(|l| l.kind.table().is_some()).filter_map(Layer::macs).sum();
        assert!(tabled as f64 >= 0.95 * answer.macs as f64, "{name}: {tabled} of {}", answer.macs);
        let of = |kind: LayerKind| answer.engine.layers.iter().filter(|layer| layer.kind == kind).count();
        // Twelve blocks each: a softmax, a GELU and two products of activations in every one.
        let found = [LayerKind::Softmax, LayerKind::Gelu, LayerKind::MatrixProduct].map(of);
        assert_eq!(found, [12, 12, 24], "{name}");
        // Two normalisations in a block, and those of embedding, merging and head.
        let normalisations = of(LayerKind::Normalization);
        assert!((25..=30).contains(&normalisations), "{name}: {normalisations}");
    }
}

fn channels_tell_products_as_often_as_is_stated() {
    let agreement = |file: &str| {
        let layers = truth(file).layers;
        let open: Vec<&Layer> = layers.iter().filter(|layer| graph::may_be_product(layer)).collect();
        let agrees = |layer: &&&Layer| layer.layer_type.contains("Gemm") == graph::is_likely_product(layer);
        (open.iter().filter(agrees).count(), open.len())
    };
    let sum = |files: &[&str]| {
        let each: Vec<(usize, usize)> = files.iter().map(|file| agreement(file)).collect();
        eprintln!("1×1 convolutions as stated: {each:?}");
        (each.iter().map(|one| one.0).sum::<usize>(), each.iter().map(|one| one.1).sum::<usize>())
    };
    let desktop = [
        "evpe_desktop__torch_onnx_trt_mobilenet_v2.json",
        "evpe_desktop__torch_trt_mobilenet_v2.json",
        "evpe_desktop__torchtrt_profiling_mobilenet_v2_20241018-123805.json",
        "evpe_desktop__torchtrt_profiling_mobilenet_v2_20241021-160820.json",
        "evpe_desktop__trtexec_mobilenet_v2_fp16.graph.json",
    ];
    assert_eq!(sum(&desktop), (144, 170));
    assert_eq!(sum(&["public__yolo26n_nc1_fp32_derived.layers.json"]), (44, 50));
    let orin = ["evpe_orin__mobilenet_v2_fp16_5000runs.json", "evpe_orin__mobilenet_v2_fp16_testrun.json"];
    assert_eq!(sum(&orin), (30, 68));
}

/// The largest share of run time in layout changes that touch neither input nor output, over an engine's profiles.
fn share_of_layout_changes(file: &str, profiles: &[&str]) -> f64 {
    let engine = truth(file);
    let shares = profiles.iter().map(|profile| {
        let profile: serde_json::Value =
            serde_json::from_slice(&fs::read(data(&format!("engine_info/{profile}"))).expect(profile)).expect(profile);
        let times: HashMap<&str, f64> = profile
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|entry| Some((entry["name"].as_str()?, entry["averageMs"].as_f64()?)))
            .collect();
        let of =
            |layers: &mut dyn Iterator<Item = &Layer>| layers.filter_map(|l| times.get(l.name.as_str())).sum::<f64>();
        let is_inner = |layer: &&Layer| {
            let tensors = layer.inputs.iter().chain(&layer.outputs);
            layer.layer_type == "Reformat" && tensors.into_iter().all(|tensor| !engine.bindings.contains(&tensor.name))
        };
        of(&mut engine.layers.iter().filter(is_inner)) / of(&mut engine.layers.iter())
    });
    shares.fold(0.0, f64::max)
}

fn layout_changes_take_the_shares_that_are_stated() {
    use graph::LayoutChanges;
    let resnet = |name: &str| format!("trex__pytorch_resnet_A100_{name}");
    let one = |base: &str| share_of_layout_changes(&format!("{base}.graph.json"), &[&format!("{base}.profile.json")]);
    let float = vec![
        share_of_layout_changes(
            "evpe_desktop__trtexec_alexnet_fp16_v1.graph.json",
            &["evpe_desktop__trtexec_alexnet_fp16_v1.profile.json"],
        ),
        one("evpe_desktop__trtexec_mobilenet_v2_fp16"),
        one(&resnet("fp16__resnet")),
        one(&resnet("fp32__resnet")),
    ];
    let mobilenet = ["trex__mobilenet.qat.profile.json", "trex__mobilenet.qat.profile_fd03f1.json"];
    let residuals =
        ["trex__mobilenet_v2_residuals.qat.profile.json", "trex__mobilenet_v2_residuals.qat.profile_3a2913.json"];
    let quantized = vec![
        one(&resnet("qat__resnet-qat")),
        one(&resnet("qat-residual__resnet-qat-residual")),
        one(&resnet("qat-residual-qgap__resnet-qat-residual-qgap")),
        share_of_layout_changes("trex__mobilenet.qat.graph.json", &mobilenet[..1]),
        share_of_layout_changes("trex__mobilenet.qat.graph_afa7a1.json", &mobilenet),
        share_of_layout_changes("trex__mobilenet_v2_residuals.qat.graph.json", &residuals),
        share_of_layout_changes("trex__mobilenet_v2_residuals.qat.graph_f6422c.json", &residuals),
    ];
    for (is_quantized, mut shares) in [(false, float), (true, quantized)] {
        shares.sort_by(f64::total_cmp);
        eprintln!("quantised {is_quantized}: {shares:.4?}");
        let stated = LayoutChanges::of(is_quantized);
        assert_eq!(stated.engines, shares.len());
        let middle = shares.len() / 2;
        let median = if shares.len() % 2 == 0 { (shares[middle - 1] + shares[middle]) / 2.0 } else { shares[middle] };
        for (stated, measured) in
            [(stated.lower, shares[0]), (stated.median, median), (stated.upper, shares[shares.len() - 1])]
        {
            assert!((stated - measured).abs() < 1e-3, "{stated} stated, {measured} measured");
        }
    }
}
