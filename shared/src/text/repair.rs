//! What some writers get wrong in JSON, put right: bare `NaN`, control characters and escapes that JSON does not have.
//! Runs only on what the JSON parser refused.

/// The same text as valid JSON, where the faults are ones that are known. Words that JSON does not have become strings,
/// so that the field that holds one is named as odd.
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

/// Copies the string at the start of `rest` and returns its length there.
fn string(rest: &str, out: &mut String) -> usize {
    out.push('"');
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                out.push('"');
                return at + 1;
            }
            '\\' => match chars.next() {
                Some((_, escaped @ ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't'))) => {
                    out.push('\\');
                    out.push(escaped);
                }
                Some((_, 'u')) => {
                    let digits = rest.get(at + 2..at + 6);
                    match digits.and_then(|d| u32::from_str_radix(d, 16).ok()) {
                        Some(code) => {
                            for _ in 0..4 {
                                chars.next();
                            }
                            // Half of a surrogate pair is no character; whole pairs are rare enough to lose here.
                            let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                            push_escaped(character, out);
                        }
                        None => out.push_str("\\\\u"),
                    }
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
        assert_eq!(repaired(r#"["\ud800!", "\u001e\"", "\uZZ"]"#), json!(["\u{fffd}!", "\u{1e}\"", "\\uZZ"]));
    }
}
