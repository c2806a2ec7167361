//! An integration's row in the words of the domain.

use keyway_domain::{
    DataKeyId, IntegrationId, IntegrationStatus, KeyFamily, Limits, ProjectId, Routing, SecretId, TenantId, Timestamp,
    Verdict,
};

use crate::{
    Place, PlaceValue, SortBy, StoreError,
    entity::{integrations as table, secrets},
    limits::stored_limits,
    sql::{ms, time},
};

/// Field of the settings that holds the provider's own id of the key.
pub(super) const KEY_ID: &str = "provider_key_id";
/// Field of the settings that has the secret replaced in good answers, too.
pub const REDACT_ANSWERS: &str = "redact_answers";

/// An integration as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegrationRow {
    /// Its id.
    pub id: IntegrationId,
    /// Tenant that owns it.
    pub tenant_id: TenantId,
    /// Project it belongs to.
    pub project_id: ProjectId,
    /// The provider's name.
    pub provider: String,
    /// Name, unique in the project.
    pub name: String,
    /// Status.
    pub status: IntegrationStatus,
    /// Redacted form of the secret, enough to recognise it: `sk-...4f2a`.
    pub hint: String,
    /// Base URL of its own, if any.
    pub base_url: Option<String>,
    /// Further provider settings.
    pub config: serde_json::Value,
    /// The owner's note: a JSON object, returned unchanged; never secret.
    pub meta: serde_json::Value,
    /// Key family, as the provider's format check names it.
    pub key_family: String,
    /// Reason why its usage cannot be fetched, if known.
    pub usage_not_reportable: Option<String>,
    /// Id of its secret.
    pub secret_id: SecretId,
    /// Current version of the secret.
    pub secret_version: i32,
    /// Expiry of the secret, as given by the owner.
    pub expires_at: Option<Timestamp>,
    /// Latest verdict.
    pub verdict: Option<Verdict>,
    /// Time of the next verification.
    pub next_check_at: Option<Timestamp>,
    /// Time of the last call it served, exact to the interval at which that is written.
    pub last_used_at: Option<Timestamp>,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change by its owner or a verdict.
    pub updated_at: Timestamp,
    /// Number of the owner's changes, for ETag and If-Match.
    pub version: i32,
    /// Priority and weight among integrations that can serve the same call.
    pub routing: Routing,
    /// Limits of its use.
    pub limits: Limits,
    /// Status before the running test; `None` if no test runs.
    pub settled: Option<IntegrationStatus>,
    /// Time at which a call last proved its secret while no verification could.
    pub served_at: Option<Timestamp>,
}

impl IntegrationRow {
    /// Returns `true` if its secret is known to work, so that a replacement is verified before it is swapped in.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        let accepted = self.verdict.as_ref().is_some_and(|verdict| verdict.kind.accepts());
        self.status == IntegrationStatus::Connected || self.status == IntegrationStatus::Verifying && accepted
    }

    /// Returns `true` if calls may use its secret: the provider accepts it, or no verdict could be reached.
    #[must_use]
    pub fn may_serve(&self) -> bool {
        let refused = self.verdict.as_ref().is_some_and(|verdict| verdict.kind.refuses());
        match self.status {
            IntegrationStatus::Connected => true,
            IntegrationStatus::Verifying => !(refused && self.settled == Some(IntegrationStatus::Error)),
            IntegrationStatus::Error => self.verdict.is_some() && !refused,
            IntegrationStatus::Disabled => false,
        }
    }

    /// Returns the settings without the provider's own id of the key: the part that stays valid for another key.
    #[must_use]
    pub fn settings_without_key_id(&self) -> serde_json::Value {
        let mut settings = self.config.clone();
        if let Some(settings) = settings.as_object_mut() {
            settings.remove(KEY_ID);
        }
        settings
    }

    /// Returns `true` if its secret is to be replaced in good answers, too.
    #[must_use]
    pub fn redacts_answers(&self) -> bool {
        self.config.get(REDACT_ANSWERS).and_then(serde_json::Value::as_bool).unwrap_or(false)
    }

    /// Returns its place in a list sorted by `by`.
    #[must_use]
    pub fn place(&self, by: SortBy) -> Place {
        let value = match by {
            SortBy::CreatedAt => PlaceValue::Id,
            SortBy::UpdatedAt => PlaceValue::Number(self.updated_at.ms()),
            SortBy::LastUsedAt => PlaceValue::Number(ms(self.last_used_at).unwrap_or(0)),
            SortBy::Name => PlaceValue::Text(self.name.clone()),
            SortBy::Provider => PlaceValue::Text(self.provider.clone()),
            SortBy::Status => PlaceValue::Text(self.status.name().to_owned()),
        };
        Place { by, value, id: self.id.uuid() }
    }

    /// Returns the headers that its settings add to each call, lower case. The caller's own header of the same name
    /// wins.
    ///
    /// These are the organisation and the project of an OpenAI key, from `config`, else from `meta`, where
    /// some owners keep them.
    #[must_use]
    pub fn forwarded_headers(&self) -> Vec<(&'static str, String)> {
        if self.provider != "openai" {
            return Vec::new();
        }
        let word = |field: &str| {
            let text = self.config.get(field).or_else(|| self.meta.get(field))?.as_str()?;
            is_header_word(text).then(|| text.to_owned())
        };
        let headers = [("openai-organization", "organization"), ("openai-project", "project")];
        headers.into_iter().filter_map(|(header, field)| Some((header, word(field)?))).collect()
    }
}

/// Returns `true` if a text can be a header's value and is no longer than an id: 1 to 200 visible ASCII characters.
#[must_use]
pub fn is_header_word(text: &str) -> bool {
    (1..=200).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A sealed secret, ready to be stored.
#[derive(Clone, Debug)]
pub struct SealedSecret {
    /// The envelope; it names the data key and is bound to tenant, secret id and version.
    pub envelope: Vec<u8>,
    /// The data key that sealed it.
    pub data_key_id: DataKeyId,
    /// Fingerprint that finds duplicates.
    pub fingerprint: [u8; 32],
    /// Redacted form of the secret, enough to recognise it.
    pub hint: String,
    /// Key family, as the provider's format check names it.
    pub key_family: KeyFamily,
}

/// Settings that come with a new secret.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Base URL of its own, if any.
    pub base_url: Option<String>,
    /// Further provider settings.
    pub config: serde_json::Value,
}

/// Fields of a new integration. The caller chooses id and secret id, as the envelope is bound to them.
#[derive(Clone, Debug)]
pub struct NewIntegration {
    /// Its id.
    pub id: IntegrationId,
    /// Its secret's id; the envelope is sealed for version 1.
    pub secret_id: SecretId,
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// The provider's name.
    pub provider: String,
    /// Its name, unique in the project.
    pub name: String,
    /// Base URL of its own, if any.
    pub base_url: Option<String>,
    /// Further provider settings.
    pub config: serde_json::Value,
    /// The owner's note: a JSON object.
    pub meta: serde_json::Value,
    /// Expiry of the secret, as given by the owner.
    pub expires_at: Option<Timestamp>,
    /// The secret.
    pub secret: SealedSecret,
    /// Priority and weight among integrations that can serve the same call.
    pub routing: Routing,
    /// Limits of its use.
    pub limits: Limits,
    /// Time at which the schedule may verify it, should the first verification end without a verdict.
    pub next_check_at: Option<Timestamp>,
}

impl NewIntegration {
    pub(crate) fn models(self, tenant_id: TenantId, now: Timestamp) -> (table::Model, secrets::Model) {
        let secret = secrets::Model {
            id: self.secret_id.uuid(),
            tenant_id: tenant_id.uuid(),
            version: 1,
            envelope: self.secret.envelope,
            data_key_id: self.secret.data_key_id.uuid(),
            created_at_ms: now.ms(),
        };
        let integration = table::Model {
            id: self.id.uuid(),
            tenant_id: tenant_id.uuid(),
            project_id: self.project_id.uuid(),
            provider: self.provider,
            name: self.name,
            status: IntegrationStatus::Verifying.name().to_owned(),
            hint: self.secret.hint,
            base_url: self.base_url,
            config: self.config.to_string(),
            meta: self.meta.to_string(),
            key_family: self.secret.key_family.name().to_owned(),
            usage_not_reportable: None,
            secret_id: secret.id,
            secret_version: secret.version,
            fingerprint: self.secret.fingerprint.to_vec(),
            fingerprint_key_id: secret.data_key_id,
            expires_at_ms: ms(self.expires_at),
            expiry_warned_at_ms: None,
            verdict_kind: None,
            verdict_http_status: None,
            verdict_request_id: None,
            verdict_code: None,
            verdict_reason: None,
            checked_at_ms: None,
            next_check_at_ms: ms(self.next_check_at),
            last_used_at_ms: None,
            created_at_ms: now.ms(),
            updated_at_ms: now.ms(),
            version: 1,
            priority: self.routing.priority,
            weight: self.routing.weight,
            requests_per_minute: self.limits.requests_per_minute,
            tokens_per_minute: self.limits.tokens_per_minute,
            daily_budget_nano_usd: self.limits.daily_budget_nano_usd,
            monthly_budget_nano_usd: self.limits.monthly_budget_nano_usd,
            settled_status: None,
            served_at_ms: None,
            away_since_ms: None,
        };
        (integration, secret)
    }
}

/// Reads the verdict from the columns of a row.
macro_rules! stored_verdict {
    ($model:expr) => {
        match ($model.verdict_kind, $model.checked_at_ms) {
            (Some(kind), Some(checked_at_ms)) => Some(keyway_domain::Verdict {
                kind: keyway_domain::VerdictKind::parse(&kind).ok_or($crate::StoreError::Corrupt("verdict"))?,
                evidence: keyway_domain::Evidence {
                    http_status: $model.verdict_http_status.and_then(|status| u16::try_from(status).ok()),
                    provider_request_id: $model.verdict_request_id,
                    provider_code: $model.verdict_code,
                    reason: $model.verdict_reason.unwrap_or_default(),
                },
                checked_at: keyway_domain::Timestamp::from_ms(checked_at_ms),
            }),
            _ => None,
        }
    };
}
pub(crate) use stored_verdict;

pub(crate) fn row(model: table::Model) -> Result<IntegrationRow, StoreError> {
    let verdict = stored_verdict!(model);
    Ok(IntegrationRow {
        id: IntegrationId::from_uuid(model.id),
        tenant_id: TenantId::from_uuid(model.tenant_id),
        project_id: ProjectId::from_uuid(model.project_id),
        provider: model.provider,
        name: model.name,
        status: IntegrationStatus::parse(&model.status).ok_or(StoreError::Corrupt("integration status"))?,
        hint: model.hint,
        base_url: model.base_url,
        config: serde_json::from_str(&model.config).map_err(|_| StoreError::Corrupt("integration config"))?,
        meta: serde_json::from_str(&model.meta).map_err(|_| StoreError::Corrupt("integration meta"))?,
        key_family: model.key_family,
        usage_not_reportable: model.usage_not_reportable,
        secret_id: SecretId::from_uuid(model.secret_id),
        secret_version: model.secret_version,
        expires_at: time(model.expires_at_ms),
        verdict,
        next_check_at: time(model.next_check_at_ms),
        last_used_at: time(model.last_used_at_ms),
        created_at: Timestamp::from_ms(model.created_at_ms),
        updated_at: Timestamp::from_ms(model.updated_at_ms),
        version: model.version,
        routing: Routing { priority: model.priority, weight: model.weight },
        limits: stored_limits!(model),
        settled: model.settled_status.as_deref().and_then(IntegrationStatus::parse),
        served_at: time(model.served_at_ms),
    })
}
