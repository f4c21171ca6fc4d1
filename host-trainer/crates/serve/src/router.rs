//! The whole router: the API, the page, and the middleware around them.

use super::api::{self, ApiDocument};
use super::app::App;
use super::error::ApiError;
use super::gate::{Gate, gate};
use super::page;
use super::routes::Routes;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;

/// Every route. The route that serves the API's document gets that document as a value, so the routes are built twice: once to
/// describe them, once to serve.
fn routes() -> Routes {
    let build = |document: ApiDocument| page::routes(api::routes(document));
    let document = ApiDocument::of(build(ApiDocument::default()).document());
    build(document)
}

/// The router behind the gate.
pub(super) fn router(app: Arc<App>) -> Router {
    let (router, access) = routes().finish();
    let state = Arc::new(Gate { app: Arc::clone(&app), access });
    router
        .fallback(no_such_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(axum::middleware::from_fn_with_state(state, gate))
        .with_state(app)
}

async fn no_such_path() -> ApiError {
    ApiError::not_found("there is nothing at this path").help("GET /v1/openapi.json lists what there is")
}

async fn wrong_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", "this path does not answer that method")
        .help("GET /v1/openapi.json lists what there is")
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    ApiError::internal().into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::RouteAccess::{self, Public, Scoped};
    use crate::access::{Scope, Tokens};
    use crate::settings::{Limits, ModelSource, Settings};
    use axum::body::Body;
    use axum::extract::ConnectInfo;
    use axum::http::{Method, Request, header};
    use futures_util::FutureExt;
    use serde_json::Value;
    use std::collections::{BTreeMap, BTreeSet};
    use std::net::SocketAddr;
    use std::path::Path;
    use std::time::Duration;
    use tower::ServiceExt;

    /// A secret for each scope.
    const SECRETS: [(Scope, &str); 3] = [
        (Scope::Read, "reader-secret-0123456789"),
        (Scope::Predict, "predictor-secret-0123456789"),
        (Scope::Promote, "promoter-secret-0123456789"),
    ];

    fn settings(state: &Path) -> Settings {
        let tokens = SECRETS.map(|(scope, secret)| format!("{0} {0} {secret}", scope.name())).join("\n");
        Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            hosts: Vec::new(),
            models: ModelSource::Folder(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../trained_models")),
            state: state.to_owned(),
            studies: None,
            data: None,
            batches: state.join("batches"),
            poll: Duration::from_secs(3600),
            tokens: Some(Tokens::parse(&tokens).expect("tokens")),
            tls: None,
            workers: 1,
            limits: Limits::default(),
        }
    }

    /// Every route with its access.
    fn table() -> Vec<(String, Method, RouteAccess)> {
        let (_, access) = routes().finish();
        access.iter().map(|(path, method, access)| (path.to_owned(), method.clone(), access)).collect()
    }

    fn document() -> Value {
        serde_json::to_value(routes().document()).expect("JSON")
    }

    /// The operations of the document: path, method, description.
    fn operations(document: &Value) -> Vec<(String, String, Value)> {
        let paths = document["paths"].as_object().expect("paths");
        let of = |(path, item): (&String, &Value)| -> Vec<(String, String, Value)> {
            let methods = item.as_object().expect("methods").iter();
            methods.map(|(method, operation)| (path.clone(), method.clone(), operation.clone())).collect()
        };
        paths.iter().flat_map(of).collect()
    }

    fn page_on_the_server() -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/serve.md");
        std::fs::read_to_string(path).expect("the page on the server")
    }

    /// The route and the scope in a row of the page's tables that has a cell such as `GET /models`.
    fn listed(row: &str) -> Option<(&str, &str)> {
        let mut cells = row.strip_prefix("| ")?.split(" | ").map(|cell| cell.trim_matches('`'));
        let route = cells.find(|cell| cell.starts_with("GET /") || cell.starts_with("POST /"))?;
        Some((route, cells.next()?))
    }

    #[test]
    fn the_page_on_the_server_lists_every_route_with_its_scope() {
        let page = page_on_the_server();
        let mut rows: Vec<(&str, &str)> = page.lines().filter_map(listed).collect();
        rows.sort_unstable();
        let scope = |access| match access {
            Public => "anybody",
            Scoped(scope) => scope.name(),
        };
        let routes: Vec<(String, &str)> =
            table().into_iter().map(|(path, method, access)| (format!("{method} {path}"), scope(access))).collect();
        let mut routes: Vec<(&str, &str)> = routes.iter().map(|(route, scope)| (route.as_str(), *scope)).collect();
        routes.sort_unstable();
        assert_eq!(rows, routes, "docs/serve.md and the router differ");
    }

    #[test]
    fn the_access_of_a_route_is_what_its_effect_calls_for() {
        let public = ["/healthz", "/readyz", "/login", "/logout", "/static/{file}"];
        let predicting = ["/v1/predict", "/v1/rows", "/engines"];
        let routes = table();
        assert!(routes.len() > 30, "{routes:?}");
        for (path, method, access) in routes {
            let expected = match path.as_str() {
                path if public.contains(&path) => Public,
                path if predicting.contains(&path) => Scoped(Scope::Predict),
                _ if method == Method::GET => Scoped(Scope::Read),
                _ => Scoped(Scope::Promote),
            };
            assert_eq!(access, expected, "{method} {path}");
        }
    }

    #[test]
    fn requests_without_a_route_need_a_scope_too() {
        let (_, access) = routes().finish();
        assert_eq!(access.get(None, &Method::GET), Scoped(Scope::Read));
        assert_eq!(access.get(None, &Method::DELETE), Scoped(Scope::Promote));
        assert_eq!(access.get(Some("/v1/studies"), &Method::HEAD), Scoped(Scope::Read));
        assert_eq!(access.get(Some("/v1/promotions"), &Method::POST), Scoped(Scope::Promote));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn every_route_demands_its_scope() {
        let state = tempfile::tempdir().expect("a folder");
        let router = router(App::new(&settings(state.path())).await.expect("models"));
        let status = async |path: &str, method: &Method, secret: Option<&str>| {
            let path = path.replace("{device}/{kind}/{target}", "none/dense/runtime");
            let path = path.replace("{name}", "none").replace("{file}", "none");
            let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
            if let Some(secret) = secret {
                request = request.header(header::AUTHORIZATION, format!("Bearer {secret}"));
            }
            let mut request = request.body(Body::empty()).expect("a request");
            request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))));
            router.clone().oneshot(request).await.expect("a response").status()
        };
        let admitted = |status: StatusCode| !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        for (path, method, access) in table() {
            let stranger = status(&path, &method, None).await;
            match access {
                Public => assert!(admitted(stranger), "{method} {path}: {stranger}"),
                Scoped(_) => assert_eq!(stranger, StatusCode::UNAUTHORIZED, "{method} {path}"),
            }
            for (scope, secret) in SECRETS {
                let status = status(&path, &method, Some(secret)).await;
                if access == Public || access == Scoped(scope) {
                    assert!(admitted(status), "{method} {path} with {}: {status}", scope.name());
                } else {
                    assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path} with {}", scope.name());
                }
            }
        }
    }

    /// An upload through the page takes memory from its first byte on, as a body for the API does.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn uploads_and_bodies_share_one_limit_of_memory() {
        let state = tempfile::tempdir().expect("a folder");
        let limits = Limits { waiting_bytes: 8192, body_bytes: 8192, ..Limits::default() };
        let app = App::new(&Settings { tokens: None, limits, ..settings(state.path()) }).await.expect("models");
        let router = router(Arc::clone(&app));
        let send = |path: &str, body: Body| {
            let mut request = Request::post(path)
                .header(header::HOST, "localhost")
                .header(header::CONTENT_TYPE, "multipart/form-data; boundary=edge")
                .body(body)
                .expect("a request");
            request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))));
            router.clone().oneshot(request)
        };
        let form = "--edge\r\nContent-Disposition: form-data; name=\"sample\"\r\n\r\nlenet\r\n--edge--\r\n";
        let endless = Body::from_stream(futures_util::stream::pending::<Result<&[u8], std::io::Error>>());
        let mut slow = Box::pin(send("/engines", endless));
        assert!(slow.as_mut().now_or_never().is_none(), "the upload waits for its first byte");
        for path in ["/engines", "/v1/predict"] {
            let refused = send(path, Body::from(form)).await.expect("a response").status();
            assert_eq!(refused, StatusCode::TOO_MANY_REQUESTS, "{path}");
        }
        drop(slow);
        assert_eq!(send("/engines", Body::from(form)).await.expect("a response").status(), StatusCode::SEE_OTHER);
    }

    #[test]
    fn the_document_describes_every_route_of_the_api_with_its_scope() {
        let routes: BTreeMap<(String, String), RouteAccess> = table()
            .into_iter()
            .map(|(path, method, access)| ((path, method.as_str().to_lowercase()), access))
            .collect();
        let document = document();
        let described = operations(&document);
        for (path, method, operation) in &described {
            let stated = match routes[&(path.clone(), method.clone())] {
                Public => serde_json::json!([]),
                Scoped(scope) => serde_json::json!([{ "token": [scope.name()] }]),
            };
            assert_eq!(operation["security"], stated, "{method} {path}");
        }
        let of_api = |(path, _): &&(String, String)| {
            path.starts_with("/v1/") || ["/healthz", "/readyz", "/metrics"].contains(&path.as_str())
        };
        let expected: BTreeSet<&(String, String)> = routes.keys().filter(of_api).collect();
        let found: BTreeSet<(String, String)> =
            described.iter().map(|(path, method, _)| (path.clone(), method.clone())).collect();
        assert_eq!(found.iter().collect::<BTreeSet<_>>(), expected);
    }

    /// Programs that were generated from the document call operations by these names: they stay.
    #[test]
    fn every_operation_has_a_stable_id_of_its_own() {
        let document = document();
        let described = operations(&document);
        let ids: BTreeSet<&str> =
            described.iter().filter_map(|(_, _, operation)| operation["operationId"].as_str()).collect();
        assert_eq!(ids.len(), described.len(), "every operation has an id of its own: {ids:?}");
        let plain =
            |id: &&str| id.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && id.starts_with(char::is_alphabetic);
        assert!(ids.iter().all(plain), "{ids:?}");
        let list = page_on_the_server();
        for (path, method, operation) in &described {
            let id = operation["operationId"].as_str().expect("an id");
            let row = format!("| `{id}` | `{} {path}` |", method.to_uppercase());
            assert!(list.contains(&row), "docs/serve.md lacks `{row}`");
        }
    }

    #[test]
    fn every_body_has_a_schema_and_every_reference_a_target() {
        let document = document();
        for (path, method, operation) in operations(&document) {
            let mut bodies: Vec<(&String, &Value)> = Vec::new();
            if let Some(content) = operation["requestBody"]["content"].as_object() {
                bodies.extend(content);
            }
            for (status, response) in operation["responses"].as_object().expect("responses") {
                let content = response["content"].as_object();
                bodies.extend(content.unwrap_or_else(|| panic!("{method} {path}: {status} has no body")));
            }
            for (media_type, body) in bodies {
                let schema = &body["schema"];
                assert!(schema.is_object(), "{method} {path}: {media_type} has no schema");
                let is_text = schema["type"] == "string";
                assert_eq!(is_text, !media_type.ends_with("json") && !media_type.ends_with("event-stream"), "{path}");
            }
        }
        let text = document.to_string();
        for reference in
            text.split("\"$ref\":\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next())
        {
            assert!(document["components"]["schemas"][reference].is_object(), "{reference}");
        }
    }
}
