//! `/me`: who calls, what it may do, and a person's own account.

use std::sync::Arc;

use keyway_domain::{Invalidation, Permission, Reach};
use keyway_store::{
    StoreError, factors, sessions,
    sign_in_attempts::{self, Subject},
    tenants, users,
};
use keyway_vault::{AccessToken, AccessTokenKind, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    answer::Answer,
    auth,
    call::Call,
    error::ApiError,
    input,
    openapi::words,
    people::{self, Renewed, attempts, passwords},
    principal::Principal,
    system_work::SystemWork,
    view::{OwnTenantView, UserView},
};

/// Languages that people are written to in.
pub(crate) const LOCALES: [&str; 2] = ["en", "es"];

/// Who calls, and what it may do.
#[derive(Serialize, ToSchema)]
pub(crate) struct MeView {
    /// Kind of the caller.
    #[schema(value_type = words::PrincipalKind)]
    principal: &'static str,
    /// Person; null for anybody else.
    user: Option<UserView>,
    /// Id of the service; null for anybody else.
    #[schema(value_type = Option<words::ServiceId>)]
    service_id: Option<keyway_domain::ServiceId>,
    /// Tenants that the caller acts in; empty for the operator, who acts in every one.
    tenants: Vec<OwnTenantView>,
    /// Permissions in the tenant that `Keyway-Tenant` names, or in the only one; those that hold in single projects too.
    #[schema(value_type = Vec<String>, example = json!(["integrations.read"]))]
    permissions: Vec<Permission>,
}

/// New values; a field that is left out keeps its value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeChange {
    /// Name, 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// Language to be written to in: `en` or `es`.
    #[schema(example = "es")]
    locale: Option<String>,
}

/// A new password, and the present one as a proof.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    #[schema(value_type = String, format = Password)]
    current_password: SecretString,
    /// New password: 15 to 256 characters, 8 beside a second factor.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 256)]
    password: SecretString,
}

/// Show who calls, its tenants and its permissions.
#[utoipa::path(get, path = "/api/v1/me", operation_id = "get_me", tag = "people", responses((status = 200, body = MeView)))]
pub(crate) async fn detail(call: Call) -> Result<Answer, ApiError> {
    let (by, tenant_id) = (&call.by, call.by.tenant_id);
    let may = |permission: &Permission| by.principal.reach(tenant_id, *permission) != Reach::Projects(Vec::new());
    let permissions = Permission::all().filter(may).collect();
    let mut view = MeView { principal: "operator", user: None, service_id: None, tenants: Vec::new(), permissions };
    let tx = call.app.store.system_read().await?;
    match &*by.principal {
        Principal::Operator(_) | Principal::Nobody | Principal::Application(_) => {}
        Principal::User(person) => {
            (view.principal, view.user) = ("user", Some(person.user.clone().into()));
            for row in &person.memberships {
                if let Some(tenant) = tenants::find(&tx, row.tenant_id).await? {
                    view.tenants.push(OwnTenantView::of(row, tenant.name));
                }
            }
        }
        Principal::Service(service) => {
            (view.principal, view.service_id) = ("service", Some(service.row.id));
            if let Some(tenant) = tenants::find(&tx, tenant_id).await? {
                let own = OwnTenantView { id: tenant.id, name: tenant.name, role: None, project_id: None };
                view.tenants.push(own);
            }
        }
    }
    let version = match &*by.principal {
        Principal::User(person) => Some(person.user.version),
        _ => None,
    };
    let answer = Answer::ok(&view);
    Ok(match version {
        Some(version) => answer.tagged(version),
        None => answer,
    })
}

/// Change one's own name or language.
#[utoipa::path(patch, path = "/api/v1/me", operation_id = "update_me", tag = "people", request_body = MeChange,
    responses((status = 200, body = UserView)))]
pub(crate) async fn update(call: Call) -> Result<Answer, ApiError> {
    let (MeChange { name, locale }, expected) = (call.json()?, call.expected_version()?);
    let name = name.map(|name| input::name("name", &name)).transpose()?;
    if locale.as_ref().is_some_and(|locale| !LOCALES.contains(&locale.as_str())) {
        return Err(ApiError::field("`locale` must be `en` or `es`"));
    }
    let id = call.by.person()?.user.id;
    let mut work = SystemWork::begin(&call.app, &call.by).await?;
    let before = users::find(&work.tx, id).await?.ok_or(StoreError::NotFound)?;
    crate::etag::check(expected, before.version)?;
    let (name, locale) = (name.unwrap_or(before.name), locale.unwrap_or(before.locale));
    let row = users::update(&work.tx, id, &name, &locale, before.version).await?;
    work.audit("user.updated", id, json!({ "name": row.name, "locale": row.locale }));
    work.invalidate(Invalidation::User { id });
    work.commit().await?;
    let version = row.version;
    Ok(Answer::ok(&UserView::from(row)).tagged(version))
}

/// Change one's own password. All other sessions end, and this one goes on under a new token.
#[utoipa::path(post, path = "/api/v1/me/password", operation_id = "change_password", tag = "people", request_body = PasswordChange,
    responses((status = 200, body = Renewed), (status = 429, description = "there were wrong attempts; wait for `Retry-After`")))]
pub(crate) async fn change_password(call: Call) -> Result<Answer, ApiError> {
    let PasswordChange { current_password, password } = call.json()?;
    let (person, app) = (call.by.person()?, Arc::clone(&call.app));
    let user = &person.user;
    let subjects = attempts::subjects(Some(Subject::Account(user.email.clone())), call.by.address);
    attempts::begin(&app, &subjects).await?;
    let tx = app.store.system_read().await?;
    let found = users::find_for_proof(&tx, user.id).await?;
    let has_second_factor = factors::of(&tx, user.id).await?.are_asked_for();
    drop(tx);
    let judged = app.hashing.judge(current_password, found.and_then(|found| found.password_hash)).await?;
    if !judged.is_right {
        return Err(attempts::wrong_of(Some(user.id), "the current password is wrong"));
    }
    let owner =
        passwords::Owner { email: user.email.as_given().to_owned(), name: user.name.clone(), has_second_factor };
    let hashed = passwords::hash(&app, password, owner).await;
    let token = AccessToken::generate(AccessTokenKind::Session)?;
    let mut work = SystemWork::begin(&app, &call.by).await?;
    sign_in_attempts::succeeded(&work.tx, &subjects, work.now).await?;
    let hash = match hashed {
        Ok(hash) => hash,
        Err(error) => {
            // The proof was right, whatever the new one is.
            work.commit().await?;
            return Err(error);
        }
    };
    users::set_password(&work.tx, user.id, &hash, Some(person.session.id), work.now).await?;
    if !sessions::replace_token(&work.tx, person.session.id, &token.sha256(), work.now).await? {
        return Err(auth::unauthenticated("the session has ended: sign in again"));
    }
    work.audit("user.password_changed", user.id, json!({}));
    work.invalidate(Invalidation::User { id: user.id });
    work.commit().await?;
    Ok(people::renewed(&call, &person.session, &token))
}
