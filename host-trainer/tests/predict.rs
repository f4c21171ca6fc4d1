//! `host-trainer fit` and `predict` as a user meets them: the real binary, in folders of its own.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sample(name: &str) -> PathBuf {
    root().join("sample_data").join(format!("{name}_trt_engine_info.json"))
}

fn run(arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
    for name in ["HOST_TRAINER_MODELS", "HOST_TRAINER_CONFIG", "HOST_TRAINER_ONNXRUNTIME"] {
        command.env_remove(name);
    }
    for argument in arguments {
        command.arg(argument.as_ref());
    }
    command.output().expect("the binary runs")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Training data of some networks whose run time follows a simple law of their work.
fn training_data(folder: &Path) {
    for (number, network) in ["alpha", "beta", "gamma", "delta", "lenet"].into_iter().enumerate() {
        let mut convolutions = String::from(
            "batch_size,input_size_0,input_size_1,input_size_2,output_size_0,output_size_1,output_size_2,kernel_0,kernel_1,\
             padding_0,padding_1,stride_0,stride_1,power,runtime,layer_name,groups,precision\n",
        );
        let mut dense = String::from("batch_size,input_size,output_size,power,runtime,layer_name,precision\n");
        for layer in 0..12 {
            let (channels, size) = (8 * (layer + 1 + number), 64 >> (layer % 4));
            let kernel = [1, 3, 5][(layer + number) % 3];
            let macs = (channels * channels * 2 * size * size * kernel * kernel) as f64;
            let runtime = 0.01 + macs * 2e-9;
            let power = 4e6 + 1e6 * (macs / 1e9).min(3.0);
            convolutions.push_str(&format!(
                "1,{channels},{size},{size},{},{size},{size},{kernel},{kernel},{},{},1,1,{power},{runtime},c{layer},1,fp16\n",
                2 * channels,
                kernel - 1,
                kernel - 1,
            ));
            let (input, output) = (64 * (layer + 1 + number), 10 * (layer + 1));
            let runtime = 0.005 + (input * output) as f64 * 1e-7;
            dense.push_str(&format!("1,{input},{output},5000000,{runtime},d{layer},fp16\n"));
        }
        let folder = folder.join(network);
        fs::create_dir_all(&folder).expect("folder");
        fs::write(folder.join("convolutional.csv"), convolutions).expect("file");
        fs::write(folder.join("dense.csv"), dense).expect("file");
    }
}

fn fit(data: &Path, models: &Path) -> Output {
    run(&[&"fit", &"--data", &data, &"--out", &models, &"--device", &"test-board", &"--format", &"json"])
}

#[test]
fn what_was_fitted_predicts() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (data, models, csv) = (folder.path().join("data"), folder.path().join("models"), folder.path().join("out.csv"));
    training_data(&data);
    let output = fit(&data, &models);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let metrics: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let sets: Vec<&str> = metrics.as_array().expect("a list").iter().filter_map(|m| m["set"].as_str()).collect();
    for set in ["training", "cross-validation by network", "test", "test: lenet"] {
        assert_eq!(sets.iter().filter(|s| **s == set).count(), 4, "{set}: two kinds, two targets");
    }
    for kind in ["convolutional", "dense"] {
        for target in ["power", "runtime"] {
            let model = models.join("test-board").join(kind).join(target);
            assert!(model.join("model.onnx").is_file() && model.join("card.json").is_file());
        }
    }

    let output = run(&[
        &"predict",
        &"--trt-engine-path",
        &sample("resnet18"),
        &"--models",
        &models,
        &"--result-csv-path",
        &csv,
        &"--format",
        &"json",
    ]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let layers = answer["layers"].as_array().expect("layers");
    let sum = |field: &str| layers.iter().filter_map(|layer| layer[field].as_f64()).sum::<f64>();
    let total = |field: &str| answer["totals"][field].as_f64().expect("a total");
    assert!((sum("runtime_prediction") / total("runtime_ms") - 1.0).abs() < 1e-9);
    assert!((sum("energy_prediction") / total("energy_mj") - 1.0).abs() < 1e-9);
    for layer in layers {
        let (power, runtime) = (layer["power_prediction"].as_f64(), layer["runtime_prediction"].as_f64());
        if let (Some(power), Some(runtime), Some(energy)) = (power, runtime, layer["energy_prediction"].as_f64()) {
            assert!((power * runtime - energy).abs() < 1e-9 * energy.max(1.0));
        }
    }
    assert!(total("runtime_modelled_percent") > 50.0);

    let written = fs::read_to_string(&csv).expect("the CSV");
    let mut lines = written.lines();
    assert!(lines.next().expect("header").starts_with("layer_name,layer_type,power_prediction,runtime_prediction,"));
    assert_eq!(lines.count(), layers.len());
}

#[test]
fn a_fit_is_the_same_every_time() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let data = folder.path().join("data");
    training_data(&data);
    let card = |models: &Path| fs::read(models.join("test-board/convolutional/runtime/card.json")).expect("card");
    let (first, second) = (folder.path().join("a"), folder.path().join("b"));
    assert_eq!(code(&fit(&data, &first)), 0);
    assert_eq!(code(&fit(&data, &second)), 0);
    assert_eq!(card(&first), card(&second));
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (data, models) = (folder.path().join("data"), folder.path().join("models"));
    training_data(&data);
    let output = run(&[&"fit", &"--data", &data, &"--out", &models, &"--dry-run"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("group_channels"), "{}", stdout(&output));
    assert!(!models.exists());
}

#[test]
fn columns_can_be_chosen_for_one_model() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (data, models) = (folder.path().join("data"), folder.path().join("models"));
    training_data(&data);
    let choice = "dense.runtime=macs,batch_size";
    let output = run(&[&"fit", &"--data", &data, &"--out", &models, &"--device", &"b", &"--input-cols", &choice]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let card = |target: &str| -> Value {
        let path = models.join("b/dense").join(target).join("card.json");
        serde_json::from_slice(&fs::read(path).expect("card")).expect("JSON")
    };
    let names = |card: &Value| -> Vec<String> {
        let features = card["features"].as_array().expect("features");
        features.iter().filter_map(|f| f["name"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(names(&card("runtime")), ["macs", "batch_size"]);
    assert_eq!(names(&card("power")).len(), 5);
    let wrong = "dense.runtime=mcas";
    let output = run(&[&"fit", &"--data", &data, &"--out", &models, &"--input-cols", &wrong]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("did you mean `macs`?"), "{}", stderr(&output));
}

#[test]
fn several_files_and_folders_go_into_one_answer() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (data, models, engines) =
        (folder.path().join("data"), folder.path().join("models"), folder.path().join("engines"));
    training_data(&data);
    assert_eq!(code(&fit(&data, &models)), 0);
    fs::create_dir(&engines).expect("folder");
    fs::copy(sample("vgg16"), engines.join("b.json")).expect("copy");
    fs::copy(sample("mobilenet_v2"), engines.join("a.json")).expect("copy");
    let output = run(&[&"predict", &"--trt-engine-path", &engines, &"--models", &models, &"--format", &"json"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let names: Vec<&str> = answer.as_array().expect("a list").iter().filter_map(|a| a["engine"].as_str()).collect();
    assert!(names[0].ends_with("a.json") && names[1].ends_with("b.json"), "{names:?}");

    // One bad file among many is reported; the others are still answered, and the exit code says that not all was well.
    fs::write(engines.join("c.json"), "{").expect("file");
    let output = run(&[&"predict", &"--trt-engine-path", &engines, &"--models", &models, &"--format", &"csv"]);
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("c.json"));
    let rows = stdout(&output);
    assert!(rows.contains("a.json") && rows.contains("b.json"));
}

#[test]
fn wrong_use_and_wrong_files_are_told_plainly() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (data, models, csv) = (folder.path().join("data"), folder.path().join("models"), folder.path().join("out.csv"));
    training_data(&data);
    assert_eq!(code(&fit(&data, &models)), 0);
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("file");
        path
    };
    let graph = fs::read(models.join("test-board/dense/runtime/model.onnx")).expect("graph");
    let cases: [(PathBuf, i32, &str); 6] = [
        (folder.path().join("absent.json"), 5, "absent.json"),
        (file("text.json", b"hello"), 3, "JSON"),
        (file("graph.json", &graph), 3, "ONNX"),
        (file("names.json", br#"{"Layers": ["conv1", "conv2"], "Bindings": ["x"]}"#), 3, "profilingVerbosity=detailed"),
        (file("empty.json", b""), 3, "empty"),
        (file("profile.json", br#"[{"count": 3}, {"name": "c", "timeMs": 1, "averageMs": 1}]"#), 3, "profile"),
    ];
    for (path, expected, word) in cases {
        let output = run(&[&"predict", &"--trt-engine-path", &path, &"--models", &models, &"--result-csv-path", &csv]);
        assert_eq!(code(&output), expected, "{path:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(word), "{path:?}: {}", stderr(&output));
        assert!(stdout(&output).is_empty() && !csv.exists(), "{path:?}: nothing half-written");
    }
    let engine = sample("resnet18");
    for (arguments, expected, word) in [
        (vec!["--device", "nowhere"], 2, "test-board"),
        (vec!["--no-such-flag"], 2, "--no-such-flag"),
        (vec!["--profile", "7"], 0, "ms"),
        (vec!["--onnxruntime", "absent.so"], 5, "absent.so"),
    ] {
        let mut all: Vec<&dyn AsRef<std::ffi::OsStr>> =
            vec![&"predict", &"--trt-engine-path", &engine, &"--models", &models];
        all.extend(arguments.iter().map(|a| a as &dyn AsRef<std::ffi::OsStr>));
        let output = run(&all);
        assert_eq!(code(&output), expected, "{arguments:?}: {}", stderr(&output));
        assert!(format!("{}{}", stderr(&output), stdout(&output)).contains(word), "{arguments:?}");
    }
}

#[test]
fn wrong_training_data_are_told_plainly_and_old_models_stay() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (data, models) = (folder.path().join("data"), folder.path().join("models"));
    training_data(&data);
    assert_eq!(code(&fit(&data, &models)), 0);
    let card = models.join("test-board/dense/runtime/card.json");
    let before = fs::read(&card).expect("card");
    let bad = folder.path().join("bad");
    fs::create_dir_all(bad.join("a")).expect("folder");
    for (content, word) in [
        ("batch_size,output_size,power,runtime\n1,2,3,4\n", "`input_size` is missing"),
        ("batch_size,input_size,output_size,power,runtime\n1,2,3,NaN,4\n", "line 2"),
        ("batch_size,input_size,output_size,power,runtime\n", "no training rows"),
    ] {
        fs::write(bad.join("a/dense.csv"), content).expect("file");
        let output = fit(&bad, &models);
        assert_eq!(code(&output), 3, "{}", stderr(&output));
        assert!(stderr(&output).contains(word), "{}", stderr(&output));
        assert_eq!(fs::read(&card).expect("card"), before);
    }
    fs::remove_file(bad.join("a/dense.csv")).expect("removed");
    fs::write(bad.join("a/attention.csv"), "x\n1\n").expect("file");
    let output = fit(&bad, &models);
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("attention.csv"), "{}", stderr(&output));
    let output = run(&[&"fit", &"--data", &data, &"--out", &models, &"--kind", &"oracle"]);
    assert_eq!(code(&output), 2);
    assert!(
        fs::read_dir(&models).expect("models").flatten().all(|e| !e.file_name().to_string_lossy().starts_with(".fit"))
    );
}

#[test]
fn a_damaged_model_is_named_and_never_used() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (data, models) = (folder.path().join("data"), folder.path().join("models"));
    training_data(&data);
    assert_eq!(code(&fit(&data, &models)), 0);
    let graph = models.join("test-board/convolutional/runtime/model.onnx");
    let mut bytes = fs::read(&graph).expect("graph");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&graph, bytes).expect("graph");
    let engine = sample("resnet18");
    let output = run(&[&"predict", &"--trt-engine-path", &engine, &"--models", &models]);
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("model.onnx") && stderr(&output).contains("SHA-256"), "{}", stderr(&output));
    assert!(stdout(&output).is_empty());
}

/// The totals and warnings of an engine on one of the devices whose models come with the program.
fn totals(info: &Value, device: &str) -> (Value, String, String) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = folder.path().join("graph.json");
    fs::write(&file, info.to_string()).expect("written");
    let models = root().join("trained_models");
    let ask = |format: &str| {
        let output = run(&[
            &"predict",
            &"--models",
            &models,
            &"--trt-engine-path",
            &file,
            &"--device",
            &device,
            &"--format",
            &format,
        ]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        output
    };
    let answer: Value = serde_json::from_slice(&ask("json").stdout).expect("JSON");
    let human = ask("human");
    (answer["totals"].clone(), answer["warnings"].to_string(), format!("{}{}", stdout(&human), stderr(&human)))
}

#[test]
fn what_is_not_known_is_not_told_as_zero() {
    let opaque = serde_json::json!({"Name": "{ForeignNode[a...b]}", "LayerType": "Myelin"});
    let tensor =
        |name: &str, n: u32| serde_json::json!({"Name": name, "Dimensions": [1, n], "Format/Datatype": "Half"});
    let dense = serde_json::json!({
        "Name": "fc", "LayerType": "gemm", "Inputs": [tensor("a", 512)], "Outputs": [tensor("b", 1000)],
        "Weights": {"Type": "Half", "Count": 512_000},
    });
    let free = serde_json::json!({"Name": "c", "LayerType": "Constant", "Outputs": [tensor("k", 8)]});
    let engine = |layers: &[&Value]| serde_json::json!({ "Layers": layers });

    let (whole, warnings, human) = totals(&engine(&[&dense, &free]), "jetson-orin-nano");
    assert!(whole["runtime_ms"].as_f64() > Some(0.0) && whole["energy_mj"].as_f64() > Some(0.0), "{whole}");
    assert_eq!((&whole["runtime_is_lower_bound"], &whole["runtime_missing"]), (&false.into(), &serde_json::json!({})));
    assert!(!warnings.contains("no power") && !human.contains("run time       at least"), "{warnings} {human}");

    for layers in [&[&opaque][..], &[&opaque, &free]] {
        let (totals, warnings, human) = totals(&engine(layers), "jetson-orin-nano");
        for figure in ["runtime_ms", "energy_mj", "average_power_w", "runtime_bounds", "runtime_modelled_percent"] {
            assert_eq!(totals[figure], Value::Null, "{figure}");
        }
        assert!(human.contains("run time       –") && human.contains("energy         –"), "{human}");
        assert!(warnings.contains("Myelin") && !warnings.contains("no power was measured"), "{warnings}");
    }

    let (part, warnings, human) = totals(&engine(&[&dense, &opaque, &opaque]), "jetson-orin-nano");
    assert_eq!((&part["runtime_ms"], &part["energy_mj"]), (&whole["runtime_ms"], &whole["energy_mj"]));
    assert_eq!((&part["runtime_is_lower_bound"], &part["energy_is_lower_bound"]), (&true.into(), &true.into()));
    assert_eq!(part["runtime_missing"], serde_json::json!({"Myelin": 2}));
    assert_eq!((&part["runtime_bounds"], &part["average_power_w"]), (&Value::Null, &Value::Null));
    assert!(human.contains("run time       at least ") && human.contains("2 layers are not predicted"), "{human}");
    assert!(warnings.contains("lower bounds"), "{warnings}");

    // A layer that costs nothing is known to cost nothing.
    let (nothing, ..) = totals(&engine(&[&free]), "jetson-orin-nano");
    assert_eq!((&nothing["runtime_ms"], &nothing["energy_mj"]), (&0.0.into(), &0.0.into()));

    // Only run times were measured on this device, and its file says so.
    let (timed, warnings, human) = totals(&engine(&[&dense]), "desktop-gpu");
    assert!(timed["runtime_ms"].as_f64() > Some(0.0), "{timed}");
    assert_eq!((&timed["energy_mj"], &timed["average_power_w"]), (&Value::Null, &Value::Null));
    assert!(warnings.contains("no power was measured on desktop-gpu") && human.contains("energy         –"), "{human}");
}

#[test]
fn a_network_that_was_written_is_read_and_predicted() {
    let home = tempfile::tempdir().expect("temporary folder");
    let list = run(&[&"networks", &"list", &"--format", &"json"]);
    let list: Value = serde_json::from_str(&stdout(&list)).expect("JSON");
    let listed = list.as_array().expect("networks");
    let row = listed.iter().find(|row| row["name"] == "squeezenet").expect("squeezenet");
    // Torchvision's own count for SqueezeNet 1.1.
    assert_eq!(row["parameters"], 1_235_496, "{row}");

    let write =
        run(&[&"networks", &"write", &"squeezenet", &"resnet18", &"--weights", &"shape", &"--out", &home.path()]);
    assert_eq!(code(&write), 0, "{}", stderr(&write));
    assert!(stderr(&write).contains("squeezenet.onnx: 1.24 million weights"), "{}", stderr(&write));
    let path = home.path().join("squeezenet.onnx");
    let engine = home.path().join("engine.json");
    let info = run(&[&"engine-info", &path, &"--out", &engine, &"--format", &"json"]);
    assert_eq!(code(&info), 0, "{}", stderr(&info));
    let info: Value = serde_json::from_str(&stdout(&info)).expect("JSON");
    assert!(row["macs"].as_u64().is_some_and(|macs| macs > 300_000_000), "{row}");
    assert_eq!(info["macs"], row["macs"]);

    let models = root().join("trained_models");
    let predicted = |format: &str, path: &Path| -> Value {
        let output = run(&[&"predict", &format, &path, &"--models", &models, &"--format", &"json"]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        serde_json::from_str(&stdout(&output)).expect("JSON")
    };
    let milliseconds = |answer: &Value| answer["totals"]["runtime_ms"].as_f64().expect("a run time");
    let small = predicted("--onnx", &path);
    assert!(milliseconds(&small) > 0.0);
    assert_eq!(milliseconds(&small), milliseconds(&predicted("--trt-engine-path", &engine)));
    assert!(milliseconds(&predicted("--onnx", &home.path().join("resnet18.onnx"))) > milliseconds(&small));

    // Other sizes are other work; what cannot be is refused before anything is written.
    let narrow = home.path().join("narrow");
    let options: [&dyn AsRef<std::ffi::OsStr>; 5] = [&"networks", &"write", &"squeezenet", &"--width", &"0.5"];
    let write = run(&[&options[..], &[&"--side", &"160", &"--precision", &"int8", &"--out", &narrow]].concat());
    assert_eq!(code(&write), 0, "{}", stderr(&write));
    assert!(milliseconds(&predicted("--onnx", &narrow.join("squeezenet.onnx"))) < milliseconds(&small));
    for (arguments, says) in [
        (["resnet18", "squeezenett"], "no network is called `squeezenett`; did you mean `squeezenet`?"),
        (["resnet18", "--side=7"], "7"),
        (["resnet18", "--width=0"], "must be a number from 0.05 to 8"),
    ] {
        let nowhere = home.path().join("nowhere");
        let output = run(&[&"networks", &"write", &arguments[0], &arguments[1], &"--out", &nowhere]);
        assert_eq!(code(&output), 2, "{}", stderr(&output));
        assert!(stderr(&output).contains(says) && !nowhere.exists(), "{}", stderr(&output));
    }
}

#[test]
fn a_graph_is_copied_with_the_costs_of_its_nodes() {
    let home = tempfile::tempdir().expect("temporary folder");
    let (graph, models) = (root().join("sample_data/resnet18.onnx"), root().join("trained_models"));
    let costs = home.path().join("costs.onnx");
    let predicted = |path: &Path| {
        let options: [&dyn AsRef<std::ffi::OsStr>; 5] = [&"predict", &"--models", &models, &"--format", &"json"];
        let output = run(&[&options[..], &[&"--onnx", &path, &"--annotate", &costs]].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!(stderr(&output).contains("nodes with the costs of their layers"), "{}", stderr(&output));
        serde_json::from_str::<Value>(&stdout(&output)).expect("JSON")
    };
    let first = predicted(&graph);
    let written = fs::read(&costs).expect("the copy");
    let text = String::from_utf8_lossy(&written).into_owned();
    let layers = first["layers"].as_array().expect("layers");
    for layer in layers.iter().filter(|layer| layer["operators"].as_array().is_some_and(|all| !all.is_empty())) {
        let runtime = layer["runtime_prediction"].as_f64().expect("a run time");
        assert!(text.contains(&format!("{runtime:.6}")), "{layer}");
        assert!(text.contains(layer["layer_name"].as_str().expect("a name")), "{layer}");
    }
    // The copy is the same graph, and a copy of the copy is the copy.
    let again = predicted(&costs.clone());
    assert_eq!((&again["layers"], &again["totals"]), (&first["layers"], &first["totals"]));
    assert_eq!(fs::read(&costs).expect("the copy"), written);

    let engine = sample("resnet18");
    for wrong in [
        &[&"predict" as &dyn AsRef<std::ffi::OsStr>, &"--trt-engine-path", &engine, &"--annotate", &costs][..],
        &[&"predict", &"--onnx", &graph, &costs, &"--annotate", &costs],
        &[&"predict", &"--onnx", &graph, &"--annotate", &costs, &"--batch", &"1,2"],
    ] {
        let output = run(wrong);
        assert_eq!(code(&output), 2, "{}", stderr(&output));
    }
}
