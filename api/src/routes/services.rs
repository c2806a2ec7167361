//! `/services`: programs that call the management API in this tenant. A token is shown once, when it is made. What a
//! service may do is no more than what its maker may do.

use std::time::Duration;

use keyway_domain::{Invalidation, Level, Permission, Permissions, ServiceId, Timestamp, VirtualKeyId};
use keyway_store::{
    StoreError,
    services::{self, NewService},
    virtual_keys,
};
use keyway_vault::ServiceToken;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{reveals, tenants::PageQuery};
use crate::{
    answer::Answer,
    auth::Caller,
    call::Call,
    code::Code,
    commands::update_service::UpdateService,
    cursor::{self, List},
    error::ApiError,
    input,
    openapi::words,
    principal::Principal,
    view::{NewServiceView, ServiceView},
    work::{Command, Work},
};

/// Longest time that a token works.
const LONGEST: Duration = Duration::from_secs(400 * 86_400);

/// A service to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceInput {
    /// Name, 1 to 100 characters, unique among the tenant's services that are not revoked.
    #[schema(min_length = 1, max_length = 100, example = "billing")]
    name: String,
    /// Permissions, no more than one's own.
    #[schema(value_type = Vec<String>, min_items = 1, example = json!(["usage.read"]))]
    permissions: Vec<Permission>,
    /// Virtual key that the service calls providers as, with its token: in the project, within the limits and for the
    /// usage of that key. It needs `integrations.use`.
    #[schema(value_type = Option<words::VirtualKeyId>)]
    virtual_key_id: Option<VirtualKeyId>,
    /// Time at which the token stops working; at most 400 days ahead.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// A new token for a service.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateInput {
    /// Time at which the new token stops working; at most 400 days ahead.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// New values; a field that is left out keeps its value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceChange {
    /// Whether the service may reveal secrets, which an owner allows.
    may_reveal: Option<bool>,
}

/// Make a service. The answer holds its token, this once.
#[utoipa::path(post, path = "/api/v1/services", operation_id = "create_service", tag = "people", request_body = ServiceInput,
    responses((status = 201, body = NewServiceView), (status = 404, description = "no such virtual key"),
        (status = 409, description = "`name_taken`; the virtual key is revoked")))]
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    let ServiceInput { name, permissions, virtual_key_id, expires_at } = call.json()?;
    let (name, expires_at) = (input::name("name", &name)?, expiry(expires_at)?);
    let permissions = given(&call.by, &permissions)?;
    if virtual_key_id.is_some() && !permissions.allow(Permission::CALL) {
        return Err(ApiError::field("`virtual_key_id`: to call providers `permissions` has to name integrations.use"));
    }
    call.commit(Make { name, permissions, virtual_key_id, expires_at }).await
}

/// List services, revoked and expired ones too.
#[utoipa::path(get, path = "/api/v1/services", operation_id = "list_services", tag = "people", params(PageQuery),
    responses((status = 200, body = List<ServiceView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let query: PageQuery = call.query()?;
    let page = cursor::page(query.limit, query.cursor.as_deref())?;
    let rows = services::list(&call.read().await?, page).await?;
    Ok(Answer::ok(&List::of(rows, |row| row.id, ServiceView::from)))
}

/// Show a service, without its token.
#[utoipa::path(get, path = "/api/v1/services/{id}", operation_id = "get_service", tag = "people", params(("id" = inline(words::ServiceId), Path)),
    responses((status = 200, body = ServiceView)))]
pub(crate) async fn detail(call: Call) -> Result<Answer, ApiError> {
    let id: ServiceId = call.id("service")?;
    let row = services::find(&call.read().await?, id).await?.ok_or_else(|| ApiError::not_found("service"))?;
    let version = row.version;
    Ok(Answer::ok(&ServiceView::from(row)).tagged(version))
}

/// Allow a service to reveal secrets, or take that back.
#[utoipa::path(patch, path = "/api/v1/services/{id}", operation_id = "update_service", tag = "people", params(("id" = inline(words::ServiceId), Path)),
    request_body = ServiceChange, responses((status = 200, body = ServiceView), (status = 409, description = "it is revoked, or its maker may not reveal secrets")))]
pub(crate) async fn update(call: Call) -> Result<Answer, ApiError> {
    let ServiceChange { may_reveal } = call.json()?;
    if let Some(may_reveal) = may_reveal {
        reveals::check_giver(&call.by, may_reveal)?;
    }
    call.commit(UpdateService { id: call.id("service")?, may_reveal, expected: call.expected_version()? }).await
}

/// Give a service another token. The old one stops working at once.
#[utoipa::path(post, path = "/api/v1/services/{id}/rotate", operation_id = "rotate_service", tag = "people", params(("id" = inline(words::ServiceId), Path)),
    request_body = RotateInput, responses((status = 200, body = NewServiceView), (status = 409, description = "it is revoked")))]
pub(crate) async fn rotate(call: Call) -> Result<Answer, ApiError> {
    let expires_at = expiry(call.json::<RotateInput>()?.expires_at)?;
    call.commit(Rotate { id: call.id("service")?, expires_at }).await
}

/// Revoke a service for good; it stays in the list.
#[utoipa::path(delete, path = "/api/v1/services/{id}", operation_id = "delete_service", tag = "people", params(("id" = inline(words::ServiceId), Path)),
    responses((status = 204)))]
pub(crate) async fn delete(call: Call) -> Result<Answer, ApiError> {
    call.commit(Revoke { id: call.id("service")?, expected: call.expected_version()? }).await
}

fn expiry(at: Timestamp) -> Result<Timestamp, ApiError> {
    let now = Timestamp::now();
    match input::expiry(Some(at), now)? {
        Some(at) if at <= now.after(LONGEST) => Ok(at),
        _ => Err(ApiError::field("`expires_at` may be at most 400 days ahead")),
    }
}

/// Returns the permissions that the caller hands on.
fn given(by: &Caller, named: &[Permission]) -> Result<Permissions, ApiError> {
    if named.is_empty() {
        return Err(ApiError::field("`permissions` must name at least one"));
    }
    if let Some(of_installation) = named.iter().find(|it| it.resource().level() == Level::Installation) {
        return Err(ApiError::field(format!("`permissions`: {of_installation} is the operator's alone")));
    }
    let permissions: Permissions = named.iter().copied().collect();
    if permissions.allow(Permission::REVEAL) {
        reveals::check_giver(by, true)?;
    }
    let lacking = permissions.iter().find(|it| by.check(*it).is_err());
    lacking.map_or(Ok(permissions), |lacking| {
        let message = format!("you do not have the permission {lacking} in the whole tenant, and cannot hand it on");
        Err(ApiError::new(Code::NotAllowed, message))
    })
}

struct Make {
    name: String,
    permissions: Permissions,
    virtual_key_id: Option<VirtualKeyId>,
    expires_at: Timestamp,
}

impl Command for Make {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        if let Some(id) = self.virtual_key_id {
            let key = virtual_keys::find(&work.tx, id).await?.ok_or_else(|| ApiError::not_found("virtual key"))?;
            if key.revoked_at.is_some() {
                return Err(ApiError::conflict("the virtual key is revoked; name another one"));
            }
        }
        let token = ServiceToken::generate()?;
        let made_by = match &*work.by.principal {
            Principal::User(person) => Some(person.user.id),
            // What a service makes must end with its own maker.
            Principal::Service(service) => service.row.made_by,
            Principal::Operator(_) | Principal::Nobody | Principal::Application(_) => None,
        };
        let new = NewService {
            name: self.name,
            public_id: token.public_id().to_owned(),
            token_sha256: token.sha256(),
            permissions: self.permissions,
            made_by,
            virtual_key_id: self.virtual_key_id,
            expires_at: self.expires_at,
        };
        let row = services::insert(&work.tx, new, work.now).await?;
        let changes = json!({ "name": row.name, "permissions": row.permissions, "expires_at": row.expires_at,
            "virtual_key_id": row.virtual_key_id });
        work.audit("service.created", row.id, changes);
        let (location, version) = (format!("/api/v1/services/{}", row.id), row.version);
        let view = NewServiceView { service: row.into(), token: token.plain().to_owned() };
        Ok(Answer::created(&view, &location).tagged(version).secret())
    }
}

struct Rotate {
    id: ServiceId,
    expires_at: Timestamp,
}

impl Command for Rotate {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let before = services::find(&work.tx, self.id).await?.ok_or_else(|| ApiError::not_found("service"))?;
        if before.revoked_at.is_some() {
            return Err(ApiError::conflict("the service is revoked; make a new one"));
        }
        // Whoever holds the new token has what the service may do.
        given(work.by, &before.permissions.iter().collect::<Vec<_>>())?;
        let token = ServiceToken::generate()?;
        let (public_id, hash) = (token.public_id(), token.sha256());
        let row = services::rotate(&work.tx, self.id, public_id, &hash, self.expires_at).await?;
        work.audit("service.rotated", row.id, json!({ "name": row.name, "expires_at": row.expires_at }));
        work.invalidate(Invalidation::Service { id: row.id });
        let version = row.version;
        let view = NewServiceView { service: row.into(), token: token.plain().to_owned() };
        Ok(Answer::ok(&view).tagged(version).secret())
    }
}

struct Revoke {
    id: ServiceId,
    expected: Option<i32>,
}

impl Command for Revoke {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let row = services::revoke(&work.tx, self.id, self.expected, work.now).await.map_err(|error| match error {
            StoreError::NotFound => ApiError::not_found("service"),
            error => error.into(),
        })?;
        work.audit("service.revoked", row.id, json!({ "name": row.name }));
        work.invalidate(Invalidation::Service { id: row.id });
        Ok(Answer::no_content())
    }
}
