//! Routes, each registered together with the access that it requires.
//!
//! There is no way to add a route without naming its access, so a new route cannot become public by accident. The API's
//! routes also carry their description: router and OpenAPI document come from the same registration.

use super::access::RouteAccess;
use super::access::Scope;
use super::app::App;
use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodRouter, get, post};
use std::collections::HashMap;
use std::sync::Arc;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{
    ContentBuilder, OpenApi, Ref, Response as OpenApiResponse, ResponseBuilder, SecurityRequirement,
};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

/// The name of the security scheme in the document.
pub(crate) const TOKEN_SCHEME: &str = "token";

/// Routes with their access and the document that describes them.
pub(crate) struct Routes {
    router: OpenApiRouter<Arc<App>>,
    access: AccessTable,
}

impl Routes {
    /// No routes yet; `document` is the part of the document that belongs to no route.
    pub(crate) fn new(document: OpenApi) -> Self {
        Self { router: OpenApiRouter::with_openapi(document), access: AccessTable::default() }
    }

    /// Adds a route of the API, as `utoipa_axum::routes!` collects it. The document states its access.
    pub(crate) fn api(mut self, access: impl Into<RouteAccess>, route: UtoipaMethodRouter<Arc<App>>) -> Self {
        let access = access.into();
        let (schemas, mut paths, handlers) = route;
        for (path, item) in &mut paths.paths {
            for (method, operation) in operations(item) {
                operation.security = Some(requirement(access));
                operation.responses.responses.entry("default".to_owned()).or_insert_with(|| any_error().into());
                self.access.insert(path, method, access);
            }
        }
        self.router = self.router.routes((schemas, paths, handlers));
        self
    }

    /// Adds a page that browsers get. It is not part of the document.
    pub(crate) fn get<H: Handler<T, Arc<App>>, T: 'static>(
        self,
        access: impl Into<RouteAccess>,
        path: &str,
        handler: H,
    ) -> Self {
        self.page(access.into(), Method::GET, path, get(handler))
    }

    /// Adds a form that browsers send. It is not part of the document.
    pub(crate) fn post<H: Handler<T, Arc<App>>, T: 'static>(
        self,
        access: impl Into<RouteAccess>,
        path: &str,
        handler: H,
    ) -> Self {
        self.page(access.into(), Method::POST, path, post(handler))
    }

    fn page(mut self, access: RouteAccess, method: Method, path: &str, handlers: MethodRouter<Arc<App>>) -> Self {
        self.access.insert(path, method, access);
        self.router = self.router.route(path, handlers);
        self
    }

    /// The document of the routes so far.
    pub(crate) fn document(&self) -> &OpenApi {
        self.router.get_openapi()
    }

    /// The router, and the access that each of its routes requires.
    pub(crate) fn finish(self) -> (Router<Arc<App>>, AccessTable) {
        (self.router.split_for_parts().0, self.access)
    }
}

/// The operations of a path with their methods.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let methods = [
        (Method::GET, &mut item.get),
        (Method::PUT, &mut item.put),
        (Method::POST, &mut item.post),
        (Method::DELETE, &mut item.delete),
        (Method::OPTIONS, &mut item.options),
        (Method::HEAD, &mut item.head),
        (Method::PATCH, &mut item.patch),
        (Method::TRACE, &mut item.trace),
    ];
    methods.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// The access of a route as the document states it. No requirement means that the route is public.
fn requirement(access: RouteAccess) -> Vec<SecurityRequirement> {
    match access {
        RouteAccess::Public => Vec::new(),
        RouteAccess::Scoped(scope) => vec![SecurityRequirement::new(TOKEN_SCHEME, [scope.name()])],
    }
}

/// What every route may answer besides its own responses: the gate around all of them refuses and times out.
fn any_error() -> OpenApiResponse {
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorBody"))).build();
    ResponseBuilder::new().description("Any other error").content("application/json", body).build()
}

/// The access that each route requires, by path template and method.
#[derive(Debug, Default)]
pub(crate) struct AccessTable {
    paths: HashMap<String, Vec<(Method, RouteAccess)>>,
}

impl AccessTable {
    fn insert(&mut self, path: &str, method: Method, access: RouteAccess) {
        self.paths.entry(path.to_owned()).or_default().push((method, access));
    }

    /// The access that a request requires. `path` is the template of the route, `None` where no route has the request's path.
    ///
    /// A method that the path does not answer takes the access of the path's first route: the request ends in 405. A path
    /// without a route takes `read`, or `promote` for methods that change something: the request ends in 404.
    pub(crate) fn get(&self, path: Option<&str>, method: &Method) -> RouteAccess {
        let reads = method == Method::GET || method == Method::HEAD;
        let Some(routes) = path.and_then(|path| self.paths.get(path)) else {
            return if reads { Scope::Read } else { Scope::Promote }.into();
        };
        let by_method = |wanted: &Method| routes.iter().find(|(method, _)| method == wanted);
        let route = if reads { by_method(&Method::GET) } else { by_method(method) };
        route.or(routes.first()).map_or(Scope::Promote.into(), |(_, access)| *access)
    }

    /// Every route: its path template, its method, its access.
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Method, RouteAccess)> {
        self.paths
            .iter()
            .flat_map(|(path, routes)| routes.iter().map(move |(method, access)| (path.as_str(), method, *access)))
    }
}
