//! The list of diagnostics, bounded.

use super::diagnostic::{Diagnostic, clip};
use crate::limits;

/// Collects diagnostics up to [`limits::DIAGNOSTICS`] and counts the rest.
#[derive(Default)]
pub(super) struct Notes {
    list: Vec<Diagnostic>,
    more: usize,
}

impl Notes {
    fn push(&mut self, diagnostic: impl FnOnce() -> Diagnostic) {
        if self.is_full() {
            self.more += 1;
        } else {
            self.list.push(diagnostic());
        }
    }

    /// Whether a further one would only be counted.
    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= limits::DIAGNOSTICS
    }

    /// Notes something unexpected in a layer, or in one of its fields.
    pub(super) fn layer(&mut self, index: usize, name: &str, field: Option<&str>, message: String) {
        self.push(|| Diagnostic { layer: Some((index, clip(name))), field: field.map(str::to_owned), message });
    }

    /// Notes something unexpected in the file.
    pub(super) fn file(&mut self, message: String) {
        self.push(|| Diagnostic { layer: None, field: None, message });
    }

    /// The list, with a last entry that counts what did not fit.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        if self.more > 0 {
            let message = format!("{} more diagnostics are not listed", self.more);
            self.list.push(Diagnostic { layer: None, field: None, message });
        }
        self.list
    }
}
