//! Every route of the management API in one table: method, path, required access, and handler.
//!
//! A route that is not in the table does not exist, and a row cannot be written without its required access. The
//! OpenAPI document is made from the same rows.

mod audit;
mod dead_letters;
mod drift;
mod integrations;
mod models;
mod operations;
mod projects;
mod providers;
mod requests;
mod routing;
mod tenants;
mod usage;
mod virtual_keys;

use std::{future::Future, sync::LazyLock};

use futures::future::BoxFuture;
use http::Method;

use crate::{
    answer::Answer,
    auth::Access::{self, Installation, Tenant, TenantAndBeyond, TenantOrDeleted},
    call::Call,
    error::ApiError,
};

pub(crate) use usage::default_from;

/// One row of the table.
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    pub(crate) template: &'static str,
    /// Method and template as one text.
    pub(crate) name: &'static str,
    pub(crate) access: Access,
    pub(crate) handler: Handler,
}

type Handler = Box<dyn Fn(Call) -> BoxFuture<'static, Result<Answer, ApiError>> + Send + Sync>;

/// Match of a request's method and path.
pub(crate) enum Found {
    /// A row, with the texts of its placeholders.
    Endpoint(&'static Endpoint, Vec<String>),
    /// The path exists with these methods.
    OtherMethods(String),
    /// No row has this path.
    Nothing,
}

macro_rules! table {
    ($($method:ident $template:literal $access:ident $module:ident::$handler:ident;)*) => {
        /// Returns every row.
        pub(crate) fn all() -> &'static [Endpoint] {
            static TABLE: LazyLock<Vec<Endpoint>> = LazyLock::new(|| vec![$(Endpoint {
                method: Method::$method,
                template: $template,
                name: concat!(stringify!($method), " ", $template),
                access: $access,
                handler: boxed($module::$handler),
            }),*]);
            &TABLE
        }

        /// Paths of all rows, as their handlers describe them.
        #[derive(utoipa::OpenApi)]
        #[openapi(paths($($module::$handler),*))]
        pub(crate) struct Paths;
    };
}

table! {
    POST   "/api/v1/tenants"                        Installation tenants::create;
    GET    "/api/v1/tenants"                        Installation tenants::list;
    GET    "/api/v1/tenants/{id}"                   Installation tenants::detail;
    PATCH  "/api/v1/tenants/{id}"                   Installation tenants::update;
    DELETE "/api/v1/tenants/{id}"                   Installation tenants::delete;

    POST   "/api/v1/projects"                       Tenant projects::create;
    GET    "/api/v1/projects"                       Tenant projects::list;
    GET    "/api/v1/projects/{id}"                  Tenant projects::detail;
    PATCH  "/api/v1/projects/{id}"                  Tenant projects::update;
    DELETE "/api/v1/projects/{id}"                  Tenant projects::delete;

    POST   "/api/v1/virtual-keys"                   Tenant virtual_keys::create;
    GET    "/api/v1/virtual-keys"                   Tenant virtual_keys::list;
    GET    "/api/v1/virtual-keys/{id}"              Tenant virtual_keys::detail;
    PATCH  "/api/v1/virtual-keys/{id}"              Tenant virtual_keys::update;
    POST   "/api/v1/virtual-keys/{id}/revoke"       Tenant virtual_keys::revoke;
    DELETE "/api/v1/virtual-keys/{id}"              Tenant virtual_keys::delete;

    POST   "/api/v1/integrations"                   Tenant integrations::create;
    GET    "/api/v1/integrations"                   Tenant integrations::list;
    GET    "/api/v1/integrations/{id}"              Tenant integrations::detail;
    PATCH  "/api/v1/integrations/{id}"              Tenant integrations::update;
    DELETE "/api/v1/integrations/{id}"              Tenant integrations::delete;
    POST   "/api/v1/integrations/{id}/test"         Tenant integrations::test;
    PUT    "/api/v1/integrations/{id}/credentials"  Tenant integrations::replace_credentials;

    GET    "/api/v1/routing"                        Tenant routing::explain;

    GET    "/api/v1/operations"                     Tenant operations::list;
    GET    "/api/v1/operations/{id}"                Tenant operations::detail;
    POST   "/api/v1/operations/{id}/cancel"         Tenant operations::cancel;
    POST   "/api/v1/operations/{id}/retry"          Tenant operations::retry;

    GET    "/api/v1/usage"                          Tenant usage::report;
    GET    "/api/v1/usage/drift"                    Tenant drift::list;
    POST   "/api/v1/usage/fetch"                    Tenant usage::fetch;

    GET    "/api/v1/requests"                       Tenant requests::list;
    GET    "/api/v1/requests/{id}"                  Tenant requests::detail;

    GET    "/api/v1/providers"                      Tenant providers::list;
    GET    "/api/v1/providers/with-keys"            Tenant providers::with_keys;
    POST   "/api/v1/providers"                      Tenant providers::create;
    GET    "/api/v1/providers/{id}"                 Tenant providers::detail;
    PUT    "/api/v1/providers/{id}"                 Tenant providers::update;
    DELETE "/api/v1/providers/{id}"                 Tenant providers::delete;
    GET    "/api/v1/providers/{id}/models"          Tenant models::list;
    POST   "/api/v1/providers/{id}/models"          Tenant models::add;
    DELETE "/api/v1/providers/models/{id}"          Tenant models::delete;

    GET    "/api/v1/audit"                          TenantOrDeleted audit::list;
    GET    "/api/v1/dead-letters"                   TenantAndBeyond dead_letters::list;
    POST   "/api/v1/dead-letters/{id}/replay"       TenantAndBeyond dead_letters::replay;
    POST   "/api/v1/dead-letters/{id}/discard"      TenantAndBeyond dead_letters::discard;
}

/// Returns the row for a request; of several templates that match, the first one.
pub(crate) fn find(method: &Method, path: &str) -> Found {
    let mut others = Vec::new();
    for endpoint in all() {
        let Some(params) = params(endpoint.template, path) else { continue };
        if endpoint.method == *method {
            return Found::Endpoint(endpoint, params);
        }
        if !others.contains(&endpoint.method.as_str()) {
            others.push(endpoint.method.as_str());
        }
    }
    if others.is_empty() { Found::Nothing } else { Found::OtherMethods(others.join(", ")) }
}

fn params(template: &str, path: &str) -> Option<Vec<String>> {
    let mut params = Vec::new();
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(params),
            (Some(placeholder), Some(text)) if placeholder.starts_with('{') && !text.is_empty() => {
                params.push(text.to_owned());
            }
            (Some(literal), Some(text)) if literal == text => {}
            _ => return None,
        }
    }
}

fn boxed<F, Fut>(handler: F) -> Handler
where
    F: Fn(Call) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Answer, ApiError>> + Send + 'static,
{
    Box::new(move |call| Box::pin(handler(call)))
}

#[cfg(test)]
mod tests {
    use utoipa::OpenApi;

    use super::*;

    #[test]
    fn the_document_has_exactly_the_rows_of_the_table() {
        let mut rows: Vec<String> = all().iter().map(|row| row.name.to_owned()).collect();
        let document = serde_json::to_value(Paths::openapi()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let mut documented: Vec<String> = paths
            .iter()
            .flat_map(|(path, methods)| {
                methods.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
            })
            .collect();
        rows.sort_unstable();
        documented.sort_unstable();
        assert_eq!(rows, documented);
    }

    #[test]
    fn a_path_matches_whole_and_literals_win() {
        let name = |method: Method, path: &str| match find(&method, path) {
            Found::Endpoint(endpoint, params) => format!("{} {params:?}", endpoint.template),
            Found::OtherMethods(methods) => methods,
            Found::Nothing => "nothing".to_owned(),
        };
        assert_eq!(name(Method::GET, "/api/v1/projects/prj_1"), r#"/api/v1/projects/{id} ["prj_1"]"#);
        assert_eq!(name(Method::GET, "/api/v1/providers/with-keys"), "/api/v1/providers/with-keys []");
        assert_eq!(name(Method::PUT, "/api/v1/projects"), "POST, GET");
        for path in ["/api/v1/projects/", "/api/v1/projects//", "/api/v1//projects", "/api/v1/projects/a/b", "/", ""] {
            assert_eq!(name(Method::GET, path), "nothing", "{path}");
        }
    }
}
