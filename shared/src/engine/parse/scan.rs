//! A walk over JSON text that takes no memory: it finds where values begin and end, knows strings from structure, and
//! stops at nesting that is too deep before anything is built from it.

use crate::limits;
use std::ops::Range;

/// Why a walk stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The text ends or is not JSON at this offset.
    Broken(usize),
    /// Nesting passes [`limits::ENGINE_INFO_DEPTH`] at this offset.
    TooDeep(usize),
    /// There are more layers than [`limits::ENGINE_LAYERS`].
    TooManyLayers,
}

/// What may stand between values: white space, and control characters, such as the colours of a log.
pub(super) fn is_blank(byte: u8) -> bool {
    byte <= b' '
}

/// A position in JSON text, and how many lists and objects are open there.
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, depth: 0 }
    }

    /// The offset reached.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The first byte of the next token.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while self.bytes.get(self.at).is_some_and(|&byte| is_blank(byte)) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    /// Whether the next value is a list whose first element is a list.
    pub(super) fn starts_with_nested_list(&mut self) -> bool {
        self.peek() == Some(b'[') && self.bytes[self.at + 1..].iter().find(|&&b| !is_blank(b)) == Some(&b'[')
    }

    fn broken<T>(&self) -> Result<T, Stop> {
        Err(Stop::Broken(self.at.min(self.bytes.len())))
    }

    /// Walks over a string and returns what stands between its quotes, escapes as they are.
    fn string(&mut self) -> Result<&'a [u8], Stop> {
        let start = self.at + 1;
        let mut end = start;
        loop {
            end += plain(self.bytes.get(end..).unwrap_or_default());
            match self.bytes.get(end) {
                Some(b'"') => break,
                Some(_) => end += 2,
                None => return self.broken(),
            }
        }
        self.at = end + 1;
        Ok(&self.bytes[start..end])
    }

    /// Walks over a number or a word. Words that JSON does not know (`NaN`) are walked over too.
    fn word(&mut self) -> Result<(), Stop> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|b| is_blank(*b) || b",:[]{}\"".contains(b)).unwrap_or(rest.len());
        if length == 0 {
            return self.broken();
        }
        self.at += length;
        Ok(())
    }

    /// Walks over the next value and returns where it stands.
    pub(super) fn value(&mut self) -> Result<Range<usize>, Stop> {
        let first = self.peek();
        let start = self.at;
        match first {
            Some(b'{' | b'[') => self.container()?,
            Some(b'"') => {
                self.string()?;
            }
            Some(_) => self.word()?,
            None => return self.broken(),
        }
        Ok(start..self.at)
    }

    /// Walks over a list or object, checking only that its brackets match.
    fn container(&mut self) -> Result<(), Stop> {
        let mut open = [0_u8; limits::ENGINE_INFO_DEPTH];
        let mut level = 0;
        loop {
            match self.bytes.get(self.at) {
                Some(&bracket @ (b'{' | b'[')) => {
                    if self.depth + level >= limits::ENGINE_INFO_DEPTH {
                        return Err(Stop::TooDeep(self.at));
                    }
                    open[level] = bracket;
                    level += 1;
                    self.at += 1;
                }
                Some(&bracket @ (b'}' | b']')) => {
                    // `]` and `}` stand two after the bracket they close.
                    if open[level - 1] + 2 != bracket {
                        return self.broken();
                    }
                    level -= 1;
                    self.at += 1;
                    if level == 0 {
                        return Ok(());
                    }
                }
                Some(b'"') => {
                    self.string()?;
                }
                Some(_) => self.at += 1,
                None => return self.broken(),
            }
        }
    }

    /// Walks into an object; the function is called at each member's value with its key and must walk over the value.
    pub(super) fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a [u8]) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.inside(b'}', |walk| {
            if walk.peek() != Some(b'"') {
                return walk.broken();
            }
            let key = walk.string()?;
            if walk.peek() != Some(b':') {
                return walk.broken();
            }
            walk.at += 1;
            walk.peek();
            member(walk, key)
        })
    }

    /// Walks into a list; the function is called at each element and must walk over it.
    pub(super) fn elements(&mut self, element: impl FnMut(&mut Self) -> Result<(), Stop>) -> Result<(), Stop> {
        self.inside(b']', element)
    }

    fn inside(&mut self, close: u8, mut part: impl FnMut(&mut Self) -> Result<(), Stop>) -> Result<(), Stop> {
        if self.depth >= limits::ENGINE_INFO_DEPTH {
            return Err(Stop::TooDeep(self.at));
        }
        self.depth += 1;
        self.at += 1;
        if self.peek() == Some(close) {
            self.at += 1;
            self.depth -= 1;
            return Ok(());
        }
        loop {
            part(self)?;
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.peek();
                }
                Some(byte) if byte == close => {
                    self.at += 1;
                    self.depth -= 1;
                    return Ok(());
                }
                _ => return self.broken(),
            }
        }
    }
}

/// The number of bytes before the first quote or backslash, or all of them. Most bytes of a document stand in short strings: eight are
/// looked at together.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    // The highest bit of each byte that equals `byte`; above the first such byte, others may be set, too.
    let equal = |word: u64, byte: u8| {
        let zero = word ^ (ONES * u64::from(byte));
        zero.wrapping_sub(ONES) & !zero & (ONES << 7)
    };
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = equal(word, b'"') | equal(word, b'\\');
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let found = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'));
    words.len() * 8 + found.unwrap_or(rest.len())
}

/// Line and column, both from 1, the column in bytes.
pub(super) fn line_and_column(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = &bytes[..at.min(bytes.len())];
    let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
    let column = before.len() - before.iter().rposition(|&b| b == b'\n').map_or(0, |newline| newline + 1) + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(text: &str) -> Result<Range<usize>, Stop> {
        Walk::new(text.as_bytes(), 0).value()
    }

    #[test]
    fn brackets_in_strings_are_not_structure() {
        assert_eq!(whole(r#"{"a]}\"[": [1, "}"]} tail"#), Ok(0..20));
        assert_eq!(whole(" NaN, 1"), Ok(1..4));
    }

    #[test]
    fn what_does_not_close_is_broken_where_it_ends() {
        assert_eq!(whole(r#"{"a": [1, 2"#), Err(Stop::Broken(11)));
        assert_eq!(whole(r#"{"a": 1]"#), Err(Stop::Broken(7)));
        assert_eq!(whole(r#""ends in a backslash \"#), Err(Stop::Broken(0)));
    }

    #[test]
    fn depth_is_counted_through_walks_and_jumps() {
        let deep = "[".repeat(limits::ENGINE_INFO_DEPTH + 1);
        assert_eq!(whole(&deep), Err(Stop::TooDeep(limits::ENGINE_INFO_DEPTH)));
        let fits = format!("{}{}", "[".repeat(limits::ENGINE_INFO_DEPTH), "]".repeat(limits::ENGINE_INFO_DEPTH));
        assert!(whole(&fits).is_ok());
        let mut walk = Walk::new(deep.as_bytes(), 0);
        assert_eq!(walk.elements(|w| w.value().map(drop)), Err(Stop::TooDeep(limits::ENGINE_INFO_DEPTH)));
    }

    #[test]
    fn members_come_with_their_keys() {
        let mut walk = Walk::new(br#"{ "a" : [1] , "b":{} }"#, 0);
        let mut keys = Vec::new();
        walk.members(|w, key| {
            keys.push(String::from_utf8_lossy(key).into_owned());
            w.value().map(drop)
        })
        .expect("walks");
        assert_eq!(keys, ["a", "b"]);
    }

    proptest! {
        #[test]
        fn strings_end_where_a_byte_by_byte_look_ends_them(bytes in "[a\"\\\\!#\\[\\]£]{0,40}") {
            let expected = bytes.bytes().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(bytes.len());
            prop_assert_eq!(plain(bytes.as_bytes()), expected);
        }
    }

    #[test]
    fn places_count_from_one() {
        assert_eq!(line_and_column(b"ab\ncd", 0), (1, 1));
        assert_eq!(line_and_column(b"ab\ncd", 4), (2, 2));
        assert_eq!(line_and_column(b"ab\ncd", 99), (2, 3));
    }
}
