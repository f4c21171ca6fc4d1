//! Fields of forms as values.

use crate::error::ApiError;
use axum::extract::Multipart;
use std::str::FromStr;

/// The choice of a field by its name. `None` where the field is empty.
pub(super) fn chosen<T: Copy>(
    what: &str,
    value: &str,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<Option<T>, ApiError> {
    if value.is_empty() {
        return Ok(None);
    }
    let known = all.iter().copied().find(|one| name(*one) == value);
    known.map(Some).ok_or_else(|| ApiError::bad_request(format!("there is no such {what}")))
}

/// The number in a field. `None` where the field is empty.
pub(super) fn number<T: FromStr>(what: &str, value: &str) -> Result<Option<T>, ApiError> {
    match value.trim() {
        "" => Ok(None),
        value => value.parse().map(Some).map_err(|_| ApiError::bad_request(format!("the {what} is no such number"))),
    }
}

/// The fields of a form with a file: name, name of the file, text. A field has at most `most` bytes.
pub(super) async fn read_fields(
    mut multipart: Multipart,
    most: usize,
) -> Result<Vec<(String, String, String)>, ApiError> {
    let broken = |_| ApiError::bad_request("the upload broke off, or is no form");
    let mut fields = Vec::new();
    while let Some(mut field) = multipart.next_field().await.map_err(broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        let file = field.file_name().unwrap_or_default().to_owned();
        let mut content = Vec::new();
        while let Some(chunk) = field.chunk().await.map_err(broken)? {
            if content.len() + chunk.len() > most {
                return Err(ApiError::too_large(format!("a grid has at most {most} bytes")));
            }
            content.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(content).map_err(|_| ApiError::bad_request("the file is no text"))?;
        fields.push((name, file, text));
    }
    Ok(fields)
}
