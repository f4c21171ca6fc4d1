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
    type Case = (&'static str, Vec<u8>, Vec<u8>, Vec<u8>);
    let cases: [Case; 5] = [
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
    fs::write(here.join("t.log"), "RAM 1/2MB VDD_SOC 1/1\n").unwrap();
    let output = trainer(&["ingest", "--model", "net", "--tegrastats", "t.log"], here);
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("VDD_SOC") && said.contains("VDD_IN is missing"), "{said}");
    fs::write(here.join("p.json"), "{}").unwrap();
    assert_eq!(trainer(&["ingest", "--model", "../net", "--layers-csv", "t.log"], here).status.code(), Some(3));
    assert_eq!(trainer(&["ingest", "--model", "net", "--profile", "p.json"], here).status.code(), Some(3));
}

/// A trtexec profile of a net of 5 ms, and a power file; the readings in order with their times in s, the manifest, and what
/// was said.
fn imported(file: &str, content: &str, extra: &[&str]) -> (Vec<(f64, f64)>, Value, String) {
    let root = tempfile::tempdir().unwrap();
    let here = root.path();
    fs::write(here.join(file), content).unwrap();
    fs::write(
        here.join("profile.json"),
        r#"[{"count": 200}, {"name": "conv", "averageMs": 4}, {"name": "fc", "averageMs": 1}]"#,
    )
    .unwrap();
    let option = if file.ends_with(".csv") { "--power-csv" } else { "--tegrastats" };
    let output =
        trainer(&[&["ingest", "--model", "net", "--profile", "profile.json", option, file], extra].concat(), here);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let log = fs::read(here.join("raw_data/net/net_power_log.log")).unwrap();
    let readings: Vec<_> = shared::run_folder::PowerLogReader::new(log.as_slice())
        .map(|line| line.unwrap().unwrap())
        .map(|reading| (reading.wall_ns as f64 * 1e-9, reading.power().0))
        .collect();
    let first = readings[0].0;
    let readings = readings.into_iter().map(|(at, watts)| (at - first, watts)).collect();
    let manifest = fs::read(here.join("raw_data/net/manifest.json")).unwrap();
    (readings, serde_json::from_slice(&manifest).unwrap(), said)
}

fn cycles(manifest: &Value) -> u64 {
    manifest["passes"].as_array().unwrap().iter().map(|pass| pass["cycles"].as_u64().unwrap()).sum()
}

#[test]
fn the_total_of_a_log_is_that_of_its_board() {
    for (rails, watts, name) in [
        (
            "VDD_GPU_SOC 12000mW/1mW VDD_CPU_CV 3000mW/1mW VIN_SYS_5V0 5000mW/1mW VDDQ_VDD2_1V8AO 1000mW/1mW",
            20.0,
            "sum of VDD_GPU_SOC, VDD_CPU_CV and VIN_SYS_5V0",
        ),
        ("VDD_GPU 14000mW/1mW VDD_CPU_SOC_MSS 9000mW/1mW VIN_SYS_5V0 6000mW/1mW VIN 41000mW/1mW", 41.0, "rail VIN"),
        ("VDD_GPU 3000mW/1mW VDD_TOTAL 9000mW/1mW", 9.0, "rail VDD_TOTAL"),
        (
            "GPU 5000/1 CPU 1000/1 SOC 2000/1 CV 0/0 VDDRQ 500/1 SYS5V 2500/1",
            11.0,
            "sum of GPU, CPU, SOC, CV, VDDRQ and SYS5V",
        ),
        ("VDD_SYS_GPU 228/1 VDD_SYS_SOC 913/1 VDD_4V0_WIFI 0/0 VDD_IN 4535/1 VDD_SYS_CPU 990/1", 4.535, "rail VDD_IN"),
        ("POM_5V_GPU 40/1 POM_5V_IN 2500/1 POM_5V_CPU 300/1", 2.5, "rail POM_5V_IN"),
        ("vdd_in 5000mW/1mW vdd_soc 1000mW/1mW", 5.0, "rail vdd_in"),
    ] {
        let log: String = (0..6).map(|s| format!("09-14-2023 10:00:0{s} RAM 1/2MB AO@30C {rails}\n")).collect();
        let (readings, manifest, said) = imported("t.log", &log, &[]);
        assert!(readings.len() == 6 && readings.iter().all(|(_, w)| (w - watts).abs() < 1e-9), "{rails}: {readings:?}");
        assert!(said.contains(name), "{said}");
        let labels: Vec<&str> =
            manifest["power"]["rails"].as_array().unwrap().iter().map(|rail| rail["label"].as_str().unwrap()).collect();
        assert!(labels.iter().all(|label| name.contains(label)), "{labels:?}");
    }
}

#[test]
fn time_is_what_the_stamps_tell_without_the_steps_of_their_clock() {
    let rail = "RAM 1/2MB CPU [1%@729] VDD_IN 5000mW/5000mW";
    let day = |seconds: i64| format!("09-14-2023 {:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let log = |stamp: &dyn Fn(i64) -> String, lines: i64| -> String {
        (0..lines).map(|i| format!("{} {rail}\n", stamp(i))).collect()
    };
    // Summer time begins, a clock is set by NTP, and ten lines a second.
    let set_ahead = log(&|i| day(7_190 + i + if i >= 10 { 3_600 } else { 0 }), 20);
    let from_1970 = log(&|i| if i < 10 { format!("01-01-1970 00:01:{i:02}") } else { day(36_000 + i) }, 20);
    for (text, at, size) in [(set_ahead, "line 11", "3600 s"), (from_1970, "line 11", "16946")] {
        let (readings, manifest, said) = imported("t.log", &text, &[]);
        assert!((readings[19].0 - 19.0).abs() < 1e-6, "{readings:?}");
        assert_eq!(cycles(&manifest), 3_800);
        assert!(said.contains(at) && said.contains(size), "{said}");
    }
    let (readings, manifest, said) = imported("t.log", &log(&|i| day(36_000 + i / 10), 50), &["--interval-ms", "1000"]);
    assert!((readings[49].0 - 4.9).abs() < 0.02 && cycles(&manifest).abs_diff(980) < 5, "{readings:?}");
    assert!(said.contains("--interval-ms 1000 does not fit"), "{said}");
    // A pause is no step: time runs on, and no inference is counted in it.
    let pause = log(&|i| day(36_000 + i + if i >= 10 { 171 } else { 0 }), 20);
    let (readings, manifest, said) = imported("t.log", &pause, &[]);
    assert!((readings[19].0 - 190.0).abs() < 1e-6 && cycles(&manifest) == 3_600, "{readings:?}");
    assert!(said.contains("line 11: 172 s without a reading"), "{said}");
    // A loop that waits for a pipe: nothing of its own time, but the journal's.
    let journal = |i: i64| format!("2023-09-14T10:{:02}:{:02}+00:00 board tegrastats[811]:", i * 5 / 60, i * 5 % 60);
    assert!((imported("t.log", &log(&journal, 13), &[]).0[12].0 - 60.0).abs() < 1e-6);
    let (readings, _, said) = imported("t.log", &format!("{rail}\n").repeat(4), &[]);
    assert!((readings[3].0 - 3.0).abs() < 1e-6 && said.contains("--interval-ms"), "{said}");
    let (readings, _, said) = imported("t.log", &format!("{rail}\n").repeat(4), &["--interval-ms", "50"]);
    assert!((readings[3].0 - 0.15).abs() < 1e-6 && !said.contains("warning"), "{said}");
}

#[test]
fn counters_that_begin_again_and_clocks_that_are_set_back_keep_the_order_of_the_file() {
    let table = |header: &str, stamp: &dyn Fn(i64) -> String| -> String {
        (0..20).fold(header.to_owned(), |text, i| text + &format!("{},{}\n", stamp(i), if i < 10 { 5 } else { 10 }))
    };
    let wrap = |i: i64, unit: i64| ((1_i64 << 32) + (i - 10) * unit) % (1 << 32);
    let signed = |i: i64| if i < 10 { (1_i64 << 31) + (i - 10) * 10_000 } else { -(1_i64 << 31) + (i - 10) * 10_000 };
    let wall = |i: i64| {
        format!("20231029-02:{:02}:{:02}.0", if i < 10 { 59 } else { 0 }, if i < 10 { 50 + i } else { i - 10 })
    };
    for (text, span, place) in [
        (
            table("t_us,W\n", &|i| wrap(i, 10_000).to_string()),
            0.19,
            "line 12: the counter begins again after 4294.967296 s",
        ),
        (table("t_us,W\n", &|i| signed(i).to_string()), 0.19, "line 12: the counter begins again"),
        (
            table("t_ms,W\n", &|i| wrap(i, 1_000).to_string()),
            19.0,
            "line 12: the counter begins again after 4294967.296 s",
        ),
        (
            table("t_s,W\n", &|i| format!("{:.6}", wrap(i, 10_000) as f64 * 1e-6)),
            0.19,
            "line 12: the counter begins again",
        ),
        (table("timestamp,W\n", &|i| wall(i)), 19.0, "line 12: the clock was set back by 3600 s"),
        (
            table("t_s,W\n", &|i| format!("{}", 100.0 + i as f64 - if i < 10 { 0.0 } else { 2.5 })),
            19.0,
            "line 12: the clock was set back by 2.5 s",
        ),
    ] {
        let (readings, manifest, said) = imported("p.csv", &text, &[]);
        assert!((readings[19].0 - span).abs() < 1e-5, "{text}{readings:?}");
        assert!(
            readings.iter().enumerate().all(|(i, (_, watts))| *watts == if i < 10 { 5.0 } else { 10.0 }),
            "{readings:?}"
        );
        assert_eq!(cycles(&manifest), (span * 200.0).round() as u64);
        assert!(said.contains(place), "{said}");
    }
}

#[test]
fn what_no_rule_explains_is_refused_and_writes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let here = root.path();
    fs::write(here.join("profile.json"), r#"[{"count": 2}, {"name": "conv", "averageMs": 0.0001}]"#).unwrap();
    let import = |power: &str| {
        fs::write(here.join("p.csv"), power).unwrap();
        let output = trainer(&["ingest", "--model", "net", "--profile", "profile.json", "--power-csv", "p.csv"], here);
        assert!(!here.join("raw_data").exists());
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    // Times without any order.
    let (code, said) = import("t_s,W\n5,1\n900,1\n17,1\n400,1\n3,1\n77,1\n");
    assert!(
        code == Some(3) && said.contains("line 4") && said.contains("goes back") && said.contains("hint"),
        "{said}"
    );
    // More inferences than can be counted.
    let (code, said) = import("t_s,W\n0,1\n1000000,1\n2000000,1\n3000000,1\n");
    assert!(code == Some(3) && said.contains("can be counted"), "{said}");
    // Layers whose ends are by a clock that was set within the power file.
    let power: String =
        (0..20).fold("t_s,W\n".into(), |text, i| text + &format!("{},1\n", if i < 10 { 50 + i } else { i }));
    fs::write(here.join("layers.csv"), "layer_name,runtime_ms,t_s\na,1,51\na,1,52\n").unwrap();
    fs::write(here.join("p.csv"), power).unwrap();
    let output = trainer(&["ingest", "--model", "net", "--layers-csv", "layers.csv", "--power-csv", "p.csv"], here);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn layers_follow_the_counter_of_the_power_file() {
    let root = tempfile::tempdir().unwrap();
    let here = root.path();
    let at = |us: i64| ((1_i64 << 32) - 50_000 + us) % (1 << 32);
    let power: String = (0..100).fold("t_us,W\n".into(), |text, i| text + &format!("{},5\n", at(i * 1_000)));
    let layers: String =
        (60..90).fold("layer_name,runtime_ms,t_us\n".into(), |text, i| text + &format!("a,0.5,{}\n", at(i * 1_000)));
    fs::write(here.join("p.csv"), power).unwrap();
    fs::write(here.join("l.csv"), layers).unwrap();
    let output = trainer(
        &["ingest", "--model", "net", "--layers-csv", "l.csv", "--power-csv", "p.csv", "--format", "json"],
        here,
    );
    succeeded(&output);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["files"][1]["interval_ms"], 1.0, "{answer}");
    assert_eq!((answer["files"][0]["rows"].as_u64(), answer["files"][0]["left_out"].as_u64()), (Some(30), Some(0)));
    let latencies =
        shared::run_folder::read_layer_latencies(&here.join("raw_data/net/trt_profiling/trt_layer_latency.json"))
            .unwrap();
    let log = fs::read(here.join("raw_data/net/net_power_log.log")).unwrap();
    let first = shared::run_folder::PowerLogReader::new(log.as_slice()).next().unwrap().unwrap().unwrap();
    assert_eq!(latencies.layers[0].1[0].wall_ns - first.wall_ns, 60_000_000);
}
