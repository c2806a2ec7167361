//! Judgements: who would serve a call, and why the others would not.

use keyway_domain::{Candidate, CredentialSource, Explanation, IntegrationId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::words;

/// Candidates for a call, and the reasons against the others.
#[derive(Serialize, ToSchema)]
pub(crate) struct RoutingView {
    /// Integration that would be tried first; among several of its priority it is chosen by weight. Null: the
    /// operator's key would be tried, or no candidate can serve, and `refusal` has the caller's error.
    #[schema(value_type = Option<words::IntegrationId>)]
    integration_id: Option<IntegrationId>,
    refusal: Option<RefusalView>,
    /// Every integration of the project, and the operator's key: those that would be tried, in that order, then the others.
    candidates: Vec<CandidateView>,
}

/// State of an integration or of the operator's key for the call.
#[derive(Serialize, ToSchema)]
struct CandidateView {
    /// Id of the integration; null: the operator's key, for projects that consent to it.
    #[schema(value_type = Option<words::IntegrationId>)]
    integration_id: Option<IntegrationId>,
    /// `own`, or `fallback` for the operator's key.
    #[schema(value_type = words::Credential)]
    credential: CredentialSource,
    provider: String,
    name: String,
    /// Priority; null for the operator's key.
    priority: Option<i32>,
    weight: Option<i32>,
    can_serve: bool,
    /// Time until which it is tried after the others, as far as the replica that answers knows.
    #[schema(value_type = Option<String>, format = DateTime)]
    cools_until: Option<Timestamp>,
    /// Reason why it cannot serve.
    refusal: Option<RefusalView>,
}

/// Error that a caller of the proxy would get.
#[derive(Serialize, ToSchema)]
struct RefusalView {
    #[schema(example = "integration_disabled")]
    code: &'static str,
    message: String,
}

impl From<Explanation> for RoutingView {
    fn from(judged: Explanation) -> Self {
        let first = judged.candidates.first().filter(|it| it.can_serve && judged.refusal.is_none());
        Self {
            integration_id: first.and_then(|it| it.integration_id),
            refusal: judged.refusal.map(RefusalView::from),
            candidates: judged.candidates.into_iter().map(CandidateView::from).collect(),
        }
    }
}

impl From<(&'static str, String)> for RefusalView {
    fn from((code, message): (&'static str, String)) -> Self {
        Self { code, message }
    }
}

impl From<Candidate> for CandidateView {
    fn from(it: Candidate) -> Self {
        Self {
            integration_id: it.integration_id,
            credential: if it.integration_id.is_some() { CredentialSource::Own } else { CredentialSource::Fallback },
            provider: it.provider,
            name: it.name,
            priority: it.priority,
            weight: it.weight,
            can_serve: it.can_serve,
            cools_until: it.cools_until,
            refusal: it.refusal.map(RefusalView::from),
        }
    }
}
