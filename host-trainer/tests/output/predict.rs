//! `predict`, with the models and engines that the repository ships.

use crate::session::{Session, repository};
use std::fs;

fn session() -> Session {
    let session = Session::new();
    for name in ["lenet", "resnet18"] {
        let file = format!("{name}_trt_engine_info.json");
        fs::copy(repository("sample_data").join(&file), session.path(&file)).expect("a sample");
    }
    std::os::unix::fs::symlink(repository("trained_models"), session.path("trained_models")).expect("a link");
    session
}

#[test]
fn one_engine() {
    let session = session();
    let lenet = "predict --trt-engine-path lenet_trt_engine_info.json";
    session.check("predict", lenet);
    session.check("predict-csv", &format!("{lenet} --format csv"));
    session.check("predict-json", &format!("{lenet} --format json"));
    session.check("predict-file", &format!("{lenet} --top 0 --result-csv-path rows.csv"));
    let written = fs::read_to_string(session.path("rows.csv")).expect("the rows");
    assert_eq!(written, String::from_utf8_lossy(&session.run(&format!("{lenet} --format csv")).stdout));
}

#[test]
fn several_engines() {
    let session = session();
    let both = "predict --trt-engine-path lenet_trt_engine_info.json resnet18_trt_engine_info.json";
    session.check("predict-several", &format!("{both} --top 3"));
    let csv = session.prepare(&format!("{both} --format csv"));
    let text = String::from_utf8_lossy(&csv.stdout);
    let lines: Vec<&str> = text.lines().collect();
    session.compare("predict-several-csv", &[lines[0], lines[1], lines[lines.len() - 1]].join("\n"));
    session.write("broken.json", "{\"Layers\": [");
    session.check("predict-broken", "predict --trt-engine-path broken.json");
    session.check("predict-broken-of-several", &format!("{both} broken.json --top 1"));
}
