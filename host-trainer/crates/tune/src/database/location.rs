//! Where a database is.

use super::error::DatabaseError;
use std::fmt;
use std::path::PathBuf;
use url::Url;

/// Where a database is.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file.
    File(PathBuf),
    /// A PostgreSQL database, by its URL.
    Postgres(Url),
}

impl Location {
    /// A location from what a user says: a `postgres://` URL, else a path.
    ///
    /// # Errors
    /// A sentence, without the URL, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return Ok(Self::File(PathBuf::from(path.strip_prefix("//").unwrap_or(path))));
        }
        match text.split_once("://") {
            Some(("postgres" | "postgresql", _)) => {
                Url::parse(text).map(Self::Postgres).map_err(|e| format!("the database's URL is malformed: {e}"))
            }
            Some((scheme, _)) => Err(format!("studies are kept in a file or in postgres://, not in {scheme}://")),
            None => Ok(Self::File(PathBuf::from(text))),
        }
    }

    /// Whether a password stands in it.
    #[must_use]
    pub fn holds_password(&self) -> bool {
        matches!(self, Self::Postgres(url) if url.password().is_some())
    }

    /// As [`Location::parse`] takes it, without the password.
    #[must_use]
    pub fn without_password(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Postgres(url) => {
                let mut url = url.clone();
                // Only a URL without a host has nowhere for a password, and so none.
                let _ = url.set_password(None);
                url.to_string()
            }
        }
    }

    /// The URL for the database's driver; `how` are the parameters by which SQLite opens a file.
    pub(crate) fn url(&self, how: &str) -> Result<String, DatabaseError> {
        match self {
            Self::Postgres(url) => Ok(url.to_string()),
            Self::File(path) => {
                let absolute = std::path::absolute(path)
                    .map_err(|e| DatabaseError::Location(format!("{}: {e}", path.display())))?;
                let url = Url::from_file_path(&absolute)
                    .map_err(|()| DatabaseError::Location(format!("{} is no path for a database", path.display())))?;
                Ok(format!("sqlite://{}?{how}", url.path()))
            }
        }
    }
}

/// Without the password.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Postgres(url) => {
                let host = url.host_str().unwrap_or("localhost");
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                write!(f, "postgres://{host}{port}{}", url.path())
            }
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({self})")
    }
}
