//! Every provider that speaks the OpenAI shape: those of the catalog by the data of their stanza, custom hosts by the
//! shape's own conventions. A custom host that lists its models without a key, or has no list, cannot prove a key; the
//! finding then says so.

use async_trait::async_trait;
use http::{HeaderMap, Method};
use keyway_domain::{KeyFamily, VerdictKind};
use keyway_vault::ProviderSecret;
use url::Url;

use crate::{
    BadSecret, FetchError, Finding, FormatError, GuardedClient, KeyFacts, ProbeMethod, ProbeSpec, Provider,
    ProviderSpec, Signal, SignalVerdict, Target, UsageCall, UsagePage, auth,
    catalog::join,
    format,
    grade::{self, Reading},
};

/// Key sent to a custom host that accepted the real one: if it is accepted too, the host checks no keys.
const CONTROL_KEY: &str = "sk-keyway-control-call-not-a-key";
const UNPROVEN: &str =
    "the host answers, but it lists its models to anybody, so this check cannot tell whether the key is right";
const NO_LIST: &str = "there is no list of models at this address to check the key with: check the base URL; if it is right, \
                       the first call that the host serves proves the key";
const NOT_REPORTABLE: FetchError = FetchError::NotReportable { why: "this provider has no usage report for API keys" };

/// One OpenAI-compatible provider.
pub(crate) struct OpenAiCompatible {
    spec: ProviderSpec,
    probe: ProbeSpec,
}

impl OpenAiCompatible {
    pub(crate) fn new(spec: &ProviderSpec) -> Self {
        Self { probe: spec.probe.clone().unwrap_or_else(conventional_probe), spec: spec.clone() }
    }

    async fn grade(&self, base: &Url, secret: &ProviderSecret, http: &GuardedClient) -> Finding {
        let method = match self.probe.method {
            ProbeMethod::Get => Method::GET,
            ProbeMethod::Post => Method::POST,
        };
        let answer = match auth::ask(http, self.spec.auth, method, join(base, &self.probe.path), secret).await {
            Ok(answer) => answer,
            Err(error) => return grade::no_answer(error),
        };
        let reading = Reading::new(&answer, secret);
        let finding = match reading.grade(&self.probe.signals, &self.probe.proof) {
            graded if !self.spec.custom || graded.kind != VerdictKind::Misconfigured => graded,
            _ if reading.lists_models() => reading.finding(VerdictKind::Valid, "the host accepts the key"),
            graded if matches!(reading.status().as_u16(), 404 | 405 | 501) => reading.finding(graded.kind, NO_LIST),
            graded => graded,
        };
        let key_id = self.probe.key_id.as_deref().filter(|_| finding.kind.is_conclusive());
        Finding { provider_key_id: key_id.and_then(|pointer| reading.id_at(pointer)), ..finding }
    }
}

/// Returns the probe by the shape's conventions, for hosts of which nothing more is known.
fn conventional_probe() -> ProbeSpec {
    const PARTS: [&str; 4] = ["invalid api key", "incorrect api key", "invalid token", "invalid authentication"];
    let restricted = |status| Signal::contains(status, "/error/message", "Missing scopes", SignalVerdict::Restricted);
    let equals = |pointer, value| Signal::equals(401, pointer, value, SignalVerdict::Invalid);
    let mut signals = vec![
        restricted(401),
        restricted(403),
        equals("/error/code", "invalid_api_key"),
        equals("/code", "invalid_api_key"),
        equals("/error/type", "authentication_error"),
        equals("/error", "Unauthorized"),
        equals("/detail", "Unauthorized"),
        equals("/message", "Unauthorized"),
    ];
    for pointer in ["/error/message", "/error", "/detail", "/message"] {
        signals.extend(PARTS.map(|part| Signal::contains(401, pointer, part, SignalVerdict::Invalid)));
    }
    let (path, proof) = ("/models".to_owned(), "/data".to_owned());
    ProbeSpec { method: ProbeMethod::Get, path, proof, key_id: None, signals }
}

#[async_trait]
impl Provider for OpenAiCompatible {
    fn check_format(&self, credentials: &ProviderSecret) -> Result<KeyFacts, FormatError> {
        format::check(&self.spec, credentials)?;
        Ok(KeyFacts { hint: format::hint(&self.spec, credentials), family: KeyFamily::Ordinary })
    }

    async fn probe(&self, target: Target<'_>, http: &GuardedClient) -> Finding {
        let mut finding = self.grade(target.base_url, target.secret, http).await;
        if self.spec.custom && finding.kind == VerdictKind::Valid {
            let control = ProviderSecret::new(CONTROL_KEY.to_owned());
            let control = self.grade(target.base_url, &control, http).await;
            if control.kind == VerdictKind::Valid {
                finding.evidence.reason = UNPROVEN.to_owned();
            }
        }
        finding
    }

    fn signals(&self) -> &[Signal] {
        &self.probe.signals
    }

    fn usage_sources(&self, _: KeyFamily) -> Result<&'static [&'static str], FetchError> {
        Err(NOT_REPORTABLE)
    }

    async fn usage_page(&self, _: UsageCall<'_>) -> Result<UsagePage, FetchError> {
        Err(NOT_REPORTABLE)
    }

    fn authorize(&self, _: &str, headers: &mut HeaderMap, secret: &ProviderSecret) -> Result<(), BadSecret> {
        auth::add(self.spec.auth, headers, secret)
    }
}
