//! Models of a provider, with their price today.

use keyway_domain::Timestamp;
use keyway_providers::{Model, Period, ProviderSpec, Rate};
use keyway_store::provider_models::ModelRow;
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::words;

/// The beginning of the id of a model that a tenant added.
pub(crate) const MODEL_PREFIX: &str = "mdl_";

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

impl ModelView {
    /// Returns the models of the catalog, then those that the tenant added.
    pub(crate) fn all(
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
            id: Some(format!("{MODEL_PREFIX}{}", row.id.simple())),
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
