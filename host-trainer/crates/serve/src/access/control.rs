//! The checks on every request: host, origin, token, scope, rate.

use super::client::Client;
use super::origin;
use super::scope::RouteAccess;
use super::tokens::{Token, Tokens};
use crate::error::ApiError;
use crate::settings::Settings;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;

/// Wrong tokens that one address may present in a minute before it has to wait.
const FAILED_TOKENS: NonZeroU32 = NonZeroU32::new(20).expect("not zero");
/// The cookie that carries a browser's token.
pub(crate) const COOKIE: &str = "host_trainer_token";

/// The checks on every request before a handler runs: host, origin, token, scope, rate.
#[derive(Debug)]
pub(crate) struct AccessControl {
    tokens: Option<Tokens>,
    /// Host names that requests may be addressed to. `None` allows any.
    hosts: Option<Vec<String>>,
    rate: Option<DefaultKeyedRateLimiter<String>>,
    failures: DefaultKeyedRateLimiter<IpAddr>,
    tls: bool,
}

impl AccessControl {
    pub(crate) fn new(settings: &Settings) -> Self {
        // On loopback, a page of another site may resolve its own name to this machine (DNS rebinding), so only our own
        // names are answered. Elsewhere tokens keep such a page out.
        let local = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        let hosts = (settings.listen.ip().is_loopback() || !settings.hosts.is_empty())
            .then(|| local.into_iter().chain(settings.hosts.iter().map(|host| host.to_lowercase())).collect());
        let per_second = settings.limits.requests_per_second.and_then(NonZeroU32::new);
        Self {
            tokens: settings.tokens.clone(),
            hosts,
            // Bursts of twice the rate pass, because a page loads several files at once.
            rate: per_second.map(|n| RateLimiter::keyed(Quota::per_second(n).allow_burst(n.saturating_mul(TWO)))),
            failures: RateLimiter::keyed(Quota::per_minute(FAILED_TOKENS)),
            tls: settings.tls.is_some(),
        }
    }

    /// Checks a request for a route that requires `access`.
    ///
    /// # Errors
    /// 403 for a foreign host or site, 401 for a missing or unknown token, 403 for a missing scope, 429 for too many requests.
    pub(crate) fn check(
        &self,
        access: RouteAccess,
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
        let client = self.client(access, headers, peer.ip())?;
        if let Some(rate) = &self.rate {
            let key = if self.tokens.is_some() { client.name.clone() } else { client.address.to_string() };
            rate.check_key(&key).map_err(|until| {
                let wait = until.wait_time_from(DefaultClock::default().now());
                ApiError::busy("rate_limited", "too many requests from this client", wait.as_secs() + 1)
            })?;
        }
        Ok(client)
    }

    fn client(&self, access: RouteAccess, headers: &HeaderMap, address: IpAddr) -> Result<Client, ApiError> {
        let named = |name: &str| Client { name: name.to_owned(), address };
        let Some(tokens) = &self.tokens else { return Ok(named("local")) };
        let RouteAccess::Scoped(required) = access else { return Ok(named("anybody")) };
        let Some(given) = presented(headers) else {
            return Err(ApiError::new(StatusCode::UNAUTHORIZED, "token_missing", "this server asks for a token")
                .help("send the header `Authorization: Bearer TOKEN`"));
        };
        let token = self.find(tokens, given, address)?;
        if !token.allows(required) {
            let message = format!("the token `{}` lacks the scope `{}`", token.name(), required.name());
            return Err(ApiError::new(StatusCode::FORBIDDEN, "scope_missing", message));
        }
        Ok(named(token.name()))
    }

    /// Whether browsers may be told to keep a cookie for encrypted connections only.
    pub(crate) fn speaks_tls(&self) -> bool {
        self.tls
    }

    /// The name of the token that a browser signs in with.
    ///
    /// # Errors
    /// 401 for an unknown token, 429 after too many of them, 400 for a server without tokens.
    pub(crate) fn sign_in(&self, token: &str, address: IpAddr) -> Result<String, ApiError> {
        let Some(tokens) = &self.tokens else {
            return Err(ApiError::bad_request("this server asks for no token"));
        };
        self.find(tokens, token, address).map(|token| token.name().to_owned())
    }

    /// The token of a secret. After too many wrong secrets an address has to wait.
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

    /// Drops the counters of idle clients, so that memory does not grow with their number.
    pub(crate) fn forget_idle(&self) {
        self.failures.retain_recent();
        if let Some(rate) = &self.rate {
            rate.retain_recent();
        }
    }
}

const TWO: NonZeroU32 = NonZeroU32::new(2).expect("not zero");

/// The secret that a request presents: a bearer token or a browser's cookie.
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
    fn a_token_comes_as_bearer_or_cookie() {
        let headers = |name, value: &str| HeaderMap::from_iter([(name, value.parse().expect("a header"))]);
        assert_eq!(presented(&headers(header::AUTHORIZATION, "bearer abc ")), Some("abc"));
        assert_eq!(presented(&headers(header::AUTHORIZATION, "Basic abc")), None);
        assert_eq!(presented(&headers(header::COOKIE, "a=b; host_trainer_token=xyz; c=d")), Some("xyz"));
        assert_eq!(presented(&headers(header::COOKIE, "token=xyz")), None);
    }
}
