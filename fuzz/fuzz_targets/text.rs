//! Whatever bytes stand where a text should be: what is read as a stream is what is read whole, a table reads equal in every
//! encoding, and a number, a moment or a unit is finite or none.

#![no_main]

use ingest::tables;
use libfuzzer_sys::fuzz_target;
use shared::text::{
    DecimalSign, Dialect, Encoding, Label, Moment, TextStream, decode, json, number_and_unit, scaled_ns,
};
use std::io::Read;

/// A source that gives few bytes at a time.
struct Drip<'a>(&'a [u8], usize);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.1.min(self.0.len()).min(buffer.len());
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

fn utf16(text: &str) -> Vec<u8> {
    "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

fuzz_target!(|data: &[u8]| {
    let decoded = decode(data);
    let mut streamed = Vec::new();
    TextStream::new(data).read_to_end(&mut streamed).expect("memory does not fail");
    assert_eq!(String::from_utf8_lossy(&streamed), decoded.text);
    if Encoding::of(data).1 > 0 {
        let mut dripped = Vec::new();
        TextStream::new(Drip(data, 3)).read_to_end(&mut dripped).expect("memory does not fail");
        assert_eq!(dripped, streamed);
    }
    let text = &*decoded.text;
    let dialect = Dialect::of(text);
    assert!(text.is_char_boundary(dialect.start) && dialect.line <= text.matches('\n').count() + 2);
    for field in text.split(char::from(dialect.separator.byte())).take(32) {
        for sign in [None, Some(DecimalSign::Point), Some(DecimalSign::Comma)] {
            assert!(number_and_unit(field, sign).is_none_or(|(value, _)| value.is_finite()));
            let _ = scaled_ns(field, 9, sign);
        }
        let _ = (Moment::of(field), Moment::of_day(field), Label::of(field));
    }
    let value: Option<serde_json::Value> = json::from_slice(data).ok();
    // A text that begins with a mark, or with letters and U+0000 in turn, would be taken for another.
    if Encoding::of(text.as_bytes()) == (Encoding::Utf8, 0) && !text.starts_with('\u{feff}') {
        let other = utf16(text);
        assert_eq!(json::from_slice(&other).ok(), value);
        let rows = |content: &[u8]| tables::power(content, None).ok().map(|table| (table.rows, table.diagnostics));
        assert_eq!(rows(text.as_bytes()), rows(&other));
    }
});
