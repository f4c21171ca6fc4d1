//! A page in one file: no script, nothing fetched.

use super::style::STYLE as CHARTS;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

/// The style sheet of every page.
const STYLE: &str = include_str!("page.css");

/// A whole page around its content. `style` is the page's own, on top of the charts' and the common one.
///
/// Its content-security policy allows these styles by their hash, and nothing else. Even if text from outside became markup, a
/// browser would run and fetch nothing.
///
/// ```
/// let html = charts::page::render("Errors", "", &charts::histogram("e", "Errors", "Errors", "%", &[1.0, 2.0], None));
/// assert!(html.starts_with("<!DOCTYPE html>") && html.contains("Content-Security-Policy"));
/// ```
#[must_use]
pub fn render(title: &str, style: &str, content: &Markup) -> String {
    let style = format!("{}{STYLE}{style}", CHARTS);
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        base64(&Sha256::digest(style.as_bytes()))
    );
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (shared::failure::printable(title)) }
                style { (PreEscaped(&style)) }
            }
            body { main { (content) } }
        }
    }
    .into_string()
}

/// Base64 with padding, RFC 4648.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().enumerate().fold(0u32, |word, (i, byte)| word | u32::from(*byte) << (16 - 8 * i));
        for digit in 0..4 {
            let index = (word >> (18 - 6 * digit)) & 63;
            out.push(if digit <= chunk.len() { char::from(DIGITS[index as usize]) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_the_rfc() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn a_title_cannot_become_markup() {
        let page = render("<script>\"a\"&'\u{1b}", "", &html! { p { "x" } });
        assert!(page.contains("<title>&lt;script&gt;") && !page.contains("<script>") && !page.contains('\u{1b}'));
    }
}
