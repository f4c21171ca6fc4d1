//! The form that asks a browser for its token.

use maud::{Markup, html};

/// `next` where it is a path of this server, otherwise `/`.
pub(super) fn local(next: &str) -> &str {
    let plain = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n']);
    if plain { next } else { "/" }
}

/// The form. `problem` says why an earlier attempt failed; `next` is the path to open afterwards.
pub(super) fn sign_in_form(next: &str, problem: Option<&str>) -> Markup {
    html! {
        h1 { "Sign in" }
        p.muted { "This server asks for a token. Whoever started it has them." }
        @if let Some(problem) = problem { div.note-box.error role="alert" { p { (problem) } } }
        form.card method="post" action="/login" {
            input type="hidden" name="next" value=(local(next));
            div.field {
                label for="token" { "Token" }
                input #token type="password" name="token" autocomplete="current-password" required autofocus;
                span.hint { "It is kept in a cookie until the browser closes." }
            }
            button.primary type="submit" { "Sign in" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        assert_eq!(local("/models?x=1"), "/models?x=1");
        for elsewhere in ["//evil.example", "https://evil.example", "/\\evil.example", "", "models", "/a\r\nb: c"] {
            assert_eq!(local(elsewhere), "/", "{elsewhere:?}");
        }
    }
}
