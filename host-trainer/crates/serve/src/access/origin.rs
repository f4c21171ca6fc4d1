//! Protection against requests that a browser sends for a page of another site.

use crate::error::ApiError;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use shared::failure::printable;

/// The host a request is addressed to, without its port, in lower case.
fn host_name(authority: &str) -> String {
    let name = match authority.rfind(']') {
        Some(end) => &authority[..=end],
        None => authority.split(':').next().unwrap_or_default(),
    };
    name.to_ascii_lowercase()
}

fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let named = || headers.get(header::HOST).and_then(|value| value.to_str().ok());
    uri.authority().map(|authority| authority.as_str()).or_else(named)
}

/// Refuses a request that is addressed to a foreign host name: a page may make its own name resolve to this machine (DNS
/// rebinding).
pub(super) fn check_host(uri: &Uri, headers: &HeaderMap, hosts: &[String]) -> Result<(), ApiError> {
    let Some(authority) = authority(uri, headers) else {
        return Err(ApiError::bad_request("the request names no host"));
    };
    let name = host_name(authority);
    if hosts.contains(&name) {
        return Ok(());
    }
    let message = format!("this server does not answer for the host `{}`", printable(&name));
    Err(ApiError::new(StatusCode::FORBIDDEN, "host_refused", message)
        .help("ask for localhost, or start the server with --allow-host NAME"))
}

/// Refuses a request that a page of another site sends. Such a page can make a browser send a request, though it cannot read
/// the response. Clients other than browsers send neither header.
pub(super) fn check_site(headers: &HeaderMap) -> Result<(), ApiError> {
    let refused = || {
        ApiError::new(StatusCode::FORBIDDEN, "cross_site", "the request comes from a page of another site")
            .help("use the page that this server serves")
    };
    // A browser says so itself, and no page can change what it says.
    if let Some(site) = headers.get("sec-fetch-site") {
        return if matches!(site.as_bytes(), b"same-origin" | b"none") { Ok(()) } else { Err(refused()) };
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().map_err(|_| refused())?;
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match origin.split_once("://") {
        Some(("http" | "https", from)) if from.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn only_our_own_names_are_answered() {
        let hosts = ["localhost".to_owned(), "[::1]".to_owned()];
        let asked = |host| check_host(&Uri::from_static("/"), &headers(&[("host", host)]), &hosts).is_ok();
        assert!(asked("localhost:8080") && asked("LOCALHOST") && asked("[::1]:8080") && asked("[::1]"));
        assert!(!asked("evil.example:8080") && !asked("localhost.evil.example") && !asked(""));
        assert!(check_host(&Uri::from_static("/"), &HeaderMap::new(), &hosts).is_err());
    }

    #[test]
    fn pages_of_other_sites_are_refused_and_scripts_are_not() {
        let host = ("host", "localhost:8080");
        assert!(check_site(&headers(&[host])).is_ok());
        assert!(check_site(&headers(&[host, ("origin", "http://localhost:8080")])).is_ok());
        assert!(check_site(&headers(&[host, ("sec-fetch-site", "same-origin")])).is_ok());
        for other in [("origin", "http://evil.example"), ("origin", "null"), ("origin", "http://localhost:9")] {
            assert!(check_site(&headers(&[host, other])).is_err(), "{other:?}");
        }
        assert!(check_site(&headers(&[host, ("sec-fetch-site", "cross-site")])).is_err());
        assert!(check_site(&headers(&[host, ("sec-fetch-site", "same-site")])).is_err());
    }
}
