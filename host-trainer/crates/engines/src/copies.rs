//! Copies that make a folder self-contained: data, and the program.

use serde::{Deserialize, Serialize};
use shared::failure::{Failure, Kind};
use std::fs;
use std::path::Path;

/// Where the copy of the program lies in a folder.
pub const PROGRAM: &str = "bin/host-trainer";
/// Ends of the names of files that are data.
const ENDS: [&str; 6] = [".csv", ".parquet", ".db", ".sqlite", "-wal", "-journal"];

/// The program that wrote something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProgramStamp {
    /// Its version.
    pub version: String,
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: String,
}

impl ProgramStamp {
    /// The program that runs now.
    ///
    /// # Errors
    /// A program whose file cannot be read.
    pub fn this() -> Result<Self, Failure> {
        let path = std::env::current_exe().map_err(|e| Failure::new(Kind::Io, format!("the program's file: {e}")))?;
        Ok(Self { version: env!("CARGO_PKG_VERSION").to_owned(), sha256: shared::digest::sha256_file(&path)? })
    }
}

/// Copies the program that runs now into a folder. A copy that is there and may be running is replaced, not written to.
///
/// # Errors
/// A folder that cannot be written.
pub fn copy_program(root: &Path) -> Result<(), Failure> {
    let program = std::env::current_exe().map_err(|e| Failure::new(Kind::Io, format!("the program: {e}")))?;
    let to = root.join(PROGRAM);
    let folder = to.parent().unwrap_or(root);
    let failed = |e: std::io::Error| Failure::io(&to, "write", &e);
    fs::create_dir_all(folder).map_err(|e| Failure::io(root, "create", &e))?;
    let temporary = tempfile::Builder::new().prefix(shared::fs::UNFINISHED).tempfile_in(folder).map_err(failed)?;
    fs::copy(&program, temporary.path()).map_err(failed)?;
    temporary.persist(&to).map_err(|e| failed(e.error))?;
    Ok(())
}

/// Copies the data of a folder to `root/location`: all of it, or nothing. What is there already stays.
///
/// # Errors
/// Data that cannot be read, or a folder that cannot be written.
pub fn place_data(from: &Path, root: &Path, location: &Path) -> Result<(), Failure> {
    let to = root.join(location);
    if to.exists() {
        return Ok(());
    }
    let folder = to.parent().unwrap_or(root);
    fs::create_dir_all(folder).map_err(|e| Failure::io(root, "create", &e))?;
    let staging = tempfile::Builder::new().prefix(".copying-").tempdir_in(folder);
    let staging = staging.map_err(|e| Failure::io(root, "write", &e))?;
    let copy = staging.path().join("copy");
    copy_data(from, &copy)?;
    match fs::rename(&copy, &to) {
        Err(_) if to.exists() => Ok(()),
        renamed => renamed.map_err(|e| Failure::io(&to, "write", &e)),
    }
}

/// Copies the tables of a folder: SQLite files, CSV and Parquet, with what SQLite has next to its files.
fn copy_data(from: &Path, to: &Path) -> Result<(), Failure> {
    for entry in walkdir::WalkDir::new(from).follow_links(true).sort_by_file_name() {
        let entry = entry.map_err(|e| Failure::new(Kind::Io, e.to_string()).at(from))?;
        let Ok(inside) = entry.path().strip_prefix(from) else { continue };
        let hidden = inside.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'));
        let name = entry.file_name().to_string_lossy();
        let is_data = ENDS.iter().any(|end| name.ends_with(end));
        if hidden || !entry.file_type().is_file() || !is_data {
            continue;
        }
        let target = to.join(inside);
        fs::create_dir_all(target.parent().unwrap_or(to)).map_err(|e| Failure::io(to, "create", &e))?;
        fs::copy(entry.path(), &target).map_err(|e| Failure::io(&target, "write", &e))?;
    }
    Ok(())
}
