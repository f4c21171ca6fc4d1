//! SHA-256 of bytes and files, and hexadecimal digits.

use crate::failure::Failure;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Bytes of a file that are in memory at once.
const BUFFER_BYTES: usize = 256 << 10;

/// Bytes as lower-case hexadecimal digits.
///
/// ```
/// assert_eq!(shared::digest::hex(&[0x0f, 0xa0]), "0fa0");
/// ```
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// The SHA-256 of bytes, in lower-case hexadecimal: what `sha256sum` prints.
///
/// ```
/// let empty = shared::digest::sha256(b"");
/// assert!(empty.starts_with("e3b0c44298fc1c14"));
/// ```
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&sha256_bytes(bytes))
}

/// The SHA-256 of bytes, as 32 bytes.
#[must_use]
pub fn sha256_bytes(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The SHA-256 of a file in hexadecimal. The file is read in pieces, whatever its size.
///
/// # Errors
/// A file that cannot be opened or read.
pub fn sha256_file(path: &Path) -> Result<String, Failure> {
    let failed = |e: &std::io::Error| Failure::io(path, "read", e);
    let mut file = File::open(path).map_err(|e| failed(&e))?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.hex()),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(failed(&e)),
        }
    }
}

/// A SHA-256 of content that comes in parts.
///
/// ```
/// let mut hasher = shared::digest::Hasher::default();
/// hasher.update(b"layer");
/// hasher.update(b"joule");
/// assert_eq!(hasher.hex(), shared::digest::sha256(b"layerjoule"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Adds the next part.
    pub fn update(&mut self, part: &[u8]) {
        self.0.update(part);
    }

    /// The digest as 32 bytes.
    #[must_use]
    pub fn bytes(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    /// The digest in lower-case hexadecimal.
    #[must_use]
    pub fn hex(self) -> String {
        hex(&self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_files_have_the_digest_that_sha256sum_prints() {
        const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), ABC);
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").expect("writes");
        assert_eq!(sha256_file(&path).expect("reads"), ABC);
        let large = vec![7; BUFFER_BYTES + 1];
        std::fs::write(&path, &large).expect("writes");
        assert_eq!(sha256_file(&path).expect("reads"), sha256(&large));
        let failure = sha256_file(&folder.path().join("none")).expect_err("it is not there");
        assert!(failure.to_string().contains("none"), "{failure}");
    }
}
