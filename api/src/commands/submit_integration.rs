//! Takes a credential: checks what can be checked without calling anybody, seals it, and starts its
//! verification. From here on the plaintext exists nowhere.

use keyway_domain::{Command as Job, IntegrationId, Invalidation, Limits, ProjectId, Routing, SecretId, Timestamp};
use keyway_providers::{KeyFacts, ProviderSpec, for_spec};
use keyway_store::{
    integrations::{self, NewIntegration, SealedSecret},
    key_usage,
};
use keyway_vault::SecretString;
use serde_json::{Value, json};

use crate::{
    answer::Answer,
    error::{ApiError, Code},
    input::Credentials,
    limits::LimitsInput,
    provider_names,
    view::Submitted,
    work::{Command, Work},
};

/// The credential and what it is for.
pub(crate) struct SubmitIntegration {
    pub(crate) project_id: Option<ProjectId>,
    pub(crate) provider: String,
    pub(crate) name: String,
    pub(crate) credentials: Credentials,
    pub(crate) base_url: Option<String>,
    pub(crate) provider_key_id: Option<String>,
    pub(crate) routing: Routing,
    pub(crate) limits: LimitsInput,
    pub(crate) expires_at: Option<Timestamp>,
}

impl Command for SubmitIntegration {
    const STARTS_WORK: bool = true;

    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let spec = provider_names::spec(&work.app.catalog.now(), &work.tx, &self.provider).await?;
        let facts = check(&spec, &self.credentials)?;
        let base_url = checked_base_url(work, &spec, self.base_url.as_deref())?;
        let config = config(work, &spec.name, None, self.provider_key_id.as_deref()).await?;
        let project_id = provider_names::project(&work.tx, self.project_id).await?;
        let secret_id = SecretId::new();
        let secret = seal(work, &spec, (secret_id, 1), self.credentials.text(), facts).await?;
        let new = NewIntegration {
            id: IntegrationId::new(),
            secret_id,
            project_id,
            provider: spec.name,
            name: self.name,
            base_url,
            config,
            expires_at: self.expires_at,
            routing: self.routing,
            limits: self.limits.over(Limits::default()),
            secret,
            next_check_at: Some(work.now.after(work.app.verify_interval)),
        };
        let integration = integrations::insert(&work.tx, new, work.now).await?;
        let job = Job::VerifyKey { integration_id: integration.id, secret_version: 1, confirming: false };
        let operation = work.start(job, None).await?;
        let changes = json!({ "provider": integration.provider, "name": integration.name,
            "project_id": integration.project_id, "base_url": integration.base_url,
            "limits": integration.limits });
        work.audit("integration.created", integration.id, changes);
        work.invalidate(Invalidation::Integrations);
        let (location, version) = (format!("/api/v1/operations/{}", operation.id), integration.version);
        let body = Submitted { integration: integration.into(), operation: Some(operation.into()) };
        Ok(Answer::accepted(&body, &location).tagged(version))
    }
}

/// The settings of an integration as they are stored. A key of a provider is one integration's: its figures
/// belong to that.
pub(super) async fn config(
    work: &Work<'_>,
    provider: &str,
    own: Option<IntegrationId>,
    provider_key_id: Option<&str>,
) -> Result<Value, ApiError> {
    let Some(id) = provider_key_id else { return Ok(json!({})) };
    let known = key_usage::keys_of(&work.tx, provider).await?;
    match known.iter().find(|key| key.provider_key_id == id && Some(key.integration_id) != own) {
        Some(other) => Err(ApiError::conflict(format!(
            "`config.provider_key_id` is that of the key of integration {} already",
            other.integration_id
        ))),
        None => Ok(json!({ "provider_key_id": id })),
    }
}

/// Looks at a credential without calling anybody.
pub(super) fn check(spec: &ProviderSpec, credentials: &Credentials) -> Result<KeyFacts, ApiError> {
    let checked = for_spec(spec).check_format(credentials.text().expose());
    checked.map_err(|error| ApiError::new(Code::MalformedKey, format!("`credentials`: {error}")))
}

/// Checks a base URL that overrides the catalog's, or stands in for the one it does not have.
pub(super) fn checked_base_url(
    work: &Work<'_>,
    spec: &ProviderSpec,
    base_url: Option<&str>,
) -> Result<Option<String>, ApiError> {
    let Some(text) = base_url else {
        if spec.needs_base_url {
            let message = format!("`config.base_url` is missing: your own address at {}", spec.display_name);
            return Err(ApiError::field(format!("{message}, like {}", spec.base_url)));
        }
        return Ok(None);
    };
    let mut url = work.app.guard.check_base_url(text)?;
    if spec.needs_base_url && url.path() == "/" {
        // People copy their host from the provider's console; the rest is the same for everybody.
        url.set_path(spec.base_url.path());
    }
    Ok(Some(url.as_str().trim_end_matches('/').to_owned()))
}

/// Seals a credential for one version of a secret.
pub(super) async fn seal(
    work: &Work<'_>,
    spec: &ProviderSpec,
    (secret_id, version): (SecretId, i32),
    credentials: &SecretString,
    facts: KeyFacts,
) -> Result<SealedSecret, ApiError> {
    let keys = work.app.keys.current(&work.tx).await?;
    let plaintext = credentials.expose().as_bytes();
    Ok(SealedSecret {
        envelope: keys.seal(secret_id, version, plaintext)?,
        data_key_id: keys.id(),
        fingerprint: keys.fingerprint(&spec.name, plaintext),
        hint: facts.hint,
        key_family: facts.family.name().to_owned(),
    })
}
