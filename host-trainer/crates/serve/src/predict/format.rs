//! The format of a response: JSON or CSV, by the `Accept` header.

use crate::accept::{Offer, preferred};
use crate::error::ApiError;
use axum::http::{HeaderMap, StatusCode};

/// The format of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseFormat {
    Json,
    Csv,
}

impl ResponseFormat {
    /// The format that the `Accept` header prefers.
    ///
    /// # Errors
    /// A header that accepts neither.
    pub(crate) fn accepted(headers: &HeaderMap) -> Result<Self, ApiError> {
        let offers = [
            Offer { format: Self::Json, media: ("application", "json"), version: None },
            Offer { format: Self::Csv, media: ("text", "csv"), version: None },
        ];
        preferred(headers, &offers).ok_or_else(|| {
            ApiError::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "answers are JSON or CSV")
                .help("send `Accept: application/json` or `Accept: text/csv`")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header;

    #[test]
    fn the_preferred_format_is_taken() {
        let of = |accept: &str| {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().expect("a header"))]);
            ResponseFormat::accepted(&headers).ok()
        };
        assert_eq!(of("text/csv"), Some(ResponseFormat::Csv));
        assert_eq!(of("text/html, */*;q=0.1"), Some(ResponseFormat::Json));
        assert_eq!(of("application/json;q=0.5, text/csv;q=0.9"), Some(ResponseFormat::Csv));
        assert_eq!(of("text/csv;q=0, application/json"), Some(ResponseFormat::Json));
        assert_eq!(of("Text/CSV; Q=0.5"), Some(ResponseFormat::Csv));
        assert_eq!(of("application/json;q=0, */*"), Some(ResponseFormat::Csv));
        assert_eq!(of("image/png"), None);
        assert_eq!(ResponseFormat::accepted(&HeaderMap::new()).ok(), Some(ResponseFormat::Json));
    }
}
