//! Words of a POSIX shell.

/// A text as one word of a POSIX shell, whatever it contains.
///
/// ```
/// assert_eq!(shared::shell::quoted("runs/2026-01-31"), "runs/2026-01-31");
/// assert_eq!(shared::shell::quoted("it's $(here)"), r"'it'\''s $(here)'");
/// ```
#[must_use]
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/=:@,+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_word_of_a_shell_stays_one_word() {
        for text in ["a b", "it's", "$(x)", "", "`x`", "a\"b;c", "-n"] {
            let script = format!("printf '%s' {}", quoted(text));
            let output = Command::new("sh").args(["-c", &script]).output().expect("sh");
            assert_eq!(String::from_utf8_lossy(&output.stdout), text);
        }
    }
}
