//! Answers given: an engine asked about again, as scripts and pages do, costs a hash and a copy.

use super::Options;
use super::answer::{Format, Written};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Bytes of answers kept, twice this much for a moment.
const MOST_BYTES: usize = 16 << 20;
/// Answers larger than this are not kept: one of them would push out too many.
const LARGEST: usize = MOST_BYTES / 16;

/// What tells requests apart: all that an answer depends on but the models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

impl Key {
    pub(super) fn of(body: &[u8], options: &Options, format: Format) -> Self {
        let mut hash = Sha256::new();
        // The length keeps body and options apart.
        hash.update(body.len().to_le_bytes());
        hash.update(body);
        hash.update(format!("{options:?} {format:?}"));
        Self(hash.finalize().into())
    }
}

/// Answers of one generation of models, those asked for of late.
#[derive(Debug, Default)]
pub(super) struct Answered {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    generation: u64,
    recent: HashMap<Key, Written>,
    recent_bytes: usize,
    /// What was recent until that was full; what is asked for again becomes recent again.
    older: HashMap<Key, Written>,
}

impl Answered {
    /// The answer that these models gave.
    pub(super) fn get(&self, generation: u64, key: &Key) -> Option<Written> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.generation != generation {
            return None;
        }
        if let Some(written) = kept.recent.get(key) {
            return Some(written.clone());
        }
        let written = kept.older.remove(key)?;
        kept.put(*key, written.clone());
        Some(written)
    }

    /// Keeps an answer that these models gave. Newer models make all older answers void.
    pub(super) fn put(&self, generation: u64, key: Key, written: &Written) {
        if written.body.len() > LARGEST {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if generation < kept.generation {
            return;
        }
        if generation > kept.generation {
            *kept = Kept { generation, ..Kept::default() };
        }
        kept.put(key, written.clone());
    }
}

impl Kept {
    fn put(&mut self, key: Key, written: Written) {
        if self.recent_bytes > MOST_BYTES / 2 {
            self.older = std::mem::take(&mut self.recent);
            self.recent_bytes = 0;
        }
        self.recent_bytes += written.body.len();
        if let Some(before) = self.recent.insert(key, written) {
            self.recent_bytes -= before.body.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::of(b"{}", &Options { name: Some(name.to_owned()), ..Options::default() }, Format::Json)
    }

    fn written(bytes: usize) -> Written {
        Written { content_type: "application/json", body: vec![b' '; bytes].into(), layers: 1 }
    }

    #[test]
    fn newer_models_make_answers_void_and_older_ones_bring_none_back() {
        let answered = Answered::default();
        answered.put(1, key("a"), &written(3));
        assert!(answered.get(1, &key("a")).is_some());
        assert!(answered.get(2, &key("a")).is_none() && answered.get(1, &key("b")).is_none());
        answered.put(2, key("b"), &written(3));
        assert!(answered.get(1, &key("a")).is_none());
        answered.put(1, key("c"), &written(3));
        assert!(answered.get(2, &key("c")).is_none());
    }

    #[test]
    fn requests_that_differ_in_anything_differ() {
        let of = |body: &[u8], profile, format| Key::of(body, &Options { profile, ..Options::default() }, format);
        let one = of(b"ab", 0, Format::Json);
        assert_ne!(one, of(b"a", 0, Format::Json));
        assert_ne!(one, of(b"ab", 1, Format::Json));
        assert_ne!(one, of(b"ab", 0, Format::Csv));
        assert_eq!(one, of(b"ab", 0, Format::Json));
    }

    #[test]
    fn memory_is_bounded_and_what_is_asked_for_stays() {
        let answered = Answered::default();
        let names: Vec<String> = (0..200).map(|n| n.to_string()).collect();
        answered.put(1, key("kept"), &written(LARGEST));
        for name in &names {
            answered.put(1, key(name), &written(LARGEST));
            assert!(answered.get(1, &key("kept")).is_some(), "{name}");
        }
        assert!(answered.get(1, &key("0")).is_none());
        let kept = answered.kept.lock().expect("sound");
        let bytes = |answers: &HashMap<Key, Written>| answers.values().map(|w| w.body.len()).sum::<usize>();
        assert_eq!(kept.recent_bytes, bytes(&kept.recent));
        assert!(bytes(&kept.recent) + bytes(&kept.older) <= 2 * MOST_BYTES);
        drop(kept);
        answered.put(1, key("large"), &written(LARGEST + 1));
        assert!(answered.get(1, &key("large")).is_none());
    }
}
