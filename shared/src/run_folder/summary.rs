//! EdgeProfiler's two small JSON files: `<model>_tensorrt.json` and `idling_power.json`.

use crate::failure::{Failure, Kind};
use crate::fs::{read_capped, write_atomic};
use crate::limits;
use crate::text::json;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// `<model>_tensorrt.json`: how the model was run and how long each inference took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelRun {
    /// Configuration.
    pub config: ModelConfig,
    /// Seconds from the first inference's start to the last one's end.
    pub total_time: f64,
    /// When it was written, `YYYYMMDD-HHMMSS`.
    pub timestamp: String,
    /// Whole-inference latencies in s.
    pub latencies: Vec<f64>,
    /// Their mean in s.
    pub avg_latency: f64,
    /// Images a second: batch size over mean latency.
    pub avg_throughput: f64,
}

/// The configuration part of [`ModelRun`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// Model name.
    pub model: String,
    /// `float32`, `float16`, `int8`.
    pub dtype: String,
    /// Input dimensions, batch first.
    pub input_shape: Vec<i64>,
    /// Warm-up cycles.
    pub warmup: u32,
    /// Measured cycles.
    pub runs: u32,
    /// TensorRT's builder optimisation level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimization_level: Option<u32>,
    /// Smallest block that Torch-TensorRT hands to TensorRT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_block_size: Option<u32>,
    /// The folder that run folders are written to.
    #[serde(default)]
    pub result_dir: String,
}

/// `idling_power.json`: what the board draws when nothing runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IdlePower {
    /// When it was measured, `YYYYMMDD-HHMMSS`.
    pub timestamp: String,
    /// Mean power in µW.
    pub avg_idle_power: f64,
    /// Standard error of that mean in µW, from means over blocks longer than the sensor's memory. Absent in the
    /// EdgeProfiler's files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_error: Option<f64>,
    /// Samples it was taken from. Absent in the EdgeProfiler's files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
}

macro_rules! json_file {
    ($type:ident) => {
        impl $type {
            /// Reads the file.
            ///
            /// # Errors
            /// When it cannot be read or lacks a field; the message names line and column.
            pub fn read(path: &Path) -> Result<Self, Failure> {
                let content = read_capped(path, limits::SMALL_FILE_BYTES)?;
                json::from_slice(&content).map_err(|e| Failure::from_error(Kind::Data, e).at(path))
            }

            /// Writes the file atomically.
            ///
            /// # Errors
            /// When it cannot be written.
            pub fn write(&self, path: &Path) -> Result<(), Failure> {
                let mut text =
                    serde_json::to_vec_pretty(self).map_err(|e| Failure::from_error(Kind::Data, e).at(path))?;
                text.push(b'\n');
                write_atomic(path, &text)
            }
        }
    };
}

json_file!(ModelRun);
json_file!(IdlePower);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_file_of_ours_and_of_the_reference() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("idling_power.json");
        let ours = IdlePower {
            timestamp: "20250128-133619".into(),
            avg_idle_power: 4_182_323.5,
            standard_error: Some(10.0),
            samples: Some(9),
        };
        ours.write(&path).expect("writes");
        assert_eq!(IdlePower::read(&path).expect("reads"), ours);
        std::fs::write(&path, r#"{"timestamp": "20250128-133619", "avg_idle_power": 5000000.00}"#).expect("writes");
        assert_eq!(IdlePower::read(&path).expect("reads").standard_error, None);
    }
}
