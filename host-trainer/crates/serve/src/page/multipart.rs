//! Reading a form with files, within limits.

use crate::app::App;
use crate::error::ApiError;
use axum::extract::Multipart;
use axum::extract::multipart::{Field, MultipartError};
use simulate::architectures::{Options, engine_info};

/// The most files of one upload.
const FILES: usize = 16;
/// The most bytes of a field other than a file.
const VALUE: usize = 4096;

/// An upload.
#[derive(Debug, Default)]
pub(super) struct Upload {
    /// Names and contents.
    pub(super) files: Vec<(String, Vec<u8>)>,
    /// The device to predict for.
    pub(super) device: Option<String>,
    /// The engine to compare the first file with.
    pub(super) against: Option<String>,
}

/// Reads an upload.
///
/// # Errors
/// A malformed form, or one that exceeds a limit.
pub(super) async fn read(app: &App, mut multipart: Multipart) -> Result<Upload, ApiError> {
    let mut upload = Upload::default();
    let mut left = app.limits.body_bytes;
    while let Some(mut field) = multipart.next_field().await.map_err(|e| broken(&e))? {
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "file" => {
                let title = field.file_name().unwrap_or_default().to_owned();
                let content = bytes(&mut field, &mut left, app.limits.body_bytes).await?;
                // A form whose file was not chosen sends an empty one.
                if !content.is_empty() || !title.is_empty() {
                    upload.files.push((title, content));
                }
            }
            "text" => {
                let content = bytes(&mut field, &mut left, app.limits.body_bytes).await?;
                if !content.trim_ascii().is_empty() {
                    upload.files.push(("pasted engine".to_owned(), content));
                }
            }
            "sample" => {
                let network = value(&mut field).await?;
                let info = engine_info(&network, Options::default())
                    .ok_or_else(|| ApiError::bad_request("there is no such sample"))?;
                upload.files.push((network, info.into_bytes()));
            }
            "device" => upload.device = Some(value(&mut field).await?).filter(|device| !device.is_empty()),
            "against" => upload.against = Some(value(&mut field).await?).filter(|id| !id.is_empty()),
            _ => drop(value(&mut field).await?),
        }
        if upload.files.len() > FILES {
            return Err(ApiError::too_large(format!("there are more than the {FILES} files that one upload may hold")));
        }
    }
    Ok(upload)
}

async fn bytes(field: &mut Field<'_>, left: &mut usize, limit: usize) -> Result<Vec<u8>, ApiError> {
    let mut content = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|e| broken(&e))? {
        *left = left.checked_sub(chunk.len()).ok_or_else(|| too_large(limit))?;
        content.extend_from_slice(&chunk);
    }
    Ok(content)
}

async fn value(field: &mut Field<'_>) -> Result<String, ApiError> {
    let content = bytes(field, &mut { VALUE }, VALUE).await?;
    String::from_utf8(content).map_err(|_| ApiError::bad_request("a field of the form is no text"))
}

fn too_large(limit: usize) -> ApiError {
    ApiError::too_large(format!("the upload is larger than the {limit} bytes that are read"))
        .help("send the engine info alone; start the server with a larger --max-body for larger ones")
}

fn broken(error: &MultipartError) -> ApiError {
    if error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
        return ApiError::too_large("the upload is larger than what is read");
    }
    ApiError::bad_request("the upload broke off, or is no form").help("send it again")
}
