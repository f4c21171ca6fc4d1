//! The lock on a state folder: two servers that write the same queue of studies would each undo what the other wrote.

use shared::failure::Failure;
use std::fs::{File, TryLockError, create_dir_all};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

/// The locked file within the state folder. It stays; the system ends the lock with the process, however that ends.
const FILE: &str = "server.lock";
/// Bytes read of what another server wrote about itself.
const LONGEST: u64 = 200;

/// A state folder that is this server's alone, until this is dropped.
#[derive(Debug)]
pub(super) struct StateLock {
    _file: File,
}

impl StateLock {
    /// Locks a state folder, which is made if need be, for the server at a URL. None, with a warning in the log, where this process
    /// cannot write to the folder or the file system has no locks: such a folder is served from as it is.
    ///
    /// # Errors
    /// A folder that another server has locked, with its process and URL; a folder that cannot be made.
    pub(super) fn take(state: &Path, url: &str) -> Result<Option<Self>, Failure> {
        let path = state.join(FILE);
        let opened = create_dir_all(state)
            .and_then(|()| File::options().create(true).truncate(false).read(true).write(true).open(&path));
        let mut file = match opened {
            Ok(file) => file,
            Err(e) if matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
                return Ok(unlocked(&path, &e));
            }
            Err(e) => return Err(Failure::io(&path, "open", &e)),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut other = String::new();
                // Empty while the other server has not written it yet.
                let _ = file.take(LONGEST).read_to_string(&mut other);
                let who =
                    if other.trim().is_empty() { String::new() } else { format!(": {}", other.trim().escape_debug()) };
                return Err(Failure::usage(format!("is in use by another server{who}"))
                    .at(state)
                    .help("stop that server, or name another folder by --state"));
            }
            Err(TryLockError::Error(e)) => return Ok(unlocked(&path, &e)),
        }
        let about = format!("process {} at {url}\n", std::process::id());
        file.set_len(0).and_then(|()| file.write_all(about.as_bytes())).map_err(|e| Failure::io(&path, "write", &e))?;
        Ok(Some(Self { _file: file }))
    }
}

fn unlocked(path: &Path, error: &io::Error) -> Option<StateLock> {
    tracing::warn!(file = %path.display(), %error, "the state folder cannot be locked; a second server on it would not be noticed");
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_server_is_refused_until_the_first_has_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("state");
        let first = StateLock::take(&state, "http://127.0.0.1:8080").expect("the first").expect("locks");
        let text = StateLock::take(&state, "http://127.0.0.1:8081").expect_err("a second").to_string();
        let who = format!("process {} at http://127.0.0.1:8080", std::process::id());
        assert!(text.contains("state: is in use by another server") && text.contains(&who), "{text}");
        drop(first);
        let next = StateLock::take(&state, "http://[::1]:1").expect("the next").expect("locks");
        let about = std::fs::read_to_string(state.join(FILE)).expect("reads");
        assert_eq!(
            about,
            format!("process {} at http://[::1]:1\n", std::process::id()),
            "nothing of the longer one is left"
        );
        drop(next);
    }

    #[test]
    fn a_folder_in_the_place_of_a_file_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("state");
        std::fs::write(&state, "").expect("writes");
        let text = StateLock::take(&state, "http://127.0.0.1:1").expect_err("no folder").to_string();
        assert!(text.contains("state"), "{text}");
    }
}
