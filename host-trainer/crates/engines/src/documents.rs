//! Documents of a folder that workers share, each written once.

use serde::Serialize;
use shared::failure::{Failure, Kind};
use std::fs::{self, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A value as an indented JSON document.
///
/// # Errors
/// A value that JSON cannot hold.
pub fn document<T: Serialize>(value: &T) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Failure::from_error(Kind::Data, e))?;
    Ok(text + "\n")
}

/// Writes a file unless there is one of that name: whole, or not at all. False where there is one.
///
/// # Errors
/// A folder that cannot be written.
pub fn create_once(path: &Path, content: &[u8]) -> Result<bool, Failure> {
    let failed = |e: std::io::Error| Failure::io(path, "write", &e);
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    let mut temporary = tempfile::Builder::new().prefix(shared::fs::UNFINISHED).tempfile_in(folder).map_err(failed)?;
    temporary.write_all(content).map_err(failed)?;
    // A temporary file is private; this one is for all workers.
    temporary.as_file().set_permissions(Permissions::from_mode(0o644)).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    match temporary.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(e) if e.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(failed(e.error)),
    }
}

/// Keeps a document under the next free number of a folder.
///
/// # Errors
/// A folder that cannot be written.
pub fn keep_numbered(folder: &Path, content: &str) -> Result<PathBuf, Failure> {
    let mut number = 1 + fs::read_dir(folder).map_or(0, |entries| entries.count() as u64);
    loop {
        let path = folder.join(format!("{number:06}.json"));
        if create_once(&path, content.as_bytes())? {
            return Ok(path);
        }
        number += 1;
    }
}
