//! From a URL to a store.

use crate::{Error, Key, Store};
use object_store::local::LocalFileSystem;
use std::path::Path;
use std::sync::Arc;
use url::Url;

impl Store {
    /// Opens the store at a URL (`file:///folder`, `s3://bucket/folder`, `gs://…`, `az://…`, `https://…`, `memory:`) or at
    /// the path of a folder, which is created where it is missing. Credentials come from the backend's usual environment
    /// variables.
    ///
    /// # Errors
    /// [`Error::Url`] when it names no store, or holds a password.
    pub fn open(location: &str) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Url { url: redacted(location), reason };
        let url = match Url::parse(location) {
            Ok(url) if url.scheme() != "file" => url,
            Ok(url) => {
                let path = url.to_file_path().map_err(|()| refuse("it is no path of this machine".into()))?;
                return Self::folder(&path);
            }
            Err(_) if !location.contains("://") => return Self::folder(Path::new(location)),
            Err(e) => return Err(refuse(e.to_string())),
        };
        if url.scheme() == "memory" {
            return Ok(Self::memory());
        }
        if url.password().is_some() {
            return Err(refuse("a password has no place in a URL; put it into the environment".into()));
        }
        // TLS of every client in the process; a second call is told that there is one, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let variables = std::env::vars().map(|(name, value)| (name.to_ascii_lowercase(), value));
        let (backend, path) = object_store::parse_url_opts(&url, variables).map_err(|e| refuse(e.to_string()))?;
        let prefix = if path.as_ref().is_empty() { None } else { Some(Key::new(path.as_ref())?) };
        Ok(Self::over(Arc::from(backend), prefix, &redacted(location)))
    }

    /// The store in a folder of this machine, created where it is missing. What is written is on the disk before
    /// the call returns.
    ///
    /// # Errors
    /// [`Error::Url`] when it cannot be created.
    pub fn folder(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let refuse = |reason: String| Error::Url { url: name.clone(), reason };
        std::fs::create_dir_all(path).map_err(|e| refuse(e.to_string()))?;
        let backend = LocalFileSystem::new_with_prefix(path).map_err(|e| refuse(e.to_string()))?.with_fsync(true);
        Ok(Self::over(Arc::new(backend), None, &name))
    }
}

/// A URL as messages may show it: no user, password or query.
fn redacted(location: &str) -> String {
    match Url::parse(location) {
        Ok(mut url) => {
            // Neither can fail for a URL that has a host, and one without has nothing to hide there.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            url.set_fragment(None);
            url.to_string()
        }
        Err(_) => shared::failure::printable(location),
    }
}
