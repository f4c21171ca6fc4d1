//! What a prediction starts from: the models of a folder, and the engine infos that paths name.

use super::models::Models;
use crate::model::{default_device, devices};
use shared::device::nearest_devices;
use shared::failure::Failure;
use std::path::{Path, PathBuf};

/// Opens the models of a folder for a device, or for its default device.
///
/// # Errors
/// A folder without models, or a device that it has no models for.
pub fn open_models(folder: &Path, device: Option<&str>) -> Result<Models, Failure> {
    let Some(device) = device else { return Models::open(folder, &default_device(folder)?) };
    let known = devices(folder)?;
    if !known.iter().any(|name| name == device) {
        let names: Vec<&str> = known.iter().map(String::as_str).collect();
        let near = nearest_devices(device, &names);
        let failure = Failure::usage(format!("there are no models for {device}{near}")).at(folder);
        let list = known.join(", ");
        return Err(if near.contains(&list) { failure } else { failure.help(format!("there are models for {list}")) });
    }
    Models::open(folder, device)
}

/// The files named, and those directly in the folders named (`*.json`, `*.txt`, `*.onnx`), sorted within each.
///
/// # Errors
/// A folder that cannot be listed or holds no such file.
///
/// ```
/// use learn::predict::engine_files;
///
/// let folder = tempfile::tempdir().unwrap();
/// assert!(engine_files(&[folder.path().to_owned()]).is_err(), "it holds no engine info");
/// for name in ["b.json", "a.onnx", "notes.md"] {
///     std::fs::write(folder.path().join(name), "{}").unwrap();
/// }
/// let files = engine_files(&[folder.path().to_owned()])?;
/// assert_eq!(files, [folder.path().join("a.onnx"), folder.path().join("b.json")]);
/// # Ok::<(), shared::failure::Failure>(())
/// ```
pub fn engine_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let listing = std::fs::read_dir(path).map_err(|e| Failure::io(path, "list", &e))?;
        let mut inside: Vec<PathBuf> = listing
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .filter(|p| p.is_file() && p.extension().is_some_and(|e| e == "json" || e == "txt" || e == "onnx"))
            .collect();
        if inside.is_empty() {
            return Err(Failure::data("holds no engine info (*.json, *.txt) and no graph (*.onnx)").at(path));
        }
        inside.sort();
        files.extend(inside);
    }
    Ok(files)
}
