//! Patterns of network names.

/// A pattern: `*` stands for any characters but `/`, `**` for any, `?` for one.
///
/// ```
/// use budget::Pattern;
///
/// assert!(Pattern::new("resnet*").matches("resnet18"));
/// assert!(!Pattern::new("models/*").matches("models/a/b"));
/// assert!(Pattern::new("models/**").matches("models/a/b"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Character(char),
    One,
    Any,
    AnyPath,
}

impl Pattern {
    /// Reads a pattern; every text is one.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut tokens: Vec<Token> = Vec::new();
        for character in text.chars() {
            match (character, tokens.last_mut()) {
                ('*', Some(Token::AnyPath)) => {}
                ('*', Some(last @ Token::Any)) => *last = Token::AnyPath,
                ('*', _) => tokens.push(Token::Any),
                ('?', _) => tokens.push(Token::One),
                (other, _) => tokens.push(Token::Character(other)),
            }
        }
        Self { text: text.to_owned(), tokens }
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is about paths: it has a `/`.
    #[must_use]
    pub fn is_path(&self) -> bool {
        self.text.contains('/')
    }

    /// How much of it is fixed: a name without wildcards before every pattern, then the number of fixed characters.
    #[must_use]
    pub(crate) fn specificity(&self) -> (bool, usize) {
        let fixed = self.tokens.iter().filter(|token| matches!(token, Token::Character(_))).count();
        (fixed == self.tokens.len(), fixed)
    }

    /// Whether it matches a whole text. Takes time proportional to the product of both lengths at most.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        // Which beginnings of the text the tokens so far match.
        let mut reached = vec![false; text.len() + 1];
        reached[0] = true;
        for token in &self.tokens {
            let mut next = vec![false; text.len() + 1];
            for at in 0..=text.len() {
                next[at] = match token {
                    Token::Any => reached[at] || at > 0 && next[at - 1] && text[at - 1] != '/',
                    Token::AnyPath => reached[at] || at > 0 && next[at - 1],
                    Token::One => at > 0 && reached[at - 1] && text[at - 1] != '/',
                    Token::Character(character) => at > 0 && reached[at - 1] && text[at - 1] == *character,
                };
            }
            reached = next;
        }
        reached[text.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_match_as_shells_do() {
        for (pattern, text, matches) in [
            ("resnet18", "resnet18", true),
            ("resnet18", "resnet180", false),
            ("*", "a", true),
            ("*", "", true),
            ("*", "a/b", false),
            ("**", "a/b", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("*net*v2", "mobilenet_v2", true),
            ("a/*/c", "a/b/c", true),
            ("a/**/c", "a/x/y/c", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_more_fixed_is_more_specific() {
        let of = |text: &str| Pattern::new(text).specificity();
        assert!(of("a") > of("aaaa*") && of("resnet*") > of("*"));
    }

    proptest! {
        #[test]
        fn a_text_matches_itself_and_all(text in "[a-z/]{0,12}") {
            prop_assert!(Pattern::new(&text).matches(&text));
            prop_assert!(Pattern::new("**").matches(&text));
        }
    }
}
