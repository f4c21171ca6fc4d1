//! Trains one kind of model on numbers in files and prints how long it took and how well it fits, as JSON.
//!
//! `benches/train/run.py` runs it beside PyTorch, scikit-learn, LightGBM and SciPy on the same numbers:
//!
//! ```text
//! train_kinds mlp FOLDER INPUTS OUTPUTS SETTINGS.json
//! train_kinds physics|hybrid FOLDER ROUNDS
//! ```
//!
//! The folder holds `rows.f64` and `targets.f64`, row after row, little-endian. For `physics` and `hybrid` a row holds the
//! features that both read of a convolution and a target is a run time, with a held-out tenth in `test_rows.f64`.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::time::Instant;

use estimators::mlp::{Data, Settings, train};
use learn::fit::estimator::Estimator;
use learn::fit::kinds::{HybridEstimator, HybridOptions, PhysicsEstimator};
use learn::model::{Dataset, LayerTable, Target};
use shared::engine::Table;

type Failure = Box<dyn std::error::Error>;

fn read(path: &Path) -> Result<Vec<f64>, Failure> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let (values, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(format!("{}: not a whole number of 8-byte values", path.display()).into());
    }
    Ok(values.iter().map(|&value| f64::from_le_bytes(value)).collect())
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["mlp", folder, inputs, outputs, settings] => {
            network(folder.as_ref(), inputs.parse()?, outputs.parse()?, settings.as_ref())?
        }
        ["physics", folder, _] => layers(folder.as_ref(), &PhysicsEstimator)?,
        ["hybrid", folder, rounds] => {
            let options = HybridOptions { rounds: Some(rounds.parse()?), ..HybridOptions::default() };
            layers(folder.as_ref(), &HybridEstimator::new(options))?
        }
        _ => return Err("usage: train_kinds mlp FOLDER INPUTS OUTPUTS SETTINGS | physics|hybrid FOLDER ROUNDS".into()),
    };
    println!("{result}");
    Ok(())
}

fn network(folder: &Path, inputs: usize, outputs: usize, settings: &Path) -> Result<serde_json::Value, Failure> {
    let (rows, targets) = (read(&folder.join("rows.f64"))?, read(&folder.join("targets.f64"))?);
    let settings: Settings = serde_json::from_slice(&std::fs::read(settings)?)?;
    let data = Data { inputs, outputs, rows: &rows, targets: &targets, chosen: None, groups: &[] };
    let start = Instant::now();
    let network = train(&data, &settings)?;
    let seconds = start.elapsed().as_secs_f64();
    let history = &network.histories()[0];
    let losses: Vec<f64> = history.epochs.iter().map(|epoch| epoch.training).collect();
    Ok(serde_json::json!({ "seconds": seconds, "losses": losses }))
}

fn layers(folder: &Path, estimator: &dyn Estimator) -> Result<serde_json::Value, Failure> {
    let features = estimator.features(Table::Convolutional, Target::Runtime);
    let measured = read(&folder.join("targets.f64"))?;
    let mut layers = LayerTable::new(Table::Convolutional, features);
    layers.rows = read(&folder.join("rows.f64"))?;
    let width = layers.features.len();
    let networks = (0..measured.len()).collect();
    let data = Dataset::of_layers(Target::Runtime, layers, measured, networks);
    let start = Instant::now();
    let models = estimator.fit(&data)?;
    let seconds = start.elapsed().as_secs_f64();
    let test = read(&folder.join("test_rows.f64"))?;
    let predictions: Vec<f64> = test.chunks(width).map(|row| models.0[0].predict(row)).collect();
    Ok(serde_json::json!({ "seconds": seconds, "predictions": predictions }))
}
