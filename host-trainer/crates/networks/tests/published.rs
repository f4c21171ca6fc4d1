//! The networks are those of the papers: their parameters and their work are the published ones, read by our own reader of graphs,
//! and six of them have the layers of the simulator's engine infos, which were written apart from them.

#![allow(missing_docs)]

use graph::{Build, EngineFromGraph, Options, engine_info_of};
use networks::{
    ARCHITECTURES, Architecture, Combination, Nonlinearity, NumberFormat, SingleLayer, Sizes, WeightStorage,
    WriteOptions, layers_file,
};
use shared::engine::{Engine, LayerKind, Precision};

/// Without weights in the file: what is read does not depend on them.
const SHAPES: WriteOptions = WriteOptions { format: NumberFormat::Fp32, storage: WeightStorage::Shape, seed: 1 };

fn named(name: &str) -> &'static Architecture {
    Architecture::named(name).unwrap_or_else(|| panic!("{name}"))
}

fn read(content: &[u8]) -> EngineFromGraph {
    let options = Options { precision: Build::Fp32, ..Options::default() };
    engine_info_of(content, &options).unwrap_or_else(|failure| panic!("{failure}"))
}

fn published(name: &str) -> Vec<u8> {
    let architecture = named(name);
    architecture.file(&Sizes::of_side(architecture.side), &SHAPES).bytes()
}

/// Parameters and multiply-accumulates as the papers or torchvision's documentation have them; batch normalisation is folded, so
/// that there is one bias for every channel where a normalisation has two parameters.
#[test]
fn parameters_and_work_are_the_published_ones() {
    for (name, mega_parameters, giga_macs) in [
        ("alexnet", 61.10, 0.714),
        ("densenet121", 7.98, 2.83),
        ("densenet169", 14.15, 3.36),
        ("efficientnet_b0", 5.29, 0.386),
        ("efficientnet_b1", 7.79, 0.687),
        ("efficientnet_b2", 9.11, 1.0),
        ("inception_v1", 6.62, 1.50),
        ("mobilenet_v1", 4.23, 0.569),
        ("mobilenet_v2", 3.50, 0.301),
        ("mobilenet_v3_large", 5.48, 0.217),
        ("mobilenet_v3_small", 2.54, 0.057),
        ("resnet101", 44.55, 7.80),
        ("resnet18", 11.69, 1.81),
        ("resnet34", 21.80, 3.66),
        ("resnet50", 25.56, 4.09),
        ("resnext50", 25.03, 4.23),
        ("squeezenet", 1.235, 0.349),
        ("vgg11", 132.86, 7.61),
        ("vgg13", 133.05, 11.31),
        ("vgg16", 138.36, 15.47),
        ("vgg19", 143.67, 19.63),
        // Without the class token and the embedding of positions.
        ("vit_base", 86.57, 17.56),
        ("vit_small", 22.05, 4.60),
        ("vit_tiny", 5.72, 1.25),
    ] {
        let architecture = named(name);
        let file = architecture.file(&Sizes::of_side(architecture.side), &SHAPES);
        let parameters = file.parameters() as f64 / 1e6;
        assert!((parameters / mega_parameters - 1.0).abs() < 0.015, "{name}: {parameters} million parameters");
        let engine = read(&file.bytes());
        let macs = engine.macs as f64 / 1e9;
        assert!((macs / giga_macs - 1.0).abs() < 0.03, "{name}: {macs} billion multiply-accumulates");
        assert!(engine.unknown.is_empty(), "{name}: {:?}", engine.unknown);
    }
}

/// Layers that compute something, by their work and outputs, in the order of size. A 1×1 convolution may be listed as a product: both count
/// as one kind here.
fn layers(engine: &Engine) -> Vec<(LayerKind, u64, u64)> {
    let counts =
        |kind: LayerKind| matches!(kind.table(), Some(t) if matches!(t.name(), "convolutional" | "dense" | "pooling"));
    let mut layers: Vec<(LayerKind, u64, u64)> = engine
        .layers
        .iter()
        .filter(|layer| counts(layer.kind))
        .map(|layer| {
            let kind = if layer.kind == LayerKind::Dense { LayerKind::Convolution } else { layer.kind };
            (kind, layer.macs().unwrap_or(0), layer.outputs[0].elements())
        })
        .collect();
    layers.sort_by_key(|(kind, macs, elements)| (format!("{kind:?}"), *macs, *elements));
    layers
}

#[test]
fn the_simulators_networks_have_the_same_layers() {
    for name in simulate::architectures::NAMES {
        let options = simulate::architectures::Options { batch: 1, precision: Precision::Fp32 };
        let info = simulate::architectures::engine_info(name, options).expect("a known network");
        let (simulated, _) = shared::engine::parse(info.as_bytes()).expect("an engine info");
        assert_eq!(layers(&read(&published(name)).engine), layers(&simulated), "{name}");
    }
}

#[test]
fn every_network_is_read_at_other_sizes_and_in_other_formats() {
    for architecture in ARCHITECTURES {
        let (side, _) = architecture.sides();
        assert_eq!(architecture.check_side(side), Ok(()));
        assert!(architecture.check_side(side - 1).is_err());
        let sizes = Sizes { batch: 3, side, width: 0.5 };
        for format in NumberFormat::ALL {
            let options = WriteOptions { format, ..SHAPES };
            let engine = read(&architecture.file(&sizes, &options).bytes());
            assert!(engine.macs > 0 && engine.unknown.is_empty(), "{} {}", architecture.name, format.name());
            let batches = engine.engine.layers.iter().filter_map(|layer| layer.inputs.first()?.dims.first().copied());
            assert!(batches.clone().all(|batch| batch % 3 == 0 || batch == 1), "{}", architecture.name);
            assert_eq!(engine.is_quantized, format == NumberFormat::Int8, "{}", architecture.name);
        }
    }
}

#[test]
fn files_are_as_long_as_they_say_and_follow_the_seed() {
    let lenet = named("lenet");
    let of = |seed| lenet.file(&Sizes::of_side(28), &WriteOptions { seed, ..WriteOptions::default() });
    let file = of(7);
    assert_eq!(file.size(), file.bytes().len() as u64);
    assert_eq!(file.parameters(), 61_706);
    assert!(file.size() > 4 * file.parameters() && file.size() < 4 * file.parameters() + 4_000);
    assert_eq!(of(7).bytes(), file.bytes());
    assert_ne!(of(8).bytes(), file.bytes());
    let halved =
        lenet.file(&Sizes::of_side(28), &WriteOptions { format: NumberFormat::Fp16, ..WriteOptions::default() });
    assert!(halved.size() < file.size() * 52 / 100);
    // Shapes alone take kilobytes however large the network is.
    let vgg16 = named("vgg16").file(&Sizes::of_side(224), &SHAPES);
    assert_eq!(vgg16.parameters(), 138_357_544);
    assert!(vgg16.size() < 40_000, "{}", vgg16.size());
}

#[test]
fn layers_are_what_was_asked_for() {
    let convolution = SingleLayer::Convolution {
        batch: 2,
        input: [16, 30, 20],
        channels: 32,
        kernel: [5, 3],
        stride: [2, 1],
        padding: [2, 1],
        dilation: 1,
        groups: 4,
        after: Nonlinearity::Relu,
    };
    let input = [8, 10, 12];
    let pooling =
        SingleLayer::Pooling { batch: 1, input, kernel: [3, 3], stride: [2, 2], padding: [1, 1], is_mean: false };
    let mean =
        SingleLayer::Pooling { batch: 1, input, kernel: [10, 12], stride: [1, 1], padding: [0, 0], is_mean: true };
    let sum = SingleLayer::Elements { batch: 1, input, combination: Combination::Sum };
    let dense = SingleLayer::Dense { batch: 3, inputs: 100, outputs: 50 };
    let softmax = SingleLayer::Softmax { rows: 4, columns: 64 };
    let engine =
        read(&layers_file("several", &[convolution, pooling, mean, sum, dense, softmax], &SHAPES).bytes()).engine;
    let of = |name: &str| {
        let layer = engine.layers.iter().find(|layer| layer.fused.iter().any(|operator| operator.starts_with(name)));
        layer.unwrap_or_else(|| panic!("no {name} in {:?}", engine.layers.iter().map(|l| &l.name).collect::<Vec<_>>()))
    };
    let conv = of("layer0/Conv");
    assert_eq!((conv.kind, conv.outputs[0].dims.as_slice()), (LayerKind::GroupedConvolution, &[2, 32, 15, 20][..]));
    assert_eq!((conv.kernel.as_deref(), conv.groups), (Some(&[5, 3][..]), Some(4)));
    assert_eq!(conv.macs(), Some(2 * 32 * 15 * 20 * 4 * 15));
    assert_eq!(of("layer1/MaxPool").outputs[0].dims, [1, 8, 5, 6]);
    assert_eq!(of("layer2/GlobalAveragePool").outputs[0].dims, [1, 8, 1, 1]);
    assert_eq!(of("layer3/Add").inputs.len(), 2);
    assert_eq!(of("layer4/Gemm").macs(), Some(3 * 100 * 50));
    assert_eq!(of("layer5/Softmax").kind, LayerKind::Softmax);
}
