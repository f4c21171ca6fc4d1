//! Folders with content to put under version.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Fills a folder with what folders have: small files, an empty one, one that may be executed, a link, names with blanks and
/// umlauts, a folder that is a prefix of a file, and a file of more than two pieces.
///
/// # Errors
/// What the file system says.
pub fn fill(root: &Path, small: usize, large_bytes: usize) -> io::Result<()> {
    let write = |path: &str, content: &[u8]| -> io::Result<()> {
        let path = root.join(path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, content)
    };
    for number in 0..small {
        write(&format!("runs/{:02}/sample {number}.csv", number % 7), format!("content of {number}\n").as_bytes())?;
    }
    write("runs/empty", b"")?;
    write("runs.txt", b"not in runs")?;
    write("r\u{e4}ume/gr\u{f6}\u{df}e.json", b"{}")?;
    write("tool", b"#!/bin/sh\n")?;
    fs::set_permissions(root.join("tool"), fs::Permissions::from_mode(0o755))?;
    let _ = fs::remove_file(root.join("runs/latest"));
    std::os::unix::fs::symlink("../tool", root.join("runs/latest"))?;
    let large: Vec<u8> = (0..large_bytes).map(|n| (n as u32).wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    write("large.bin", &large)
}

/// Every file of a folder with its content, and every link with its target; without what versioning keeps there.
///
/// # Errors
/// What the file system says.
pub fn read_all(root: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut all = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root).into_iter().filter_entry(|entry| entry.file_name() != crate::work::FOLDER)
    {
        let entry = entry?;
        let path = entry.path().strip_prefix(root).map_err(io::Error::other)?.display().to_string();
        if entry.file_type().is_file() {
            let mut content = fs::read(entry.path())?;
            content.push(u8::from(entry.metadata()?.permissions().mode() & 0o100 != 0));
            all.insert(path, content);
        } else if entry.file_type().is_symlink() {
            all.insert(path, fs::read_link(entry.path())?.display().to_string().into_bytes());
        }
    }
    Ok(all)
}
