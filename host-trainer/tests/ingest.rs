//! `host-trainer ingest`, and what `align` and `dataset` make of it, through the real binary.
#![allow(missing_docs, clippy::unwrap_used)]

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn trainer(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_host-trainer")).args(arguments).current_dir(folder).output().unwrap()
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn trtexec_and_tegrastats_become_training_data() {
    let root = tempfile::tempdir().unwrap();
    let here = root.path();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sample_data/lenet_trt_engine_info.json");
    let (engine, _) = shared::engine::read(&sample).unwrap();
    fs::copy(&sample, here.join("info.json")).unwrap();
    let mut profile = String::from("[{\"count\": 500}");
    for layer in &engine.layers {
        profile += &format!(",{{\"name\": {}, \"timeMs\": 50, \"averageMs\": 0.1}}", Value::from(layer.name.as_str()));
    }
    fs::write(here.join("profile.json"), profile + "]").unwrap();
    fs::write(here.join("times.json"), "[{\"computeMs\": 2.0, \"latencyMs\": 3.0}, {\"computeMs\": 4.0}]").unwrap();
    let mut log = String::new();
    for second in 0..30 {
        log += &format!(
            "01-28-2025 13:38:{second:02} RAM 1/2MB CPU [1%@729] VDD_IN {}mW/6000mW VDD_SOC 1mW/1mW\n",
            5990 + 20 * (second % 2)
        );
    }
    fs::write(here.join("tegra.log"), log).unwrap();
    succeeded(&trainer(
        &[
            "ingest",
            "--model",
            "lenet",
            "--layer-info",
            "info.json",
            "--profile",
            "profile.json",
            "--times",
            "times.json",
            "--tegrastats",
            "tegra.log",
            "--idle-power-w",
            "4.0",
        ],
        here,
    ));
    let output = trainer(&["align", "--format", "json"], here);
    succeeded(&output);
    let report: Value = serde_json::from_slice::<Value>(&output.stdout).unwrap()[0].clone();
    let energy = &report["energy"];
    assert!((energy["power_w"].as_f64().unwrap() - 6.0).abs() < 0.01, "{energy}");
    assert!((energy["latency_ms"].as_f64().unwrap() - 3.0).abs() < 1e-9);
    // 6 W for 3 ms.
    assert!((energy["unprofiled"][2].as_f64().unwrap() - 18.0).abs() < 0.05, "{energy}");
    assert!(report["layers"].as_array().unwrap().iter().all(|l| l["verdict"] == "not_identifiable"));
    succeeded(&trainer(&["dataset", "--per-layer-measurements", "1"], here));
    let data = learn::training::read(&here.join("training_data")).unwrap();
    assert!(data.tables.values().flatten().count() >= 4);
    let total = &data.totals[0];
    assert!((total.energy.unwrap().0 - 18.0).abs() < 0.05 && (total.runtime.unwrap().0 - 3.0).abs() < 1e-9);
}

#[test]
fn flat_tables_become_a_run_folder() {
    let root = tempfile::tempdir().unwrap();
    let here = root.path();
    let mut power = String::from("t_us,V,A\n");
    let mut layers = String::from("layer_name,runtime_ms,t_us\n");
    for k in 0..4000_u32 {
        let at = 1_000_000 + 50 * k;
        // `a` runs for 0.6 ms at 8 W, `b` for 0.4 ms at 6 W, without a gap; a reading is the mean of its 50 µs.
        let watts = if (k + 19) % 20 < 12 { 8.0 } else { 6.0 };
        power += &format!("{at},5.0,{}\n", watts / 5.0);
        if k % 20 == 0 {
            layers += &format!("a,0.6,{}\nb,0.4,{}\n", at + 600, at + 1000);
        }
    }
    fs::write(here.join("power.csv"), power).unwrap();
    fs::write(here.join("layers.csv"), layers).unwrap();
    succeeded(&trainer(&["ingest", "--model", "net", "--power-csv", "power.csv", "--layers-csv", "layers.csv"], here));
    let output = trainer(&["align", "--format", "json"], here);
    succeeded(&output);
    let report: Value = serde_json::from_slice::<Value>(&output.stdout).unwrap()[0].clone();
    assert_eq!(report["method"], "deconvolve", "{}", report["because"]);
    for (layer, watts) in report["layers"].as_array().unwrap().iter().zip([8.0, 6.0]) {
        assert!((layer["power_w"].as_f64().unwrap() - watts).abs() < 0.1, "{layer}");
    }
}

/// A text as a shell on Windows redirects it.
fn utf16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A folder that other shells, spreadsheets and tools wrote gives the run folder of the plain files.
#[test]
fn files_of_other_shells_and_spreadsheets_become_the_same_run_folder() {
    let root = tempfile::tempdir().unwrap();
    let here = root.path();
    let profile = "[{\"count\": 200},\n{\"name\": \"conv\u{1e}relu\", \"averageMs\": 4, \"medianMs\": 4},\n\
                   {\"name\": \"fc\", \"averageMs\": 1, \"medianMs\": 1}]";
    let times = "[{\"computeMs\": 5.0, \"latencyMs\": 5.2}, {\"computeMs\": 5.0, \"latencyMs\": 5.2}]";
    let mut log = String::new();
    let mut tegra = String::new();
    for k in 0..20 {
        log += &format!("{},{}\n", k * 100, 6000.5);
        tegra += &format!("09-14-2023 10:00:{k:02} RAM 1/2MB CPU [1%@729] VDD_IN 5000mW/5000mW VDD_SOC 1mW/1mW\n");
    }
    let plain = format!("t_ms,mW\n{log}");
    let semicolons = format!(
        "# a meter\r\nTime (ms);Leistung (mW)\r\n{}",
        log.replace(',', ";").replace('.', ",").replace('\n', "\r\n")
    );
    let iso: String = (0..20).map(|k| format!("1970-01-01T00:00:{:02}.{}00Z,6.0005\n", k / 10, k % 10)).collect();
    let bom = |text: &str| format!("\u{feff}{text}").into_bytes();
    let cases: [(&str, Vec<u8>, Vec<u8>, Vec<u8>); 5] = [
        ("plain", profile.replace('\u{1e}', "\\u001e").into_bytes(), times.into(), plain.clone().into_bytes()),
        ("bom", bom(profile), bom(times), bom(&plain)),
        ("utf16", utf16(profile), utf16(times), utf16(&plain)),
        ("odd", profile.replace(": 1}]", ": -nan}]").into_bytes(), times.into(), semicolons.into_bytes()),
        ("iso", profile.into(), times.into(), format!("timestamp,power [W]\n{iso}").into_bytes()),
    ];
    for (name, profile, times, power) in cases {
        for (file, content) in [("profile.json", profile), ("times.json", times), ("power.csv", power)] {
            fs::write(here.join(file), content).unwrap();
        }
        let output = trainer(
            &[
                "ingest",
                "--model",
                name,
                "--profile",
                "profile.json",
                "--times",
                "times.json",
                "--power-csv",
                "power.csv",
            ],
            here,
        );
        succeeded(&output);
        for file in ["power_log.log", "tensorrt.json"] {
            let read = |model: &str| fs::read_to_string(here.join(format!("raw_data/{model}/{model}_{file}"))).unwrap();
            assert_eq!(read(name).replace(name, "plain"), read("plain"), "{name}");
        }
        let latencies = |model: &str| {
            fs::read(here.join(format!("raw_data/{model}/trt_profiling/trt_layer_latency.json"))).unwrap()
        };
        assert_eq!(latencies(name), latencies("plain"), "{name}");
    }
    // The log goes the same way, and what align reads may have gone through another program as well.
    fs::write(here.join("tegra.log"), utf16(&tegra)).unwrap();
    succeeded(&trainer(
        &["ingest", "--model", "plain", "--tegrastats", "tegra.log", "--profile", "profile.json"],
        here,
    ));
    let report = |here: &Path| -> Value {
        let output = trainer(&["align", "--format", "json"], here);
        succeeded(&output);
        serde_json::from_slice::<Value>(&output.stdout).unwrap()[0]["energy"].clone()
    };
    let copies = tempfile::tempdir().unwrap();
    for (model, recode) in [("raw_data/plain", false), ("copy/plain", true)] {
        let from = here.join("raw_data/plain");
        let to = copies.path().join(model);
        fs::create_dir_all(to.join("trt_profiling")).unwrap();
        for file in ["plain_power_log.log", "manifest.json", "trt_profiling/trt_layer_latency.json"] {
            let content = fs::read(from.join(file)).unwrap();
            let content = if recode { utf16(std::str::from_utf8(&content).unwrap()) } else { content };
            fs::write(to.join(file), content).unwrap();
        }
    }
    let expected = report(copies.path());
    assert!((expected["power_w"].as_f64().unwrap() - 5.0).abs() < 1e-9, "{expected}");
    fs::remove_dir_all(copies.path().join("raw_data")).unwrap();
    fs::rename(copies.path().join("copy"), copies.path().join("raw_data")).unwrap();
    assert_eq!(report(copies.path()), expected);
}

#[test]
fn how_a_table_was_read_is_said() {
    let root = tempfile::tempdir().unwrap();
    let here = root.path();
    fs::write(here.join("p.csv"), b"Time (s);U (V);I (A);note\n0;5,0;1,2;25 \xb0C\n1;5,0;?;\n2;5,0;1,2;\n").unwrap();
    let output = trainer(&["ingest", "--model", "net", "--power-csv", "p.csv"], here);
    succeeded(&output);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for part in [
        "read p.csv: UTF-8, semicolons, decimal commas; columns `Time (s)`, `U (V)`, `I (A)`",
        "p.csv: a byte on line 2 is not UTF-8 and is read as U+FFFD",
        "1 rows were not read: line 3 has a `I (A)` that is not a number: `?`",
    ] {
        assert!(said.contains(part), "{said}");
    }
    // A current alone needs the supply's voltage.
    fs::write(here.join("ppk.csv"), "Timestamp(ms),Current(uA)\n0,1200000\n100,1200000\n").unwrap();
    let output = trainer(&["ingest", "--model", "ppk", "--power-csv", "ppk.csv"], here);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--supply-v"));
    succeeded(&trainer(&["ingest", "--model", "ppk", "--power-csv", "ppk.csv", "--supply-v", "5"], here));
    let log = fs::read_to_string(here.join("raw_data/ppk/ppk_power_log.log")).unwrap();
    assert!(log.ends_with(",5000.0,1200.0\n"), "{log}");
    assert_eq!(
        trainer(&["ingest", "--model", "ppk", "--power-csv", "ppk.csv", "--supply-v", "0"], here).status.code(),
        Some(2)
    );
}

#[test]
fn what_cannot_be_imported_is_said() {
    let root = tempfile::tempdir().unwrap();
    let here = root.path();
    assert_eq!(trainer(&["ingest", "--model", "net"], here).status.code(), Some(2));
    assert_eq!(trainer(&["ingest", "--model", "../net", "--times", "x"], here).status.code(), Some(5));
    fs::write(here.join("t.log"), "RAM 1/2MB CV_ODD 1/1\n").unwrap();
    let output = trainer(&["ingest", "--model", "net", "--tegrastats", "t.log"], here);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("CV_ODD"));
    fs::write(here.join("p.json"), "{}").unwrap();
    assert_eq!(trainer(&["ingest", "--model", "../net", "--layers-csv", "t.log"], here).status.code(), Some(3));
    assert_eq!(trainer(&["ingest", "--model", "net", "--profile", "p.json"], here).status.code(), Some(3));
}
