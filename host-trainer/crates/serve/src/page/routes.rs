//! The page's routes with their scopes.

use super::assets::asset;
use super::batch_handlers::{batch_page, batches_page, begin_batch, check_batch, start_workers, stop_workers};
use super::engine_handlers::{compare_page, engine_page, start_page, upload};
use super::model_handlers::{alias_page, models_page, promote, promote_page, roll_back, rollback_page};
use super::modes_handlers::modes_page;
use super::sign_in::{sign_in, sign_in_page, sign_out};
use super::study_handlers::{begin_study, check_study, start_study, stop_study, studies_page, study_page};
use crate::access::RouteAccess::Public;
use crate::access::Scope::{Predict, Promote, Read};
use crate::routes::Routes;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;

/// Adds the page's routes.
pub(crate) fn routes(routes: Routes) -> Routes {
    const ALIAS: &str = "/models/{device}/{kind}/{target}";
    let (to_promote, to_roll_back) = (format!("{ALIAS}/promote"), format!("{ALIAS}/rollback"));
    routes
        .get(Read, "/", start_page)
        // The handler limits what it reads by itself.
        .post(Predict, "/engines", upload.layer(DefaultBodyLimit::disable()))
        .get(Read, "/engines/{file}", engine_page)
        .get(Read, "/engines/{file}/modes", modes_page)
        .get(Read, "/compare", compare_page)
        .get(Read, "/models", models_page)
        .get(Read, ALIAS, alias_page)
        .get(Read, &to_promote, promote_page)
        .post(Promote, &to_promote, promote)
        .get(Read, &to_roll_back, rollback_page)
        .post(Promote, &to_roll_back, roll_back)
        .get(Read, "/studies", studies_page)
        .post(Promote, "/studies", check_study)
        .post(Promote, "/studies/begin", begin_study)
        .get(Read, "/studies/{name}", study_page)
        .post(Promote, "/studies/{name}/start", start_study)
        .post(Promote, "/studies/{name}/stop", stop_study)
        .get(Read, "/batches", batches_page)
        .post(Promote, "/batches", check_batch)
        .post(Promote, "/batches/begin", begin_batch)
        .get(Read, "/batches/{name}", batch_page)
        .post(Promote, "/batches/{name}/start", start_workers)
        .post(Promote, "/batches/{name}/stop", stop_workers)
        .get(Public, "/login", sign_in_page)
        .post(Public, "/login", sign_in)
        .post(Public, "/logout", sign_out)
        .get(Public, "/static/{file}", asset)
}
