//! `/reveals` and `.../reveal`: whether secrets may be revealed in the tenant, and the one route that answers with one.

use keyway_domain::{Permission, Resource, Verb};
use keyway_store::reveal_allowances;
use keyway_telemetry::metrics;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    answer::Answer,
    auth::Caller,
    call::Call,
    code::Code,
    commands::{allow_reveals::AllowReveals, reveal_secret::RevealSecret},
    error::ApiError,
    input,
    openapi::words,
    principal::Principal,
    view::{RevealedView, RevealsView},
    work,
};

/// Whether secrets may be revealed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevealsInput {
    /// `true`: who may reveal secrets can do so; `false`: nobody can, at once.
    allowed: bool,
}

/// Why a secret is needed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevealInput {
    /// Reason, 1 to 200 characters; the audit log keeps it.
    #[schema(min_length = 1, max_length = 200, example = "moving to another host")]
    reason: String,
}

/// Show whether secrets may be revealed in the tenant.
#[utoipa::path(get, path = "/api/v1/reveals", operation_id = "get_reveals", tag = "people",
    responses((status = 200, body = RevealsView)))]
pub(crate) async fn detail(call: Call) -> Result<Answer, ApiError> {
    let allowance = reveal_allowances::find(&call.read().await?).await?;
    Ok(Answer::ok(&RevealsView::from(allowance)))
}

/// Allow that secrets are revealed in the tenant, which an owner does, or forbid it again. Who may then reveal some is
/// said of each member and each service (`may_reveal`).
#[utoipa::path(put, path = "/api/v1/reveals", operation_id = "update_reveals", tag = "people", request_body = RevealsInput,
    responses((status = 200, body = RevealsView)))]
pub(crate) async fn update(call: Call) -> Result<Answer, ApiError> {
    let RevealsInput { allowed } = call.json()?;
    check_giver(&call.by, allowed)?;
    call.commit(AllowReveals { allowed }).await
}

/// Reveal the secret of an integration: to a member or service that an owner allowed it to, at most five times a minute.
/// Each reveal is in the audit log before it is answered. An `Idempotency-Key` does nothing here.
#[utoipa::path(post, path = "/api/v1/integrations/{id}/reveal", operation_id = "reveal_integration", tag = "integrations", params(("id" = inline(words::IntegrationId), Path)),
    request_body = RevealInput, responses((status = 200, body = inline(RevealedView<'_>)), (status = 409, description = "it has just been replaced"),
        (status = 429, description = "`rate_limited`: wait for `Retry-After`")))]
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    let RevealInput { reason } = call.json()?;
    let command = RevealSecret { id: call.id("integration")?, reason: input::reason(&reason)? };
    let answer = work::carry_out(&call.app, &call.by, command, (None, || Ok(()))).await?;
    metrics().secret_reveals.with_label_values(&[call.by.principal.kind()]).inc();
    Ok(answer)
}

/// Checks that the caller may allow reveals, or (`allowed` is false) take that back. Behind each secret that leaves stands
/// an owner who signed in: neither the admin key nor a service allows it.
///
/// # Errors
/// 403 that says who has to do it.
pub(super) fn check_giver(by: &Caller, allowed: bool) -> Result<(), ApiError> {
    const MANAGE: Option<Permission> = Permission::new(Resource::Reveals, Verb::Manage);
    if let Some(permission) = MANAGE {
        by.check(permission)?;
    }
    if allowed && !matches!(&*by.principal, Principal::User(_)) {
        let message =
            "an owner who has signed in allows secrets to be revealed; neither the admin key nor a service does";
        return Err(ApiError::new(Code::NotAllowed, message));
    }
    Ok(())
}
