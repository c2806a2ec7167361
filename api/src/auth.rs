//! Authentication and authorisation: the caller of a request and its tenant. Decided on the matched route, never on a
//! path parsed again.

use std::net::SocketAddr;

use http::{HeaderMap, header};
use keyway_domain::{Actor, RequestId, TenantId};
use keyway_store::{audit, tenants};
use keyway_vault::token::{self, VirtualKeyToken};

use crate::{App, code::Code, error::ApiError};

/// Header by which the admin key chooses a tenant.
pub(crate) const TENANT: &str = "keyway-tenant";

/// Requirement on the caller of a route. Every route names one; there is no default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Access to a tenant; today the admin key.
    Tenant,
    /// Access to a tenant; rows without a tenant need [`Access::Installation`] as well, which a handler checks with
    /// [`crate::call::Call::beyond_tenant`].
    TenantAndBeyond,
    /// Access to a tenant, even a deleted one, to read the rows that outlive it.
    TenantOrDeleted,
    /// Access to the installation: the admin key.
    Installation,
}

/// Caller of a request: tenant, actor and trace.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) tenant_id: TenantId,
    pub(crate) actor: Actor,
    pub(crate) request_id: RequestId,
    pub(crate) traceparent: String,
}

/// Authenticates a request. Answers to a wrong key are delayed, the longer the more often its sender sent one.
///
/// # Errors
/// 401 without the right key, 403 with a virtual key, 404 for an unknown tenant.
pub(crate) async fn caller(
    app: &App,
    access: Access,
    (headers, peer): (&HeaderMap, Option<SocketAddr>),
    (request_id, traceparent): (RequestId, String),
) -> Result<Caller, ApiError> {
    let key = bearer(headers)?;
    if !token::is_admin_key(key, &app.admin_key_sha256) {
        if let (Some(peer), Some(proxy)) = (peer, &app.proxy) {
            proxy.refuse_admin_key(peer).await;
        }
        return Err(refusal(key));
    }
    let tenant_id = match (access, headers.get(TENANT)) {
        (Access::Tenant | Access::TenantAndBeyond | Access::TenantOrDeleted, Some(value)) => {
            let id = value.to_str().unwrap_or_default().parse().map_err(|_| {
                ApiError::parameter("the header Keyway-Tenant must be a tenant's id: tnt_ followed by 32 digits")
            })?;
            let tx = app.store.system_read().await?;
            let is_there = tenants::find(&tx, id).await?.is_some()
                || access == Access::TenantOrDeleted && audit::has_any(&tx, id).await?;
            if !is_there {
                let message = "the header Keyway-Tenant names a tenant that does not exist";
                return Err(ApiError::new(Code::NotFound, message));
            }
            id
        }
        _ => app.default_tenant,
    };
    Ok(Caller { tenant_id, actor: Actor::Admin, request_id, traceparent })
}

fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    value
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key.trim())
        .filter(|key| !key.is_empty())
        .ok_or_else(|| unauthenticated("send the admin key in the header `Authorization: Bearer <key>`"))
}

fn refusal(key: &str) -> ApiError {
    if VirtualKeyToken::is_well_formed(key) {
        return ApiError::new(
            Code::NotAllowed,
            "a virtual key calls providers through /proxy and /v1 only; use the admin key for the management API",
        );
    }
    unauthenticated("the key is not the admin key of this installation")
}

fn unauthenticated(message: &'static str) -> ApiError {
    ApiError::new(Code::Unauthenticated, message)
        .with_header(header::WWW_AUTHENTICATE, http::HeaderValue::from_static("Bearer realm=\"keyway\""))
}
