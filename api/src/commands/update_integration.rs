//! Changes an integration's name, expiry, limits, priority or weight, or disables or enables it.

use keyway_domain::{Command as Job, IntegrationId, IntegrationStatus, Invalidation, Timestamp};
use keyway_store::integrations::{self, Change, IntegrationRow};
use serde_json::{Value, json};

use super::submit_integration::{NAME_TAKEN, checked_base_url, config};
use crate::{
    answer::Answer,
    config::Settings,
    error::ApiError,
    etag,
    limits::LimitsInput,
    provider_names,
    view::Submitted,
    work::{Command, Work},
};

/// New values.
pub(crate) struct UpdateIntegration {
    pub(crate) id: IntegrationId,
    pub(crate) name: Option<String>,
    pub(crate) base_url: Option<String>,
    pub(crate) settings: Settings,
    pub(crate) meta: Option<Value>,
    pub(crate) expires_at: Option<Option<Timestamp>>,
    pub(crate) priority: Option<i32>,
    pub(crate) weight: Option<i32>,
    pub(crate) limits: LimitsInput,
    pub(crate) enabled: Option<bool>,
    pub(crate) expected: Option<i32>,
}

impl Command for UpdateIntegration {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let id = self.id;
        let before = integrations::find(&work.tx, id).await?.ok_or_else(|| ApiError::not_found("integration"))?;
        work.by.check_project(before.project_id, "integration")?;
        etag::check(self.expected, before.version)?;
        check_base_url(work, self.base_url.as_deref(), &before).await?;
        let (mut row, mut expected) = (before.clone(), self.expected);
        let limits = self.limits.over(before.limits);
        let changes_row = self.name.is_some()
            || self.expires_at.is_some()
            || !self.settings.is_empty()
            || self.meta.is_some()
            || self.priority.or(self.weight).is_some()
            || limits != before.limits;
        if changes_row {
            let config = match self.settings.is_empty() {
                true => None,
                false => Some(config(work, &before.provider, Some(&before), self.settings).await?),
            };
            let (priority, weight) = (self.priority, self.weight);
            let (limits, expires_at) = (Some(limits), self.expires_at);
            let meta = self.meta;
            let change = Change { name: self.name, config, meta, priority, weight, limits, expires_at };
            let updated = integrations::update(&work.tx, id, change, expected, work.now).await;
            row = updated.map_err(|error| ApiError::or_taken(error, NAME_TAKEN))?;
            expected = expected.map(|_| row.version);
        }
        if let Some(enabled) = self.enabled {
            row = integrations::set_enabled(&work.tx, id, enabled, expected, work.now).await?;
        }
        let switched_on = before.status == IntegrationStatus::Disabled && row.status != before.status;
        let mut operation = None;
        if switched_on {
            let job = Job::VerifyKey { integration_id: id, secret_version: row.secret_version, confirming: false };
            operation = Some(work.start(job, None).await?);
        }
        let switched_off = row.status == IntegrationStatus::Disabled && self.enabled == Some(false);
        if switched_off {
            // Told even when it was off before: a cache may have missed it then.
            operation = Some(work.revoke(Invalidation::Integrations).await?);
        }
        if row.version != before.version {
            let changes = json!({ "name": row.name, "expires_at": row.expires_at, "status": row.status,
                "config": row.config, "priority": row.routing.priority, "weight": row.routing.weight,
                "limits": row.limits });
            work.audit("integration.updated", id, changes);
            if !switched_off {
                work.invalidate(Invalidation::Integrations);
            }
        }
        let version = row.version;
        let body = Submitted::new(row, operation);
        Ok(Answer::ok(&body).tagged(version))
    }
}

/// Checks that a given base URL is the present one: a key that was entered for one host goes to no other.
async fn check_base_url(work: &Work<'_>, asked: Option<&str>, before: &IntegrationRow) -> Result<(), ApiError> {
    if asked.is_none() || asked == before.base_url.as_deref() {
        return Ok(());
    }
    let spec = provider_names::spec(&work.app.catalog.now(), &work.tx, &before.provider).await?;
    if checked_base_url(work, &spec, asked)? == before.base_url {
        return Ok(());
    }
    Err(ApiError::field(
        "`config.base_url` is bound to the credential; change both with PUT /api/v1/integrations/{id}/credentials",
    ))
}
