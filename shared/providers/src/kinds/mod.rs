//! The provider kinds that `models.yaml` may name: each has a file or a directory here, and a line in the list.

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

use crate::{Provider, ProviderSpec};
use openai_compatible::OpenAiCompatible;

type Build = fn(&ProviderSpec) -> Arc<dyn Provider>;

const KINDS: &[(&str, Build)] = &[
    ("anthropic", |spec| Arc::new(anthropic::Anthropic::new(spec))),
    ("aws", |spec| Arc::new(aws::Aws::new(spec))),
    ("azure", |spec| Arc::new(azure::Azure::new(spec))),
    ("cohere", |spec| Arc::new(cohere::Cohere::new(spec))),
    ("gemini", |spec| Arc::new(gemini::Gemini::new(spec))),
    ("google_cloud", |spec| Arc::new(google_cloud::GoogleCloud::new(spec))),
    ("openai", |spec| Arc::new(openai::OpenAi::new(spec))),
    ("openrouter", |spec| Arc::new(openrouter::OpenRouter::new(spec))),
    ("xai_management", |spec| Arc::new(xai_management::XaiManagement::new(spec))),
    (OPENAI_COMPATIBLE, |spec| Arc::new(OpenAiCompatible::new(spec))),
];

/// Kind of custom providers and of every stanza that needs no code of its own.
pub(crate) const OPENAI_COMPATIBLE: &str = "openai_compatible";

/// Returns the implementation for the provider that `spec` describes.
#[must_use]
pub fn for_spec(spec: &ProviderSpec) -> Arc<dyn Provider> {
    KINDS
        .iter()
        .find(|(kind, _)| *kind == spec.kind)
        .map_or_else(|| Arc::new(OpenAiCompatible::new(spec)) as Arc<dyn Provider>, |(_, build)| build(spec))
}

/// Returns the kind's static name, if `kind` is one.
pub(crate) fn kind_named(kind: &str) -> Option<&'static str> {
    KINDS.iter().map(|(name, _)| *name).find(|name| *name == kind)
}

/// Returns the names of all kinds, for messages.
pub(crate) fn kind_names() -> String {
    KINDS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}
