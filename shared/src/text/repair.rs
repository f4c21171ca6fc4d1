//! What some writers get wrong in JSON, put right: bare `NaN`, control characters and escapes that JSON does not have.
//! Runs only on what the JSON parser refused.

/// The same text as valid JSON, where the faults are ones that are known. Words that JSON does not have become strings,
/// so that the field that holds one is named as unexpected.
pub(crate) fn repair(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string(rest, &mut out),
            c if c.is_alphanumeric() || c == '-' || c == '+' => word(rest, &mut out),
            c if c.is_control() => {
                out.push(if c == '\n' { '\n' } else { ' ' });
                c.len_utf8()
            }
            c => {
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    out
}

fn word(rest: &str, out: &mut String) -> usize {
    let end = rest.find(|c: char| !(c.is_alphanumeric() || "+-._".contains(c))).unwrap_or(rest.len());
    let word = &rest[..end];
    let known = matches!(word, "true" | "false" | "null");
    if known || word.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit()) {
        out.push_str(word);
    } else {
        out.push('"');
        out.push_str(word);
        out.push('"');
    }
    end
}

/// Whether a backslash in the string at the start of `rest` escapes nothing. A writer that writes one such writes all of them as they
/// are: the `\f` of `C:\models\fc` is no form feed.
fn has_plain_backslash(rest: &str) -> bool {
    let mut chars = rest.chars().skip(1);
    while let Some(c) = chars.next() {
        match c {
            '"' => return false,
            '\\' if !chars.next().is_some_and(|next| "\"\\/bfnrtu".contains(next)) => return true,
            _ => {}
        }
    }
    false
}

/// Copies the string at the start of `rest` and returns its length there.
fn string(rest: &str, out: &mut String) -> usize {
    out.push('"');
    let plain = has_plain_backslash(rest);
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                out.push('"');
                return at + 1;
            }
            '\\' => match chars.next() {
                Some((_, letter @ ('b' | 'f' | 'n' | 'r' | 't' | 'u'))) if plain => {
                    out.push_str("\\\\");
                    out.push(letter);
                }
                Some((_, escaped @ ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't'))) => {
                    out.push('\\');
                    out.push(escaped);
                }
                Some((_, 'u')) => {
                    let unit = |at: usize| {
                        let digits = rest.get(at..at + 6)?.strip_prefix("\\u")?;
                        let is_hexadecimal = digits.bytes().all(|b| b.is_ascii_hexdigit());
                        u16::from_str_radix(digits, 16).ok().filter(|_| is_hexadecimal)
                    };
                    let Some(first) = unit(at) else {
                        out.push_str("\\\\u");
                        continue;
                    };
                    // Half of a pair of surrogates is no character.
                    let pair = unit(at + 6).map(|second| char::decode_utf16([first, second]).next());
                    let (character, length) = match (char::from_u32(first.into()), pair) {
                        (Some(character), _) => (character, 4),
                        (None, Some(Some(Ok(character)))) => (character, 10),
                        _ => (char::REPLACEMENT_CHARACTER, 4),
                    };
                    chars.by_ref().take(length).for_each(drop);
                    push_escaped(character, out);
                }
                Some((_, other)) => {
                    out.push_str("\\\\");
                    push_escaped(other, out);
                }
                None => out.push_str("\\\\"),
            },
            c => push_escaped(c, out),
        }
    }
    out.push('"');
    rest.len()
}

fn push_escaped(c: char, out: &mut String) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn repaired(text: &str) -> Value {
        serde_json::from_str(&repair(text)).expect("valid after repair")
    }

    #[test]
    fn words_that_json_lacks_become_strings() {
        assert_eq!(
            repaired(r#"{"a": NaN, "b": [-Infinity, nan, 1e-3, -2], "c": null}"#),
            json!({"a": "NaN", "b": ["-Infinity", "nan", 1e-3, -2], "c": null})
        );
    }

    #[test]
    fn control_characters_between_values_are_blanks() {
        assert_eq!(repaired("\u{1b}[1,\u{7}\n \u{0}2\u{85}]\u{1}"), json!([1, 2]));
    }

    #[test]
    fn control_characters_and_odd_escapes_survive() {
        assert_eq!(repaired("{\"a\": \"x\u{1e}y\nz\"}"), json!({"a": "x\u{1e}y\nz"}));
        assert_eq!(repaired(r#"{"a": "C:\models\x", "b": "\ud800!", "c": "\u001e\""}"#)["a"], json!("C:\\models\\x"));
        assert_eq!(repaired(r#"["C:\models\fc\new\u0041", "\n"]"#), json!(["C:\\models\\fc\\new\\u0041", "\n"]));
        assert_eq!(repaired(r#"["\ud800!", "\u001e\"", "\uZZ"]"#), json!(["\u{fffd}!", "\u{1e}\"", "\\uZZ"]));
        assert_eq!(repaired("[\"\\ud83d\\ude00\u{1}\\u+041\"]"), json!(["\u{1f600}\u{1}\\u+041"]));
    }
}
