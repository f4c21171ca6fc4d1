//! Hyper-parameters as the reference's tuner writes them: `{"hyperparams": {"hidden_dims": …, "dropouts": …, "lr": …}}`.

use super::settings::{Optimizer, Settings};
use serde::Deserialize;
use shared::failure::Failure;
use shared::fs::read_capped;
use shared::limits;
use shared::near::near;
use std::path::Path;

/// The norm that the reference cuts gradients to where it does.
const REFERENCE_NORM: f64 = 1.0;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    hyperparams: Hyperparams,
    /// Scores of the study that found them; of no use here.
    #[serde(default, rename = "val_score_optuna")]
    _study: serde::de::IgnoredAny,
    #[serde(default, rename = "val_score_final_training")]
    _training: serde::de::IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hyperparams {
    hidden_dims: Option<Vec<usize>>,
    dropouts: Option<Vec<f64>>,
    lr: Option<f64>,
    weight_decay: Option<f64>,
    batch_size: Option<usize>,
    patience: Option<usize>,
    optimizer: Option<String>,
    gradient_clipping: Option<Clipping>,
}

/// The reference writes whether to clip; a norm is taken as well.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Clipping {
    Whether(bool),
    Norm(f64),
}

/// Reads the reference's file; what it leaves out keeps the value it has in `settings`.
///
/// # Errors
/// A file that cannot be read, is no JSON of that form, has an unknown key (a near one is named) or a value out of range.
pub fn read_hyperparams(path: &Path, settings: &Settings) -> Result<Settings, Failure> {
    let content = read_capped(path, limits::SMALL_FILE_BYTES)?;
    let file: File = shared::text::json::from_slice(&content).map_err(|e| failure(path, &e))?;
    let found = file.hyperparams;
    let mut settings = settings.clone();
    let layers = found.hidden_dims.is_some();
    settings.hidden = found.hidden_dims.unwrap_or(settings.hidden);
    settings.dropouts = found.dropouts.unwrap_or(if layers { Vec::new() } else { settings.dropouts });
    settings.learning_rate = found.lr.unwrap_or(settings.learning_rate);
    settings.weight_decay = found.weight_decay.unwrap_or(settings.weight_decay);
    settings.batch_size = found.batch_size.unwrap_or(settings.batch_size);
    settings.patience = found.patience.unwrap_or(settings.patience);
    if let Some(name) = found.optimizer {
        if !name.eq_ignore_ascii_case("adam") {
            return Err(Failure::usage(format!("there is no optimizer `{name}`")).at(path).help("use `Adam`"));
        }
        settings.optimizer = Optimizer::Adam;
    }
    match found.gradient_clipping {
        Some(Clipping::Whether(clip)) => settings.gradient_norm = if clip { REFERENCE_NORM } else { 0.0 },
        Some(Clipping::Norm(norm)) => settings.gradient_norm = norm,
        None => {}
    }
    settings.check().map_err(|message| Failure::usage(message).at(path))?;
    Ok(settings)
}

fn failure(path: &Path, error: &serde_json::Error) -> Failure {
    let message = error.to_string();
    let failure = Failure::usage(message.clone()).at(path);
    // serde names the unknown key and the known ones in backticks.
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match quoted.split_first() {
        Some((unknown, known)) if message.starts_with("unknown field") => {
            failure.help(near(unknown, known).trim_start_matches([';', ' ']).to_owned())
        }
        _ => failure.help("the file holds {\"hyperparams\": {\"hidden_dims\": [64, 64], \"lr\": 0.001, …}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, Failure> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("hyperparams.json");
        std::fs::write(&path, text).expect("file");
        read_hyperparams(&path, &Settings::default())
    }

    #[test]
    fn the_file_of_the_reference_is_read() {
        let settings = read(
            r#"{"hyperparams": {"hidden_dims": [95, 47, 9], "dropouts": [0.34, 0.018, 0.116], "lr": 1e-3,
                "weight_decay": 1.05e-5, "batch_size": 32, "patience": 10, "optimizer": "Adam", "gradient_clipping": true},
                "val_score_optuna": 0.31, "val_score_final_training": null}"#,
        )
        .expect("settings");
        let expected = Settings {
            hidden: vec![95, 47, 9],
            dropouts: vec![0.34, 0.018, 0.116],
            learning_rate: 1e-3,
            weight_decay: 1.05e-5,
            batch_size: 32,
            patience: 10,
            gradient_norm: 1.0,
            ..Settings::default()
        };
        assert_eq!(settings, expected);
        assert_eq!(read(r#"{"hyperparams": {"gradient_clipping": 0.5}}"#).expect("settings").gradient_norm, 0.5);
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_near() {
        for (text, expected) in [
            (r#"{"hyperparams": {"hiden_dims": [3]}}"#, "did you mean `hidden_dims`?"),
            (r#"{"hyperparams": {}, "val_score_optun": 1}"#, "did you mean `val_score_optuna`?"),
            (r#"{"hidden_dims": [3]}"#, "known are hyperparams"),
            (r#"{"hyperparams": {"hidden_dims": [8, 8], "dropouts": [0.1]}}"#, "`dropouts` must be as many"),
            (r#"{"hyperparams": {"optimizer": "SGD"}}"#, "use `Adam`"),
            (r#"{"hyperparams": {"lr": -1}}"#, "`learning_rate` must be"),
            ("[", "{\"hyperparams\": {"),
        ] {
            let failure = read(text).expect_err(text).report(false);
            assert!(failure.contains(expected), "{failure}");
        }
    }
}
