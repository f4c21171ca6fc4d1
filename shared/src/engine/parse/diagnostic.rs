//! What is unexpected in an engine info, in a form for people.

/// Something unexpected in an engine info that did not keep the rest from being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The layer it concerns: index and name (a long name's start).
    pub layer: Option<(usize, String)>,
    /// The field it concerns.
    pub field: Option<String>,
    /// What is unexpected.
    pub message: String,
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some((index, name)) = &self.layer {
            write!(f, "layer {index} ({name}): ")?;
        }
        if let Some(field) = &self.field {
            write!(f, "`{field}` ")?;
        }
        f.write_str(&self.message)
    }
}

/// The start of a text, short enough for a message.
pub(super) fn clip(text: &str) -> String {
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
