//! Which of several formats a client prefers, by its `Accept` headers (RFC 9110, section 12.5.1).

use axum::http::{HeaderMap, header};

/// A format that a response can have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer<T> {
    /// The format.
    pub(crate) format: T,
    /// Type and subtype, in lower case.
    pub(crate) media: (&'static str, &'static str),
    /// Its version, for a media type that has versions. A range of another version does not mean this format.
    pub(crate) version: Option<&'static str>,
}

/// How well a range of the header fits an offer: `*/*`, `type/*`, the type, the type with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Any,
    Type,
    Media,
    Version,
}

/// The offer that a client prefers: the one with the highest weight; of several the one that the client names, not a wildcard,
/// and then the one that stands first among the offers. Without the header, the first offer. `None` where none is acceptable.
pub(crate) fn preferred<T: Copy>(headers: &HeaderMap, offers: &[Offer<T>]) -> Option<T> {
    let accept: Vec<String> = headers
        .get_all(header::ACCEPT)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase())
        .collect();
    let ranges: Vec<Range<'_>> = accept.iter().flat_map(|value| value.split(',')).filter_map(Range::parse).collect();
    if accept.iter().all(|value| value.trim().is_empty()) {
        return offers.first().map(|offer| offer.format);
    }
    let mut best: Option<(f32, bool, T)> = None;
    for offer in offers {
        // The range that says most decides, whatever stands in others.
        let decides =
            ranges.iter().filter_map(|range| Some((range.fit(offer)?, range.weight))).max_by_key(|(fit, _)| *fit);
        let Some((fit, weight)) = decides.filter(|(_, weight)| *weight > 0.0) else { continue };
        let named = fit >= Fit::Media;
        if best.is_none_or(|(known, by_name, _)| weight > known || (weight == known && named && !by_name)) {
            best = Some((weight, named, offer.format));
        }
    }
    best.map(|(_, _, format)| format)
}

/// A range of the header.
#[derive(Debug)]
struct Range<'a> {
    media: (&'a str, &'a str),
    version: Option<&'a str>,
    weight: f32,
}

impl<'a> Range<'a> {
    /// Reads a range in lower case; `None` for what is not one. Parameters other than `version` and `q` do not matter: the formats
    /// have no others that a client could do without.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next()?.split_once('/')?;
        let mut range = Self { media, version: None, weight: 1.0 };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match name.trim() {
                "q" => range.weight = value.parse().ok().filter(|q| (0.0..=1.0).contains(q))?,
                "version" => range.version = Some(value),
                _ => {}
            }
        }
        Some(range)
    }

    fn fit<T>(&self, offer: &Offer<T>) -> Option<Fit> {
        let (main, sub) = offer.media;
        match (self.media, self.version) {
            (("*", "*"), None) => Some(Fit::Any),
            ((of, "*"), None) if of == main => Some(Fit::Type),
            (media, None) if media == (main, sub) => Some(Fit::Media),
            (media, version) if media == (main, sub) && version == offer.version => Some(Fit::Version),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OFFERS: [Offer<char>; 2] = [
        Offer { format: 't', media: ("text", "plain"), version: Some("0.0.4") },
        Offer { format: 'o', media: ("application", "openmetrics-text"), version: Some("1.0.0") },
    ];

    fn of(accept: &[&str]) -> Option<char> {
        let headers = accept.iter().map(|value| (header::ACCEPT, value.parse().expect("a header")));
        preferred(&headers.collect(), &OFFERS)
    }

    #[test]
    fn the_preferred_format_is_taken() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                            text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                            application/openmetrics-text;version=0.0.1;q=0.4,\
                            text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (accept, expected) in [
            (&[][..], Some('t')),
            (&[""], Some('t')),
            (&["*/*"], Some('t')),
            (&["text/plain"], Some('t')),
            (&["text/plain;version=0.0.4"], Some('t')),
            (&["Text/Plain; Version=\"0.0.4\"; charset=utf-8"], Some('t')),
            (&["text/*"], Some('t')),
            (&["text/plain;version=1.0.0"], None),
            (&["application/openmetrics-text"], Some('o')),
            (&["application/openmetrics-text; version=1.0.0"], Some('o')),
            (&["application/openmetrics-text;version=0.0.1"], None),
            (&["application/openmetrics-text;version=0.0.1,text/plain;q=0.1"], Some('t')),
            (&["application/*"], Some('o')),
            (&["*/*, application/openmetrics-text"], Some('o')),
            (&["application/openmetrics-text;q=0.2, text/plain;q=0.3"], Some('t')),
            (&["application/openmetrics-text;q=0.3, text/plain;q=0.2"], Some('o')),
            (&["text/plain;q=0.2", "application/openmetrics-text;q=0.3"], Some('o')),
            (&["text/plain, application/openmetrics-text"], Some('t')),
            (&["text/plain;q=0, */*"], Some('o')),
            (&["text/plain;q=0, application/openmetrics-text;q=0, */*"], None),
            (&["text/plain;q=2, application/openmetrics-text;q=0.1"], Some('o')),
            (&["image/png"], None),
            (&["nonsense"], None),
            (&[browser], Some('t')),
            (&[prometheus_2], Some('o')),
            (&[prometheus_3], Some('o')),
        ] {
            assert_eq!(of(accept), expected, "{accept:?}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(value) = axum::http::HeaderValue::from_bytes(&bytes) {
                let _ = preferred(&HeaderMap::from_iter([(header::ACCEPT, value)]), &OFFERS);
            }
        }
    }
}
