//! `fit --kind mlp` as a user meets it: the real binary, in folders of its own.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const CONFIG: &str = "[evaluation]\nfolds = 3\n[mlp]\nhidden = [24, 16]\nepochs = 60\nmembers = 2\nbatch_size = 16\nlearning_rate = 2e-3\n";

fn run(threads: usize, arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
    for name in ["HOST_TRAINER_MODELS", "HOST_TRAINER_CONFIG", "HOST_TRAINER_ONNXRUNTIME"] {
        command.env_remove(name);
    }
    command.env("RAYON_NUM_THREADS", threads.to_string());
    for argument in arguments {
        command.arg(argument.as_ref());
    }
    command.output().expect("the binary runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Pooling layers of six networks whose run time and power follow their sizes.
fn training_data(folder: &Path) {
    let mut rows = String::from(
        "model,batch_size,input_size_0,input_size_1,input_size_2,output_size_0,output_size_1,output_size_2,kernel_0,\
         kernel_1,stride_0,stride_1,power,runtime,layer_name,precision,device\n",
    );
    for network in 0..6 {
        for layer in 0..10 {
            let (channels, size) = (8 * (1 + (layer * 7 + network * 3) % 12), 8 << ((layer + network) % 3));
            let (kernel, out) = (2 + layer % 2, size / 2);
            let elements = (channels * size * size) as f64;
            let (runtime, power) = (0.01 + elements * 1e-6, 5e6 + 4e6 * elements / (elements + 1e4));
            rows.push_str(&format!(
                "net{network},1,{channels},{size},{size},{channels},{out},{out},{kernel},{kernel},2,2,{power},{runtime},\
                 p{layer},fp16,test-board\n"
            ));
        }
    }
    fs::create_dir_all(folder).expect("folder");
    fs::write(folder.join("pooling.csv"), rows).expect("file");
}

struct Fitted {
    _folder: tempfile::TempDir,
    models: PathBuf,
}

impl Fitted {
    fn new(threads: usize, config: &str, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (data, models, plan) =
            (folder.path().join("data"), folder.path().join("models"), folder.path().join("plan.toml"));
        training_data(&data);
        fs::write(&plan, config).expect("plan");
        let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> =
            vec![&"fit", &"--data", &data, &"--out", &models, &"--test-models", &"none", &"--config", &plan];
        arguments.extend(more.iter().map(|word| word as &dyn AsRef<std::ffi::OsStr>));
        let output = run(threads, &arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        Self { _folder: folder, models }
    }

    fn file(&self, target: &str, name: &str) -> Vec<u8> {
        fs::read(self.models.join("test-board/pooling").join(target).join(name)).expect("a model's file")
    }

    fn card(&self, target: &str) -> Value {
        serde_json::from_slice(&self.file(target, "card.json")).expect("a card")
    }
}

#[test]
fn models_depend_on_the_seed_and_not_on_the_number_of_threads() {
    let one = Fitted::new(1, CONFIG, &["--kind", "mlp"]);
    let two = Fitted::new(2, CONFIG, &["--kind", "mlp"]);
    let other = Fitted::new(2, &format!("{CONFIG}seed = 1\n"), &["--kind", "mlp"]);
    for target in ["power", "runtime"] {
        assert_eq!(one.file(target, "model.onnx"), two.file(target, "model.onnx"));
        assert_eq!(one.card(target), two.card(target));
        assert_ne!(one.file(target, "model.onnx"), other.file(target, "model.onnx"));
        let card = one.card(target);
        assert_eq!(card["model_kind"], "mlp");
        let member = &card["fit"]["members"][1];
        let epochs = member["epochs"].as_u64().expect("a number") as usize;
        assert!(epochs <= 60 && member["best_epoch"].as_u64() <= member["epochs"].as_u64());
        for curve in ["epoch", "training_loss", "validation_loss"] {
            assert_eq!(member["curve"][curve].as_array().map(Vec::len), Some(epochs), "{curve}");
        }
        let error = card["scores"]["cross_validation"]["mape_percent"].as_f64().expect("a score");
        assert!(error < 25.0, "{target}: {error}");
        assert_eq!(card["scores"]["cross_validation"]["non_positive"], 0);
    }
}

#[test]
fn one_network_learns_both_targets_when_asked() {
    let fitted = Fitted::new(2, &format!("{CONFIG}joint = true\n"), &["--kind", "mlp"]);
    let (power, runtime) = (fitted.card("power"), fitted.card("runtime"));
    assert_eq!(power["fit"]["layers"], serde_json::json!([24, 16, 2]));
    assert_eq!(power["fit"]["joint"], true);
    // The same network, of which each graph gives another output.
    assert_eq!(power["fit"]["members"], runtime["fit"]["members"]);
    for card in [power, runtime] {
        let error = card["scores"]["cross_validation"]["mape_percent"].as_f64().expect("a score");
        assert!(error < 25.0, "{error}");
    }
}

#[test]
fn a_blend_is_one_model_of_hybrid_and_perceptron() {
    let fitted = Fitted::new(2, CONFIG, &["--kind", "blend"]);
    for target in ["power", "runtime"] {
        let card = fitted.card(target);
        assert_eq!(card["model_kind"], "blend");
        let weight = card["fit"]["hybrid_weight"].as_f64().expect("a weight");
        assert!(weight > 0.0 && weight < 1.0, "{weight}");
        assert!(card["fit"]["hybrid"]["physics"].is_object() && card["fit"]["mlp"]["members"].is_array());
        let error = card["scores"]["cross_validation"]["mape_percent"].as_f64().expect("a score");
        assert!(error < 20.0, "{target}: {error}");
    }
}

#[test]
fn the_references_hyperparameters_make_it_an_mlp() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = folder.path().join("hyperparams.json");
    let text = r#"{"hyperparams": {"hidden_dims": [12, 5], "dropouts": [0.1, 0.0], "lr": 0.004, "batch_size": 8,
        "optimizer": "Adam", "gradient_clipping": false}, "val_score_optuna": 0.2}"#;
    fs::write(&file, text).expect("file");
    let path = file.to_str().expect("UTF-8");
    let fitted = Fitted::new(2, CONFIG, &["--hyperparams", path]);
    let card = fitted.card("runtime");
    let settings = &card["configuration"]["mlp"];
    assert_eq!(card["model_kind"], "mlp");
    assert_eq!(settings["hidden"], serde_json::json!([12, 5]));
    assert_eq!((&settings["learning_rate"], &settings["gradient_norm"]), (&0.004.into(), &0.0.into()));
    // What the file leaves out is the configuration's.
    assert_eq!(settings["epochs"], 60);

    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    training_data(&data);
    let fit = |more: &[&str]| {
        let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&"fit", &"--data", &data, &"--out", &out];
        arguments.extend(more.iter().map(|word| word as &dyn AsRef<std::ffi::OsStr>));
        run(2, &arguments)
    };
    let refused = fit(&["--hyperparams", path, "--kind", "lasso"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    fs::write(&file, r#"{"hyperparams": {"hidden_dim": [12, 5]}}"#).expect("file");
    let refused = fit(&["--hyperparams", path]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("did you mean `hidden_dims`?"), "{}", stderr(&refused));
}
