//! Files read, hashed and packed.

use super::packer::Packer;
use super::scan::{Found, threads};
use super::stamp::Stamp;
use super::stat::{Known, Stats};
use crate::snapshot::{CHUNK, Catalogue, Files, Node};
use crate::{Digest, Progress};
use shared::failure::Failure;
use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

/// Bytes read at a time; three times as many are in memory: being read, waiting, being packed.
const BATCH_BYTES: u64 = 32 << 20;
/// Pieces read at a time.
const BATCH_PIECES: usize = 2048;

/// A piece of a file.
struct Piece {
    /// Which of the files to read.
    file: usize,
    number: u64,
    length: u64,
}

/// Gives every file found its hashes: those known where the stamp is the same, else by reading it. With a packer, what is in
/// no pack yet is put into one, be its hash known or not.
pub(super) fn hash(
    root: &Path,
    found: &[(String, Found)],
    known: &Stats,
    packer: Option<(&mut Packer, &Catalogue)>,
    progress: &Progress,
) -> Result<(Files, Stats), Failure> {
    let (mut files, mut stats) = (Files::new(), Stats::with_capacity(found.len()));
    let mut unread: Vec<(&str, Stamp)> = Vec::new();
    for (path, what) in found {
        match what {
            Found::Link(target) => drop(files.insert(path.clone(), Node::Link { target: target.clone() })),
            Found::File(stamp) => {
                let same = known.get(path).filter(|known| known.stamp == *stamp).filter(|known| {
                    packer.as_ref().is_none_or(|(_, catalogue)| known.pieces.iter().all(|piece| catalogue.has(piece)))
                });
                match same {
                    Some(known) => add(&mut files, &mut stats, path, *stamp, known.pieces.clone()),
                    None => unread.push((path, *stamp)),
                }
            }
        }
    }
    progress.total(unread.iter().map(|(_, stamp)| stamp.size).sum());
    let mut pieces = unread.iter().enumerate().flat_map(|(file, (_, stamp))| {
        let size = stamp.size;
        (0..size.div_ceil(CHUNK)).map(move |number| Piece { file, number, length: CHUNK.min(size - number * CHUNK) })
    });
    let mut hashes: Vec<Vec<Digest>> = vec![Vec::new(); unread.len()];
    let mut packed = HashSet::new();
    let (packer, catalogue) = packer.map_or((None, None), |(packer, catalogue)| (Some(packer), Some(catalogue)));
    // While one batch is being packed, the next is read.
    std::thread::scope(|scope| -> Result<(), Failure> {
        let (batches, ready) = sync_channel::<Vec<(Digest, Vec<u8>)>>(1);
        let packing = packer.map(|packer| {
            scope.spawn(move || {
                ready.into_iter().flatten().try_for_each(|(digest, content)| packer.add(digest, &content))
            })
        });
        loop {
            let (mut batch, mut bytes) = (Vec::new(), 0);
            while bytes < BATCH_BYTES && batch.len() < BATCH_PIECES {
                let Some(piece) = pieces.next() else { break };
                bytes += piece.length;
                batch.push(piece);
            }
            if batch.is_empty() {
                break;
            }
            let mut read = read_batch(root, &unread, &batch)?;
            batch.iter().zip(&read).for_each(|(piece, (digest, _))| hashes[piece.file].push(*digest));
            if let Some(catalogue) = catalogue {
                read.retain(|(digest, _)| !catalogue.has(digest) && packed.insert(*digest));
                if batches.send(read).is_err() {
                    // The packer has ended, and says why.
                    break;
                }
            }
            progress.done(bytes);
        }
        drop(batches);
        let packing = packing.map(|packing| packing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        packing.unwrap_or(Ok(()))
    })?;
    for ((path, stamp), pieces) in unread.into_iter().zip(hashes) {
        add(&mut files, &mut stats, path, stamp, pieces);
    }
    Ok((files, stats))
}

fn add(files: &mut Files, stats: &mut Stats, path: &str, stamp: Stamp, pieces: Vec<Digest>) {
    let node = Node::File { size: stamp.size, executable: stamp.executable, pieces: pieces.clone() };
    files.insert(path.to_owned(), node);
    stats.insert(path.to_owned(), Known { stamp, pieces });
}

/// Reads and hashes pieces on several threads; the results are in the order of the pieces.
fn read_batch(root: &Path, files: &[(&str, Stamp)], batch: &[Piece]) -> Result<Vec<(Digest, Vec<u8>)>, Failure> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut mine = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(piece) = batch.get(number) else { break };
            let (path, stamp) = &files[piece.file];
            let result = read_piece(&root.join(path), stamp, piece).map(|content| (Digest::of(&content), content));
            let failed = result.is_err();
            mine.push((number, result));
            if failed {
                break;
            }
        }
        mine
    };
    let mut all = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads().min(batch.len())).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for other in others {
            all.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        all
    });
    all.sort_unstable_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, result)| result).collect()
}

fn read_piece(path: &Path, stamp: &Stamp, piece: &Piece) -> Result<Vec<u8>, Failure> {
    let changed = || {
        Failure::data("has changed while it was being read")
            .at(path)
            .help("run the same command again when nothing writes to it")
    };
    let read = || -> std::io::Result<Option<Vec<u8>>> {
        // A link that has taken the file's place is not followed.
        let flags = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
        let mut file = File::options().read(true).custom_flags(flags).open(path)?;
        if piece.number > 0 {
            file.seek(SeekFrom::Start(piece.number * CHUNK))?;
        }
        let mut content = vec![0; piece.length as usize];
        match file.read_exact(&mut content) {
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        Ok((Stamp::of(&file.metadata()?) == *stamp).then_some(content))
    };
    match read() {
        Ok(Some(content)) => Ok(content),
        Ok(None) => Err(changed()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(changed()),
        Err(e) => Err(Failure::io(path, "read", &e)),
    }
}
