//! The style sheet, the script and the icon, named by the hash of their content so that browsers may cache them.

use crate::error::ApiError;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use std::sync::LazyLock;

/// A file of the page.
#[derive(Debug)]
pub(super) struct Asset {
    /// Its path.
    pub(super) path: String,
    content: String,
    content_type: &'static str,
}

impl Asset {
    fn new(stem: &str, extension: &str, content_type: &'static str, content: String) -> Self {
        let digest = store::Digest::of(content.as_bytes()).to_string();
        Self { path: format!("/static/{stem}.{}.{extension}", &digest[..12]), content, content_type }
    }

    /// The file. Browsers may cache it without limit: other content has another name.
    pub(super) fn response(&'static self) -> Response {
        let headers = [(CONTENT_TYPE, self.content_type), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
        (headers, self.content.as_str()).into_response()
    }
}

/// The style sheet, that of the charts included.
pub(super) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("page", "css", "text/css; charset=utf-8", [charts::STYLE, include_str!("assets/page.css")].concat())
});
/// The script.
pub(super) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("page", "js", "text/javascript; charset=utf-8", include_str!("assets/page.js").to_owned())
});
/// The icon.
pub(super) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("assets/icon.svg").to_owned()));

/// `GET /static/{file}`.
pub(super) async fn asset(Path(file): Path<String>) -> Result<Response, ApiError> {
    let path = format!("/static/{file}");
    let asset = [&STYLE, &SCRIPT, &ICON].into_iter().find(|asset| asset.path == path);
    asset.map(|asset| asset.response()).ok_or_else(|| ApiError::not_found("there is no such file"))
}
