//! Numbers out of sysfs, through files that stay open.

use super::SourceError;
use crate::sys;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Where `/sys`, `/proc`, `/etc` and `/var` are looked for: `/`, or a folder that imitates a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root(PathBuf);

impl Root {
    /// This machine, or a folder that imitates one.
    #[must_use]
    pub fn new(folder: Option<&Path>) -> Self {
        Self(folder.map_or_else(|| PathBuf::from("/"), Path::to_owned))
    }

    /// Whether it is this machine.
    #[must_use]
    pub fn is_real(&self) -> bool {
        self.0 == Path::new("/")
    }

    /// A path below it, given as an absolute one.
    #[must_use]
    pub fn path(&self, absolute: &str) -> PathBuf {
        self.0.join(absolute.trim_start_matches('/'))
    }

    /// A file's text without trailing white space and NUL, or nothing.
    #[must_use]
    pub fn text(&self, absolute: &str) -> Option<String> {
        read_text(&self.path(absolute))
    }

    /// The entries of a folder in order of their names, numbers by value (`hwmon2` before `hwmon10`).
    #[must_use]
    pub fn entries(&self, absolute: &str) -> Vec<PathBuf> {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(self.path(absolute))
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        entries.sort_by_key(|path| {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
            let number: u64 =
                digits.split(|c: char| !c.is_ascii_digit()).next().and_then(|d| d.parse().ok()).unwrap_or(0);
            (number, name)
        });
        entries
    }
}

/// A small file's text without trailing white space and NUL, or nothing. Device-tree strings end in NUL.
#[must_use]
pub fn read_text(path: &Path) -> Option<String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(1 << 16).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
    (!text.is_empty()).then(|| text.to_owned())
}

/// A number out of a small file.
#[must_use]
pub fn read_number(path: &Path) -> Option<i64> {
    read_text(path)?.parse().ok()
}

/// A file that holds one number, kept open and read again from its start each time: a read of a sysfs attribute asks
/// the driver again, and spares the path's look-up that opening costs.
#[derive(Debug)]
pub(crate) struct NumberFile {
    file: File,
    path: PathBuf,
}

impl NumberFile {
    pub(crate) fn open(path: PathBuf) -> std::io::Result<Self> {
        Ok(Self { file: File::open(&path)?, path })
    }

    pub(crate) fn read(&self) -> Result<i64, SourceError> {
        let mut buffer = [0_u8; 32];
        let length = self.file.read_at(&mut buffer, 0).map_err(|e| {
            let message = format!("{}: {e}", self.path.display());
            if sys::is_gone(&e) { SourceError::Lost(message) } else { SourceError::Transient(message) }
        })?;
        parse(&buffer[..length])
            .ok_or_else(|| SourceError::Transient(format!("{}: no number in it", self.path.display())))
    }
}

/// A decimal number with an optional sign and trailing white space; no allocation, since this runs at the sampling rate.
fn parse(bytes: &[u8]) -> Option<i64> {
    let text = bytes.trim_ascii_end();
    let (negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let value =
        digits.iter().try_fold(0_i64, |value, b| b.is_ascii_digit().then(|| value * 10 + i64::from(b - b'0')))?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_drivers_write_them() {
        assert_eq!(parse(b"5008\n"), Some(5008));
        assert_eq!(parse(b"-8\n"), Some(-8));
        for bad in [&b""[..], b"\n", b"-", b"12x", b"1.5", b"99999999999999999999"] {
            assert_eq!(parse(bad), None, "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn a_kept_file_sees_new_values() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("curr1_input");
        std::fs::write(&path, "1096\n").expect("writes");
        let file = NumberFile::open(path.clone()).expect("opens");
        assert_eq!(file.read(), Ok(1096));
        std::fs::write(&path, "8\n").expect("writes");
        assert_eq!(file.read(), Ok(8));
        std::fs::write(&path, "").expect("writes");
        assert!(matches!(file.read(), Err(SourceError::Transient(_))));
    }

    #[test]
    fn entries_are_in_order_of_their_numbers() {
        let folder = tempfile::tempdir().expect("temporary folder");
        for name in ["hwmon10", "hwmon2", "hwmon0"] {
            std::fs::create_dir_all(folder.path().join("sys/class/hwmon").join(name)).expect("creates");
        }
        let root = Root::new(Some(folder.path()));
        let names: Vec<_> =
            root.entries("/sys/class/hwmon").iter().map(|p| p.file_name().map(|n| n.to_owned())).collect();
        assert_eq!(names, ["hwmon0", "hwmon2", "hwmon10"].map(|n| Some(n.into())));
        assert!(root.entries("/absent").is_empty());
    }
}
