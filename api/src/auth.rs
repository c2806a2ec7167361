//! Authentication and authorisation: the caller of a request, its tenant and its reach. Decided on the matched route,
//! never on a path parsed again.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use http::{HeaderMap, Method, header};
use keyway_domain::{
    Actor, AuthFailure, AuthFailureKind, Permission, ProjectId, Reach, RequestId, TenantId, Timestamp, VirtualKeyId,
};
use keyway_store::{audit, services, tenants, virtual_keys};
use keyway_vault::{
    AccessToken, AccessTokenKind, SentServiceToken,
    token::{self, VirtualKeyToken},
};

use crate::{
    App,
    access::{Access, Scope},
    code::Code,
    cookie,
    error::ApiError,
    principal::{Principal, SignedIn},
};

/// Header by which a caller chooses a tenant.
pub(crate) const TENANT: &str = "keyway-tenant";
/// Header that services may send their token in.
const API_KEY: &str = "x-api-key";

/// Caller of a request: principal, tenant, reach and trace.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) tenant_id: TenantId,
    pub(crate) principal: Arc<Principal>,
    /// Where in the tenant the caller may do what the route does.
    pub(crate) reach: Reach,
    /// Address of the connection's peer.
    pub(crate) address: Option<IpAddr>,
    pub(crate) request_id: RequestId,
    pub(crate) traceparent: String,
}

/// Parts of a request that decide who calls.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a Method,
    pub(crate) access: Access,
    pub(crate) params: &'a [String],
    pub(crate) headers: &'a HeaderMap,
    pub(crate) peer: Option<SocketAddr>,
}

impl Caller {
    /// Returns the person.
    ///
    /// # Errors
    /// 403 for anybody else.
    pub(crate) fn person(&self) -> Result<&SignedIn, ApiError> {
        match &*self.principal {
            Principal::User(signed_in) => Ok(signed_in),
            _ => Err(ApiError::new(Code::NotAllowed, "this is about a person's own account: sign in")),
        }
    }

    /// Returns the application's virtual key.
    ///
    /// # Errors
    /// 403 for anybody else.
    pub(crate) fn virtual_key(&self) -> Result<VirtualKeyId, ApiError> {
        match &*self.principal {
            Principal::Application(key) => Ok(key.id),
            _ => Err(ApiError::new(Code::NotAllowed, "this is about an application's own usage: send its virtual key")),
        }
    }

    /// Checks that the caller reaches the rows of a project: those of others do not exist for it.
    ///
    /// # Errors
    /// 404 for `what`.
    pub(crate) fn check_project(&self, project_id: ProjectId, what: &'static str) -> Result<(), ApiError> {
        match &self.reach {
            Reach::Projects(projects) if !projects.contains(&project_id) => Err(ApiError::not_found(what)),
            Reach::Projects(_) | Reach::Tenant => Ok(()),
        }
    }

    /// Returns the projects that a list is confined to; `None`: it is not.
    ///
    /// # Errors
    /// 404 where it is asked for a project that the caller does not reach.
    pub(crate) fn within(&self, project_id: Option<ProjectId>) -> Result<Option<Vec<ProjectId>>, ApiError> {
        if let Some(project_id) = project_id {
            self.check_project(project_id, "project")?;
        }
        match &self.reach {
            Reach::Tenant => Ok(None),
            Reach::Projects(projects) => Ok(Some(projects.clone())),
        }
    }

    /// Checks another permission than that of the route, in the whole tenant.
    ///
    /// # Errors
    /// 403 that names it.
    pub(crate) fn check(&self, permission: Permission) -> Result<(), ApiError> {
        match self.principal.reach(self.tenant_id, permission) {
            Reach::Tenant => Ok(()),
            Reach::Projects(_) => Err(lacks(&self.principal, self.tenant_id, permission)),
        }
    }

    /// Checks that what the route does may be done to the tenant as a whole.
    ///
    /// # Errors
    /// 403 where the caller reaches some of its projects only.
    pub(crate) fn check_whole_tenant(&self) -> Result<(), ApiError> {
        match self.reach {
            Reach::Tenant => Ok(()),
            Reach::Projects(_) => {
                Err(ApiError::new(Code::NotAllowed, "your role holds in a project: name what is in that project"))
            }
        }
    }
}

/// Authenticates and authorises a request. An error says which failure it answers, to be noted before it is sent.
///
/// # Errors
/// 401 without a principal, 403 without the permission, 404 for an unknown tenant.
pub(crate) async fn caller(
    app: &App,
    asked: Asked<'_>,
    (request_id, traceparent): (RequestId, String),
) -> Result<Caller, ApiError> {
    let principal = match asked.access {
        Access::Anybody => Arc::new(Principal::Nobody),
        Access::Application => application(app, &asked).await?,
        _ => principal(app, &asked).await?,
    };
    let tenant_id = tenant(app, &asked, &principal).await?;
    let reach = match asked.access.permission() {
        Some(permission) => allowed(&principal, tenant_id, permission)?,
        None => Reach::Tenant,
    };
    let address = asked.peer.map(|peer| peer.ip().to_canonical());
    let caller = Caller { tenant_id, principal, reach, address, request_id, traceparent };
    if matches!(asked.access, Access::Own | Access::Proved) {
        caller.person()?;
    }
    if asked.access.needs_step_up()
        && let Principal::User(signed_in) = &*caller.principal
        && !signed_in.has_recent_proof(Timestamp::now())
    {
        let message =
            "prove again who you are, with POST /api/v1/sessions/step-up, and repeat this within five minutes";
        return Err(ApiError::new(Code::StepUpRequired, message));
    }
    Ok(caller)
}

/// Returns where the principal may do this.
fn allowed(principal: &Principal, tenant_id: TenantId, permission: Permission) -> Result<Reach, ApiError> {
    match principal.reach(tenant_id, permission) {
        Reach::Projects(projects) if projects.is_empty() => Err(lacks(principal, tenant_id, permission)),
        reach => Ok(reach),
    }
}

/// Builds the answer to who lacks a permission, which its tenant's audit log tells.
fn lacks(principal: &Principal, tenant_id: TenantId, permission: Permission) -> ApiError {
    let failure = AuthFailure {
        tenant_id: Some(tenant_id),
        actor: Some(principal.actor()),
        target: principal.id(),
        about: Some(permission.to_string()),
        ..AuthFailure::of(AuthFailureKind::DeniedPermission)
    };
    ApiError::new(Code::NotAllowed, format!("this needs the permission {permission}, which you do not have here"))
        .failing(failure)
}

/// Finds out which application acts: by a virtual key, and by nothing else.
async fn application(app: &App, asked: &Asked<'_>) -> Result<Arc<Principal>, ApiError> {
    let sent = match asked.headers.get(API_KEY).filter(|_| !asked.headers.contains_key(header::AUTHORIZATION)) {
        Some(key) => key.to_str().unwrap_or_default().trim(),
        None => bearer(asked.headers).unwrap_or_default(),
    };
    if !VirtualKeyToken::is_meant(sent) {
        principal(app, asked).await?;
        let message = "this is about an application's own usage: send its virtual key";
        return Err(ApiError::new(Code::NotAllowed, message));
    }
    let wrong = || {
        unauthenticated("this is not a virtual key of this installation")
            .failing(AuthFailure::of(AuthFailureKind::WrongVirtualKey))
    };
    if !VirtualKeyToken::is_well_formed(sent) {
        return Err(wrong());
    }
    let found = virtual_keys::find_by_token_hash(&app.store.system_read().await?, &token::sha256(sent)).await?;
    let key = found.ok_or_else(wrong)?;
    let failing = |kind, message| {
        let failure = AuthFailure {
            tenant_id: Some(key.tenant_id),
            actor: Some(Actor::VirtualKey { id: key.id }),
            target: Some(key.id.to_string()),
            ..AuthFailure::of(kind)
        };
        Err(unauthenticated(message).failing(failure))
    };
    match key.expires_at {
        _ if key.revoked_at.is_some() => failing(AuthFailureKind::RevokedVirtualKey, "this virtual key was revoked"),
        Some(at) if at <= Timestamp::now() => {
            failing(AuthFailureKind::ExpiredVirtualKey, "this virtual key has expired")
        }
        _ => Ok(Arc::new(Principal::Application(key))),
    }
}

/// Finds out who acts. What is sent first counts: a wrong one is not made up for by another.
async fn principal(app: &App, asked: &Asked<'_>) -> Result<Arc<Principal>, ApiError> {
    if asked.headers.contains_key(header::AUTHORIZATION) {
        return of_key(app, bearer(asked.headers)?).await;
    }
    if let Some(key) = asked.headers.get(API_KEY).and_then(|key| key.to_str().ok()) {
        return of_key(app, key.trim()).await;
    }
    let Some(token) = cookie::token(asked.headers) else {
        return Err(bearer(asked.headers).err().unwrap_or_else(ended));
    };
    let principal = of_session(app, token).await?.ok_or_else(ended)?;
    cookie::check_site(asked.method, asked.headers)?;
    Ok(principal)
}

async fn of_key(app: &App, key: &str) -> Result<Arc<Principal>, ApiError> {
    if token::is_admin_key(key, &app.admin_key_sha256) {
        return Ok(Arc::new(Principal::Operator(Actor::Admin)));
    }
    if key.starts_with(AccessTokenKind::Session.prefix()) {
        return of_session(app, key).await?.ok_or_else(ended);
    }
    match SentServiceToken::read(key) {
        Some(sent) => match app.principals.service(&app.store, &sent).await? {
            Some(found) => Ok(found),
            None => Err(wrong_service_token(app, &sent).await?),
        },
        None => Err(refusal(key)),
    }
}

/// Builds the answer to a service token that is not valid. That of a known service is told in its tenant's audit log.
async fn wrong_service_token(app: &App, sent: &SentServiceToken<'_>) -> Result<ApiError, ApiError> {
    let known = services::find_by_public_id(&app.store.system_read().await?, sent.public_id).await?;
    let failure = AuthFailure {
        tenant_id: known.as_ref().map(|service| service.tenant_id),
        target: known.map(|service| service.id.to_string()),
        ..AuthFailure::of(AuthFailureKind::WrongServiceToken)
    };
    Ok(unauthenticated("the service token is wrong, revoked or expired").failing(failure))
}

async fn of_session(app: &App, token: &str) -> Result<Option<Arc<Principal>>, ApiError> {
    match AccessToken::sha256_of_sent(AccessTokenKind::Session, token) {
        Some(sha256) => Ok(app.principals.session(&app.store, &sha256).await?),
        None => Ok(None),
    }
}

/// Returns the tenant that is acted in.
async fn tenant(app: &App, asked: &Asked<'_>, principal: &Principal) -> Result<TenantId, ApiError> {
    let named = match asked.headers.get(TENANT).filter(|_| asked.access.is_in_tenant()) {
        Some(value) => Some(value.to_str().unwrap_or_default().parse().map_err(|_| {
            ApiError::parameter("the header Keyway-Tenant must be a tenant's id: tnt_ followed by 32 digits")
        })?),
        None if asked.access.scope() == Some(Scope::NamedTenant) => of_path(asked)?,
        None => None,
    };
    match principal {
        Principal::Nobody => Ok(app.default_tenant),
        Principal::Operator(_) => match named.filter(|_| asked.access.is_in_tenant()) {
            Some(id) => existing(app, id, asked.access).await,
            None => Ok(app.default_tenant),
        },
        Principal::Application(key) => Ok(key.tenant_id),
        Principal::Service(service) => one_of(&[service.row.tenant_id], named, asked.access),
        Principal::User(signed_in) if asked.access.permission().is_some() => {
            one_of(&signed_in.tenants(), named, asked.access)
        }
        // What is said of the caller is of the tenant that it names, or of the only one.
        Principal::User(signed_in) if asked.access == Access::Known => match (named, signed_in.tenants().as_slice()) {
            (None, [] | [_, _, ..]) => Ok(app.default_tenant),
            (named, own) => one_of(own, named, asked.access),
        },
        Principal::User(_) => Ok(app.default_tenant),
    }
}

/// Returns the tenant in the path; a text that is no id exists nowhere.
fn of_path(asked: &Asked<'_>) -> Result<Option<TenantId>, ApiError> {
    let id = asked.params.first().map(|param| param.parse().map_err(|_| ApiError::not_found("tenant")));
    id.transpose()
}

async fn existing(app: &App, id: TenantId, access: Access) -> Result<TenantId, ApiError> {
    let tx = app.store.system_read().await?;
    let may_be_deleted = access.scope() == Some(Scope::TenantOrDeleted);
    if tenants::find(&tx, id).await?.is_some() || may_be_deleted && audit::has_any(&tx, id).await? {
        return Ok(id);
    }
    Err(unknown_tenant(access))
}

fn one_of(own: &[TenantId], named: Option<TenantId>, access: Access) -> Result<TenantId, ApiError> {
    match (named, own) {
        (Some(id), _) if own.contains(&id) => Ok(id),
        (Some(_), _) => Err(unknown_tenant(access)),
        (None, [id]) => Ok(*id),
        (None, []) => Err(ApiError::new(Code::NotAllowed, "you are a member of no tenant: ask to be invited to one")),
        // Nothing of the installation depends on which of them it is.
        (None, [id, ..]) if access.scope() == Some(Scope::Installation) => Ok(*id),
        (None, _) => Err(ApiError::parameter(
            "you are a member of several tenants: name one in the header Keyway-Tenant; GET /api/v1/me lists them",
        )),
    }
}

fn unknown_tenant(access: Access) -> ApiError {
    match access.scope() {
        Some(Scope::NamedTenant) => ApiError::not_found("tenant"),
        _ => ApiError::new(Code::NotFound, "the header Keyway-Tenant names a tenant that does not exist"),
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    value
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key.trim())
        .filter(|key| !key.is_empty())
        .ok_or_else(|| {
            unauthenticated(
                "sign in, or send a service token or the admin key in the header `Authorization: Bearer <key>`",
            )
        })
}

fn refusal(key: &str) -> ApiError {
    let error = if VirtualKeyToken::is_well_formed(key) {
        ApiError::new(
            Code::NotAllowed,
            "a virtual key calls providers through /proxy and /v1 only; use the admin key for the management API",
        )
    } else {
        unauthenticated("the key is not the admin key of this installation")
    };
    error.failing(AuthFailure::of(AuthFailureKind::WrongAdminKey))
}

fn ended() -> ApiError {
    unauthenticated("the session has ended: sign in again").failing(AuthFailure::of(AuthFailureKind::WrongSession))
}

/// Builds a 401.
pub(crate) fn unauthenticated(message: &'static str) -> ApiError {
    ApiError::new(Code::Unauthenticated, message)
        .with_header(header::WWW_AUTHENTICATE, http::HeaderValue::from_static("Bearer realm=\"keyway\""))
}
