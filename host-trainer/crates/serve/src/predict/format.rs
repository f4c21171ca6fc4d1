//! The format of a response: JSON or CSV, by the `Accept` header.

use crate::error::ApiError;
use axum::http::{HeaderMap, StatusCode, header};

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
        let Some(accept) = headers.get(header::ACCEPT) else { return Ok(Self::Json) };
        let accept = accept.to_str().unwrap_or_default();
        let mut best: Option<(f32, Self)> = None;
        for part in accept.split(',') {
            let mut pieces = part.split(';').map(str::trim);
            let format = match pieces.next().unwrap_or_default() {
                "application/json" | "application/*" | "*/*" => Self::Json,
                "text/csv" | "text/*" => Self::Csv,
                _ => continue,
            };
            let weight = pieces.find_map(|p| p.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok());
            let weight = weight.filter(|w: &f32| *w > 0.0 && *w <= 1.0);
            if let Some(weight) = weight
                && best.is_none_or(|(known, _)| weight > known)
            {
                best = Some((weight, format));
            }
        }
        best.map(|(_, format)| format).ok_or_else(|| {
            ApiError::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "answers are JSON or CSV")
                .help("send `Accept: application/json` or `Accept: text/csv`")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(of("image/png"), None);
        assert_eq!(ResponseFormat::accepted(&HeaderMap::new()).ok(), Some(ResponseFormat::Json));
    }
}
