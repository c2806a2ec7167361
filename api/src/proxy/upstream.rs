//! One integration, ready to be called: where, by which ways, and with which secret, still sealed.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue, Uri,
    uri::{Authority, PathAndQuery, Scheme},
};
use keyway_domain::{IntegrationId, IntegrationStatus, Limits, Routing, Timestamp};
use keyway_providers::{KeyFamily, Provider, ProviderSpec, for_spec, guard::Guard};
use keyway_store::credentials::Credential;
use keyway_telemetry::metrics;
use keyway_vault::{SecretBytes, TenantKeys, VaultError};
use prometheus::{Histogram, IntCounter};

use super::refusal::{Code, Refusal};

/// The label of every provider that a tenant made: metrics have no labels from outside.
const CUSTOM: &str = "custom";

/// An integration as the proxy keeps it in memory.
pub(super) struct Upstream {
    pub(super) integration_id: IntegrationId,
    pub(super) spec: ProviderSpec,
    pub(super) ways: Arc<dyn Provider>,
    pub(super) name: String,
    pub(super) status: IntegrationStatus,
    pub(super) routing: Routing,
    /// Whether it is an organisation's admin key, which reads reports and calls no model.
    is_admin: bool,
    /// When it was made, for lists of models.
    pub(super) created_at: Timestamp,
    pub(super) meters: Meters,
    pub(super) limits: Limits,
    /// The value of the header that names it.
    pub(super) header: HeaderValue,
    expires_at: Option<Timestamp>,
    /// `None`: the host may not be called.
    place: Option<Place>,
    sealed: Sealed,
}

/// The metrics of its provider, looked up once.
pub(super) struct Meters {
    pub(super) label: String,
    pub(super) served: IntCounter,
    pub(super) seconds: Histogram,
    pub(super) first_byte_seconds: Histogram,
}

struct Place {
    scheme: Scheme,
    authority: Authority,
    /// The path of the base URL, without a slash at its end.
    base_path: String,
}

struct Sealed {
    secret_id: keyway_domain::SecretId,
    version: i32,
    envelope: Vec<u8>,
    /// `None`: the data key does not open with the keyring at hand.
    keys: Option<Arc<TenantKeys>>,
}

impl Upstream {
    /// Makes an integration ready. A host that the rule refuses stays unusable.
    pub(super) fn new(
        spec: ProviderSpec,
        credential: Credential,
        keys: Option<Arc<TenantKeys>>,
        guard: &Guard,
    ) -> Self {
        let integration = credential.integration;
        let id = integration.id;
        Self {
            integration_id: id,
            ways: for_spec(&spec),
            name: integration.name,
            status: integration.status,
            routing: integration.routing,
            is_admin: integration.key_family == KeyFamily::Admin.name(),
            created_at: integration.created_at,
            limits: integration.limits,
            meters: Meters::of(if spec.custom { CUSTOM } else { &spec.name }),
            header: HeaderValue::try_from(id.to_string()).unwrap_or(HeaderValue::from_static("")),
            expires_at: integration.expires_at,
            place: Place::of(&spec, guard),
            sealed: Sealed {
                secret_id: integration.secret_id,
                version: integration.secret_version,
                envelope: credential.envelope,
                keys,
            },
            spec,
        }
    }

    /// Whether it can serve at `now`.
    pub(super) fn serves(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.status {
            // A secret that was just replaced serves while it is being verified: the provider judges it anyway.
            IntegrationStatus::Connected | IntegrationStatus::Verifying => {}
            status => return Err(Refusal::status(status)),
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(Refusal::new(
                Code::IntegrationExpired,
                "the key of the project's integration has expired; replace it",
            ));
        }
        Ok(())
    }

    /// Whether calls of models go to it at all.
    pub(super) fn is_callable(&self) -> bool {
        self.spec.is_callable() && !self.is_admin
    }

    /// The path of an endpoint of the provider: `/chat/completions` becomes `/v1/chat/completions`.
    pub(super) fn endpoint(&self, path: &str) -> String {
        self.below_base(&self.spec.endpoint(path))
    }

    /// The path of the provider's own chat endpoint.
    pub(super) fn chat_endpoint(&self) -> String {
        self.below_base(&self.spec.chat_endpoint())
    }

    fn below_base(&self, path: &str) -> String {
        let base = self.place.as_ref().map_or("", |place| place.base_path.as_str());
        [base, path].concat()
    }

    /// The URI of a path at the provider's host.
    pub(super) fn uri(&self, path: &str, query: Option<&str>) -> Result<Uri, Refusal> {
        let Some(place) = &self.place else {
            return Err(Refusal::new(Code::UpstreamForbidden, "the provider's host may not be called from here"));
        };
        let mut target = String::with_capacity(path.len() + 1 + query.map_or(0, str::len));
        target.push_str(path);
        if let Some(query) = query {
            target.push('?');
            target.push_str(query);
        }
        let unusable = |_| Refusal::new(Code::BadPath, "the path is not one that can be forwarded");
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(place.scheme.clone());
        parts.authority = Some(place.authority.clone());
        parts.path_and_query = Some(PathAndQuery::try_from(target).map_err(unusable)?);
        Uri::from_parts(parts).map_err(|_| Refusal::new(Code::Internal, "the provider's address is not usable"))
    }

    /// Opens the secret and adds it to the headers of a call of `path`. The opened secret is wiped when it
    /// is dropped.
    pub(super) fn authorize(&self, path: &str, headers: &mut HeaderMap) -> Result<SecretBytes, Refusal> {
        let Sealed { secret_id, version, envelope, keys } = &self.sealed;
        let keys = keys.as_ref().ok_or(VaultError::Unauthentic)?;
        let secret = keys.open(*secret_id, *version, envelope)?;
        self.ways.authorize(path, headers, secret.expose()).map_err(|_| {
            Refusal::new(Code::Unreadable, "the integration's secret cannot be sent in a header; enter it again")
        })?;
        Ok(secret)
    }
}

impl Place {
    fn of(spec: &ProviderSpec, guard: &Guard) -> Option<Self> {
        // An address written into the URL is never resolved, so this is its only check.
        guard.check_url(&spec.base_url).ok()?;
        let root = spec.host_root();
        let (scheme, authority) = root.split_once("://")?;
        Some(Self {
            scheme: Scheme::try_from(scheme).ok()?,
            authority: Authority::try_from(authority).ok()?,
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
