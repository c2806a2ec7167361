//! Accepts a credential: checks it without calling any host, seals it, and starts its verification. From here on the
//! plaintext exists nowhere.

use keyway_domain::{Command as Job, IntegrationId, Invalidation, Limits, ProjectId, Routing, SecretId, Timestamp};
use keyway_providers::{FormatError, KeyFacts, ProviderSpec, for_spec, is_secret};
use keyway_store::{
    integrations::{self, IntegrationRow, NewIntegration, SealedSecret},
    key_usage,
    operations::OperationRow,
    virtual_keys,
};
use keyway_vault::{
    ProviderSecret,
    token::{self, VirtualKeyToken},
};
use serde_json::{Value, json};

use crate::{
    answer::Answer,
    code::Code,
    config::Settings,
    error::ApiError,
    input::Credentials,
    limits::LimitsInput,
    provider_names,
    view::Submitted,
    work::{Command, Work},
};

/// Message for a name that another integration of the project and provider has.
pub(super) const NAME_TAKEN: &str =
    "an integration of this project and provider has this name; change that one, or choose another name";

/// The credential and its integration.
pub(crate) struct SubmitIntegration {
    pub(crate) project_id: Option<ProjectId>,
    pub(crate) provider: String,
    pub(crate) name: String,
    pub(crate) credentials: Credentials,
    pub(crate) base_url: Option<String>,
    pub(crate) settings: Settings,
    /// The owner's note: a JSON object.
    pub(crate) meta: Option<Value>,
    pub(crate) routing: Routing,
    pub(crate) limits: LimitsInput,
    pub(crate) expires_at: Option<Timestamp>,
}

impl Command for SubmitIntegration {
    const STARTS_WORK: bool = true;

    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let (integration, operation) = self.submit(work).await?;
        let (location, version) = (format!("/api/v1/operations/{}", operation.id), integration.version);
        let body = Submitted::new(integration, Some(operation));
        Ok(Answer::accepted(&body, &location).tagged(version))
    }
}

impl SubmitIntegration {
    /// Stores the credential and starts its verification, inside the transaction of `work`.
    pub(super) async fn submit(self, work: &mut Work<'_>) -> Result<(IntegrationRow, OperationRow), ApiError> {
        let spec = provider_names::spec(&work.app.catalog.now(), &work.tx, &self.provider).await?;
        let facts = check(work, &spec, &self.credentials).await?;
        let base_url = checked_base_url(work, &spec, self.base_url.as_deref())?;
        let config = config(work, &spec.name, None, self.settings).await?;
        let meta = noted(self.meta, &self.credentials)?;
        let project_id = provider_names::project(&work.tx, self.project_id).await?;
        work.by.check_project(project_id, "project")?;
        let secret_id = SecretId::new();
        let secret = seal(work, &spec, (secret_id, 1), self.credentials.secret(), facts).await?;
        let new = NewIntegration {
            id: IntegrationId::new(),
            secret_id,
            project_id,
            provider: spec.name,
            name: self.name,
            base_url,
            config,
            meta,
            expires_at: self.expires_at,
            routing: self.routing,
            limits: self.limits.over(Limits::default()),
            secret,
            next_check_at: Some(work.now.after(work.app.verify_interval)),
        };
        let inserted = integrations::insert(&work.tx, new, work.now).await;
        let integration = inserted.map_err(|error| ApiError::or_taken(error, NAME_TAKEN))?;
        let job = Job::VerifyKey { integration_id: integration.id, secret_version: 1, confirming: false };
        let operation = work.start(job, None).await?;
        let changes = json!({ "provider": integration.provider, "name": integration.name,
            "project_id": integration.project_id, "base_url": integration.base_url,
            "limits": integration.limits });
        work.audit("integration.created", integration.id, changes);
        work.invalidate(Invalidation::Integrations);
        Ok((integration, operation))
    }
}

/// Returns the settings to store: those of `own`, or none, with the changes applied. Checks that no other integration
/// has the same provider's key id, as reported figures of a key belong to one integration.
pub(super) async fn config(
    work: &Work<'_>,
    provider: &str,
    own: Option<&IntegrationRow>,
    settings: Settings,
) -> Result<Value, ApiError> {
    if let Some(id) = settings.provider_key_id.as_deref() {
        let known = key_usage::keys_of(&work.tx, provider).await?;
        let own = own.map(|own| own.id);
        if let Some(other) = known.iter().find(|key| key.provider_key_id == id && Some(key.integration_id) != own) {
            return Err(ApiError::conflict(format!(
                "`config.provider_key_id` is that of the key of integration {} already",
                other.integration_id
            )));
        }
    }
    settings.over(provider, own.map_or(&json!({}), |own| &own.config))
}

/// Returns the note to store. It is visible to every reader, so it may not hold the credential.
fn noted(meta: Option<Value>, credentials: &Credentials) -> Result<Value, ApiError> {
    let Some(meta) = meta else { return Ok(json!({})) };
    // Searched for, so that it does not end where anybody reads it.
    let key = credentials.secret().expose();
    if is_secret(key.as_bytes()) && meta.to_string().contains(key) {
        return Err(ApiError::field("`meta` holds the credential, and is shown as it came: take it out"));
    }
    Ok(meta)
}

/// Checks a credential without calling any host. Keyway's own keys go to no provider, whatever its host.
pub(super) async fn check(
    work: &Work<'_>,
    spec: &ProviderSpec,
    credentials: &Credentials,
) -> Result<KeyFacts, ApiError> {
    // Compared with the hashes of Keyway's own keys.
    let text = credentials.secret().expose();
    let is_own = token::is_admin_key(text, &work.app.admin_key_sha256)
        || VirtualKeyToken::is_meant(text) && is_given_out(work, text).await?;
    let checked = if is_own { Err(FormatError::Keyways) } else { for_spec(spec).check_format(credentials.secret()) };
    checked.map_err(|error| ApiError::new(Code::MalformedKey, format!("`credentials`: {error}")))
}

/// Returns `true` if a virtual key is one of the tenant's, or malformed. A well-formed foreign one may be sent: a host
/// of the tenant's own may be another Keyway.
async fn is_given_out(work: &Work<'_>, text: &str) -> Result<bool, ApiError> {
    if !VirtualKeyToken::is_well_formed(text) {
        return Ok(true);
    }
    Ok(virtual_keys::has_token(&work.tx, &token::sha256(text)).await?)
}

/// Checks a base URL that overrides the catalog's, or one for a provider without any.
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
    let url = spec.own_base_url(work.app.guard.check_base_url(text)?);
    Ok(Some(url.as_str().trim_end_matches('/').to_owned()))
}

/// Seals a credential for one version of a secret.
pub(super) async fn seal(
    work: &Work<'_>,
    spec: &ProviderSpec,
    (secret_id, version): (SecretId, i32),
    credentials: &ProviderSecret,
    facts: KeyFacts,
) -> Result<SealedSecret, ApiError> {
    let keys = work.app.keys.current(&work.tx).await?;
    // Sealed and fingerprinted: the last use of the plaintext here.
    let plaintext = credentials.expose().as_bytes();
    // A word that a host takes from anybody may be given to it more than once.
    let fingerprint = match is_secret(plaintext) {
        true => keys.fingerprint(&spec.name, plaintext),
        false => keys.fingerprint(&spec.name, secret_id.to_string().as_bytes()),
    };
    Ok(SealedSecret {
        envelope: keys.seal(secret_id, version, plaintext)?,
        data_key_id: keys.id(),
        fingerprint,
        hint: facts.hint,
        key_family: facts.family,
    })
}
