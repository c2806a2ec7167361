//! `/oidc`: signing in at an identity provider. Both routes answer browsers with redirects: the first one to the
//! provider, the second one to a path of our own, never to anywhere else.

use keyway_domain::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    answer::Answer,
    call::Call,
    code::Code,
    commands::sign_in_oidc,
    cookie,
    error::ApiError,
    oidc::{Callback, Handshake, Oidc, OidcError, local_path},
};

const CALLBACK: &str = "/api/v1/oidc/callback";

/// Place to go to after signing in.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BeginQuery {
    /// Path of this address; `/` if left out.
    #[param(example = "/integrations")]
    return_to: Option<String>,
}

/// Begin to sign in at the identity provider: a browser is sent there.
#[utoipa::path(get, path = "/api/v1/oidc/begin", operation_id = "begin_oidc", tag = "people", params(BeginQuery),
    responses((status = 303, description = "`Location` is the provider's page"), (status = 404, description = "there is no identity provider")))]
pub(crate) async fn begin(call: Call) -> Result<Answer, ApiError> {
    let BeginQuery { return_to } = call.query()?;
    let return_to = return_to.as_deref().unwrap_or("/");
    let refused = || ApiError::parameter("`return_to` must be a path of this address, like /integrations");
    let return_to = local_path(return_to).ok_or_else(refused)?.to_owned();
    let handshake = Handshake::begin(return_to, Timestamp::now())?;
    let url = provider(&call)?.authorization(&handshake, &redirect_uri(&call)).await?;
    Ok(Answer::see_other(url.as_str()).with_header(handshake.cookie(&call.headers)))
}

/// End to sign in at the identity provider: the provider sends the browser here. The session is in a cookie.
#[utoipa::path(get, path = "/api/v1/oidc/callback", operation_id = "end_oidc", tag = "people", params(Callback),
    responses((status = 303, description = "signed in, or on to the page that asks for the second factor; `Location` is a path of this address"),
    (status = 404, description = "there is no identity provider"), (status = 429, description = "there were wrong attempts; wait for `Retry-After`")))]
pub(crate) async fn callback(call: Call) -> Result<Answer, ApiError> {
    let query: Callback = call.query()?;
    provider(&call)?;
    let answer = sign_in_oidc::run(&call, query, &redirect_uri(&call)).await?;
    Ok(answer.with_header(cookie::set_handshake(&call.headers, "", 0)))
}

fn provider(call: &Call) -> Result<&Oidc, ApiError> {
    call.app.oidc.as_ref().ok_or_else(|| ApiError::new(Code::NotFound, "no identity provider is set up here"))
}

fn redirect_uri(call: &Call) -> String {
    format!("{}{CALLBACK}", call.origin())
}

impl From<OidcError> for ApiError {
    fn from(error: OidcError) -> Self {
        let code = match error {
            OidcError::Provider => Code::Unavailable,
            OidcError::Domain | OidcError::Role => Code::NotAllowed,
            _ => Code::InvalidCredentials,
        };
        Self::new(code, error.to_string())
    }
}
