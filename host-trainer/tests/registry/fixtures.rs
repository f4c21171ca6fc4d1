//! Models made to order, and the stores to put them in.

use estimators::metrics::Metrics;
use learn::features::Extraction;
use learn::model::{Artefact, Card, Device, FeatureRange, Program, Scores, SelfTest, Target, model_folder};
use learn::predict::Models;
use learn::training::{self, TrainingData};
use onnx::GraphBuilder;
use onnx::proto::{ModelProto, StringStringEntryProto};
use prost::Message;
use registry::{Alias, Record, Version};
use shared::engine::Table;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use store::{Digest, Key, Ledger, Store};

/// Memory and a folder, with nothing in them.
pub(crate) async fn local_stores() -> Vec<Store> {
    let folder = tempfile::tempdir().expect("folder").keep();
    let local = Store::open(&folder.to_string_lossy()).expect("a path");
    local.make().await.expect("made");
    vec![Store::memory(), local]
}

/// A folder of its own in the bucket that the environment names.
pub(crate) fn s3_store(test: &str) -> Store {
    let url = std::env::var("LAYERJOULE_TEST_S3_URL").expect("LAYERJOULE_TEST_S3_URL names a bucket: see .ci/models");
    let unique = format!("{}/{test}-{}", url.trim_end_matches('/'), std::process::id());
    Store::open(&unique).expect("the S3 server")
}

/// What is special about a model: run time = `scale` × input size, in ms.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub scale: f64,
    pub mape: Option<f64>,
    pub data: &'static str,
}

impl Default for Part {
    fn default() -> Self {
        Self { scale: 1.0, mape: Some(5.0), data: "a" }
    }
}

/// Makes models in folders of its own.
pub(crate) struct Forge {
    folder: tempfile::TempDir,
}

impl Forge {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("folder") }
    }

    fn place(&self) -> PathBuf {
        tempfile::tempdir_in(self.folder.path()).expect("folder").keep()
    }

    /// A folder with one model of `board`'s dense layers' run time.
    pub(crate) fn model(&self, part: Part) -> PathBuf {
        let folder = self.place();
        artefact(&part).write(&folder).expect("written");
        device().write(&folder).expect("written");
        folder
    }

    /// Rows whose run time is `scale` times the input size, of a network that models were trained on and another.
    pub(crate) fn data(&self, scale: f64) -> TrainingData {
        let folder = self.place();
        let mut text = String::from("model,batch_size,input_size,output_size,power,runtime,layer_name\n");
        for (network, size) in [("known", 10.0), ("new", 20.0), ("new", 40.0)] {
            text += &format!("{network},1,{size},8,,{},fc\n", scale * size);
        }
        std::fs::write(folder.join("dense.csv"), text).expect("a table");
        training::read(&folder).expect("data")
    }

    /// Models that must not be deployed, and what is wrong with each.
    pub(crate) fn unfit_models(&self) -> Vec<(&'static str, PathBuf)> {
        let mut unfit = Vec::new();
        let mut add = |what, change: &dyn Fn(&mut ModelProto), card: &dyn Fn(&mut Card)| {
            let mut artefact = artefact(&Part::default());
            let mut graph = ModelProto::decode(artefact.onnx.as_slice()).expect("our own");
            change(&mut graph);
            artefact.onnx = graph.encode_to_vec();
            artefact.card.onnx_sha256 = Digest::of(&artefact.onnx).to_string();
            card(&mut artefact.card);
            let folder = self.place();
            // By hand: the card may name another place than it lies in.
            let place = model_folder(&folder, "board", Table::Dense, Target::Runtime);
            std::fs::create_dir_all(&place).expect("folder");
            std::fs::write(place.join("model.onnx"), &artefact.onnx).expect("written");
            std::fs::write(place.join("card.json"), artefact.card.to_file().expect("JSON")).expect("written");
            device().write(&folder).expect("written");
            unfit.push((what, folder));
        };
        fn first(graph: &mut ModelProto) -> &mut onnx::proto::NodeProto {
            graph.graph.as_mut().and_then(|graph| graph.node.last_mut()).expect("an operator")
        }
        let as_it_is = |_: &mut ModelProto| {};
        let keep = |_: &mut Card| {};
        add("an operator that is not allowed", &|graph| first(graph).op_type = "Loop".into(), &keep);
        add("an operator of another domain", &|graph| first(graph).domain = "com.example".into(), &keep);
        add(
            "a function of its own",
            &|graph| graph.functions.push(onnx::proto::FunctionProto { name: "Mul".into() }),
            &keep,
        );
        add(
            "data from elsewhere",
            &|graph| {
                let tensor = &mut graph.graph.as_mut().expect("a graph").initializer[0];
                tensor.data_location = Some(1);
                let location = StringStringEntryProto { key: "location".into(), value: "../../../etc/passwd".into() };
                tensor.external_data.push(location);
            },
            &keep,
        );
        add("another answer to its self-test", &as_it_is, &|card| card.self_test.outputs[0] *= 1.01);
        add("no self-test", &as_it_is, &|card| {
            card.self_test.inputs.clear();
            card.self_test.outputs.clear();
        });
        add("a self-test that anything passes", &as_it_is, &|card| card.self_test.tolerance = 1e9);
        add("a card of another layer kind", &as_it_is, &|card| card.layer_kind = Table::Pooling);
        add("a card of a device that climbs", &as_it_is, &|card| card.device = "../../board".into());
        add("a feature that its layers do not have", &as_it_is, &|card| card.features[0].name = "kernel_0".into());
        add("another unit", &as_it_is, &|card| card.unit = "s".into());
        unfit
    }
}

fn device() -> Device {
    Device { name: "board".into(), networks: vec!["known".into()], ..Device::default() }
}

fn artefact(part: &Part) -> Artefact {
    let mut graph = GraphBuilder::new();
    let input = graph.input();
    let size = graph.columns(&input, &[1]);
    let weight = graph.doubles(&[part.scale], &[1, 1]);
    let product = graph.apply("MatMul", &[&size, &weight], vec![]);
    let onnx = graph.finish(&product, "runtime", 2, &[("unit", "ms".into())]);
    let metrics = |mape: f64| Metrics { mape_percent: Some(mape), ..Metrics::of(&[1.0, 2.0], &[1.0, 2.0]) };
    let range = |name: &str| FeatureRange { name: name.into(), unit: "1".into(), min: 0.0, max: 100.0 };
    let card = Card {
        schema_version: 1,
        program: Program::this(),
        device: "board".into(),
        hardware: None,
        layer_kind: Table::Dense,
        target: Target::Runtime,
        unit: "ms".into(),
        model_kind: "forged".into(),
        features: vec![range("batch_size"), range("input_size")],
        derived_ranges: Vec::new(),
        widening: Vec::new(),
        extraction: Extraction::default(),
        training_rows: 2,
        training_networks: vec!["known".into()],
        test_networks: Vec::new(),
        data_sha256: Digest::of(part.data.as_bytes()).to_string(),
        onnx_sha256: Digest::of(&onnx).to_string(),
        configuration: serde_json::json!({ "scale": part.scale }),
        fit: serde_json::json!({}),
        scores: Scores {
            training: metrics(0.0),
            cross_validation: part.mape.map(metrics),
            folds: Some("by network".into()),
            test: None,
            test_by_network: BTreeMap::new(),
            baselines: BTreeMap::new(),
        },
        interval: None,
        self_test: SelfTest {
            inputs: vec![vec![1.0, 2.0], vec![1.0, 3.0]],
            outputs: vec![2.0 * part.scale as f32, 3.0 * part.scale as f32],
            tolerance: 1e-5,
        },
        notes: Vec::new(),
    };
    Artefact { card, onnx }
}

/// What models say of a dense layer with one input.
pub(crate) fn prediction(models: &Models) -> f64 {
    let mut data = tempfile::tempdir().map(|folder| {
        let text = "model,batch_size,input_size,output_size,power,runtime,layer_name\nn,1,1,8,,1,fc\n";
        std::fs::write(folder.path().join("dense.csv"), text).expect("a table");
        training::read(folder.path()).expect("data")
    });
    let data = data.as_mut().expect("folder");
    let layer = &data.tables[&Table::Dense][0].spec;
    let estimates = models.predict_target(Target::Runtime, &[layer]).expect("runs");
    estimates[0].as_ref().expect("a model").value
}

/// Puts a model into a store without asking the registry, as one who can write to the store could.
pub(crate) async fn smuggle(store: &Store, folder: &Path) -> Version {
    let place = model_folder(folder, "board", Table::Dense, Target::Runtime);
    let blobs = Key::new("models/blobs").expect("a key");
    let mut digests = Vec::new();
    for file in [place.join("card.json"), place.join("model.onnx"), folder.join("board/device.json")] {
        let content = std::fs::read(file).expect("a file");
        digests.push(store.put_blob(&blobs, content.into()).await.expect("written"));
    }
    let alias: Alias = "board/dense/runtime".parse().expect("a name");
    let record = serde_json::json!({
        "schema_version": 1,
        "model": digests[0],
        "onnx": digests[1],
        "device_file": digests[2],
        "alias": alias,
        "model_kind": "forged",
        "metrics": {},
        "data_sha256": "",
        "data_revision": null,
        "configuration": {},
        "program": { "name": "somebody", "version": "1" },
        "registered": { "when": "2026-01-01T00:00:00.000Z", "who": "somebody" },
    });
    let record: Record = serde_json::from_value(record).expect("a record");
    let folder = Key::new(format!("models/registered/{alias}")).expect("a key");
    Ledger::new(store.clone(), folder).append(0, &record).await.expect("written");
    Version { version: 1, record }
}
