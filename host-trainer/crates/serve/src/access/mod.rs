//! Who may do what, and from where.

mod origin;
mod tokens;

use tokens::Token;
pub use tokens::{Scope, Tokens};

use super::error::ApiError;
use super::settings::Settings;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;

/// Failed tokens a minute from one address, after which it has to wait.
const FAILED_TOKENS: NonZeroU32 = NonZeroU32::new(20).expect("not zero");
/// The cookie that carries a browser's token.
pub(super) const COOKIE: &str = "host_trainer_token";

/// Who asks, as logs and audits name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The token's name, or `local` where no tokens are asked for.
    pub name: String,
    /// The address the request came from.
    pub address: IpAddr,
}

impl Client {
    /// What an audit calls the client.
    #[must_use]
    pub fn audit_name(&self) -> String {
        format!("{} at {} by host-trainer serve", self.name, self.address)
    }
}

/// What is checked of every request before a handler sees it.
#[derive(Debug)]
pub(super) struct Access {
    tokens: Option<Tokens>,
    /// Host names that requests may be addressed to; none lets any pass.
    hosts: Option<Vec<String>>,
    rate: Option<DefaultKeyedRateLimiter<String>>,
    failures: DefaultKeyedRateLimiter<IpAddr>,
    tls: bool,
}

/// What a path asks of a client; none where anybody may ask.
fn scope(method: &Method, path: &str) -> Option<Scope> {
    let reads = method == Method::GET || method == Method::HEAD;
    match path {
        "/healthz" | "/readyz" | "/login" | "/logout" => None,
        _ if reads && path.starts_with("/static/") => None,
        "/v1/predict" | "/v1/rows" | "/engines" => Some(Scope::Predict),
        _ if reads => Some(Scope::Read),
        _ => Some(Scope::Promote),
    }
}

impl Access {
    pub(super) fn new(settings: &Settings) -> Self {
        // On loopback a page of another site may resolve its own name to this machine: only our own names are answered.
        // Elsewhere, tokens keep such a page out.
        let local = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        let hosts = (settings.listen.ip().is_loopback() || !settings.hosts.is_empty())
            .then(|| local.into_iter().chain(settings.hosts.iter().map(|host| host.to_lowercase())).collect());
        let per_second = settings.limits.requests_per_second.and_then(NonZeroU32::new);
        Self {
            tokens: settings.tokens.clone(),
            hosts,
            // Twice as many may come at once, since a page asks for several things together.
            rate: per_second.map(|n| RateLimiter::keyed(Quota::per_second(n).allow_burst(n.saturating_mul(TWO)))),
            failures: RateLimiter::keyed(Quota::per_minute(FAILED_TOKENS)),
            tls: settings.tls.is_some(),
        }
    }

    /// Lets a request pass, or says why not.
    pub(super) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        peer: SocketAddr,
    ) -> Result<Client, ApiError> {
        if let Some(hosts) = &self.hosts {
            origin::check_host(uri, headers, hosts)?;
        }
        if method != Method::GET && method != Method::HEAD {
            origin::check_site(headers)?;
        }
        let client = self.client(method, uri.path(), headers, peer.ip())?;
        if let Some(rate) = &self.rate {
            let key = if self.tokens.is_some() { client.name.clone() } else { client.address.to_string() };
            rate.check_key(&key).map_err(|until| {
                let wait = until.wait_time_from(DefaultClock::default().now());
                ApiError::busy("rate_limited", "too many requests from this client", wait.as_secs() + 1)
            })?;
        }
        Ok(client)
    }

    fn client(&self, method: &Method, path: &str, headers: &HeaderMap, address: IpAddr) -> Result<Client, ApiError> {
        let named = |name: &str| Client { name: name.to_owned(), address };
        let (Some(tokens), Some(wanted)) = (&self.tokens, scope(method, path)) else {
            return Ok(named(if self.tokens.is_some() { "anybody" } else { "local" }));
        };
        let Some(given) = presented(headers) else {
            return Err(ApiError::new(StatusCode::UNAUTHORIZED, "token_missing", "this server asks for a token")
                .help("send the header `Authorization: Bearer TOKEN`"));
        };
        let token = self.find(tokens, given, address)?;
        if !token.allows(wanted) {
            let message = format!("the token `{}` lacks the scope `{}`", token.name(), wanted.name());
            return Err(ApiError::new(StatusCode::FORBIDDEN, "scope_missing", message));
        }
        Ok(named(token.name()))
    }

    /// Whether browsers may be told to keep a cookie for encrypted connections only.
    pub(super) fn speaks_tls(&self) -> bool {
        self.tls
    }

    /// The name of a token that somebody signs in with.
    ///
    /// # Errors
    /// A token that is not known, too often or not; a server that asks for none.
    pub(super) fn sign_in(&self, token: &str, address: IpAddr) -> Result<String, ApiError> {
        let Some(tokens) = &self.tokens else {
            return Err(ApiError::bad_request("this server asks for no token"));
        };
        self.find(tokens, token, address).map(|token| token.name().to_owned())
    }

    /// The token of a secret; wrong ones may be shown so often and no more.
    fn find<'a>(&self, tokens: &'a Tokens, given: &str, address: IpAddr) -> Result<&'a Token, ApiError> {
        if let Some(token) = tokens.find(given) {
            return Ok(token);
        }
        self.failures.check_key(&address).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            ApiError::busy("rate_limited", "too many wrong tokens from this address", wait.as_secs() + 1)
        })?;
        Err(ApiError::new(StatusCode::UNAUTHORIZED, "token_wrong", "the token is not known here"))
    }

    /// Forgets clients that have not asked for long, so that memory does not grow with their number.
    pub(super) fn forget_idle(&self) {
        self.failures.retain_recent();
        if let Some(rate) = &self.rate {
            rate.retain_recent();
        }
    }
}

const TWO: NonZeroU32 = NonZeroU32::new(2).expect("not zero");

/// The token of a request: a bearer's, or that of a browser's cookie.
fn presented(headers: &HeaderMap) -> Option<&str> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| token.trim());
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_known_to_only_read_asks_for_the_highest_scope() {
        assert_eq!(scope(&Method::GET, "/healthz"), None);
        assert_eq!(scope(&Method::GET, "/static/page.css"), None);
        assert_eq!(scope(&Method::POST, "/static/page.css"), Some(Scope::Promote));
        assert_eq!(scope(&Method::POST, "/v1/predict"), Some(Scope::Predict));
        assert_eq!(scope(&Method::GET, "/v1/models"), Some(Scope::Read));
        assert_eq!(scope(&Method::DELETE, "/anything"), Some(Scope::Promote));
    }

    #[test]
    fn a_token_comes_as_bearer_or_cookie() {
        let headers = |name, value: &str| HeaderMap::from_iter([(name, value.parse().expect("a header"))]);
        assert_eq!(presented(&headers(header::AUTHORIZATION, "bearer abc ")), Some("abc"));
        assert_eq!(presented(&headers(header::AUTHORIZATION, "Basic abc")), None);
        assert_eq!(presented(&headers(header::COOKIE, "a=b; host_trainer_token=xyz; c=d")), Some("xyz"));
        assert_eq!(presented(&headers(header::COOKIE, "token=xyz")), None);
    }
}
