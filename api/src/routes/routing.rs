//! `/routing`: the integration that would serve a call, and the reasons against the others, without calling a provider.

use keyway_domain::{CredentialSource, IntegrationId, ProjectId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer::Answer,
    call::Call,
    error::{ApiError, Code},
    openapi::words,
    provider_names,
    proxy::explain::{Candidate, Wanted},
};

/// Call to route: one to a provider's own endpoint, or one for a model at `/v1`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RoutingQuery {
    /// Project; `default` if left out.
    #[param(value_type = Option<words::ProjectId>)]
    project_id: Option<ProjectId>,
    /// Provider of a call to `/proxy/{provider}/...`.
    provider: Option<String>,
    /// Model of the call: cool-downs after a rate limit are per model.
    model: Option<String>,
    /// Endpoint below `/v1`, for a call without a provider; `/chat/completions` if left out.
    #[param(example = "/chat/completions")]
    endpoint: Option<String>,
}

/// Candidates for a call, and the reasons against the others.
#[derive(Serialize, ToSchema)]
pub(crate) struct RoutingView {
    /// Integration that would be tried first; among several of its priority it is chosen by weight. Null: the
    /// operator's key would be tried, or no candidate can serve, and `refusal` has the caller's error.
    #[schema(value_type = Option<words::IntegrationId>)]
    integration_id: Option<IntegrationId>,
    refusal: Option<RefusalView>,
    /// Every integration of the project, and the operator's key: those that would be tried, in that order, then the
    /// others.
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

/// Explain which integration would serve a call, and why the others would not. No provider is called.
#[utoipa::path(get, path = "/api/v1/routing", operation_id = "explain_routing", tag = "integrations", params(RoutingQuery),
    responses((status = 200, body = RoutingView), (status = 404, description = "no such project")))]
pub(crate) async fn explain(call: Call) -> Result<Answer, ApiError> {
    let query: RoutingQuery = call.query()?;
    let endpoint = query.endpoint.as_deref().unwrap_or("/chat/completions");
    let wanted = match (&query.provider, &query.model) {
        (Some(provider), model) => Wanted::Provider(provider, model.as_deref()),
        (None, Some(model)) => Wanted::Model(model, endpoint),
        (None, None) => return Err(ApiError::parameter("name a `provider` or a `model`")),
    };
    let tx = call.read().await?;
    if let Some(provider) = &query.provider {
        provider_names::require(&call.app.catalog.now(), &tx, provider).await?;
    }
    let project_id = provider_names::project(&tx, query.project_id).await?;
    drop(tx);
    let Some(proxy) = call.app.proxy() else {
        return Err(ApiError::new(Code::Internal, "no proxy runs beside this API"));
    };
    let judged = proxy.explain(call.by.tenant_id, project_id, wanted).await;
    let first = judged.candidates.first().filter(|it| it.can_serve && judged.refusal.is_none());
    Ok(Answer::ok(&RoutingView {
        integration_id: first.and_then(|it| it.integration_id),
        refusal: judged.refusal.map(RefusalView::from),
        candidates: judged.candidates.into_iter().map(CandidateView::from).collect(),
    }))
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
