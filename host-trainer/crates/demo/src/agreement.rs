//! How far the prediction of the new network is off.

use super::steps::NEW_NETWORK;
use serde_json::Value;
use shared::failure::{Failure, Kind};
use shared::fs::read_capped;
use shared::limits;
use std::path::Path;

/// Predicted and true figures of one inference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Predicted run time of all layers, ms.
    pub predicted_ms: f64,
    /// What the simulator ran, ms.
    pub true_ms: f64,
    /// Predicted energy of all layers, mJ.
    pub predicted_mj: f64,
    /// What the simulator drew in layers, mJ.
    pub true_mj: f64,
}

/// Holds `prediction.csv` against the simulator's truth of the recorded run.
///
/// # Errors
/// When a file cannot be read or lacks a figure.
pub fn agreement(folder: &Path) -> Result<Agreement, Failure> {
    let path = folder.join("check").join(NEW_NETWORK).join("truth.json");
    let truth: Value = serde_json::from_slice(&read_capped(&path, limits::SMALL_FILE_BYTES)?)
        .map_err(|e| Failure::from_error(Kind::Data, e).at(&path))?;
    let layers = truth["layers"].as_array().ok_or_else(|| Failure::data("has no layers").at(&path))?;
    let of = |layer: &Value, key: &str| {
        layer[key].as_f64().ok_or_else(|| Failure::data(format!("a layer has no `{key}`")).at(&path))
    };
    let (mut true_ms, mut true_mj) = (0.0, 0.0);
    for layer in layers {
        let ms = of(layer, "duration_ms")?;
        true_ms += ms;
        true_mj += ms * of(layer, "power_w")?;
    }
    let path = folder.join("prediction.csv");
    let text = String::from_utf8(read_capped(&path, limits::SMALL_FILE_BYTES)?)
        .map_err(|e| Failure::from_error(Kind::Data, e).at(&path))?;
    let mut lines = text.lines();
    let header = fields(lines.next().unwrap_or_default());
    let column = |name: &str| {
        header
            .iter()
            .position(|found| found == name)
            .ok_or_else(|| Failure::data(format!("lacks the column `{name}`")).at(&path))
    };
    let (power, runtime) = (column("power_prediction")?, column("runtime_prediction")?);
    let (mut predicted_ms, mut predicted_mj) = (0.0, 0.0);
    for line in lines {
        let row = fields(line);
        let number = |column: usize| row.get(column).and_then(|cell| cell.parse::<f64>().ok());
        if let Some(ms) = number(runtime) {
            predicted_ms += ms;
            predicted_mj += ms * number(power).unwrap_or(0.0);
        }
    }
    Ok(Agreement { predicted_ms, true_ms, predicted_mj, true_mj })
}

/// The fields of a line of CSV without line breaks in fields.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::fs::write_atomic;

    #[test]
    fn sums_over_layers_are_compared() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let truth = r#"{"layers": [{"duration_ms": 1.0, "power_w": 5.0}, {"duration_ms": 2.0, "power_w": 6.0}]}"#;
        write_atomic(&folder.path().join("check/vgg16/truth.json"), truth.as_bytes()).expect("writes");
        let csv =
            "layer_name,layer_type,power_prediction,runtime_prediction\n\"a, b\",x,5.5,1.1\nc,x,,0.0\nd,x,6,1.9\n";
        write_atomic(&folder.path().join("prediction.csv"), csv.as_bytes()).expect("writes");
        let found = agreement(folder.path()).expect("reads");
        assert!((found.true_ms - 3.0).abs() < 1e-12 && (found.true_mj - 17.0).abs() < 1e-12);
        assert!((found.predicted_ms - 3.0).abs() < 1e-12 && (found.predicted_mj - 17.45).abs() < 1e-12);
        assert!(agreement(Path::new("/no/such/folder")).is_err());
    }
}
