//! Replaces an integration's credential and, if given, the base URL it is bound to.
//!
//! A working credential is never given up for an unproven one: the new one waits beside it, sealed, until it is
//! verified.

use keyway_domain::{Command as Job, IntegrationId, IntegrationStatus, Invalidation};
use keyway_store::{
    integrations::{self, Binding, IntegrationRow, SealedSecret},
    operations::OperationRow,
    replacements::{self, NewReplacement, ReplacementRow},
};
use serde_json::json;

use super::submit_integration::{check, checked_base_url, seal};
use crate::{
    answer::Answer,
    config::Settings,
    error::ApiError,
    etag,
    input::Credentials,
    provider_names,
    view::Submitted,
    work::{Command, Work},
};

/// The new credential, with its integration.
pub(crate) struct ReplaceCredentials {
    pub(crate) id: IntegrationId,
    pub(crate) credentials: Credentials,
    /// New base URL and settings; `None` keeps both. A `None` base URL inside means the catalog's.
    pub(crate) binding: Option<(Option<String>, Settings)>,
    /// `true` to drop the present credential at once, even if it works.
    pub(crate) force: bool,
    pub(crate) expected: Option<i32>,
}

/// Result of a replacement.
pub(super) struct Replaced {
    pub(super) integration: IntegrationRow,
    /// The waiting replacement, if the old credential serves until the new one is verified.
    pub(super) replacement: Option<ReplacementRow>,
    /// Verification of the new credential; `None`: the integration is disabled.
    pub(super) operation: Option<OperationRow>,
}

impl Command for ReplaceCredentials {
    const STARTS_WORK: bool = true;

    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let id = self.id;
        let before = integrations::find(&work.tx, id).await?.ok_or_else(|| ApiError::not_found("integration"))?;
        work.by.check_project(before.project_id, "integration")?;
        etag::check(self.expected, before.version)?;
        let replaced = replace(work, &before, &self.credentials, self.binding, self.force).await?;
        let location = replaced.operation.as_ref().map_or_else(
            || format!("/api/v1/integrations/{id}"),
            |operation| format!("/api/v1/operations/{}", operation.id),
        );
        let version = replaced.integration.version;
        let body = Submitted {
            integration: replaced.integration.into(),
            replacement: replaced.replacement.map(Into::into),
            operation: replaced.operation.map(Into::into),
        };
        Ok(Answer::accepted(&body, &location).tagged(version))
    }
}

/// Replaces the credential of `before` and starts its verification, inside the transaction of `work`. A working one is
/// replaced after the verification, or at once with `force`.
pub(super) async fn replace(
    work: &mut Work<'_>,
    before: &IntegrationRow,
    credentials: &Credentials,
    binding: Option<(Option<String>, Settings)>,
    force: bool,
) -> Result<Replaced, ApiError> {
    let spec = provider_names::spec(&work.app.catalog.now(), &work.tx, &before.provider).await?;
    let facts = check(work, &spec, credentials).await?;
    let binding = match binding {
        Some((base_url, settings)) => {
            let base_url = checked_base_url(work, &spec, base_url.as_deref())?;
            let config = settings.over(&spec.name, &before.settings_without_key_id())?;
            Some(Binding { base_url, config })
        }
        None => None,
    };
    let version = replacements::next_version(&work.tx, before).await?;
    let secret = seal(work, &spec, (before.secret_id, version), credentials.secret(), facts).await?;
    match before.is_proven() && !force {
        true => keep_beside(work, before, (version, secret), binding).await,
        false => replace_now(work, before, (version, secret), binding).await,
    }
}

async fn replace_now(
    work: &mut Work<'_>,
    before: &IntegrationRow,
    (version, secret): (i32, SealedSecret),
    binding: Option<Binding>,
) -> Result<Replaced, ApiError> {
    let integration = integrations::replace_secret(&work.tx, before, version, secret, binding, work.now).await?;
    let mut operation = None;
    if integration.status != IntegrationStatus::Disabled {
        operation = Some(work.start(verify(integration.id, version), None).await?);
    }
    let changes = json!({ "secret_version": integration.secret_version, "hint": integration.hint,
        "base_url": integration.base_url });
    work.audit("integration.credentials_replaced", integration.id, changes);
    work.invalidate(Invalidation::Integrations);
    Ok(Replaced { integration, replacement: None, operation })
}

async fn keep_beside(
    work: &mut Work<'_>,
    before: &IntegrationRow,
    (version, secret): (i32, SealedSecret),
    binding: Option<Binding>,
) -> Result<Replaced, ApiError> {
    let id = before.id;
    let changes = json!({ "secret_version": version, "hint": secret.hint,
        "base_url": binding.as_ref().map_or(&before.base_url, |binding| &binding.base_url) });
    let operation = work.start(verify(id, version), None).await?;
    let new = NewReplacement { version, secret, binding, operation_id: operation.id };
    let replacement = replacements::put(&work.tx, before, new, work.now).await?;
    work.audit("integration.credentials_submitted", id, changes);
    Ok(Replaced { integration: before.clone(), replacement: Some(replacement), operation: Some(operation) })
}

const fn verify(integration_id: IntegrationId, secret_version: i32) -> Job {
    Job::VerifyKey { integration_id, secret_version, confirming: false }
}
