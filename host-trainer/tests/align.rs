//! `host-trainer align` through the real binary.
#![allow(missing_docs, clippy::unwrap_used)]

mod runs;

use runs::{host_trainer, quality, write_run};
use serde_json::Value;
use shared::random::Random;
use shared::run_folder::{Diagnostics, index_layers};
use shared::units::{Millis, Watts};
use simulate::{Load, LoadLayer, PollModel, SensorModel};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use study::simulate_logs;

fn align(raw: &Path, results: &Path, options: &[&str]) -> Output {
    host_trainer("align", raw, results, options)
}

fn network(layers: u32, constant: Option<f64>) -> Load {
    let mut random = Random::new(7);
    let layers = (0..layers)
        .map(|i| LoadLayer {
            name: format!("layer, \"{i}\""),
            duration: Millis(0.03 + 0.15 * random.uniform()),
            power: Watts(constant.unwrap_or(5.0 + 4.0 * random.uniform())),
        })
        .collect();
    let mut load = Load::of_layers(layers);
    if let Some(watts) = constant {
        load.host = Watts(watts);
        load.idle = Watts(watts);
    }
    load
}

const READ_FAST: PollModel =
    PollModel { period_ns: 1_300_000, jitter_ns: 40_000, stall_every_ns: 500_000_000, stall_ns: 3_000_000 };

#[test]
fn a_simulated_run_is_attributed_reported_and_adds_up() {
    let root = tempfile::tempdir().unwrap();
    let load = network(12, None);
    let logs = simulate_logs(&load, SensorModel::ina3221_fast(), READ_FAST, 1500, true, 3);
    write_run(root.path(), "net", &logs.power, &logs.latency, 4.2);
    let results = tempfile::tempdir().unwrap();
    let output = align(root.path(), results.path(), &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let folder = results.path().join("net");
    let report: Value = serde_json::from_slice(&fs::read(folder.join("alignment_quality.json")).unwrap()).unwrap();
    assert_eq!(report["method"], "deconvolve");
    assert_eq!(report["timeline"]["stamps"], "callback");
    assert!((report["sensor"]["refresh_ms"].as_f64().unwrap() - 2.2).abs() < 1e-3);
    for (layer, truth) in report["layers"].as_array().unwrap().iter().zip(&logs.truth.layers) {
        assert_eq!(layer["name"].as_str(), Some(truth.name.as_str()));
        let power = layer["power_w"].as_f64().unwrap();
        assert!((power / truth.power_w - 1.0).abs() < 0.06, "{power} {}", truth.power_w);
    }
    assert!(report["energy"]["closure"].as_f64().unwrap().abs() < 1e-9);
    let energy = report["energy"]["energy_mj"].as_f64().unwrap();
    assert!((energy / (logs.truth.energy_mj / 1500.0) - 1.0).abs() < 2e-3);
    let made_from = report["made_from"].as_array().unwrap();
    assert!(made_from.len() == 3 && made_from.iter().all(|f| f[1].as_str().unwrap().len() == 64));
    // Every inference has a row for every layer, with the layer's power.
    let mut reader = csv::Reader::from_path(folder.join("power_runtime_mapping_layerwise.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 1500 * 12);
    assert_eq!((&rows[12 * 700 + 5][0], &rows[12 * 700 + 5][1]), ("701", "layer, \"5\""));
    let html = fs::read_to_string(folder.join("alignment_quality.html")).unwrap();
    assert!(html.contains("layer, &quot;5&quot;") && !html.contains("<script") && !html.contains("src="));
    assert!(html.matches("<svg").count() == 3);
}

#[test]
fn a_handful_of_inferences_is_answered_and_adds_up() {
    for cycles in [1, 2, 3, 5, 8, 20, 60] {
        for (seed, (sensor, at_ends)) in [
            (SensorModel::ideal_meter(), true),
            (SensorModel::ideal_meter(), false),
            (SensorModel::ina3221_boot(), false),
        ]
        .into_iter()
        .enumerate()
        {
            let raw = tempfile::tempdir().unwrap();
            let logs = simulate_logs(&network(4, None), sensor, READ_FAST, cycles, at_ends, seed as u64);
            write_run(raw.path(), "net", &logs.power, &logs.latency, 4.0);
            let report = quality(raw.path(), &[]);
            if let Some(closure) = report["energy"]["closure"].as_f64() {
                assert!(closure.abs() < 1e-9, "{cycles} inferences, case {seed}: {closure}");
            }
            for layer in report["layers"].as_array().unwrap() {
                assert!(layer["power_w"].as_f64().is_none_or(f64::is_finite), "{layer}");
            }
        }
    }
}

#[test]
fn totals_of_several_networks_share_out_and_add_up() {
    let raw = tempfile::tempdir().unwrap();
    let add = |name: &str, layers: u32| {
        let logs = simulate_logs(&network(layers, Some(6.5)), SensorModel::ina3221_boot(), READ_FAST, 2000, true, 5);
        write_run(raw.path(), name, &logs.power, &logs.latency, 4.0);
    };
    add("one", 3);
    add("two", 6);
    let results = tempfile::tempdir().unwrap();
    let output = align(raw.path(), results.path(), &["--method", "totals"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("at least 3 networks"));
    add("three", 9);
    let output = align(raw.path(), results.path(), &["--method", "totals", "--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let reports: Value = serde_json::from_slice(&output.stdout).unwrap();
    let reports = reports.as_array().unwrap();
    assert_eq!(reports.len(), 3);
    for report in reports {
        assert_eq!(report["method"], "totals", "{report}");
        assert!(report["energy"]["closure"].as_f64().unwrap().abs() < 1e-9);
        let mean = report["energy"]["power_w"].as_f64().unwrap();
        for layer in report["layers"].as_array().unwrap() {
            // Every kind drew the same, so every layer must come out at its network's own mean, whatever the fit says of kinds.
            assert!((layer["power_w"].as_f64().unwrap() / mean - 1.0).abs() < 0.02, "{layer} of {mean}");
        }
    }
}

#[test]
fn parquet_on_request_holds_the_rows_of_the_csv() {
    let (raw, results) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let load = network(4, None);
    let logs = simulate_logs(&load, SensorModel::ideal_meter(), READ_FAST, 20, false, 1);
    write_run(raw.path(), "net", &logs.power, &logs.latency, 4.0);
    let output = align(raw.path(), results.path(), &["--parquet"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let folder = results.path().join("net");
    let mut csv = csv::Reader::from_path(folder.join("power_runtime_mapping_layerwise.csv")).unwrap();
    let csv: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    let path = folder.join("power_runtime_mapping_layerwise.parquet");
    let parquet = tables::Frame::from_parquet(&path, &fs::read(&path).unwrap()).unwrap();
    assert_eq!(parquet.rows(), csv.len());
    assert_eq!(parquet.rows(), 4 * 20);
    let number = |row, column| parquet.number(row, column).unwrap().unwrap();
    for (row, record) in csv.iter().enumerate() {
        assert_eq!(number(row, "cycle").to_string(), record[0]);
        assert_eq!(parquet.text(row, "layer_name").unwrap().unwrap(), &record[1]);
        let power = number(row, "layer_power_including_idle_power_micro_watt");
        assert_eq!(power, record[3].parse::<f64>().unwrap());
        assert_eq!(number(row, "layer_run_time"), record[5].parse::<f64>().unwrap());
    }
}

/// A run of the agent: its sample log, its manifest, and the text logs it exports.
fn write_agent_run(root: &Path, logs: &study::Logs) -> PathBuf {
    let folder = write_run(root, "net", &logs.power, &logs.latency, 4.2);
    let (manifest, log) = logs.agent("net").unwrap();
    manifest.write(&folder.join("manifest.json")).unwrap();
    fs::write(folder.join("samples.eplog"), log).unwrap();
    folder
}

fn powers(report: &Value) -> Vec<f64> {
    report["layers"].as_array().unwrap().iter().map(|layer| layer["power_w"].as_f64().unwrap()).collect()
}

#[test]
fn the_agents_sample_log_and_its_text_export_give_the_same_answer() {
    for callback in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let logs = simulate_logs(&network(10, None), SensorModel::ina3221_fast(), READ_FAST, 1500, callback, 3);
        let folder = write_agent_run(root.path(), &logs);
        let exact = quality(root.path(), &[]);
        assert_eq!(exact["read_from"], serde_json::json!({"power": "samples.eplog", "layers": "samples.eplog"}));
        let hashed: Vec<&str> = exact["made_from"].as_array().unwrap().iter().map(|f| f[0].as_str().unwrap()).collect();
        assert_eq!(hashed, ["samples.eplog", "manifest.json", "idling_power.json"]);
        fs::rename(folder.join("samples.eplog"), folder.join("aside")).unwrap();
        let text = quality(root.path(), &[]);
        assert_eq!(text["read_from"]["power"], "net_power_log.log");
        assert_eq!(text["read_from"]["layers"], "trt_layer_latency.json");
        assert_eq!(exact["timeline"], text["timeline"]);
        assert_eq!(exact["method"], text["method"]);
        // Stamps in text are cut to microseconds; readings and durations are exact.
        for (a, b) in powers(&exact).iter().zip(powers(&text)) {
            assert!((a / b - 1.0).abs() < 5e-3, "{a} {b}");
        }
        for key in ["runtime_ms", "runtime_deviation_ms", "runs", "name", "index"] {
            for (a, b) in exact["layers"].as_array().unwrap().iter().zip(text["layers"].as_array().unwrap()) {
                assert_eq!(a[key], b[key]);
            }
        }
        let energy = |report: &Value| report["energy"]["energy_mj"].as_f64().unwrap();
        assert!((energy(&exact) / energy(&text) - 1.0).abs() < 1e-4);
        // The log alone is enough.
        fs::rename(folder.join("aside"), folder.join("samples.eplog")).unwrap();
        fs::remove_file(folder.join("net_power_log.log")).unwrap();
        fs::remove_dir_all(folder.join("trt_profiling")).unwrap();
        let alone = quality(root.path(), &[]);
        assert_eq!(alone["layers"], exact["layers"]);
        let output = align(root.path(), root.path(), &["--method", "window"]);
        assert_eq!(output.status.code(), Some(3), "EdgeProfiler's rule needs EdgeProfiler's files");
    }
}

#[test]
fn of_a_damaged_sample_log_what_its_checksums_vouch_for_is_read_else_the_text() {
    let root = tempfile::tempdir().unwrap();
    let logs = simulate_logs(&network(8, None), SensorModel::ina3221_fast(), READ_FAST, 1500, true, 5);
    let folder = write_agent_run(root.path(), &logs);
    let whole = quality(root.path(), &[]);
    let path = folder.join("samples.eplog");
    let log = fs::read(&path).unwrap();
    let notes = |report: &Value| report["notes"].as_array().unwrap().iter().map(Value::to_string).collect::<String>();
    assert!(!notes(&whole).contains("samples.eplog"), "{}", notes(&whole));
    // Cut off: the first part is read.
    fs::write(&path, &log[..log.len() * 6 / 10]).unwrap();
    let torn = quality(root.path(), &[]);
    assert_eq!(torn["read_from"]["power"], "samples.eplog");
    assert!(notes(&torn).contains("what its checksums vouch for is used"), "{}", notes(&torn));
    assert!(torn["timeline"]["cycles"].as_u64() < whole["timeline"]["cycles"].as_u64());
    // Bytes flipped all over: frames are lost, none is wrong.
    let mut flipped = log.clone();
    for at in (log.len() / 20..log.len()).step_by(log.len() / 20) {
        flipped[at] ^= 0x55;
    }
    fs::write(&path, &flipped).unwrap();
    let holed = quality(root.path(), &[]);
    assert!(notes(&holed).contains("frames are missing"), "{}", notes(&holed));
    for report in [&torn, &holed] {
        for (a, b) in powers(report).iter().zip(powers(&whole)) {
            assert!((a / b - 1.0).abs() < 0.1, "{a} {b}");
        }
    }
    // Nothing left that a checksum vouches for: the text logs are read.
    fs::write(&path, vec![0x5a; 4096]).unwrap();
    let garbage = quality(root.path(), &[]);
    assert_eq!(garbage["read_from"]["power"], "net_power_log.log");
    assert!(notes(&garbage).contains("the text logs are read instead"), "{}", notes(&garbage));
    fs::remove_file(&path).unwrap();
    assert_eq!(garbage["layers"], quality(root.path(), &[])["layers"]);
}

#[test]
fn a_slow_sensor_is_found_out_and_no_layer_claimed() {
    let root = tempfile::tempdir().unwrap();
    let load = network(10, None);
    let logs = simulate_logs(&load, SensorModel::ina3221_boot(), READ_FAST, 2500, true, 3);
    write_run(root.path(), "net", &logs.power, &logs.latency, 4.2);
    let report = quality(root.path(), &[]);
    assert_eq!(report["method"], "share");
    let lag = report["sensor"]["lag_ms"].as_f64().unwrap();
    // 512 averages of a cycle of 0.84 ms.
    assert!((lag / 429.7 - 1.0).abs() < 0.05, "{lag}");
    assert!(report["layers"].as_array().unwrap().iter().all(|l| l["verdict"] == "not_identifiable"));
    let energy = report["energy"]["energy_mj"].as_f64().unwrap();
    assert!((energy / (logs.truth.energy_mj / 2500.0) - 1.0).abs() < 0.01, "{energy}");
    let layers = report["layers"].as_array().unwrap();
    let held = layers.iter().zip(&logs.truth.layers).filter(|(layer, truth)| {
        let end = |key: &str| layer[key].as_f64().unwrap();
        end("power_low_w") < truth.power_w && truth.power_w < end("power_high_w")
    });
    assert!(held.count() >= 8, "{layers:?}");
}

#[test]
fn a_constant_load_gives_that_constant() {
    let root = tempfile::tempdir().unwrap();
    let load = network(8, Some(6.5));
    let logs =
        simulate_logs(&load, SensorModel { noise_ma: 0.0, ..SensorModel::ideal_meter() }, READ_FAST, 300, false, 1);
    write_run(root.path(), "net", &logs.power, &logs.latency, 4.0);
    for method in ["auto", "deconvolve", "share"] {
        let report = quality(root.path(), &["--method", method]);
        for layer in report["layers"].as_array().unwrap() {
            assert!((layer["power_w"].as_f64().unwrap() / 6.5 - 1.0).abs() < 1e-6, "{method}: {layer}");
        }
    }
}

#[test]
fn order_of_layers_means_nothing_and_any_prefix_is_accepted() {
    let root = tempfile::tempdir().unwrap();
    let load = network(6, None);
    let logs = simulate_logs(&load, SensorModel::ina3221_fast(), READ_FAST, 400, false, 5);
    write_run(root.path(), "net", &logs.power, &logs.latency, 4.2);
    let whole = quality(root.path(), &[]);
    // The same lists, last one first.
    let lists = index_layers(logs.latency.as_slice(), &mut Diagnostics::default()).unwrap();
    let mut reversed = String::from("{");
    for (i, list) in lists.iter().rev().enumerate() {
        let name = Value::from(list.name.as_str());
        let entries = &logs.latency[list.bytes.start as usize..list.bytes.end as usize];
        let entries = String::from_utf8_lossy(entries);
        write!(reversed, "{}{name}: [{entries}]", if i > 0 { ",\n" } else { "" }).unwrap();
    }
    reversed.push('}');
    write_run(root.path(), "net", &logs.power, reversed.as_bytes(), 4.2);
    let other = quality(root.path(), &[]);
    assert_eq!(whole["layers"], other["layers"]);
    assert_eq!(whole["energy"], other["energy"]);
    let results = tempfile::tempdir().unwrap();
    for part in [0.001, 0.1, 0.37, 0.8, 0.999] {
        let cut = |bytes: &[u8]| bytes[..(bytes.len() as f64 * part) as usize].to_vec();
        write_run(root.path(), "net", &cut(&logs.power), &logs.latency, 4.2);
        let report = quality(root.path(), &[]);
        assert!(report["energy"]["closure"].as_f64().is_none_or(|c| c.abs() < 1e-9));
        write_run(root.path(), "net", &logs.power, &cut(&logs.latency), 4.2);
        let output = align(root.path(), results.path(), &[]);
        // A latency file may be cut before its first measurement; that is bad data, said so, and no crash.
        assert!(matches!(output.status.code(), Some(0 | 3)), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn failures_name_file_and_next_step() {
    let root = tempfile::tempdir().unwrap();
    let output = align(&root.path().join("absent"), root.path(), &[]);
    assert_eq!(output.status.code(), Some(5));
    fs::create_dir_all(root.path().join("raw/net")).unwrap();
    let output = align(&root.path().join("raw"), root.path(), &[]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("power_log"));
    write_run(&root.path().join("raw"), "net", b"", b"[]", 4.0);
    let output = align(&root.path().join("raw"), root.path(), &[]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("trt_layer_latency.json"));
    assert_eq!(align(root.path(), root.path(), &["--sensor-lag-ms", "-1"]).status.code(), Some(2));
}

#[test]
fn without_power_layers_have_run_times_and_nothing_is_told_as_zero() {
    let root = tempfile::tempdir().unwrap();
    let logs = simulate_logs(&network(5, None), SensorModel::ina3221_fast(), READ_FAST, 200, true, 3);
    write_run(root.path(), "net", b"", &logs.latency, 4.2);
    let report = quality(root.path(), &[]);
    for (place, figure) in [
        ("/identified", "identified"),
        ("/checks/inflation", "inflation"),
        ("/sensor/read_period_ms", "period"),
        ("/energy/power_w", "power"),
        ("/energy/energy_mj", "energy"),
        ("/energy/layers_mj", "energy of layers"),
        ("/energy/outside_mj", "energy outside"),
        ("/layers/0/power_w", "power of a layer"),
        ("/layers/0/energy_mj", "energy of a layer"),
    ] {
        assert_eq!(report.pointer(place), Some(&Value::Null), "{figure}");
    }
    assert_eq!(report["sensor"]["readings"], 0);
    assert!(
        report["energy"]["period_ms"].as_f64().unwrap() > 0.0
            && report["layers"][0]["runtime_ms"].as_f64().unwrap() > 0.0
    );
    let results = tempfile::tempdir().unwrap();
    let output = align(root.path(), results.path(), &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("no readings") && said.contains("no power was measured") && !said.contains("0.000"),
        "{said}"
    );
    let csv = String::from_utf8(align(root.path(), results.path(), &["--format", "csv"]).stdout).unwrap();
    let row: Vec<&str> = csv.lines().nth(1).unwrap().rsplit(',').collect();
    assert_eq!(row[4..8], ["", "", "", ""], "energy, power and its interval: {csv}");
    // By EdgeProfiler's rule, neither periods nor energies are looked for.
    let logs = simulate_logs(&network(5, None), SensorModel::ina3221_fast(), READ_FAST, 200, true, 3);
    write_run(root.path(), "net", &logs.power, &logs.latency, 4.2);
    let report = quality(root.path(), &["--method", "window"]);
    for place in ["/identified", "/energy/period_ms", "/energy/layers_ms", "/energy/energy_mj"] {
        assert_eq!(report.pointer(place), Some(&Value::Null), "{place}");
    }
}
