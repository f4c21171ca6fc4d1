//! Hashes of files by size and times, so that what has not changed is not read again.
//!
//! A file may be written twice within one tick of the file system's clock: a stamp is believed only when it was older than the
//! tick in which it was taken, by that same clock.

use super::FOLDER;
use super::scan::Stamp;
use crate::Digest;
use shared::failure::Failure;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

const MAGIC: &[u8; 8] = b"EPSTAT1\n";

/// File systems with nanoseconds tick with the kernel: 10 ms at most; five times that.
const TICK_NS: i64 = 50_000_000;
/// Those without tick every one or two seconds.
const COARSE_TICK_NS: i64 = 2_000_000_000;

/// A file's stamp and hashes when it was last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) stamp: Stamp,
    pub(super) pieces: Vec<Digest>,
}

/// Files by path.
pub(super) type Stats = HashMap<String, Known>;

/// Whether a stamp taken now could hide a later change. `now_ns` is [`clock`]'s.
pub(super) fn settled(stamp: &Stamp, now_ns: i64) -> bool {
    let newest = stamp.modified_ns.max(stamp.changed_ns);
    let tick = if stamp.changed_ns % 1_000_000_000 == 0 { COARSE_TICK_NS } else { TICK_NS };
    newest < now_ns.saturating_sub(tick)
}

/// The time by the folder's file system, which need not be this machine's.
pub(super) fn clock(root: &Path) -> Result<i64, Failure> {
    let path = root.join(FOLDER).join("clock");
    fs::write(&path, b"x").map_err(|e| Failure::io(&path, "write", &e))?;
    let metadata = fs::metadata(&path).map_err(|e| Failure::io(&path, "read", &e))?;
    Ok(Stamp::of(&metadata).changed_ns)
}

/// Reads the file; one that is missing, torn or of another version knows nothing.
pub(super) fn read(root: &Path) -> Stats {
    let content = fs::read(root.join(FOLDER).join("stat")).unwrap_or_default();
    parse(&content).unwrap_or_default()
}

fn parse(content: &[u8]) -> Option<Stats> {
    let (body, sum) = content.split_at_checked(content.len().checked_sub(32)?)?;
    if Digest::of(body).as_bytes() != sum {
        return None;
    }
    let mut rest = body.strip_prefix(MAGIC)?;
    let mut take = |count: usize| {
        let (taken, left) = rest.split_at_checked(count)?;
        rest = left;
        Some(taken)
    };
    let count = u64::from_le_bytes(take(8)?.try_into().ok()?);
    let mut stats = Stats::with_capacity((count as usize).min(content.len() / 48));
    for _ in 0..count {
        let length = u16::from_le_bytes(take(2)?.try_into().ok()?);
        let path = std::str::from_utf8(take(length.into())?).ok()?.to_owned();
        let mut number = || take(8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
        let (size, modified, changed, inode) = (number()?, number()?, number()?, number()?);
        let executable = take(1)?[0] != 0;
        let pieces = u32::from_le_bytes(take(4)?.try_into().ok()?);
        let pieces = take(pieces as usize * 32)?
            .chunks_exact(32)
            .map(|bytes| bytes.try_into().ok().map(Digest::from_bytes))
            .collect::<Option<_>>()?;
        let stamp = Stamp { size, modified_ns: modified as i64, changed_ns: changed as i64, inode, executable };
        stats.insert(path, Known { stamp, pieces });
    }
    Some(stats)
}

fn render<'a>(entries: impl ExactSizeIterator<Item = (&'a str, &'a Stamp, &'a [Digest])>) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend((entries.len() as u64).to_le_bytes());
    for (path, stamp, pieces) in entries {
        out.extend((path.len() as u16).to_le_bytes());
        out.extend(path.as_bytes());
        for number in [stamp.size, stamp.modified_ns as u64, stamp.changed_ns as u64, stamp.inode] {
            out.extend(number.to_le_bytes());
        }
        out.push(stamp.executable.into());
        out.extend((pieces.len() as u32).to_le_bytes());
        pieces.iter().for_each(|piece| out.extend(piece.as_bytes()));
    }
    let sum = Digest::of(&out);
    out.extend(sum.as_bytes());
    out
}

/// Writes what is settled.
pub(super) fn write(root: &Path, stats: &Stats, now_ns: i64) -> Result<(), Failure> {
    let entries: Vec<_> = stats
        .iter()
        .filter(|(path, known)| settled(&known.stamp, now_ns) && path.len() <= usize::from(u16::MAX))
        .map(|(path, known)| (path.as_str(), &known.stamp, known.pieces.as_slice()))
        .collect();
    // One that is torn knows nothing, by its checksum: it need not be on the disk, nor be written in one piece.
    let path = root.join(FOLDER).join("stat");
    fs::write(&path, render(entries.into_iter())).map_err(|e| Failure::io(&path, "write", &e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stamp(changed_ns: i64) -> Stamp {
        Stamp { size: 3, modified_ns: changed_ns, changed_ns, inode: 7, executable: true }
    }

    #[test]
    fn a_stamp_as_young_as_the_tick_is_not_believed() {
        let now = 1_000_000_000_500_000_000;
        assert!(!settled(&stamp(now), now));
        assert!(!settled(&stamp(now - 20_000_000), now));
        assert!(settled(&stamp(now - 100_000_001), now));
        let coarse = now / 1_000_000_000 * 1_000_000_000;
        assert!(!settled(&stamp(coarse), now + 1_000_000_000));
        assert!(settled(&stamp(coarse), now + 2_500_000_000));
    }

    #[test]
    fn what_is_written_is_read_and_what_is_torn_is_nothing() {
        let pieces = [Digest::of(b"a"), Digest::of(b"b")];
        let bytes = render([("a/b", &stamp(5), &pieces[..]), ("c", &stamp(6), &[][..])].into_iter());
        let read = parse(&bytes).expect("our own");
        assert_eq!(read["a/b"], Known { stamp: stamp(5), pieces: pieces.to_vec() });
        assert_eq!(read.len(), 2);
        for cut in 0..bytes.len() {
            assert!(parse(&bytes[..cut]).is_none(), "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let mut whole = [MAGIC.as_slice(), &bytes].concat();
            let sum = Digest::of(&whole);
            whole.extend(sum.as_bytes());
            let _ = parse(&whole);
        }
    }
}
