//! Every route of the management API in one table: method, path, required access, and handler.
//!
//! A route that is not in the table does not exist, and a row cannot be written without its required access. The
//! OpenAPI document is made from the same rows.

mod audit;
mod content_types;
mod credentials;
mod dead_letters;
mod documents;
mod drift;
mod entries;
mod events;
mod factors;
mod flows;
mod integrations;
mod invitations;
mod mails;
mod me;
mod members;
mod models;
mod modules;
mod notifications;
mod oidc;
mod operations;
mod passkeys;
mod password_resets;
mod projects;
mod providers;
mod published;
mod requests;
mod reveals;
mod routing;
mod scenes;
mod services;
mod sessions;
mod setup;
mod tenants;
mod usage;
mod virtual_keys;

use std::{future::Future, sync::LazyLock};

use futures::future::BoxFuture;
use http::Method;
use keyway_domain::{Resource, Verb};

use crate::{
    access::{Access, Scope},
    answer::Answer,
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

macro_rules! access {
    ($nobody:ident) => {
        Access::$nobody
    };
    ($scope:ident $resource:ident $verb:ident) => {
        Access::needs(Resource::$resource, Verb::$verb, Scope::$scope)
    };
}

macro_rules! table {
    ($($method:ident $template:literal $access:ident($($of:ident)*) $module:ident::$handler:ident;)*) => {
        /// Returns every row.
        pub(crate) fn all() -> &'static [Endpoint] {
            static TABLE: LazyLock<Vec<Endpoint>> = LazyLock::new(|| vec![$(Endpoint {
                method: Method::$method,
                template: $template,
                name: concat!(stringify!($method), " ", $template),
                access: const { access!($access $($of)*) },
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
    POST   "/api/v1/setup"                           Anybody()                         setup::create;
    POST   "/api/v1/sessions"                        Anybody()                         sessions::create;
    GET    "/api/v1/sessions"                        Own()                             sessions::list;
    DELETE "/api/v1/sessions"                        Own()                             sessions::delete_others;
    DELETE "/api/v1/sessions/current"                Own()                             sessions::delete_current;
    DELETE "/api/v1/sessions/{id}"                   Own()                             sessions::delete;
    POST   "/api/v1/sessions/step-up"                Own()                             sessions::step_up;
    POST   "/api/v1/sessions/second-factor"          Anybody()                         sessions::second_factor;
    POST   "/api/v1/sessions/passkey/begin"          Anybody()                         sessions::begin_passkey;
    POST   "/api/v1/sessions/passkey"                Anybody()                         sessions::create_by_passkey;
    GET    "/api/v1/oidc/begin"                      Anybody()                         oidc::begin;
    GET    "/api/v1/oidc/callback"                   Anybody()                         oidc::callback;
    GET    "/api/v1/me"                              Known()                           me::detail;
    PATCH  "/api/v1/me"                              Own()                             me::update;
    GET    "/api/v1/me/usage"                        Application()                     usage::own;
    POST   "/api/v1/me/password"                     Own()                             me::change_password;
    GET    "/api/v1/me/notifications"                Own()                             notifications::detail;
    PATCH  "/api/v1/me/notifications"                Own()                             notifications::update;
    POST   "/api/v1/password-resets"                 Anybody()                         password_resets::create;
    POST   "/api/v1/password-resets/accept"          Anybody()                         password_resets::accept;
    GET    "/api/v1/me/factors"                      Own()                             factors::detail;
    POST   "/api/v1/me/totp"                         Proved()                          factors::begin_totp;
    POST   "/api/v1/me/totp/confirm"                 Proved()                          factors::confirm_totp;
    POST   "/api/v1/me/totp/remove"                  Proved()                          factors::remove_totp;
    GET    "/api/v1/me/passkeys"                     Own()                             passkeys::list;
    POST   "/api/v1/me/passkeys"                     Proved()                          passkeys::create;
    POST   "/api/v1/me/passkeys/begin"               Proved()                          passkeys::begin;
    PATCH  "/api/v1/me/passkeys/{id}"                Own()                             passkeys::update;
    POST   "/api/v1/me/passkeys/{id}/remove"         Proved()                          passkeys::remove;
    POST   "/api/v1/me/recovery-codes"               Proved()                          factors::replace_codes;

    GET    "/api/v1/members"                         Tenant(Members Read)              members::list;
    GET    "/api/v1/members/{id}"                    Tenant(Members Read)              members::detail;
    PATCH  "/api/v1/members/{id}"                    Tenant(Members Update)            members::update;
    DELETE "/api/v1/members/{id}"                    Tenant(Members Delete)            members::delete;
    POST   "/api/v1/invitations"                     Tenant(Invitations Create)        invitations::create;
    GET    "/api/v1/invitations"                     Tenant(Invitations Read)          invitations::list;
    POST   "/api/v1/invitations/accept"              Anybody()                         invitations::accept;
    DELETE "/api/v1/invitations/{id}"                Tenant(Invitations Delete)        invitations::delete;
    GET    "/api/v1/mails"                           TenantAndBeyond(Mails Read)       mails::list;
    POST   "/api/v1/mails/{id}/send"                 TenantAndBeyond(Mails Update)     mails::send;
    POST   "/api/v1/services"                        Tenant(Services Create)           services::create;
    GET    "/api/v1/services"                        Tenant(Services Read)             services::list;
    GET    "/api/v1/services/{id}"                   Tenant(Services Read)             services::detail;
    POST   "/api/v1/services/{id}/rotate"            Tenant(Services Rotate)           services::rotate;
    PATCH  "/api/v1/services/{id}"                   Tenant(Services Update)           services::update;
    DELETE "/api/v1/services/{id}"                   Tenant(Services Delete)           services::delete;
    GET    "/api/v1/reveals"                         Tenant(Reveals Read)              reveals::detail;
    PUT    "/api/v1/reveals"                         Tenant(Reveals Manage)            reveals::update;

    POST   "/api/v1/tenants"                         Installation(Installation Manage) tenants::create;
    GET    "/api/v1/tenants"                         Installation(Installation Read)   tenants::list;
    GET    "/api/v1/tenants/{id}"                    NamedTenant(Tenants Read)         tenants::detail;
    PATCH  "/api/v1/tenants/{id}"                    NamedTenant(Tenants Update)       tenants::update;
    DELETE "/api/v1/tenants/{id}"                    NamedTenant(Tenants Delete)       tenants::delete;

    POST   "/api/v1/projects"                        Tenant(Projects Create)           projects::create;
    GET    "/api/v1/projects"                        Tenant(Projects Read)             projects::list;
    GET    "/api/v1/projects/{id}"                   Tenant(Projects Read)             projects::detail;
    PATCH  "/api/v1/projects/{id}"                   Tenant(Projects Update)           projects::update;
    DELETE "/api/v1/projects/{id}"                   Tenant(Projects Delete)           projects::delete;

    POST   "/api/v1/virtual-keys"                    Tenant(VirtualKeys Create)        virtual_keys::create;
    GET    "/api/v1/virtual-keys"                    Tenant(VirtualKeys Read)          virtual_keys::list;
    GET    "/api/v1/virtual-keys/{id}"               Tenant(VirtualKeys Read)          virtual_keys::detail;
    PATCH  "/api/v1/virtual-keys/{id}"               Tenant(VirtualKeys Update)        virtual_keys::update;
    POST   "/api/v1/virtual-keys/{id}/revoke"        Tenant(VirtualKeys Delete)        virtual_keys::revoke;
    DELETE "/api/v1/virtual-keys/{id}"               Tenant(VirtualKeys Delete)        virtual_keys::delete;

    POST   "/api/v1/integrations"                    Tenant(Integrations Create)       integrations::create;
    GET    "/api/v1/integrations"                    Tenant(Integrations Read)         integrations::list;
    GET    "/api/v1/integrations/{id}"               Tenant(Integrations Read)         integrations::detail;
    PATCH  "/api/v1/integrations/{id}"               Tenant(Integrations Update)       integrations::update;
    DELETE "/api/v1/integrations/{id}"               Tenant(Integrations Delete)       integrations::delete;
    POST   "/api/v1/integrations/{id}/test"          Tenant(Integrations Use)          integrations::test;
    PUT    "/api/v1/integrations/{id}/credentials"   Tenant(Integrations Rotate)       integrations::replace_credentials;
    POST   "/api/v1/integrations/{id}/reveal"        Tenant(Integrations Reveal)       reveals::create;

    POST   "/credentials"                            Tenant(Integrations Create)       credentials::create;

    GET    "/api/v1/events"                          Known()                           events::stream;
    GET    "/api/v1/routing"                         Tenant(Routing Read)              routing::explain;

    GET    "/api/v1/operations"                      Tenant(Operations Read)           operations::list;
    GET    "/api/v1/operations/{id}"                 Tenant(Operations Read)           operations::detail;
    POST   "/api/v1/operations/{id}/cancel"          Tenant(Operations Update)         operations::cancel;
    POST   "/api/v1/operations/{id}/retry"           Tenant(Operations Update)         operations::retry;

    GET    "/api/v1/usage"                           Tenant(Usage Read)                usage::report;
    GET    "/api/v1/usage/drift"                     Tenant(Usage Read)                drift::list;
    POST   "/api/v1/usage/fetch"                     Tenant(Usage Update)              usage::fetch;

    GET    "/api/v1/requests"                        Tenant(Requests Read)             requests::list;
    GET    "/api/v1/requests/{id}"                   Tenant(Requests Read)             requests::detail;

    GET    "/api/v1/providers"                       Tenant(Providers Read)            providers::list;
    GET    "/api/v1/providers/with-keys"             Tenant(Providers Read)            providers::with_keys;
    POST   "/api/v1/providers"                       Tenant(Providers Create)          providers::create;
    GET    "/api/v1/providers/{id}"                  Tenant(Providers Read)            providers::detail;
    PUT    "/api/v1/providers/{id}"                  Tenant(Providers Update)          providers::update;
    DELETE "/api/v1/providers/{id}"                  Tenant(Providers Delete)          providers::delete;
    GET    "/api/v1/providers/{id}/models"           Tenant(Models Read)               models::list;
    POST   "/api/v1/providers/{id}/models"           Tenant(Models Create)             models::add;
    DELETE "/api/v1/providers/models/{id}"           Tenant(Models Delete)             models::delete;

    GET    "/api/v1/audit"                           TenantOrDeleted(Audit Read)       audit::list;
    GET    "/api/v1/audit/checkpoints"               TenantOrDeleted(Audit Read)       audit::checkpoints;
    GET    "/api/v1/audit/key"                       TenantOrDeleted(Audit Read)       audit::key;
    GET    "/api/v1/dead-letters"                    TenantAndBeyond(DeadLetters Read) dead_letters::list;
    POST   "/api/v1/dead-letters/{id}/replay"        TenantAndBeyond(DeadLetters Update) dead_letters::replay;
    POST   "/api/v1/dead-letters/{id}/discard"       TenantAndBeyond(DeadLetters Delete) dead_letters::discard;

    GET    "/api/v1/modules"                         Tenant(Tenants Read)              modules::detail;
    PUT    "/api/v1/modules"                         Tenant(Tenants Update)            modules::update;
    POST   "/api/v1/content-types"                   Tenant(ContentTypes Create)       content_types::create;
    GET    "/api/v1/content-types"                   Tenant(ContentTypes Read)         content_types::list;
    GET    "/api/v1/content-types/{id}"              Tenant(ContentTypes Read)         content_types::detail;
    PATCH  "/api/v1/content-types/{id}"              Tenant(ContentTypes Update)       content_types::update;
    PUT    "/api/v1/content-types/{id}/schema"       Tenant(ContentTypes Update)       content_types::change_schema;
    DELETE "/api/v1/content-types/{id}"              Tenant(ContentTypes Delete)       content_types::delete;
    GET    "/api/v1/node-types"                      Tenant(ContentTypes Read)         modules::list_node_types;
    PUT    "/api/v1/node-types/{id}"                 Tenant(ContentTypes Update)       modules::put_node_type;
    DELETE "/api/v1/node-types/{id}"                 Tenant(ContentTypes Delete)       modules::delete_node_type;

    POST   "/api/v1/content/{type}"                  Tenant(Content Create)            entries::create;
    GET    "/api/v1/content/{type}"                  Tenant(Content Read)              entries::list;
    GET    "/api/v1/content/{type}/{id}"             Tenant(Content Read)              entries::detail;
    PUT    "/api/v1/content/{type}/{id}"             Tenant(Content Update)            entries::update;
    DELETE "/api/v1/content/{type}/{id}"             Tenant(Content Delete)            entries::delete;
    POST   "/api/v1/content/{type}/{id}/publish"     Tenant(Publications Create)       entries::publish;
    POST   "/api/v1/content/{type}/{id}/unpublish"   Tenant(Publications Delete)       entries::unpublish;
    POST   "/api/v1/content/{type}/{id}/schedule"    Tenant(Publications Create)       entries::schedule;
    GET    "/api/v1/content/{type}/{id}/versions"    Tenant(Content Read)              entries::versions;
    GET    "/api/v1/content/{type}/{id}/versions/{version}" Tenant(Content Read)              entries::version;
    GET    "/api/v1/content/{type}/{id}/diff"        Tenant(Content Read)              entries::compare;
    POST   "/api/v1/content/{type}/{id}/restore"     Tenant(Content Update)            entries::restore;

    POST   "/api/v1/flows"                           Tenant(Content Create)            flows::create;
    GET    "/api/v1/flows"                           Tenant(Content Read)              flows::list;
    POST   "/api/v1/flows/mutations"                 Tenant(Content Update)            flows::mutate_named;
    POST   "/api/v1/flows/{id}/mutations"            Tenant(Content Update)            flows::mutate;
    GET    "/api/v1/flows/{id}"                      Tenant(Content Read)              flows::detail;
    PUT    "/api/v1/flows/{id}"                      Tenant(Content Update)            flows::update;
    DELETE "/api/v1/flows/{id}"                      Tenant(Content Delete)            flows::delete;
    POST   "/api/v1/flows/{id}/publish"              Tenant(Publications Create)       flows::publish;
    POST   "/api/v1/flows/{id}/unpublish"            Tenant(Publications Delete)       flows::unpublish;
    POST   "/api/v1/flows/{id}/schedule"             Tenant(Publications Create)       flows::schedule;
    GET    "/api/v1/flows/{id}/versions"             Tenant(Content Read)              flows::versions;
    GET    "/api/v1/flows/{id}/versions/{version}"   Tenant(Content Read)              flows::version;
    GET    "/api/v1/flows/{id}/diff"                 Tenant(Content Read)              flows::compare;
    POST   "/api/v1/flows/{id}/restore"              Tenant(Content Update)            flows::restore;

    POST   "/api/v1/scenes"                          Tenant(Content Create)            scenes::create;
    GET    "/api/v1/scenes"                          Tenant(Content Read)              scenes::list;
    GET    "/api/v1/scenes/{id}"                     Tenant(Content Read)              scenes::detail;
    PUT    "/api/v1/scenes/{id}"                     Tenant(Content Update)            scenes::update;
    DELETE "/api/v1/scenes/{id}"                     Tenant(Content Delete)            scenes::delete;
    POST   "/api/v1/scenes/{id}/publish"             Tenant(Publications Create)       scenes::publish;
    POST   "/api/v1/scenes/{id}/unpublish"           Tenant(Publications Delete)       scenes::unpublish;
    POST   "/api/v1/scenes/{id}/schedule"            Tenant(Publications Create)       scenes::schedule;
    GET    "/api/v1/scenes/{id}/versions"            Tenant(Content Read)              scenes::versions;
    GET    "/api/v1/scenes/{id}/versions/{version}"  Tenant(Content Read)              scenes::version;
    GET    "/api/v1/scenes/{id}/diff"                Tenant(Content Read)              scenes::compare;
    POST   "/api/v1/scenes/{id}/restore"             Tenant(Content Update)            scenes::restore;

    GET    "/content/{tenant}/{type}"                Anybody()                         published::list;
    GET    "/content/{tenant}/{type}/{slug}"         Anybody()                         published::detail;
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
