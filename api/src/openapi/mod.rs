//! The OpenAPI document and the page that shows it. Public: both hold no data.
//!
//! The parts common to all routes (the key, the tenant header, error answers) are added here once, so that no handler's
//! description can forget them.

mod complete;
pub(crate) mod words;

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use keyway_domain::RequestId;
use utoipa::{
    OpenApi, PartialSchema, ToSchema,
    openapi::{
        self, ComponentsBuilder, InfoBuilder, OpenApiBuilder, Ref, RefOr,
        schema::ArrayItems,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_swagger_ui::Config;
use warp::{Filter, Rejection, Reply, path::FullPath, reply};

use crate::{
    app::App,
    code::Code,
    cookie,
    error::{self, ErrorBody},
    routes::Paths,
};

const DOCUMENT_PATH: &str = "/api/openapi.json";
/// Name of the scheme for everything that is sent as `Authorization: Bearer`: the admin key, a session or a service token.
const SCHEME: &str = "admin_key";
const COOKIE_SCHEME: &str = "session_cookie";

/// The document of every route of the management API.
#[must_use]
pub fn document() -> openapi::OpenApi {
    let mut document = OpenApiBuilder::from(Paths::openapi())
        .info(
            InfoBuilder::new()
                .title("Keyway")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(description()))
                .build(),
        )
        .build();
    let components = document.components.take().unwrap_or_default();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let components = ComponentsBuilder::from(components)
        .schema(ErrorBody::name(), ErrorBody::schema())
        .schemas_from_iter(referenced())
        .schemas_from_iter(words::all())
        .security_scheme(SCHEME, bearer)
        .security_scheme(COOKIE_SCHEME, SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(cookie::SECURE))))
        .build();
    document.components = Some(components);
    name_items(&mut document);
    let of = |scheme: &str| SecurityRequirement::new(scheme, Vec::<String>::new());
    document.security = Some(vec![of(SCHEME), of(COOKIE_SCHEME)]);
    document.paths.paths.iter_mut().for_each(|(path, item)| complete::item(path, item));
    document
}

/// Makes each list refer to the schema of its items: utoipa inlines a generic's parts, so generated clients would get a
/// separate type for the same item in every list.
fn name_items(document: &mut openapi::OpenApi) {
    let Some(components) = document.components.as_mut() else { return };
    for (name, schema) in &mut components.schemas {
        if let Some(item) = name.strip_prefix("List_")
            && let RefOr::T(openapi::Schema::Object(list)) = schema
            && let Some(RefOr::T(openapi::Schema::Array(items))) = list.properties.get_mut("items")
        {
            items.items = ArrayItems::RefOrSchema(Box::new(Ref::from_schema_name(item).into()));
        }
    }
}

/// Serves `/api/openapi.json` and `/api/docs`. Compares the whole path: warp's own segment filters log path segments.
pub(crate) fn routes(
    app: Arc<App>,
) -> impl Filter<Extract = (reply::Response,), Error = Rejection> + Clone + Send + Sync {
    let config = Arc::new(Config::from(DOCUMENT_PATH));
    let document = Arc::new(LazyLock::new(move || json(&app)));
    let found = warp::path::full().and_then(move |path: FullPath| {
        let response = match path.as_str() {
            DOCUMENT_PATH => Some(with_type("application/json", Bytes::clone(&document))),
            // The page's own links are relative to the directory.
            "/api/docs" => Some(moved("/api/docs/")),
            path => path.strip_prefix("/api/docs/").and_then(|file| page(file, Arc::clone(&config))),
        };
        async move { response.map(Reply::into_response).ok_or_else(warp::reject::not_found) }
    });
    found.and(warp::get())
}

fn description() -> String {
    let codes: Vec<_> =
        Code::ALL.iter().map(|code| format!("`{}` ({})", code.text(), code.status().as_u16())).collect();
    format!(
        "Keeps a team's provider keys: sealed, verified, metered, and usable without ever being seen.\n\n\
         Every error has one shape; its codes are: {}.",
        codes.join(", ")
    )
}

/// Returns the schemas that [`ErrorBody`] refers to.
fn referenced() -> Vec<(String, RefOr<openapi::Schema>)> {
    let mut schemas = Vec::new();
    ErrorBody::schemas(&mut schemas);
    schemas
}

/// Writes the document down, with the routes of the proxy that is served beside the API.
fn json(app: &App) -> Bytes {
    let mut document = document();
    if let Some(proxy) = &app.proxy {
        proxy.describe(&mut document);
    }
    serde_json::to_vec(&document).unwrap_or_default().into()
}

fn page(file: &str, config: Arc<Config<'static>>) -> Option<Response<Bytes>> {
    let file = utoipa_swagger_ui::serve(file, config).ok()??;
    let mut response = with_type(&file.content_type, Bytes::from(file.bytes.into_owned()));
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
    if file.gzpipped {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Some(response)
}

/// Policy of the page: its own files, and styles that its script writes into it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
     form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
);

fn moved(to: &'static str) -> Response<Bytes> {
    let mut response = with_type("text/plain", Bytes::new());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(to));
    response
}

fn with_type(content_type: &str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    if let Ok(value) = HeaderValue::try_from(content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    error::stamp(&mut response, RequestId::new());
    response
}
