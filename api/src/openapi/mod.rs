//! The OpenAPI document and the page that shows it. Open to everybody: both hold no data.
//!
//! What every route has in common (the key, the tenant header, error answers) is added here once, so
//! that no handler's description can forget it.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use keyway_domain::RequestId;
use utoipa::{
    OpenApi, PartialSchema, ToSchema,
    openapi::{
        self, ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApiBuilder, Ref, RefOr, ResponseBuilder,
        path::{Operation, ParameterBuilder, ParameterIn},
        security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_swagger_ui::Config;
use warp::{Filter, Rejection, Reply, path::FullPath, reply};

use crate::{
    auth::Access,
    error::{self, Code, ErrorBody},
    routes::{Paths, all},
};

const DOCUMENT_PATH: &str = "/api/openapi.json";
const SCHEME: &str = "admin_key";

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
        .security_scheme(SCHEME, bearer)
        .build();
    document.components = Some(components);
    document.security = Some(vec![SecurityRequirement::new(SCHEME, Vec::<String>::new())]);
    for (path, item) in &mut document.paths.paths {
        // Only these rows have no version.
        let change: &[_] =
            if path.contains("/tenants") || path.contains("/providers/models") { &[] } else { &[IF_MATCH] };
        complete(item.get.as_mut(), path, &[]);
        complete(item.post.as_mut(), path, &[IDEMPOTENCY_KEY]);
        complete(item.put.as_mut(), path, change);
        complete(item.patch.as_mut(), path, change);
        complete(item.delete.as_mut(), path, change);
    }
    document
}

/// `/api/openapi.json` and `/api/docs`. Compares the path whole: warp's own segment filters log what they see.
pub(crate) fn routes() -> impl Filter<Extract = (reply::Response,), Error = Rejection> + Clone + Send + Sync {
    let config = Arc::new(Config::from(DOCUMENT_PATH));
    let found = warp::path::full().and_then(move |path: FullPath| {
        let response = match path.as_str() {
            DOCUMENT_PATH => Some(json()),
            // The page's own links are relative to the directory.
            "/api/docs" => Some(moved("/api/docs/")),
            path => path.strip_prefix("/api/docs/").and_then(|file| page(file, Arc::clone(&config))),
        };
        async move { response.map(Reply::into_response).ok_or_else(warp::reject::not_found) }
    });
    found.and(warp::get())
}

const KEYWAY_TENANT: (&str, &str) = ("Keyway-Tenant", "The tenant to act in, by its id; `default` if left out.");
const IDEMPOTENCY_KEY: (&str, &str) = (
    "Idempotency-Key",
    "A text of your choice. The same request sent again with it is answered again, not done again.",
);
const IF_MATCH: (&str, &str) =
    ("If-Match", "The ETag the resource was read with: the change is refused (412) if it has changed since.");

fn complete(operation: Option<&mut Operation>, path: &str, headers: &[(&str, &str)]) {
    let Some(operation) = operation else { return };
    let parameters = operation.parameters.get_or_insert_with(Vec::new);
    let in_tenant = all().iter().any(|row| row.template == path && row.access == Access::Tenant);
    for (name, description) in [KEYWAY_TENANT].iter().filter(|_| in_tenant).chain(headers) {
        let parameter = ParameterBuilder::new()
            .name(*name)
            .parameter_in(ParameterIn::Header)
            .required(openapi::Required::False)
            .description(Some(*description))
            .schema(Some(String::schema()))
            .build();
        parameters.push(RefOr::T(parameter));
    }
    let mut errors = vec![
        ("400", "a parameter, a header or the JSON is not usable"),
        ("401", "no key, or not the admin key"),
        ("403", "a virtual key"),
        ("500", "a defect; the log has the details"),
        ("503", "the database is away or the vault is sealed; come back after `Retry-After`"),
    ];
    if in_tenant || path.contains('{') {
        errors.push(("404", "no such thing, or no such tenant"));
    }
    if operation.request_body.is_some() {
        errors.push(("408", "the body did not come in time"));
        errors.push(("413", "the body is too large"));
        errors.push(("415", "the body is not declared as JSON"));
        errors.push((
            "422",
            "a field is unknown, missing or not usable; or the Idempotency-Key was used for another request",
        ));
    }
    if headers.contains(&IDEMPOTENCY_KEY) {
        errors.push(("409", "a request with this Idempotency-Key is being carried out"));
    }
    if headers.contains(&IF_MATCH) {
        errors.push(("412", "it has changed since it was read"));
    }
    for (status, description) in errors {
        let known = operation.responses.responses.get(status);
        let description = match known {
            Some(RefOr::T(response)) => format!("{}; or {description}", response.description),
            _ => description.to_owned(),
        };
        operation.responses.responses.insert(status.to_owned(), failure(description));
    }
    // Those that a handler describes itself have the same shape.
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(described) = response
            && status.starts_with(['4', '5'])
            && described.content.is_empty()
        {
            *response = failure(described.description.clone());
        }
    }
}

fn failure(description: String) -> RefOr<openapi::Response> {
    let schema = Ref::from_schema_name(ErrorBody::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    RefOr::T(ResponseBuilder::new().description(description).content("application/json", content).build())
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

/// The schemas that [`ErrorBody`] refers to.
fn referenced() -> Vec<(String, RefOr<openapi::Schema>)> {
    let mut schemas = Vec::new();
    ErrorBody::schemas(&mut schemas);
    schemas
}

fn json() -> Response<Bytes> {
    static JSON: LazyLock<Bytes> = LazyLock::new(|| serde_json::to_vec(&document()).unwrap_or_default().into());
    with_type("application/json", JSON.clone())
}

fn page(file: &str, config: Arc<Config<'static>>) -> Option<Response<Bytes>> {
    let file = utoipa_swagger_ui::serve(file, config).ok()??;
    let mut response = with_type(&file.content_type, Bytes::from(file.bytes.into_owned()));
    if file.gzpipped {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Some(response)
}

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
