//! Changes a provider: key and limits of a predefined one, every field of a custom one.

use keyway_domain::{Invalidation, Limits};
use keyway_providers::{AuthStyle, ProviderSpec};
use keyway_store::{
    Page,
    integrations::{self, Filter, IntegrationRow},
    provider_limits,
    providers::{self, Change, ProviderRow},
};
use serde_json::json;

use super::{
    create_provider::first_key,
    replace_credentials::{Replaced, replace},
};
use crate::{
    answer::Answer,
    error::ApiError,
    etag,
    input::Credentials,
    limits::LimitsInput,
    provider_names::{self, Named},
    view::{Marks, ProviderAccepted, ProviderView},
    work::{Command, Work},
};

/// Number of keys read to choose the one to replace; several must be told apart by id.
const SEVERAL: u64 = 50;

/// New values; `None` keeps a field.
pub(crate) struct UpdateProvider {
    pub(crate) name_or_id: String,
    pub(crate) display_name: Option<String>,
    pub(crate) base_url: Option<String>,
    pub(crate) auth: Option<AuthStyle>,
    pub(crate) limits: LimitsInput,
    /// Key for the default project; replaces the one that exists.
    pub(crate) api_key: Option<Credentials>,
    pub(crate) expected: Option<i32>,
}

impl Command for UpdateProvider {
    fn starts_work(&self) -> bool {
        self.api_key.is_some()
    }

    async fn run(mut self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let catalog = work.app.catalog.now();
        let (provider, submitted) = match provider_names::find(&catalog, &work.tx, &self.name_or_id).await? {
            Named::Predefined(spec) => {
                let submitted = self.predefined(work, spec).await?;
                (ProviderView::predefined(spec, &Marks::load(&work.tx).await?), submitted)
            }
            Named::Custom(row) => {
                let (row, submitted) = self.custom(work, row).await?;
                (ProviderView::custom(row, &Marks::load(&work.tx).await?), submitted)
            }
        };
        work.invalidate(Invalidation::Providers);
        let started = submitted.as_ref().map(|it| (it.integration.id, it.operation.as_ref().map(|it| it.id)));
        let (version, location) = (provider.version, provider.location(started));
        let (integration, replacement, operation) =
            submitted.map_or((None, None, None), |it| (Some(it.integration), it.replacement, it.operation));
        let answered = ProviderAccepted {
            provider,
            integration: integration.map(Into::into),
            replacement: replacement.map(Into::into),
            operation: operation.map(Into::into),
        };
        let is_started = answered.integration.is_some();
        let answer = if is_started { Answer::accepted(&answered, &location) } else { Answer::ok(&answered) };
        Ok(answer.tagged(version))
    }
}

impl UpdateProvider {
    async fn predefined(&mut self, work: &mut Work<'_>, spec: &ProviderSpec) -> Result<Option<Replaced>, ApiError> {
        let own_address = spec.needs_base_url && self.api_key.is_some();
        let fixed = self.display_name.is_some() || self.auth.is_some() || (self.base_url.is_some() && !own_address);
        if fixed {
            return Err(ApiError::conflict(
                "a predefined provider takes `api_key` and `limits` here, nothing else; make a custom one under another name",
            ));
        }
        let before = provider_limits::find(&work.tx, &spec.name).await?;
        etag::check(self.expected, before.map_or(0, |before| before.version))?;
        self.limit(work, &spec.name).await?;
        let base_url = self.base_url.take();
        match self.api_key.take() {
            Some(key) => {
                let known = only_key(work, &spec.name).await?;
                enter(work, &spec.name, key, (known, false), base_url).await.map(Some)
            }
            None => Ok(None),
        }
    }

    async fn custom(
        &mut self,
        work: &mut Work<'_>,
        before: ProviderRow,
    ) -> Result<(ProviderRow, Option<Replaced>), ApiError> {
        let base_url = match self.base_url.take() {
            Some(base_url) => work.app.guard.check_base_url(&base_url)?.as_str().trim_end_matches('/').to_owned(),
            None => before.base_url.clone(),
        };
        let key = match self.api_key.take() {
            Some(key) => Some((key, only_key(work, &before.name).await?)),
            None => None,
        };
        let renewed = key.as_ref().and_then(|(_, known)| known.as_ref().map(|known| known.id));
        let (display_name, auth) = (self.display_name.take(), self.auth.map(AuthStyle::name));
        let (display_name, auth) = (display_name.unwrap_or(before.display_name), auth.unwrap_or(&before.auth));
        let moved = base_url != before.base_url || auth != before.auth;
        let change = Change { display_name: &display_name, base_url: &base_url, auth };
        let updated = providers::update(&work.tx, before.id, change, renewed, self.expected).await;
        let row = updated.map_err(|error| {
            ApiError::or_conflict(
                error,
                "integrations use this provider and their credentials are bound to its base URL; make another provider",
            )
        })?;
        let limits = self.limit(work, &row.name).await?;
        let changes = json!({ "display_name": row.display_name, "base_url": row.base_url, "auth": row.auth,
            "limits": limits });
        work.audit("provider.updated", row.id, changes);
        let submitted = match key {
            // A key goes to no other host, and in no other header, than it was entered for.
            Some((key, known)) => Some(enter(work, &row.name, key, (known, moved), None).await?),
            None => None,
        };
        Ok((row, submitted))
    }

    /// Sets the limits, if they change.
    async fn limit(&mut self, work: &mut Work<'_>, provider: &str) -> Result<Limits, ApiError> {
        let before = provider_limits::find(&work.tx, provider).await?;
        let (version, before) = before.map_or((0, Limits::default()), |before| (before.version, before.limits));
        let limits = std::mem::take(&mut self.limits).over(before);
        if limits != before {
            provider_limits::set(&work.tx, provider, limits, version).await?;
            work.audit("provider.limited", provider, json!({ "limits": limits }));
        }
        Ok(limits)
    }
}

/// Returns the default project's only integration of a provider, which a key given without a name replaces.
async fn only_key(work: &Work<'_>, provider: &str) -> Result<Option<IntegrationRow>, ApiError> {
    let project_id = provider_names::project(&work.tx, None).await?;
    let filter = Filter { project_id: Some(project_id), provider: Some(provider.to_owned()), ..Filter::default() };
    let mut found = integrations::list(&work.tx, &filter, Page::first(SEVERAL)).await?.items;
    if found.len() > 1 {
        found.retain(|row| row.name == provider);
        if found.is_empty() {
            return Err(ApiError::conflict(
                "the project `default` has several keys of this provider; replace one with \
                 PUT /api/v1/integrations/{id}/credentials",
            ));
        }
    }
    Ok(found.pop())
}

async fn enter(
    work: &mut Work<'_>,
    provider: &str,
    key: Credentials,
    (known, force): (Option<IntegrationRow>, bool),
    base_url: Option<String>,
) -> Result<Replaced, ApiError> {
    match known {
        Some(known) => {
            let binding = base_url.map(|base_url| (Some(base_url), Default::default()));
            replace(work, &known, &key, binding, force).await
        }
        None => {
            let (integration, operation) = first_key(provider, key, base_url).submit(work).await?;
            Ok(Replaced { integration, replacement: None, operation: Some(operation) })
        }
    }
}
