//! From a URL to a store.

mod profile;

use crate::{Error, Key, Store};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::{ObjectStore, ObjectStoreScheme, RetryConfig};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// A request may take so long: a board behind a slow line sends 8 MiB with it.
const REQUEST_TIMEOUT: &str = "10 minutes";

impl Store {
    /// Opens the store at a URL (`file:///folder`, `s3://bucket/folder`, `gs://…`, `az://…`, `https://…`, `memory:`) or at
    /// the path of a folder. Nothing is created, and nothing is asked of it yet: [`Store::make`] makes a store,
    /// [`Store::require`] sees that one is there. Credentials come from the backend's usual environment variables, for S3 also
    /// from the profile that `AWS_PROFILE` names in `~/.aws/credentials` and `~/.aws/config`.
    ///
    /// # Errors
    /// [`Error::Url`] when it names no store, or holds a user or a password.
    pub fn open(location: &str) -> Result<Self, Error> {
        Self::open_with(location, &std::env::vars().collect())
    }

    /// As [`Store::open`], with these environment variables instead of the process's.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(location: &str, environment: &BTreeMap<String, String>) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Url { url: redacted(location), reason };
        let url = match Url::parse(location) {
            Ok(url) if url.scheme() != "file" => url,
            Ok(url) => {
                let path = url.to_file_path().map_err(|()| refuse("it is no path of this machine".into()))?;
                return Self::in_folder(&path);
            }
            Err(_) if !location.contains("://") => return Self::in_folder(Path::new(location)),
            Err(e) => return Err(refuse(e.to_string())),
        };
        if url.scheme() == "memory" {
            return Ok(Self::memory());
        }
        if url.password().is_some() || (!url.username().is_empty() && !url.scheme().starts_with("ab")) {
            // `abfs://container@account…` names a container where others name a user.
            return Err(refuse("a user or a password has no place in a URL; put it into the environment".into()));
        }
        if url.query().is_some() {
            return Err(refuse(
                "a query has no place in a store's URL; put keys and signatures into the environment".into(),
            ));
        }
        // TLS of every client in the process; a second call is told that there is one, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut options: BTreeMap<String, String> =
            environment.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        options.entry("timeout".into()).or_insert_with(|| REQUEST_TIMEOUT.into());
        if url.scheme() == "http" {
            // Without TLS only where the URL itself asks for it. What is read so is never written to (see below).
            options.insert("allow_http".into(), "true".into());
        }
        // What a backend says about a URL or an option may quote it: only its kind is passed on.
        let (scheme, path) = ObjectStoreScheme::parse(&url)
            .map_err(|_| refuse("its scheme is none of file, s3, gs, az, abfs, http, https and memory".into()))?;
        let backend: Arc<dyn ObjectStore> = match scheme {
            ObjectStoreScheme::AmazonS3 => s3(&url, options, environment).map_err(|e| refuse(kind(&e)))?,
            _ => {
                let (backend, _) = object_store::parse_url_opts(&url, options).map_err(|e| refuse(kind(&e)))?;
                Arc::from(backend)
            }
        };
        let prefix = if path.as_ref().is_empty() { None } else { Some(Key::new(path.as_ref())?) };
        let store = Self::over(backend, prefix, &redacted(location));
        Ok(if scheme == ObjectStoreScheme::Http { store.read_only() } else { store })
    }

    /// The store in a folder of this machine. What is written is on the disk before the call returns.
    fn in_folder(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let refuse = |e: std::io::Error| Error::Url { url: name.clone(), reason: e.to_string() };
        Ok(Self::at(resolved(path).map_err(refuse)?, &name))
    }
}

/// An absolute path in which what is there already is free of links.
pub(crate) fn resolved(path: &Path) -> std::io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    for above in path.ancestors() {
        if let (Ok(there), Ok(below)) = (above.canonicalize(), path.strip_prefix(above)) {
            // Joining nothing would add a slash at the end.
            return Ok(if below.as_os_str().is_empty() { there } else { there.join(below) });
        }
    }
    Ok(path)
}

/// S3, with conditional puts; plain HTTP only where the endpoint's own URL asks for it.
fn s3(
    url: &Url,
    mut options: BTreeMap<String, String>,
    environment: &BTreeMap<String, String>,
) -> Result<Arc<dyn ObjectStore>, object_store::Error> {
    for (option, value) in profile::options(environment) {
        options.entry(option).or_insert(value);
    }
    // Only `AWS_` variables and our own: `REGION` or `TOKEN` of some other program are none of ours.
    let mut builder = AmazonS3Builder::new();
    for (name, value) in &options {
        let ours = name.starts_with("aws_") || name == "timeout";
        if let Some(key) = ours.then(|| name.parse::<AmazonS3ConfigKey>().ok()).flatten() {
            builder = builder.with_config(key, value);
        }
    }
    let endpoint =
        ["aws_endpoint_url_s3", "aws_endpoint_url", "aws_endpoint"].iter().find_map(|name| options.get(*name));
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
    }
    let retry = RetryConfig { max_retries: 8, retry_timeout: Duration::from_secs(150), ..RetryConfig::default() };
    let backend =
        builder.with_url(url.as_str()).with_conditional_put(S3ConditionalPut::ETagMatch).with_retry(retry).build()?;
    Ok(Arc::new(backend))
}

/// What kind of error a backend's set-up gave, without the values it quotes.
fn kind(error: &object_store::Error) -> String {
    match error {
        object_store::Error::Generic { store, .. } => {
            format!("{store} cannot be set up: look at bucket, region and endpoint in the environment or the profile")
        }
        object_store::Error::UnknownConfigurationKey { store, key } => format!("{store} knows no setting `{key}`"),
        _ => "its backend cannot be set up: look at the environment variables for it".into(),
    }
}

/// A URL as messages may show it: no user, password or query.
fn redacted(location: &str) -> String {
    match Url::parse(location) {
        Ok(mut url) => {
            // Neither can fail for a URL that has a host, and one without has nothing to hide there.
            if url.password().is_some() || !url.scheme().starts_with("ab") {
                let _ = url.set_username("");
            }
            let _ = url.set_password(None);
            url.set_query(None);
            url.set_fragment(None);
            url.to_string()
        }
        // What cannot be parsed may hold anything.
        Err(_) if location.contains('@') => "(a URL that cannot be parsed)".into(),
        Err(_) => shared::failure::printable(location),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_user_a_password_or_a_query_in_a_url_is_refused_without_repeating_it() {
        for url in [
            "https://ann:hunter2@host/data",
            "https://hunter2@host/data",
            "s3://hunter2:x@bucket/a",
            "https://account.blob.core.windows.net/c?sig=hunter2",
            "s3://ann:hunter2@[bad",
        ] {
            let error = Store::open_with(url, &environment(&[])).expect_err("refused");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn secrets_are_in_no_debug_output_and_in_no_error() {
        let secrets = environment(&[
            ("AWS_ACCESS_KEY_ID", "AKIAHUNTER"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2"),
            ("AWS_SESSION_TOKEN", "hunter3"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
            ("AWS_REGION", "eu-central-1"),
        ]);
        let store = Store::open_with("s3://bucket/folder", &secrets).expect("a store");
        let key = Key::new("a").expect("a key");
        // Nobody listens on the discard port: a bounded wait, since the backend goes on trying for minutes.
        let error = tokio::time::timeout(Duration::from_secs(2), store.get(&key, 1)).await;
        let shown = format!("{store:?} {error:?}");
        assert!(shown.contains("s3://bucket/folder"));
        for secret in ["hunter2", "hunter3", "AKIAHUNTER"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        let bad = environment(&[("AWS_SECRET_ACCESS_KEY", "hunter2"), ("AWS_CONDITIONAL_PUT", "hunter2")]);
        let shown = format!("{:?}", Store::open_with("s3://bucket", &bad).err());
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[tokio::test]
    async fn a_plain_web_server_is_only_read() {
        let store = Store::open_with("https://127.0.0.1:9/data", &environment(&[])).expect("a store");
        let error = store.create(&Key::new("a").expect("a key"), "x".into()).await.expect_err("refused");
        assert!(error.to_string().contains("only be read"), "{error}");
    }

    #[tokio::test]
    async fn http_in_a_url_is_taken_at_its_word() {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().expect("a client");
            let mut request = [0; 4096];
            let length = connection.read(&mut request).expect("a request");
            let answer =
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nLast-Modified: Mon, 30 Nov 2026 00:00:00 GMT\r\n\r\nhello";
            connection.write_all(answer.as_bytes()).expect("an answer");
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let store = Store::open_with(&format!("http://127.0.0.1:{port}/data"), &environment(&[])).expect("a store");
        let content = store.get(&Key::new("a").expect("a key"), 10).await.expect("read");
        assert_eq!(content.as_deref(), Some(b"hello".as_slice()));
        assert!(server.join().expect("served").starts_with("GET /data/a HTTP/1.1"));
    }

    #[test]
    fn a_path_a_file_url_and_memory_open() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("a/b");
        let canonical = folder.path().canonicalize().expect("there").join("a/b");
        for location in
            [path.display().to_string(), format!("file://{}", path.display()), format!("{}/", path.display())]
        {
            let store = Store::open(&location).expect("opened");
            assert_eq!(store.local_folder(), Some(canonical.as_path()), "{location}");
        }
        assert!(!folder.path().join("a").exists(), "opening makes nothing");
        assert!(Store::open("memory:").is_ok());
        assert!(Store::open("gopher://host/a").is_err());
    }
}
