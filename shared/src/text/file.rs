//! Settings and other texts of which every character counts.

use super::encoding::decode;
use crate::failure::Failure;
use crate::fs::read_capped;
use std::path::Path;

/// Reads a file of at most `limit` bytes that is text throughout, such as settings, in any encoding of [`decode`].
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("plan.toml");
/// std::fs::write(&path, b"\xff\xfea\0=\x001\0")?;
/// assert_eq!(shared::text::read_text(&path, 1024).map_err(|failure| failure.to_string()), Ok("a=1".to_owned()));
/// std::fs::write(&path, b"a = 1\n# 5 \xb5A\n")?;
/// let failure = shared::text::read_text(&path, 1024).expect_err("an old code page").to_string();
/// assert!(failure.ends_with("plan.toml: line 2: is not UTF-8 text"), "{failure}");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// When it cannot be read, is larger, or holds a byte that its encoding does not have.
pub fn read_text(path: &Path, limit: u64) -> Result<String, Failure> {
    let content = read_capped(path, limit)?;
    let decoded = decode(&content);
    match decoded.foreign.first_line {
        0 => Ok(decoded.text.into_owned()),
        line => Err(Failure::usage(format!("is not {} text", decoded.encoding))
            .at(path)
            .place(format!("line {line}"))
            .help("save it as UTF-8")),
    }
}
