//! `/providers/{id}/models`: the models of a provider, from the catalog and added by the tenant.

use keyway_store::provider_models;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    answer::Answer,
    call::Call,
    commands::{add_models::AddModels, delete_model::DeleteModel},
    cursor::List,
    error::ApiError,
    input::{self, ModelInput, NamedModel},
    openapi::words,
    provider_names::{self, Named},
    view::{MODEL_PREFIX, ModelView},
};

/// Models to add to a provider: one with its fields, or several in `models`. Existing models stay, and take a display
/// name that is given.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelsInput {
    /// Name of the model in requests.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Display name.
    #[schema(min_length = 1, max_length = 100)]
    display_name: Option<String>,
    /// Names, or objects with a display name.
    #[schema(max_items = 500)]
    models: Option<Vec<ModelInput>>,
}

/// List a provider's models.
#[utoipa::path(get, path = "/api/v1/providers/{id}/models", operation_id = "list_models", tag = "providers",
    params(("id" = String, Path, description = "name, or id of a custom one")),
    responses((status = 200, body = List<ModelView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let tx = call.read().await?;
    let known = call.app.catalog.now();
    let provider = provider_names::find(&known, &tx, call.param()).await?;
    let spec = match &provider {
        Named::Predefined(spec) => Some(*spec),
        Named::Custom(_) => None,
    };
    let own = provider_models::list(&tx, Some(provider.name())).await?;
    Ok(Answer::ok(&List::whole(ModelView::all(provider.name(), spec, own))))
}

/// Add models to a provider.
#[utoipa::path(post, path = "/api/v1/providers/{id}/models", operation_id = "add_models", tag = "providers",
    params(("id" = String, Path, description = "name, or id of a custom one")), request_body = ModelsInput,
    responses((status = 201, body = List<ModelView>, description = "the models that were added to the provider, now and before")))]
pub(crate) async fn add(call: Call) -> Result<Answer, ApiError> {
    let models = input::models(call.json::<ModelsInput>()?.listed()?)?;
    call.commit(AddModels { name_or_id: call.param().to_owned(), models }).await
}

/// Delete a model that the tenant added.
#[utoipa::path(delete, path = "/api/v1/providers/models/{id}", operation_id = "delete_model", tag = "providers", params(("id" = inline(words::ModelId), Path)),
    responses((status = 204)))]
pub(crate) async fn delete(call: Call) -> Result<Answer, ApiError> {
    let id = call.param().strip_prefix(MODEL_PREFIX).and_then(|hex| Uuid::try_parse(hex).ok());
    let id = id.ok_or_else(|| ApiError::not_found("model"))?;
    call.commit(DeleteModel { id }).await
}

impl ModelsInput {
    fn listed(self) -> Result<Vec<ModelInput>, ApiError> {
        match (self.name, self.models) {
            (Some(name), None) => Ok(vec![ModelInput::Named(NamedModel { name, display_name: self.display_name })]),
            (None, Some(models)) if self.display_name.is_none() => Ok(models),
            _ => Err(ApiError::field("give `name` (with `display_name` if there is one), or `models`")),
        }
    }
}
