//! `/routing`: which integration would serve a call, and why not the others, without calling anybody.

use keyway_domain::{ProjectId, Wanted};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    answer::Answer, call::Call, code::Code, error::ApiError, openapi::words, provider_names, view::RoutingView,
};

/// Which call: one of a provider's own endpoints, or of a model at `/v1`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RoutingQuery {
    /// The project `default` if left out.
    #[param(value_type = Option<words::ProjectId>)]
    project_id: Option<ProjectId>,
    /// A call of `/proxy/{provider}/...`.
    provider: Option<String>,
    /// The model of the call: cool-downs after a rate limit are by model.
    model: Option<String>,
    /// Without a provider: the endpoint below `/v1`; `/chat/completions` if left out.
    #[param(example = "/chat/completions")]
    endpoint: Option<String>,
}

/// Say which integration would serve a call, and why not the others. Nobody is called.
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
    let Some(proxy) = &call.app.proxy else {
        return Err(ApiError::new(Code::Internal, "no proxy runs beside this API"));
    };
    let judged = proxy.explain(call.by.tenant_id, project_id, wanted).await;
    Ok(Answer::ok(&RoutingView::from(judged)))
}
