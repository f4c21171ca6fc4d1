//! Packs that wait to be pushed.

use crate::Digest;
use crate::snapshot::{Kind, PACK_BYTES, Toc};
use shared::failure::Failure;
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use tempfile::NamedTempFile;

/// Packs that are written and not yet on the disk: so much memory of the system's they take at most.
const UNFLUSHED: usize = 4;

/// Puts blobs into packs in a folder. What it has written is on the disk once [`Packer::finish`] returns, and is named by
/// nobody before. While one pack is being written, those before it go to the disk.
pub(super) struct Packer {
    folder: PathBuf,
    kind: Kind,
    open: Option<(BufWriter<NamedTempFile>, Toc, u64)>,
    flusher: Option<Flusher>,
    done: Vec<Toc>,
}

/// The thread that sees finished packs to the disk and gives them their names.
struct Flusher {
    packs: SyncSender<(NamedTempFile, PathBuf)>,
    thread: JoinHandle<io::Result<()>>,
}

impl Flusher {
    fn start() -> Self {
        let (packs, finished) = sync_channel::<(NamedTempFile, PathBuf)>(UNFLUSHED);
        let thread = std::thread::spawn(move || {
            finished.into_iter().try_for_each(|(file, path)| {
                file.as_file().sync_all()?;
                file.persist(path).map_err(|e| e.error).map(drop)
            })
        });
        Self { packs, thread }
    }

    fn finish(self) -> io::Result<()> {
        drop(self.packs);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Packer {
    pub(super) fn new(folder: PathBuf, kind: Kind) -> Self {
        Self { folder, kind, open: None, flusher: None, done: Vec::new() }
    }

    fn failed(&self, e: &io::Error) -> Failure {
        Failure::io(&self.folder, "write", e)
    }

    /// Adds a blob that is in no pack yet.
    pub(super) fn add(&mut self, digest: Digest, blob: &[u8]) -> Result<(), Failure> {
        let length = u32::try_from(blob.len())
            .map_err(|_| Failure::data(format!("a blob of {} bytes fits into no pack", blob.len())))?;
        let full = self.open.as_ref().is_some_and(|(_, toc, bytes)| {
            toc.blobs.len() >= crate::snapshot::PACK_BLOBS || bytes + u64::from(length) > PACK_BYTES
        });
        if full {
            self.close()?;
        }
        if self.open.is_none() {
            fs::create_dir_all(&self.folder).map_err(|e| self.failed(&e))?;
            // It may become the store's own file: as readable as any other that this process creates.
            let file = tempfile::Builder::new()
                .prefix("open-")
                .permissions(Permissions::from_mode(0o666))
                .tempfile_in(&self.folder)
                .map_err(|e| self.failed(&e))?;
            self.open = Some((BufWriter::with_capacity(1 << 18, file), Toc { kind: self.kind, blobs: vec![] }, 0));
        }
        if let Some((file, toc, bytes)) = &mut self.open {
            file.write_all(blob).map_err(|e| Failure::io(&self.folder, "write", &e))?;
            toc.blobs.push((digest, length));
            *bytes += u64::from(length);
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Failure> {
        let Some((mut file, toc, _)) = self.open.take() else { return Ok(()) };
        let table = toc.encode();
        file.write_all(&crate::snapshot::pack_tail(&table)).map_err(|e| self.failed(&e))?;
        let file = file.into_inner().map_err(|e| self.failed(e.error()))?;
        let path = self.folder.join(Digest::of(&table).to_string());
        let flusher = self.flusher.get_or_insert_with(Flusher::start);
        if flusher.packs.send((file, path)).is_err() {
            // It has ended, and says why.
            return self.flushed();
        }
        self.done.push(toc);
        Ok(())
    }

    fn flushed(&mut self) -> Result<(), Failure> {
        self.flusher.take().map_or(Ok(()), Flusher::finish).map_err(|e| self.failed(&e))
    }

    /// Closes the last pack. The tables of contents of all.
    pub(super) fn finish(mut self) -> Result<Vec<Toc>, Failure> {
        self.close()?;
        self.flushed()?;
        if !self.done.is_empty() {
            File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(|e| self.failed(&e))?;
        }
        Ok(self.done)
    }
}

/// The table of contents of a pack in a file.
pub(super) fn read_toc(path: &Path) -> Result<Toc, Failure> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut length = [0; 4];
        file.seek(SeekFrom::Start(size.saturating_sub(12)))?;
        file.read_exact(&mut length)?;
        let length = u64::from(u32::from_le_bytes(length)).min(size);
        file.seek(SeekFrom::Start(size.saturating_sub(12 + length)))?;
        let mut table = vec![0; length as usize];
        file.read_exact(&mut table)?;
        Ok(table)
    };
    let table = read().map_err(|e| Failure::io(path, "read", &e))?;
    Toc::decode(&table).map_err(|why| Failure::data(why).at(path))
}
