//! JSON values as YAML that people can read.

use serde_json::Value;
use std::fmt::Write as _;

/// A document in block style. Strings that YAML could take for something else are quoted as in JSON, which YAML reads alike.
pub(crate) fn document(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, 0);
    text
}

fn write(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                let _ = write!(text, "{indent}{}:", scalar(&Value::String(key.clone())));
                after(text, value, depth + 1);
            }
        }
        Value::Array(values) if !values.is_empty() => {
            for value in values {
                match value {
                    Value::Object(members) if !members.is_empty() => {
                        let mut inner = String::new();
                        write(&mut inner, value, depth + 1);
                        // The first key stands behind the hyphen.
                        let _ = write!(text, "{indent}- {}", &inner[2 * (depth + 1)..]);
                    }
                    value => {
                        let _ = write!(text, "{indent}-");
                        after(text, value, depth + 1);
                    }
                }
            }
        }
        value => {
            let _ = writeln!(text, "{indent}{}", scalar(value));
        }
    }
}

fn after(text: &mut String, value: &Value, depth: usize) {
    let nested = match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(values) => !values.is_empty(),
        _ => false,
    };
    if nested {
        text.push('\n');
        write(text, value, depth);
    } else {
        let _ = writeln!(text, " {}", scalar(value));
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(string) if is_plain(string) => string.clone(),
        value => value.to_string(),
    }
}

/// Whether YAML takes a text for itself: it begins with a letter and is no word with a meaning.
fn is_plain(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-._/".contains(c));
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n" | "nan" | "inf"
    );
    begins && plain && !word
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_is_in_blocks_and_what_could_be_misread_is_quoted() {
        let value = json!({"kind": "Job", "spec": {"parallelism": 3, "on": true, "empty": {}, "list": [
            {"name": "a", "args": ["batch", "0001", "yes", "a: b"]}, "x"]}});
        let expected = "kind: Job\nspec:\n  parallelism: 3\n  \"on\": true\n  empty: {}\n  list:\n    - name: a\n      args:\n        - batch\n        - \"0001\"\n        - \"yes\"\n        - \"a: b\"\n    - x\n";
        assert_eq!(document(&value), expected);
    }
}
