//! `/providers/{id}/models`: the models of a provider, from the catalog and added by the tenant.

use keyway_domain::Timestamp;
use keyway_providers::{Model, Period, ProviderSpec, Rate};
use keyway_store::provider_models::{self, ModelRow};
use serde::{Deserialize, Serialize};
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
};

const PREFIX: &str = "mdl_";

/// A model of a provider.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelView {
    /// Id; null for a model of the catalog, which cannot be deleted.
    #[schema(value_type = Option<words::ModelId>)]
    id: Option<String>,
    provider: String,
    /// Name in requests.
    #[schema(example = "gpt-4o-mini")]
    name: String,
    /// Display name; the name in requests if none was given.
    #[schema(example = "GPT-4o mini")]
    display_name: String,
    /// `chat`, `embedding` or `rerank`; null if unknown.
    mode: Option<&'static str>,
    max_input_tokens: Option<i64>,
    max_output_tokens: Option<i64>,
    /// Price; null if unknown.
    price: Option<PriceView>,
}

/// Today's price of a model on ordinary terms, in billionths of a US dollar per million tokens unless another unit is
/// named. null: unknown.
#[derive(Serialize, ToSchema)]
struct PriceView {
    input: Option<i64>,
    cached_input: Option<i64>,
    cache_write: Option<i64>,
    /// Cache writes kept for one hour.
    cache_write_1h: Option<i64>,
    /// Cache writes kept for twelve hours.
    cache_write_12h: Option<i64>,
    output: Option<i64>,
    audio_input: Option<i64>,
    cached_audio_input: Option<i64>,
    audio_output: Option<i64>,
    /// Per thousand web searches.
    web_search: Option<i64>,
    /// Per thousand calls with any web search, for models charged so.
    grounded_prompt: Option<i64>,
    /// Per thousand search units, for models charged so.
    search_unit: Option<i64>,
    /// Per call; null: free.
    per_request: Option<i64>,
    /// Time of the next price; null: none is known.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

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
    let id = call.param().strip_prefix(PREFIX).and_then(|hex| Uuid::try_parse(hex).ok());
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

impl ModelView {
    /// Returns the models of the catalog, then those that the tenant added.
    pub(super) fn all(
        provider: &str,
        spec: Option<&ProviderSpec>,
        own: impl IntoIterator<Item = ModelRow>,
    ) -> Vec<Self> {
        let catalog = spec.map(|spec| spec.models.as_slice()).unwrap_or_default();
        let predefined = catalog.iter().map(|model| Self::predefined(provider, model));
        predefined.chain(own.into_iter().map(Self::from)).collect()
    }

    fn predefined(provider: &str, model: &Model) -> Self {
        Self {
            id: None,
            provider: provider.to_owned(),
            name: model.name.clone(),
            display_name: model.name.clone(),
            mode: Some(model.mode.name()),
            max_input_tokens: model.max_input_tokens,
            max_output_tokens: model.max_output_tokens,
            price: model.price.as_ref().and_then(|price| price.at(Timestamp::now())).map(PriceView::from),
        }
    }
}

impl From<&Period> for PriceView {
    fn from(period: &Period) -> Self {
        let (of, fees) = (|rate| period.rates.get(rate), &period.fees);
        Self {
            input: of(Rate::Input),
            cached_input: of(Rate::CachedInput),
            cache_write: of(Rate::CacheWrite),
            cache_write_1h: of(Rate::CacheWrite1h),
            cache_write_12h: of(Rate::CacheWrite12h),
            output: of(Rate::Output),
            audio_input: of(Rate::AudioInput),
            cached_audio_input: of(Rate::CachedAudioInput),
            audio_output: of(Rate::AudioOutput),
            web_search: fees.web_search,
            grounded_prompt: fees.grounded_prompt,
            search_unit: fees.search_unit,
            per_request: fees.per_request,
            until: period.until,
        }
    }
}

impl From<ModelRow> for ModelView {
    fn from(row: ModelRow) -> Self {
        Self {
            id: Some(format!("{PREFIX}{}", row.id.simple())),
            provider: row.provider,
            display_name: row.display_name.unwrap_or_else(|| row.model.clone()),
            name: row.model,
            mode: None,
            max_input_tokens: None,
            max_output_tokens: None,
            price: None,
        }
    }
}
