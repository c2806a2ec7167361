//! `/routing`: the integration that would serve a call, and the reasons against the others, without calling a provider.

use keyway_domain::{ProjectId, Wanted};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    answer::Answer, call::Call, code::Code, error::ApiError, openapi::words, provider_names, view::RoutingView,
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
    call.by.check_project(project_id, "project")?;
    drop(tx);
    let Some(proxy) = &call.app.proxy else {
        return Err(ApiError::new(Code::Internal, "no proxy runs beside this API"));
    };
    let judged = proxy.explain(call.by.tenant_id, project_id, wanted).await;
    Ok(Answer::ok(&RoutingView::from(judged)))
}
