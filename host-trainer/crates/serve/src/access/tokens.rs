//! Tokens: their holders, their scopes, and the hashes of their secrets.

use super::scope::Scope;
use sha2::{Digest, Sha256};
use shared::failure::Failure;
use shared::text::read_text;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// The fewest characters of a secret. A shorter one could be guessed.
const SHORTEST: usize = 16;
/// Most bytes of a token file.
const FILE_BYTES: u64 = 1 << 20;

/// One token: its holder's name, what it allows, and the hash of its secret.
#[derive(Clone)]
pub struct Token {
    name: String,
    scopes: Vec<Scope>,
    hash: [u8; 32],
}

impl Token {
    /// The holder.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it allows something.
    #[must_use]
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("name", &self.name).field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

/// All tokens that a server knows.
#[derive(Debug, Clone)]
pub struct Tokens {
    tokens: Arc<[Token]>,
}

impl Tokens {
    /// Reads tokens: lines (or, in one line, entries between semicolons) of `NAME SCOPE[,SCOPE…] SECRET`, where the
    /// secret may be `sha256:` and the hexadecimal digits of its hash. Lines that start with `#` are comments.
    ///
    /// # Errors
    /// An entry that is malformed. The message never contains a secret.
    ///
    /// ```
    /// let tokens = serve::Tokens::parse("ada read,predict a-secret-of-length\nci predict another-long-secret")?;
    /// assert!(tokens.find("a-secret-of-length").is_some_and(|token| token.allows(serve::Scope::Read)));
    /// assert!(serve::Tokens::parse("ada read short").is_err());
    /// # Ok::<(), shared::failure::Failure>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let mut tokens: Vec<Token> = Vec::new();
        for (number, entry) in text.split(['\n', ';']).map(str::trim).enumerate() {
            if entry.is_empty() || entry.starts_with('#') {
                continue;
            }
            let refuse = |why: String| {
                Failure::usage(why)
                    .place(format!("entry {}", number + 1))
                    .help("write `NAME SCOPE[,SCOPE…] SECRET`, scopes being read, predict and promote")
            };
            let parts: Vec<&str> = entry.split_whitespace().collect();
            let [name, scopes, secret] = parts.as_slice() else {
                return Err(refuse(format!("has {} words where a token has three", parts.len())));
            };
            if !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c)) {
                return Err(refuse("has a name with other characters than letters, digits and -_.@".into()));
            }
            if tokens.iter().any(|token| token.name == *name) {
                return Err(refuse(format!("names `{name}` a second time")));
            }
            let scopes = scopes
                .split(',')
                .map(|word| Scope::ALL.into_iter().find(|scope| scope.name() == word))
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| refuse(format!("of `{name}` names a scope that does not exist")))?;
            let hash = hash_of(secret)
                .ok_or_else(|| refuse(format!("of `{name}` has a secret of fewer than {SHORTEST} characters")))?;
            tokens.push(Token { name: (*name).to_owned(), scopes, hash });
        }
        if tokens.is_empty() {
            return Err(Failure::usage("holds no token"));
        }
        Ok(Self { tokens: tokens.into() })
    }

    /// Reads tokens from a file.
    ///
    /// # Errors
    /// As [`Tokens::parse`], with the file named, and whatever keeps it from being read.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        Self::parse(&read_text(path, FILE_BYTES)?).map_err(|failure| failure.at(path))
    }

    /// The token of a secret. Every known token is compared, each in constant time, so that the time taken tells neither
    /// which came close nor how close.
    #[must_use]
    pub fn find(&self, secret: &str) -> Option<&Token> {
        let hash: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        let mut found = None;
        for token in self.tokens.iter() {
            if bool::from(token.hash.ct_eq(&hash)) {
                found = Some(token);
            }
        }
        found
    }
}

fn hash_of(secret: &str) -> Option<[u8; 32]> {
    let Some(digits) = secret.strip_prefix("sha256:") else {
        return (secret.len() >= SHORTEST).then(|| Sha256::digest(secret.as_bytes()).into());
    };
    let digits = (digits.len() == 64 && digits.is_ascii()).then_some(digits)?;
    let mut hash = [0; 32];
    for (byte, at) in hash.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&digits[at..at + 2], 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_secret_or_its_hash() {
        let hash = format!("{:x}", Sha256::digest(b"another-long-secret"));
        let text = format!("# people\nada read,predict a-secret-of-length\nbob promote sha256:{hash}\n");
        let tokens = Tokens::parse(&text).expect("tokens");
        let ada = tokens.find("a-secret-of-length").expect("known");
        assert_eq!((ada.name(), ada.allows(Scope::Predict), ada.allows(Scope::Promote)), ("ada", true, false));
        assert_eq!(tokens.find("another-long-secret").map(Token::name), Some("bob"));
        assert!(tokens.find("a-secret-of-lengthx").is_none() && tokens.find("").is_none());
        assert!(Tokens::parse("a read 0123456789abcdef; b read 0123456789abcdeg").is_ok());
    }

    #[test]
    fn what_is_no_token_is_refused_without_repeating_it() {
        for wrong in [
            "",
            "ada read",
            "ada write 0123456789abcdef",
            "ada read short",
            "a/b read 0123456789abcdef",
            "a read 0123456789abcdef\na read 0123456789abcdeg",
            "a read sha256:12",
        ] {
            let failure = Tokens::parse(wrong).expect_err(wrong).to_string();
            assert!(!failure.contains("0123456789abcde") && !failure.contains("short"), "{failure}");
        }
        let tokens = Tokens::parse("a read 0123456789abcdef").expect("tokens");
        assert!(!format!("{tokens:?}").contains("0123456789abcdef"));
    }
}
