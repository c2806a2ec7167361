//! Replaces an integration's credential, and with it, if given, the host it is bound to.

use keyway_domain::{Command as Job, IntegrationId, IntegrationStatus, Invalidation};
use keyway_store::{
    integrations::{self, Binding, IntegrationRow},
    operations::OperationRow,
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

/// The credential, and whose it is.
pub(crate) struct ReplaceCredentials {
    pub(crate) id: IntegrationId,
    pub(crate) credentials: Credentials,
    /// `None` leaves them as they are; without a base URL in it the catalog's is called.
    pub(crate) binding: Option<(Option<String>, Settings)>,
    pub(crate) expected: Option<i32>,
}

impl Command for ReplaceCredentials {
    const STARTS_WORK: bool = true;

    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let id = self.id;
        let before = integrations::find(&work.tx, id).await?.ok_or_else(|| ApiError::not_found("integration"))?;
        etag::check(self.expected, before.version)?;
        let (row, operation) = replace(work, &before, &self.credentials, self.binding).await?;
        let location = operation.as_ref().map_or_else(
            || format!("/api/v1/integrations/{id}"),
            |operation| format!("/api/v1/operations/{}", operation.id),
        );
        let version = row.version;
        let body = Submitted { integration: row.into(), operation: operation.map(Into::into) };
        Ok(Answer::accepted(&body, &location).tagged(version))
    }
}

/// Replaces the credential of `before` and starts its verification, inside the transaction of `work`.
pub(super) async fn replace(
    work: &mut Work<'_>,
    before: &IntegrationRow,
    credentials: &Credentials,
    binding: Option<(Option<String>, Settings)>,
) -> Result<(IntegrationRow, Option<OperationRow>), ApiError> {
    let id = before.id;
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
    let sealed_for = (before.secret_id, before.secret_version + 1);
    let secret = seal(work, &spec, sealed_for, credentials.text(), facts).await?;
    let row = integrations::replace_secret(&work.tx, id, before.secret_version, secret, binding, work.now).await?;
    let mut operation = None;
    if row.status != IntegrationStatus::Disabled {
        let job = Job::VerifyKey { integration_id: id, secret_version: row.secret_version, confirming: false };
        operation = Some(work.start(job, None).await?);
    }
    let changes = json!({ "secret_version": row.secret_version, "hint": row.hint, "base_url": row.base_url });
    work.audit("integration.credentials_replaced", id, changes);
    work.invalidate(Invalidation::Integrations);
    Ok((row, operation))
}
