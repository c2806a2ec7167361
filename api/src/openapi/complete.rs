//! Parts that all operations of the management API have in common: parameters in headers, descriptions of answers,
//! errors.

use http::Method;
use keyway_domain::Permission;
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        self, ContentBuilder, Ref, RefOr, ResponseBuilder,
        extensions::ExtensionsBuilder,
        header::HeaderBuilder,
        path::{Operation, ParameterBuilder, ParameterIn, PathItem},
        security::SecurityRequirement,
    },
};

use crate::{access::Access, error::ErrorBody, routes::all};

/// Completes each operation of a path.
pub(super) fn item(path: &str, item: &mut PathItem) {
    // Only these rows have no version.
    let has_version = !["/tenants", "/providers/models", "/sessions", "/invitations", "/reveals", "/passkeys"]
        .iter()
        .any(|rows| path.contains(rows));
    let change: &[_] = if has_version { &[IF_MATCH] } else { &[] };
    // A redirect is made anew each time.
    let read: &[_] = if path.contains("/oidc/") { &[] } else { &[IF_NONE_MATCH] };
    operation(item.get.as_mut(), (Method::GET, path), read);
    operation(item.post.as_mut(), (Method::POST, path), &[IDEMPOTENCY_KEY]);
    operation(item.put.as_mut(), (Method::PUT, path), change);
    operation(item.patch.as_mut(), (Method::PATCH, path), change);
    operation(item.delete.as_mut(), (Method::DELETE, path), change);
}

const KEYWAY_TENANT: (&str, &str) = (
    "Keyway-Tenant",
    "The tenant to act in, by its id. If left out: the only one that a person is a member of, a service's own, and for the \
     admin key `default`.",
);
/// Permission that an operation needs, and whether a person has to have proved itself in the last minutes.
const ACCESS: &str = "x-keyway-access";
const IDEMPOTENCY_KEY: (&str, &str) = (
    "Idempotency-Key",
    "A text of your choice. The same request sent again with it is answered again, not done again.",
);
const IF_MATCH: (&str, &str) =
    ("If-Match", "The ETag the resource was read with: the change is refused (412) if it has changed since.");

const IF_NONE_MATCH: (&str, &str) =
    ("If-None-Match", "The ETag of an answer that is at hand: where nothing has changed, it is not sent again (304).");

fn operation(operation: Option<&mut Operation>, (method, path): (Method, &str), headers: &[(&str, &str)]) {
    let Some(operation) = operation else { return };
    let Some(row) = all().iter().find(|row| row.template == path && row.method == method) else { return };
    let in_tenant = row.access.is_in_tenant();
    // Nothing of a person's own is done twice by being sent twice.
    // A reveal is never answered from what was kept of another.
    let is_stored = row.access.permission().is_some_and(|permission| permission != Permission::REVEAL);
    let headers: Vec<_> = headers.iter().copied().filter(|it| *it != IDEMPOTENCY_KEY || is_stored).collect();
    if row.access == Access::Anybody {
        operation.security = Some(vec![SecurityRequirement::default()]);
    }
    let step_up = row.access.needs_step_up();
    let access = match row.access.permission() {
        Some(permission) => Some(json!({ "permission": permission, "step_up": step_up })),
        None => step_up.then(|| json!({ "step_up": step_up })),
    };
    if let Some(access) = access {
        operation.extensions = Some(ExtensionsBuilder::new().add(ACCESS, access).build());
    }
    add_headers(operation, in_tenant, &headers);
    describe(operation, headers.contains(&IF_NONE_MATCH));
    add_errors(operation, in_tenant || path.contains('{'), &headers);
}

fn add_headers(operation: &mut Operation, in_tenant: bool, headers: &[(&str, &str)]) {
    let parameters = operation.parameters.get_or_insert_with(Vec::new);
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
}

/// Describes each answer that its handler does not describe: many tools refuse a document without descriptions.
fn describe(operation: &mut Operation, is_read: bool) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if response.description.is_empty() {
            response.description = match status.as_str() {
                "201" => "it was made; `Location` is where it is",
                "202" => "it was accepted; `Location` is the operation to watch",
                "204" => "it is done",
                _ => "what was asked for",
            }
            .to_owned();
        }
        if is_read {
            let etag =
                HeaderBuilder::new().schema(Some(String::schema())).description(Some("Changes with the answer."));
            response.headers.insert("ETag".to_owned(), RefOr::T(etag.build()));
        }
    }
    if is_read {
        let unchanged = ResponseBuilder::new().description("nothing has changed since the ETag that was given");
        operation.responses.responses.insert("304".to_owned(), RefOr::T(unchanged.build()));
    }
}

fn add_errors(operation: &mut Operation, may_be_missing: bool, headers: &[(&str, &str)]) {
    let mut errors = vec![
        ("400", "a parameter, a header or the JSON is not usable"),
        ("401", "no session or key, or a wrong one"),
        ("403", "the permission is missing, or a new proof of who it is"),
        ("500", "a defect; the log has the details"),
        ("503", "the database is away or the vault is sealed; come back after `Retry-After`"),
    ];
    if may_be_missing {
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
