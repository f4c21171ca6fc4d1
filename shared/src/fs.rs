//! Files: written whole or not at all, read up to a cap.

use crate::failure::{Failure, Kind};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

/// Writes a file so that a reader sees the old content or the new, never a part: a temporary file in the same folder,
/// flushed to the disk, renamed over the target, and the folder flushed. Missing parent folders are created. Where the file
/// system has files without a name, the temporary one has none until it is whole: a process that is killed leaves nothing.
///
/// ```
/// use shared::fs::{read_capped, write_atomic};
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("models/card.json");
/// write_atomic(&path, b"{}")?;
/// assert_eq!(read_capped(&path, 1024)?, b"{}");
/// assert!(read_capped(&path, 1).is_err(), "it holds two bytes");
/// # Ok::<(), shared::failure::Failure>(())
/// ```
///
/// # Errors
/// [`Kind::Io`] when the file system refuses; the target is then as it was.
pub fn write_atomic(path: &Path, content: &[u8]) -> Result<(), Failure> {
    write_atomic_with(path, |file| file.write_all(content))
}

/// As [`write_atomic`], with the content produced by a function, for what is better streamed than held.
///
/// # Errors
/// [`Kind::Io`] when the file system refuses or the function fails; the target is then as it was.
pub fn write_atomic_with(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> Result<(), Failure> {
    write_inner(path, write).map_err(|e| Failure::io(path, "write", &e))
}

fn write_inner(path: &Path, write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut temporary = Unseen::new(folder)?;
    {
        let mut buffered = io::BufWriter::with_capacity(1 << 16, temporary.file());
        write(&mut buffered)?;
        buffered.flush()?;
    }
    set_ordinary_mode(temporary.file())?;
    temporary.file().sync_all()?;
    temporary.persist(folder, path)?;
    File::open(folder)?.sync_all()
}

/// What the names of temporary files begin with. One that is found was left by a process that ended while it wrote.
pub const UNFINISHED: &str = ".partial-";

/// A file that is still written.
enum Unseen {
    /// Without a name: it is gone with the process.
    Nameless(File),
    /// Where the file system or the platform knows no such files.
    Named(tempfile::NamedTempFile),
}

impl Unseen {
    fn new(folder: &Path) -> io::Result<Self> {
        match nameless(folder) {
            Some(file) => Ok(Self::Nameless(file)),
            None => Ok(Self::Named(tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?)),
        }
    }

    fn file(&mut self) -> &mut File {
        match self {
            Self::Nameless(file) => file,
            Self::Named(file) => file.as_file_mut(),
        }
    }

    /// Gives it the name `path`, in `folder`, in place of what has that name.
    fn persist(self, folder: &Path, path: &Path) -> io::Result<()> {
        match self {
            Self::Named(file) => file.persist(path).map(drop).map_err(|e| e.error),
            // A link does not replace a file, a rename does: linked by a name that nobody has, then renamed.
            Self::Nameless(file) => {
                let named = tempfile::Builder::new().prefix(UNFINISHED).make_in(folder, |name| link(&file, name))?;
                named.persist(path).map(drop).map_err(|e| e.error)
            }
        }
    }
}

/// `None` where there are no such files, or where a name could not be given to one later.
#[cfg(target_os = "linux")]
fn nameless(folder: &Path) -> Option<File> {
    use rustix::fs::{Mode, OFlags, open};
    let file = open(folder, OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR).ok()?;
    let file = File::from(file);
    in_proc(&file).exists().then_some(file)
}

#[cfg(not(target_os = "linux"))]
fn nameless(_: &Path) -> Option<File> {
    None
}

/// An open file's path, as the manual page of open(2) links it: a link to a file descriptor needs a privilege, this does not.
#[cfg(target_os = "linux")]
fn in_proc(file: &File) -> std::path::PathBuf {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

#[cfg(target_os = "linux")]
fn link(file: &File, name: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    Ok(linkat(CWD, in_proc(file), CWD, name, AtFlags::SYMLINK_FOLLOW)?)
}

#[cfg(not(target_os = "linux"))]
fn link(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A temporary file is private; what a user asked for has the mode that an ordinary new file has.
#[cfg(unix)]
fn set_ordinary_mode(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn set_ordinary_mode(_: &File) -> io::Result<()> {
    Ok(())
}

/// Reads a whole file of at most `limit` bytes. The size is checked before memory is taken, and again while reading,
/// since a file may grow or be a pipe.
///
/// # Errors
/// [`Kind::Io`] when it cannot be read, [`Kind::Data`] when it is larger than `limit`.
pub fn read_capped(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let file = File::open(path).map_err(|e| Failure::io(path, "read", &e))?;
    let metadata = file.metadata().map_err(|e| Failure::io(path, "read", &e))?;
    if metadata.is_dir() {
        return Err(Failure::new(Kind::Io, "is a folder, not a file").at(path));
    }
    if metadata.len() > limit {
        return Err(too_large(path, limit));
    }
    let mut content = Vec::with_capacity(metadata.len() as usize);
    file.take(limit + 1).read_to_end(&mut content).map_err(|e| Failure::io(path, "read", &e))?;
    if content.len() as u64 > limit {
        return Err(too_large(path, limit));
    }
    Ok(content)
}

fn too_large(path: &Path, limit: u64) -> Failure {
    Failure::data(format!("is larger than the {} MiB that are read", limit >> 20)).at(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_content_and_no_litter() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("a/b.txt");
        write_atomic(&path, b"old").expect("first write");
        let failed = write_atomic_with(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert_eq!(failed.expect_err("must fail").kind, Kind::Io);
        assert_eq!(fs::read(&path).expect("read"), b"old");
        assert_eq!(fs::read_dir(folder.path().join("a")).expect("list").count(), 1);
    }

    #[test]
    fn what_is_being_written_has_no_name_where_the_file_system_allows_it() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("b.txt");
        let names = || fs::read_dir(folder.path()).expect("list").count();
        let expected = usize::from(nameless(folder.path()).is_none());
        for content in [b"old".as_slice(), b"new"] {
            let there = names();
            write_atomic_with(&path, |file| {
                file.write_all(content)?;
                assert_eq!(names(), there + expected);
                Ok(())
            })
            .expect("written");
            assert_eq!(fs::read(&path).expect("read"), content);
            assert_eq!(names(), 1);
        }
    }

    #[test]
    fn a_file_over_the_cap_is_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("big");
        fs::write(&path, vec![0_u8; 100]).expect("write");
        assert_eq!(read_capped(&path, 99).expect_err("must fail").kind, Kind::Data);
        assert_eq!(read_capped(&path, 100).expect("fits").len(), 100);
        assert_eq!(read_capped(&folder.path().join("absent"), 1).expect_err("must fail").kind, Kind::Io);
    }
}
