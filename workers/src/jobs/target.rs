//! From an integration's id to its opened secret and its provider: the first step of both provider jobs.
//!
//! The secret lives for one attempt. No transaction is open while a provider is asked.

use std::sync::Arc;

use keyway_domain::{Code, IntegrationId, IntegrationStatus, Outcome, TenantId};
use keyway_providers::{Provider, Resolved, StoredProvider, Target, UnreadableProvider, for_spec};
use keyway_store::{
    credentials::{self, Credential},
    integrations::IntegrationRow,
    providers,
};
use keyway_vault::{ProviderSecret, VaultError};
use url::Url;

use crate::{
    Ctx, HandlerError,
    gate::{LineKey, Pass, TurnedAway},
};

/// An integration with its opened secret, ready for a call.
pub(super) struct Opened {
    /// Row of the integration.
    pub(super) integration: IntegrationRow,
    /// Implementation of its provider.
    pub(super) provider: Arc<dyn Provider>,
    line: LineKey,
    base_url: Url,
    secret: ProviderSecret,
}

/// Reason why a call is impossible; each becomes an outcome.
pub(super) enum Missing {
    /// The integration was deleted or disabled.
    Gone,
    /// This build does not know the provider: while an upgrade is rolled out, another build does.
    UnknownProvider,
    /// The envelope does not open with the keys at hand.
    Undecryptable,
}

impl Missing {
    /// Returns the outcome: a retry if another attempt may succeed.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::UnknownProvider => Outcome::Retry { code: self.code(), after: None, next: None, events: Vec::new() },
            _ => Outcome::Failed { code: self.code(), events: Vec::new() },
        }
    }

    const fn code(&self) -> Code {
        match self {
            Self::Gone | Self::UnknownProvider => Code::Gone,
            Self::Undecryptable => Code::Undecryptable,
        }
    }
}

impl Opened {
    /// Waits for a permit to call the provider.
    pub(super) async fn enter(&self, ctx: &Ctx) -> Result<Pass, TurnedAway> {
        ctx.gate.enter(self.line.clone(), self.base_url.as_str()).await
    }

    /// Returns base URL and secret for a call.
    pub(super) const fn target(&self) -> Target<'_> {
        Target { base_url: &self.base_url, secret: &self.secret }
    }
}

/// Loads and opens an integration. A `version` selects its current secret or the replacement that waits.
pub(super) async fn open(
    ctx: &Ctx,
    tenant_id: TenantId,
    id: IntegrationId,
    version: Option<i32>,
) -> Result<Result<Opened, Missing>, HandlerError> {
    let catalog = ctx.catalog.now();
    let tx = ctx.store.tenant_read(tenant_id).await?;
    let is_current = |it: &Credential| version.is_none_or(|version| version == it.integration.secret_version);
    let credential = match (credentials::of_integration(&tx, id).await?, version) {
        (Some(credential), Some(version)) if !is_current(&credential) => {
            credentials::of_replacement(&tx, id, version).await?
        }
        (credential, _) => credential,
    };
    let is_on = |it: &Credential| it.integration.status != IntegrationStatus::Disabled;
    let Some(credential) = credential.filter(is_on) else {
        tx.ensure_current().await?;
        return Ok(Err(Missing::Gone));
    };
    let integration = credential.integration;
    let name = &integration.provider;
    let spec = match catalog.resolve(name, providers::find_by_name(&tx, name).await?) {
        Some(Resolved::Custom(row)) => {
            let (display_name, base_url, auth) = (&row.display_name, &row.base_url, &row.auth);
            StoredProvider { name, display_name, base_url, auth }.spec(Vec::new()).map_err(unreadable)?
        }
        Some(Resolved::Predefined(spec)) => spec.clone(),
        None => return Ok(Err(Missing::UnknownProvider)),
    };
    let base_url = spec.base_url_of(integration.base_url.as_deref()).map_err(unreadable)?;
    let line = match catalog.get(&spec.name) {
        Some(known) if known.base_url == base_url => LineKey::Catalog(spec.name.clone()),
        _ => LineKey::Custom(tenant_id),
    };
    drop(tx);
    let (id, version, envelope) = (integration.secret_id, integration.secret_version, &credential.envelope);
    let opened = ctx.keys.unwrapped(credential.data_key).and_then(|keys| keys.open(id, version, envelope));
    match opened.and_then(ProviderSecret::from_opened) {
        Ok(secret) => Ok(Ok(Opened { provider: for_spec(&spec), integration, line, base_url, secret })),
        // The keyring at hand is not the one the data needs: that says nothing about the key.
        Err(error @ (VaultError::Sealed(_) | VaultError::UnknownVersion(_))) => {
            Err(HandlerError::Unavailable(error.to_string()))
        }
        Err(_) => Ok(Err(Missing::Undecryptable)),
    }
}

fn unreadable(error: UnreadableProvider) -> HandlerError {
    HandlerError::Defect(error.to_string())
}
