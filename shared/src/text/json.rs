//! JSON as users and tools write it: in any encoding of [`decode`], with what the strict parser refuses put right where its
//! meaning is certain.

use super::encoding::decode;
use super::repair::repair;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};

/// Reads JSON. What JSON does not have is read for what it means: raw control characters in strings as themselves, a
/// backslash that escapes nothing as a backslash, bare words such as `nan` as texts, so that they are a number nowhere.
///
/// ```
/// let value: serde_json::Value = shared::text::json::from_slice(b"\xef\xbb\xbf{\"a\x1eb\": nan, \"c\": \"C:\\models\"}")?;
/// assert_eq!(value, serde_json::json!({"a\u{1e}b": "nan", "c": "C:\\models"}));
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Errors
/// What is not JSON, or not of this type: line and column are those of the file.
pub fn from_slice<T: DeserializeOwned>(content: &[u8]) -> serde_json::Result<T> {
    from_str(&decode(content).text)
}

/// As [`from_slice`], of a text.
///
/// # Errors
/// As [`from_slice`].
pub fn from_str<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    serde_json::from_str(text).or_else(|strict| match strict.classify() {
        // The text is whole, and not of this type: no repair changes that.
        serde_json::error::Category::Data if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => Err(strict),
        // A repair that does not help leaves its own error: it names what is really wrong, after what was put right.
        _ => serde_json::from_str(&repair(text)),
    })
}

/// Reads a member that is a finite number, for `#[serde(deserialize_with = …)]`; nothing where it is anything else, such as the
/// `nan` that TensorRT writes for the median of too few values.
///
/// # Errors
/// What is not JSON.
pub fn finite<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Ok(serde_json::Value::deserialize(deserializer)?.as_f64().filter(|value| value.is_finite()))
}

/// A string of JSON with its quotes, read as [`from_slice`] reads it.
pub(crate) fn string(raw: &[u8]) -> Option<String> {
    from_slice(raw).ok()
}

#[cfg(test)]
mod tests {
    use super::super::encoding::Encoding;
    use super::super::encoding::tests::utf16;
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn what_stays_wrong_is_named_with_its_place() {
        let error = from_slice::<Value>(b"{\"a\": nan,\n\"b\": }").expect_err("broken");
        assert_eq!((error.line(), error.is_syntax()), (2, true));
        assert!(from_slice::<Value>(b"[1, 2").expect_err("cut off").is_eof());
        assert!(from_slice::<Vec<f64>>(b"[1, nan]").expect_err("no number").to_string().contains("nan"));
        assert!(from_slice::<Vec<f64>>(b"{}").expect_err("an object").is_data());
    }

    proptest! {
        #[test]
        fn every_encoding_reads_equal(name in "\\PC{0,20}", control in "[\u{1}-\u{1f}]{0,3}", quarters in any::<i32>()) {
            let number = f64::from(quarters) / 4.0;
            let escaped = serde_json::to_string(&name).expect("JSON");
            let raw = format!("{{\"x{control}\": {number:?}, \"name\": {escaped}}}");
            let expected = json!({format!("x{control}"): number, "name": name});
            prop_assert_eq!(&from_str::<Value>(&raw).expect("JSON"), &expected);
            for encoding in [Encoding::Utf16Le, Encoding::Utf16Be] {
                prop_assert_eq!(&from_slice::<Value>(&utf16(&raw, encoding, true)).expect("JSON"), &expected);
                prop_assert_eq!(&from_slice::<Value>(&utf16(&raw, encoding, false)).expect("JSON"), &expected);
            }
            let marked = [b"\xef\xbb\xbf", raw.as_bytes()].concat();
            prop_assert_eq!(&from_slice::<Value>(&marked).expect("JSON"), &expected);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = from_slice::<Value>(&bytes);
        }
    }
}
