//! How a file is recognised as unchanged.

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

/// What tells a file that has changed from one that has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) size: u64,
    pub(super) modified_ns: i64,
    /// When content or mode last changed. Nobody can set it back.
    pub(super) changed_ns: i64,
    pub(super) inode: u64,
    pub(super) executable: bool,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let ns = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            size: metadata.len(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            executable: metadata.permissions().mode() & 0o100 != 0,
        }
    }
}
