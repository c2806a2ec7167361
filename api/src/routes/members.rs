//! `/members`: people in the tenant, and their roles. Who is changed or removed signs in anew.

use keyway_domain::{Invalidation, MembershipId, Role};
use keyway_store::{
    StoreError,
    memberships::{self, MembershipRow},
    users,
};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{reveals, tenants::PageQuery};
use crate::{
    answer::Answer,
    auth::Caller,
    call::Call,
    cursor::{self, List},
    error::ApiError,
    openapi::words,
    principal::Principal,
    system_work::SystemWork,
    view::MemberView,
};

/// New values; a field that is left out keeps its value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberChange {
    /// Role. Giving or taking `owner` is for owners.
    #[schema(value_type = Option<words::Role>)]
    role: Option<Role>,
    /// Whether the member may reveal secrets, which an owner allows. Another role takes it away.
    may_reveal: Option<bool>,
}

/// List the tenant's members, newest first; one with several projects has a row for each.
#[utoipa::path(get, path = "/api/v1/members", operation_id = "list_members", tag = "people", params(PageQuery),
    responses((status = 200, body = List<MemberView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let query: PageQuery = call.query()?;
    let page = cursor::page(query.limit, query.cursor.as_deref())?;
    let rows = memberships::list(&call.read().await?, page).await?;
    let ids: Vec<_> = rows.items.iter().map(|row| row.user_id).collect();
    let people = users::of_ids(&call.app.store.system_read().await?, &ids).await?;
    Ok(Answer::ok(&List::of(rows, |row| row.id, |row| MemberView::of(row, &people))))
}

/// Show a member.
#[utoipa::path(get, path = "/api/v1/members/{id}", operation_id = "get_member", tag = "people", params(("id" = inline(words::MembershipId), Path)),
    responses((status = 200, body = MemberView)))]
pub(crate) async fn detail(call: Call) -> Result<Answer, ApiError> {
    let id: MembershipId = call.id("member")?;
    let tx = call.app.store.system_read().await?;
    let row = memberships::find(&tx, call.by.tenant_id, id).await?.ok_or_else(|| ApiError::not_found("member"))?;
    let (version, people) = (row.version, users::of_ids(&tx, &[row.user_id]).await?);
    Ok(Answer::ok(&MemberView::of(row, &people)).tagged(version))
}

/// Give a member another role, or allow it to reveal secrets.
#[utoipa::path(patch, path = "/api/v1/members/{id}", operation_id = "update_member", tag = "people", params(("id" = inline(words::MembershipId), Path)),
    request_body = MemberChange, responses((status = 200, body = MemberView), (status = 409, description = "`last_owner`")))]
pub(crate) async fn update(call: Call) -> Result<Answer, ApiError> {
    let (id, expected): (MembershipId, _) = (call.id("member")?, call.expected_version()?);
    let MemberChange { role, may_reveal } = call.json()?;
    let tenant_id = call.by.tenant_id;
    let mut work = SystemWork::begin(&call.app, &call.by).await?;
    let mut row = memberships::find(&work.tx, tenant_id, id).await?.ok_or_else(|| ApiError::not_found("member"))?;
    crate::etag::check(expected, row.version)?;
    let keep = own_session(&call.by, &row);
    if let Some(role) = role.filter(|role| *role != row.grant.role) {
        check_giver(&call.by, role)?;
        check_giver(&call.by, row.grant.role)?;
        let before = row.grant.role;
        let changed = memberships::set_role(&work.tx, tenant_id, id, role, Some(row.version), keep).await;
        row = changed.map_err(|error| unfit(error, role))?;
        work.audit("member.role_changed", id, json!({ "user_id": row.user_id, "from": before, "to": role }));
    }
    if let Some(may_reveal) = may_reveal.filter(|may_reveal| *may_reveal != row.grant.may_reveal) {
        reveals::check_giver(&call.by, may_reveal)?;
        row = memberships::set_may_reveal(&work.tx, tenant_id, id, may_reveal, Some(row.version), keep).await?;
        work.audit("member.reveal_changed", id, json!({ "user_id": row.user_id, "may_reveal": may_reveal }));
    }
    let (version, people) = (row.version, users::of_ids(&work.tx, &[row.user_id]).await?);
    work.invalidate(Invalidation::User { id: row.user_id });
    work.commit().await?;
    Ok(Answer::ok(&MemberView::of(row, &people)).tagged(version))
}

/// Remove a member. The account stays; the services that it made stop working.
#[utoipa::path(delete, path = "/api/v1/members/{id}", operation_id = "delete_member", tag = "people", params(("id" = inline(words::MembershipId), Path)),
    responses((status = 204), (status = 409, description = "`last_owner`")))]
pub(crate) async fn delete(call: Call) -> Result<Answer, ApiError> {
    let (id, expected): (MembershipId, _) = (call.id("member")?, call.expected_version()?);
    let tenant_id = call.by.tenant_id;
    let mut work = SystemWork::begin(&call.app, &call.by).await?;
    let row = memberships::find(&work.tx, tenant_id, id).await?.ok_or_else(|| ApiError::not_found("member"))?;
    crate::etag::check(expected, row.version)?;
    check_giver(&call.by, row.grant.role)?;
    let keep = own_session(&call.by, &row);
    let row = memberships::remove(&work.tx, tenant_id, id, Some(row.version), keep).await?;
    work.audit("member.removed", id, json!({ "user_id": row.user_id, "role": row.grant.role }));
    work.invalidate(Invalidation::User { id: row.user_id });
    work.commit().await?;
    Ok(Answer::no_content())
}

/// Checks that the caller may give or take a role: no more than it may do itself, and `owner` only as an owner.
///
/// # Errors
/// 403 that says what is missing.
pub(super) fn check_giver(by: &Caller, role: Role) -> Result<(), ApiError> {
    if let Some(permission) = role.needs_of_giver() {
        by.check(permission)?;
    }
    match by.principal.to_hand_on(by.tenant_id) {
        Some(own) if !own.cover(&role.permissions()) => Err(ApiError::new(
            crate::code::Code::NotAllowed,
            format!("the role {role} may do more than you may: somebody else has to give or take it"),
        )),
        _ => Ok(()),
    }
}

/// Returns the error for a role that does not fit where it would hold.
pub(super) fn unfit(error: StoreError, role: Role) -> ApiError {
    ApiError::or_conflict(
        error,
        match role {
            Role::Owner => "an owner has the whole tenant: leave the project out",
            _ => "the project is not there any more",
        },
    )
}

/// Returns the caller's own session, which goes on when it changes itself.
fn own_session(by: &Caller, row: &MembershipRow) -> Option<keyway_domain::SessionId> {
    match &*by.principal {
        Principal::User(person) if person.user.id == row.user_id => Some(person.session.id),
        _ => None,
    }
}
