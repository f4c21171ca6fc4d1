//! The API's routes with their scopes.

use super::openapi::{self, ApiDocument};
use super::{batches, events, models, predict, registry, server, studies};
use crate::access::RouteAccess::Public;
use crate::access::Scope::{Predict, Promote, Read};
use crate::routes::Routes;
use utoipa_axum::router::UtoipaMethodRouterExt;
use utoipa_axum::routes;

/// The API's routes. `document` is what the route for the document answers with.
pub(crate) fn routes(document: ApiDocument) -> Routes {
    Routes::new(openapi::base())
        .api(Predict, routes!(predict::predict))
        .api(Predict, routes!(predict::predict_rows))
        .api(Read, routes!(models::list_models))
        .api(Read, routes!(registry::list_registered_models))
        .api(Read, routes!(registry::list_promotions))
        .api(Promote, routes!(registry::promote_model))
        .api(Promote, routes!(registry::rollback_model))
        .api(Read, routes!(studies::list_studies))
        .api(Promote, routes!(studies::begin_study))
        .api(Read, routes!(studies::get_study))
        .api(Promote, routes!(studies::start_study))
        .api(Promote, routes!(studies::stop_study))
        .api(Read, routes!(studies::follow_study))
        .api(Read, routes!(batches::list_batches))
        .api(Promote, routes!(batches::begin_batch))
        .api(Read, routes!(batches::get_batch))
        .api(Read, routes!(batches::list_results))
        .api(Promote, routes!(batches::start_workers))
        .api(Promote, routes!(batches::stop_workers))
        .api(Read, routes!(batches::follow_batch))
        .api(Read, routes!(events::follow_events))
        .api(Read, routes!(openapi::get_document).layer(axum::Extension(document)))
        .api(Public, routes!(server::get_health))
        .api(Public, routes!(server::get_readiness))
        .api(Read, routes!(server::get_metrics))
}
