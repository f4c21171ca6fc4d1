//! Fields of forms as values.

use crate::error::ApiError;
use axum::extract::Multipart;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
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

/// The text in a field without the spaces around it. `None` where nothing is left.
pub(super) fn word(value: &str) -> Option<String> {
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// The name and the text of a grid that was sent.
///
/// # Errors
/// 400 where nothing was sent.
pub(super) fn grid(file: String, text: String) -> Result<(String, String), ApiError> {
    if text.trim().is_empty() {
        return Err(
            ApiError::bad_request("nothing was sent").help("choose a grid file, or write one, then press Check")
        );
    }
    Ok((if file.is_empty() { "the grid".to_owned() } else { file }, text))
}

/// A form with a file, by the names of its fields; a field has at most `most` bytes. A file that was chosen becomes the fields `file`,
/// its name, and `text`, its content, in place of what was written there.
///
/// # Errors
/// 400 for what is not such a form, 413 for a field that is too long.
pub(super) async fn read_form<T: DeserializeOwned>(multipart: Multipart, most: usize) -> Result<T, ApiError> {
    let mut form = Map::new();
    for (name, file, text) in read_fields(multipart, most).await? {
        match name.as_str() {
            "file" if text.trim().is_empty() => {}
            "file" => {
                form.insert(name, file.into());
                form.insert("text".to_owned(), text.into());
            }
            "text" if form.contains_key("text") => {}
            _ => drop(form.insert(name, text.into())),
        }
    }
    serde_json::from_value(Value::Object(form))
        .map_err(|_| ApiError::bad_request("these are not the fields of the form"))
}

/// The fields of a form with a file: name, name of the file, text.
async fn read_fields(mut multipart: Multipart, most: usize) -> Result<Vec<(String, String, String)>, ApiError> {
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
