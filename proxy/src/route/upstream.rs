//! One integration, ready to be called: its origin, its provider's implementation, and its secret, still sealed; or the
//! operator's key, which stands in for one.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use keyway_domain::{
    Actor, CredentialSource, IntegrationId, IntegrationStatus, KeyFamily, LimitScope, Limits, Routing, ServedBy,
    TenantId, Timestamp,
};
use keyway_providers::{Provider, ProviderSpec, for_spec, guard::Guard};
use keyway_store::credentials::Credential;
use keyway_telemetry::metrics;
use keyway_vault::{ProviderSecret, TenantKeys, VaultError};
use prometheus::{Histogram, IntCounter};
use uuid::Uuid;

use super::stand_ins::StandIn;
use crate::{
    client::origin::Origin,
    grouped_audit::{GroupedAudit, Occurrence},
    refusal::{Code, Refusal},
};

/// Label of every custom provider: metrics have no labels from outside.
const CUSTOM: &str = "custom";

/// Reasons why a secret does not open, in metrics.
const SEALED: &str = "sealed";
const UNREADABLE: &str = "unreadable";

/// Name of the operator's key where integrations are named.
pub(crate) const OPERATORS: &str = "the operator's OpenRouter key";

/// An integration as cached by the proxy.
pub(crate) struct Upstream {
    /// Id for limits and cool-downs.
    pub(crate) integration_id: IntegrationId,
    pub(crate) credential: CredentialSource,
    pub(crate) spec: Arc<ProviderSpec>,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) name: String,
    pub(crate) status: IntegrationStatus,
    /// `true` if its secret may serve calls, whatever its status.
    pub(crate) may_serve: bool,
    pub(crate) routing: Routing,
    /// `true` for an organisation's admin key, which reads reports and calls no model.
    is_admin: bool,
    /// Time of creation, for lists of models.
    pub(crate) created_at: Timestamp,
    pub(crate) meters: Meters,
    limits: Limits,
    /// Limits of all integrations of its provider together, with the scope id of their leases.
    provider_limits: Option<(Uuid, Limits)>,
    /// `true` if its secret is replaced in good answers, too.
    pub(crate) redacts_answers: bool,
    /// Headers that its settings add to each call.
    added: Vec<(HeaderName, HeaderValue)>,
    /// Value of the header that names it, if it is an integration.
    pub(crate) header: Option<HeaderValue>,
    expires_at: Option<Timestamp>,
    /// Origin and base path; `None`: the host may not be called.
    place: Option<Place>,
    secret: Secret,
    /// Reason why its secret does not open, if it does not.
    unopened: Option<VaultError>,
}

/// Metrics of its provider, looked up once.
pub(crate) struct Meters {
    pub(crate) label: String,
    pub(crate) served: IntCounter,
    pub(crate) seconds: Histogram,
    pub(crate) first_byte_seconds: Histogram,
}

struct Place {
    origin: Arc<Origin>,
    /// Path of the base URL, without a trailing slash.
    base_path: String,
}

enum Secret {
    Sealed {
        secret_id: keyway_domain::SecretId,
        version: i32,
        envelope: Vec<u8>,
        /// Data keys, or the reason why they do not open.
        keys: Result<Arc<TenantKeys>, VaultError>,
    },
    /// The operator's key from the settings of this process, stored nowhere.
    Operators(Arc<ProviderSecret>),
}

impl Upstream {
    /// Prepares an integration. One whose host the rule refuses stays unusable.
    pub(crate) fn new(
        spec: ProviderSpec,
        credential: Credential,
        keys: Result<Arc<TenantKeys>, VaultError>,
        provider_limits: Option<(Uuid, Limits)>,
        guard: &Guard,
    ) -> Self {
        let integration = credential.integration;
        let redacts_answers = integration.redacts_answers();
        let header = |(name, value)| Some((HeaderName::from_static(name), HeaderValue::try_from(value).ok()?));
        let (id, may_serve) = (integration.id, integration.may_serve());
        let (secret_id, version) = (integration.secret_id, integration.secret_version);
        let secret = Secret::Sealed { secret_id, version, envelope: credential.envelope, keys };
        Self {
            integration_id: id,
            credential: CredentialSource::Own,
            provider: for_spec(&spec),
            name: integration.name,
            status: integration.status,
            may_serve,
            routing: integration.routing,
            is_admin: integration.key_family == KeyFamily::Admin.name(),
            created_at: integration.created_at,
            redacts_answers,
            limits: integration.limits,
            provider_limits,
            added: credential.forwarded_headers.into_iter().filter_map(header).collect(),
            meters: Meters::of(if spec.custom { CUSTOM } else { &spec.name }),
            header: HeaderValue::try_from(id.to_string()).ok(),
            expires_at: integration.expires_at,
            place: Place::of(&spec, guard),
            unopened: secret.open().err(),
            secret,
            spec: Arc::new(spec),
        }
    }

    /// Prepares the operator's key as a stand-in with this `id` and these limits; its age is the project's.
    pub(crate) fn fallback(
        stand_in: &StandIn,
        (id, created_at): (IntegrationId, Timestamp),
        limits: Limits,
        key: Arc<ProviderSecret>,
        guard: &Guard,
    ) -> Self {
        let spec = Arc::clone(&stand_in.spec);
        Self {
            integration_id: id,
            credential: CredentialSource::Fallback,
            provider: Arc::clone(&stand_in.provider),
            name: OPERATORS.to_owned(),
            status: IntegrationStatus::Connected,
            may_serve: true,
            routing: Routing::default(),
            is_admin: false,
            created_at,
            meters: Meters::of(&spec.name),
            limits,
            provider_limits: None,
            redacts_answers: false,
            added: Vec::new(),
            header: None,
            expires_at: None,
            place: Place::of(&spec, guard),
            secret: Secret::Operators(key),
            unopened: None,
            spec,
        }
    }

    /// Returns `true` for the operator's key.
    pub(crate) const fn is_fallback(&self) -> bool {
        matches!(self.credential, CredentialSource::Fallback)
    }

    /// Returns whose secret the ledger counts its calls under.
    pub(crate) const fn served_by(&self) -> ServedBy {
        if self.is_fallback() { ServedBy::NoIntegration } else { ServedBy::Integration(self.integration_id) }
    }

    /// Returns its own name of a model, if it differs from the caller's.
    pub(crate) fn renamed(&self, model: Option<&str>) -> Option<String> {
        if self.is_fallback() { self.spec.model_at_openrouter(model?) } else { None }
    }

    /// Checks that it can serve at `now`.
    pub(crate) fn serves(&self, now: Timestamp) -> Result<(), Refusal> {
        // One that is being verified, or that no verification could judge, serves: the provider judges it anyway.
        if !self.may_serve {
            return Err(Refusal::status(self.status));
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(Refusal::new(
                Code::IntegrationExpired,
                "the key of the project's integration has expired; replace it",
            ));
        }
        self.unopened.clone().map_or(Ok(()), |why| Err(why.into()))
    }

    /// Audits that its secret does not open, if so. A sealed vault is reported once for the whole process.
    pub(crate) fn report_unopened(&self, audit: &GroupedAudit, tenant_id: TenantId) {
        let Some(why) = &self.unopened else { return };
        let reason = if matches!(why, VaultError::Sealed(_)) { SEALED } else { UNREADABLE };
        metrics().secrets_unopened.with_label_values(&[reason]).inc();
        if reason == UNREADABLE {
            let id = self.integration_id;
            let (action, target) = ("integration.secret_unreadable", id.to_string());
            let actor = Actor::System { part: "proxy".to_owned() };
            let occurrence = Occurrence { tenant_id: Some(tenant_id), action, actor, target, address: None, reason };
            audit.note(occurrence, None);
            tracing::error!(integration_id = %id, error = %why, "a secret cannot be opened; enter it again, or restore the keyring");
        }
    }

    /// Returns `true` if it can be called for models at all.
    pub(crate) fn is_callable(&self) -> bool {
        self.spec.is_callable() && !self.is_admin
    }

    /// Returns the limits that its calls count on beside their caller's: its own, and its provider's.
    pub(crate) fn scopes(&self) -> impl Iterator<Item = (LimitScope, Uuid, Limits)> {
        let own = (LimitScope::Integration, self.integration_id.uuid(), self.limits);
        let providers = self.provider_limits.map(|(id, limits)| (LimitScope::Provider, id, limits));
        [own].into_iter().chain(providers)
    }

    /// Returns the path of an endpoint of the provider: `/chat/completions` becomes `/v1/chat/completions`.
    pub(crate) fn endpoint(&self, path: &str) -> String {
        self.below_base(&self.spec.endpoint(path))
    }

    /// Returns the path of the provider's own chat endpoint.
    pub(crate) fn chat_endpoint(&self) -> String {
        self.below_base(&self.spec.chat_endpoint())
    }

    fn below_base(&self, path: &str) -> String {
        let base = self.place.as_ref().map_or("", |place| place.base_path.as_str());
        [base, path].concat()
    }

    /// Returns the origin of its provider.
    pub(crate) fn origin(&self) -> Result<&Arc<Origin>, Refusal> {
        self.place
            .as_ref()
            .map(|place| &place.origin)
            .ok_or_else(|| Refusal::new(Code::UpstreamForbidden, "the provider's host may not be called from here"))
    }

    /// Opens the secret and adds it to the headers of a call of `path`, with those of its settings that the caller has
    /// not sent. The opened secret is wiped on drop.
    pub(crate) fn authorize(&self, path: &str, headers: &mut HeaderMap) -> Result<ProviderSecret, Refusal> {
        let secret = self.secret.open()?;
        for (name, value) in &self.added {
            headers.entry(name).or_insert_with(|| value.clone());
        }
        self.provider.authorize(path, headers, &secret).map_err(|_| {
            Refusal::new(Code::Unreadable, "the integration's secret cannot be sent in a header; enter it again")
        })?;
        Ok(secret)
    }
}

/// Creates the counters in advance: one that appears with its first event has no increase that an alert could see.
pub(crate) fn show_counters() {
    for reason in [SEALED, UNREADABLE] {
        metrics().secrets_unopened.with_label_values(&[reason]);
    }
}

impl Secret {
    fn open(&self) -> Result<ProviderSecret, VaultError> {
        match self {
            Self::Sealed { secret_id, version, envelope, keys } => {
                let opened = keys.as_ref().map_err(Clone::clone)?.open(*secret_id, *version, envelope)?;
                ProviderSecret::from_opened(opened)
            }
            Self::Operators(key) => Ok(key.copy()),
        }
    }
}

impl Place {
    fn of(spec: &ProviderSpec, guard: &Guard) -> Option<Self> {
        // An address written into the URL is never resolved, so this is its only check.
        guard.check_url(&spec.base_url).ok()?;
        Some(Self {
            origin: Arc::new(Origin::parse(&spec.host_root())?),
            base_path: spec.base_url.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl Meters {
    fn of(label: &str) -> Self {
        let all = metrics();
        Self {
            served: all.proxy_requests.with_label_values(&[label, "200"]),
            seconds: all.proxy_seconds.with_label_values(&[label]),
            first_byte_seconds: all.proxy_first_byte_seconds.with_label_values(&[label]),
            label: label.to_owned(),
        }
    }
}
