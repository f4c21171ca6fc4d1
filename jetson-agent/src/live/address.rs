//! Where metrics are served, and who may read them.

use shared::digest::sha256_bytes;
use shared::failure::{Failure, Kind};
use shared::fs::read_capped;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

/// A secret that readers have to bring.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The shortest token that is taken: shorter ones can be guessed.
const SHORTEST: usize = 16;

impl Token {
    /// A token from a text, without the white space around it.
    ///
    /// # Errors
    /// When it is shorter than 16 characters or cannot stand in a header.
    pub fn new(text: &str) -> Result<Self, Failure> {
        let text = text.trim();
        if text.len() < SHORTEST {
            return Err(Failure::usage(format!("the token is shorter than {SHORTEST} characters"))
                .help("make one with `openssl rand -hex 32`"));
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Failure::usage("the token holds white space or characters that are not ASCII")
                .help("make one with `openssl rand -hex 32`"));
        }
        Ok(Self(text.to_owned()))
    }

    /// A token from a file.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when the file cannot be read.
    pub fn from_file(path: &Path) -> Result<Self, Failure> {
        let content = read_capped(path, 4096)?;
        let text = String::from_utf8(content).map_err(|e| Failure::from_error(Kind::Data, e).at(path))?;
        Self::new(&text).map_err(|failure| failure.at(path))
    }

    /// Whether a request's `Authorization` brings it. Digests are compared, so that the time does not depend on how much
    /// of a guess is right.
    #[must_use]
    pub fn admits(&self, authorization: Option<&str>) -> bool {
        let given = authorization.and_then(|header| {
            let (scheme, token) = header.trim().split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        given.is_some_and(|given| sha256_bytes(given.as_bytes()) == sha256_bytes(self.0.as_bytes()))
    }
}

/// Where to listen, and the token if one is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Addresses to try, in order.
    pub addresses: Vec<SocketAddr>,
    /// Who may read.
    pub token: Option<Token>,
}

impl Listen {
    /// Checks an address: `HOST:PORT`, or `PORT` on this machine. An address that others can reach needs a token.
    ///
    /// # Errors
    /// When it is not an address, or is open to others without a token.
    ///
    /// ```
    /// use jetson_agent::live::Listen;
    ///
    /// assert!(Listen::new("9101", None).unwrap().addresses[0].ip().is_loopback());
    /// let failure = Listen::new("0.0.0.0:9101", None).unwrap_err();
    /// assert_eq!(failure.message, "0.0.0.0:9101 can be reached by others, and no token protects it");
    /// ```
    pub fn new(text: &str, token: Option<Token>) -> Result<Self, Failure> {
        let whole = if text.parse::<u16>().is_ok() { format!("127.0.0.1:{text}") } else { text.to_owned() };
        let found = whole.to_socket_addrs().map_err(|e| {
            Failure::usage(format!("`{text}` is not an address: {e}"))
                .help("give HOST:PORT such as 127.0.0.1:9101")
                .caused_by(e)
        })?;
        let addresses: Vec<SocketAddr> = found.collect();
        if addresses.is_empty() {
            return Err(Failure::usage(format!("`{text}` has no address")));
        }
        if token.is_none() && !addresses.iter().all(|address| address.ip().is_loopback()) {
            return Err(Failure::usage(format!("{whole} can be reached by others, and no token protects it"))
                .help("give --token-file FILE or set JETSON_AGENT_TOKEN, or listen on 127.0.0.1"));
        }
        Ok(Self { addresses, token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_admitted() {
        let token = Token::new("0123456789abcdef\n").expect("long enough");
        assert!(token.admits(Some("Bearer 0123456789abcdef")) && token.admits(Some("bearer  0123456789abcdef ")));
        for no in [None, Some(""), Some("Bearer"), Some("Bearer 0123456789abcde"), Some("Basic 0123456789abcdef")] {
            assert!(!token.admits(no), "{no:?}");
        }
        assert!(Token::new("short").is_err() && Token::new("0123456789 abcdef").is_err());
        assert_eq!(format!("{token:?}"), "Token(…)");
    }

    #[test]
    fn others_need_a_token() {
        let token = || Token::new("0123456789abcdef").ok();
        assert!(Listen::new("0.0.0.0:0", token()).is_ok() && Listen::new("[::]:0", None).is_err());
        assert!(Listen::new("[::1]:0", None).is_ok() && Listen::new("127.0.0.1:0", None).is_ok());
        assert!(Listen::new("nonsense", None).is_err() && Listen::new("127.0.0.1:99999", None).is_err());
    }
}
