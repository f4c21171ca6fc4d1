//! Text fields of tables.

/// A text as a field: an empty one is a field without a value.
pub(crate) fn filled(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
