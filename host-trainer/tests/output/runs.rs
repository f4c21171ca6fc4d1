//! `ingest`, `align` and `dataset`: from other tools' files to training tables.

use crate::session::{Session, repository};
use std::fmt::Write as _;
use std::fs;

/// What trtexec and tegrastats leave of LeNet: a profile, latencies, a power log of thirty seconds.
fn measured() -> Session {
    let session = Session::new();
    let sample = repository("sample_data/lenet_trt_engine_info.json");
    let (engine, _) = shared::engine::read(&sample).expect("the sample");
    fs::copy(&sample, session.path("info.json")).expect("a copy");
    let mut profile = String::from("[{\"count\": 500}");
    for (number, layer) in engine.layers.iter().enumerate() {
        let name = serde_json::Value::from(layer.name.as_str());
        let mean = 0.05 + 0.01 * (number % 7) as f64;
        write!(profile, ",{{\"name\": {name}, \"timeMs\": {}, \"averageMs\": {mean}}}", 500.0 * mean).expect("text");
    }
    session.write("profile.json", profile + "]");
    session.write("times.json", "[{\"computeMs\": 2.0, \"latencyMs\": 3.0}, {\"computeMs\": 4.0}]");
    let mut log = String::new();
    for second in 0..30 {
        let milliwatts = 5990 + 20 * (second % 2);
        writeln!(
            log,
            "01-28-2025 13:38:{second:02} RAM 1/2MB CPU [1%@729] VDD_IN {milliwatts}mW/6000mW VDD_SOC 1mW/1mW"
        )
        .expect("text");
    }
    session.write("tegra.log", log);
    session
}

const INGEST: &str = "ingest --model lenet --layer-info info.json --profile profile.json --times times.json \
                      --tegrastats tegra.log --idle-power-w 4.0";

#[test]
fn other_tools_files_become_training_tables() {
    let session = measured();
    session.check("ingest", INGEST);
    session.check("align", "align");
    session.check("align-csv", "align --format csv");
    session.check("align-json", "align --format json");
    session.check("align-totals", "align --method totals");
    session.check("dataset", "dataset --per-layer-measurements 1");
    let table = fs::read_to_string(session.path("training_data/lenet/dense.csv")).expect("a table");
    session.compare("dataset-dense", &table);
    session.check("dataset-thin", "dataset");
}

#[test]
fn what_is_missing_is_named() {
    let session = measured();
    session.check("ingest-nothing", "ingest --model lenet");
    session.check("ingest-idle", "ingest --model lenet --layer-info info.json --idle-power-w -1");
    session.check("ingest-rail", &INGEST.replace("--idle-power-w 4.0", "--rail VDD_GPU"));
    session.check("align-nothing", "align --raw-data-dir nowhere");
    session.check("dataset-nothing", "dataset --preprocessed-data-dir nowhere");
}
