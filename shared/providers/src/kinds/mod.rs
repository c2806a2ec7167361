//! The code of each kind of provider: a file or a directory here, and an arm of the match.

mod anthropic;
mod aws;
mod azure;
mod bucketed;
mod cloud;
mod cohere;
mod credential_fields;
mod gemini;
mod google_cloud;
mod openai;
mod openai_compatible;
mod openrouter;
mod xai_management;

use std::sync::Arc;

use crate::{Kind, Provider, ProviderSpec};

/// Returns the implementation for the provider that `spec` describes.
#[must_use]
pub fn for_spec(spec: &ProviderSpec) -> Arc<dyn Provider> {
    match spec.kind {
        Kind::Anthropic => Arc::new(anthropic::Anthropic::new(spec)),
        Kind::Aws => Arc::new(aws::Aws::new(spec)),
        Kind::Azure => Arc::new(azure::Azure::new(spec)),
        Kind::Cohere => Arc::new(cohere::Cohere::new(spec)),
        Kind::Gemini => Arc::new(gemini::Gemini::new(spec)),
        Kind::GoogleCloud => Arc::new(google_cloud::GoogleCloud::new(spec)),
        Kind::OpenAi => Arc::new(openai::OpenAi::new(spec)),
        Kind::OpenRouter => Arc::new(openrouter::OpenRouter::new(spec)),
        Kind::XaiManagement => Arc::new(xai_management::XaiManagement::new(spec)),
        Kind::OpenAiCompatible => Arc::new(openai_compatible::OpenAiCompatible::new(spec)),
    }
}
