//! The handlers of the pages about batches.

use super::frame::frame;
use super::layout::{Tab, page};
use super::{batch_view, batches_view};
use crate::access::Client;
use crate::app::App;
use crate::error::ApiError;
use axum::extract::{Extension, Path, State};
use maud::Markup;
use std::sync::Arc;

/// `GET /batches`.
pub(super) async fn batches_page(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
) -> Result<Markup, ApiError> {
    let main = batches_view::render(&app.batches.list().await?);
    Ok(page(&frame(&app, &client), Tab::Batches, "Batches", &main))
}

/// `GET /batches/{name}`.
pub(super) async fn batch_page(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Path(name): Path<String>,
) -> Result<Markup, ApiError> {
    let told = app.batches.one(&name).await?;
    let main = batch_view::render(&told.batch, &told.status, &told.unfinished);
    Ok(page(&frame(&app, &client), Tab::Batches, &name, &main))
}
