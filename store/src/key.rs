//! Names of objects.

use shared::failure::{Failure, printable};
use std::fmt;

/// A name that no object may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` cannot name an object: {reason}")]
pub struct KeyError {
    /// The name as given, without control characters.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
}

impl KeyError {
    pub(crate) fn new(name: &str, reason: &str) -> Self {
        Self { name: printable(name), reason: reason.into() }
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::usage(error.to_string())
    }
}

/// The name of an object: segments joined by `/`. It cannot hold `.`, `..`, an empty segment or a control character, so
/// it cannot leave the store whatever text it was made from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(object_store::path::Path);

impl Key {
    /// The key with this name.
    ///
    /// # Errors
    /// [`KeyError`] when the name is empty, over 1,024 bytes, or has a segment that is empty, `.`, `..`, or holds a
    /// control character or a backslash.
    pub fn new(name: impl AsRef<str>) -> Result<Self, KeyError> {
        let name = name.as_ref();
        let refuse = |reason: &str| KeyError::new(name, reason);
        if name.is_empty() || name.len() > 1024 {
            return Err(refuse("a name has 1 to 1,024 bytes"));
        }
        for segment in name.split('/') {
            match segment {
                "" => return Err(refuse("it has an empty segment")),
                "." | ".." => return Err(refuse("it has a segment that climbs")),
                _ if segment.chars().any(char::is_control) => return Err(refuse("it holds a control character")),
                _ if segment.contains('\\') => return Err(refuse("it holds a backslash")),
                _ => {}
            }
        }
        object_store::path::Path::parse(name).map(Self).map_err(|_| refuse("it holds a character that no store takes"))
    }

    /// The key of something below this one.
    ///
    /// # Errors
    /// As [`Key::new`].
    pub fn join(&self, below: impl AsRef<str>) -> Result<Self, KeyError> {
        Self::new(format!("{}/{}", self.0, below.as_ref()))
    }

    /// The last segment.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.filename().unwrap_or_default()
    }

    pub(crate) fn path(&self) -> &object_store::path::Path {
        &self.0
    }

    pub(crate) fn from_path(path: object_store::path::Path) -> Self {
        Self(path)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_climb_or_hide_are_refused() {
        for name in ["", "..", "a/../b", "/a", "a/", "a//b", "./a", "a\nb", "a\\b"] {
            assert!(Key::new(name).is_err(), "{name:?}");
        }
        assert_eq!(Key::new("a/b c/ü.json").expect("a good name").name(), "ü.json");
    }

    proptest! {
        #[test]
        fn no_text_makes_a_key_that_climbs(name in ".*") {
            if let Ok(key) = Key::new(&name) {
                prop_assert!(!key.to_string().split('/').any(|part| part == ".." || part == "." || part.is_empty()));
            }
        }
    }
}
