//! The list of provider kinds `models.yaml` may name: one line per native provider.

use std::sync::Arc;

use crate::{
    Provider, ProviderSpec, anthropic::Anthropic, aws::Aws, azure::Azure, cohere::Cohere, gemini::Gemini,
    google_cloud::GoogleCloud, openai::OpenAi, openai_compatible::OpenAiCompatible, openrouter::OpenRouter,
};

type Build = fn(&ProviderSpec) -> Arc<dyn Provider>;

const KINDS: &[(&str, Build)] = &[
    ("anthropic", |spec| Arc::new(Anthropic::new(spec))),
    ("aws", |spec| Arc::new(Aws::new(spec))),
    ("azure", |spec| Arc::new(Azure::new(spec))),
    ("cohere", |spec| Arc::new(Cohere::new(spec))),
    ("gemini", |spec| Arc::new(Gemini::new(spec))),
    ("google_cloud", |spec| Arc::new(GoogleCloud::new(spec))),
    ("openai", |spec| Arc::new(OpenAi::new(spec))),
    ("openrouter", |spec| Arc::new(OpenRouter::new(spec))),
    (OPENAI_COMPATIBLE, |spec| Arc::new(OpenAiCompatible::new(spec))),
];

/// The kind of custom providers and of every stanza that only needs data.
pub(crate) const OPENAI_COMPATIBLE: &str = "openai_compatible";

/// The ways of the provider that `spec` describes.
#[must_use]
pub fn for_spec(spec: &ProviderSpec) -> Arc<dyn Provider> {
    KINDS
        .iter()
        .find(|(kind, _)| *kind == spec.kind)
        .map_or_else(|| Arc::new(OpenAiCompatible::new(spec)) as Arc<dyn Provider>, |(_, build)| build(spec))
}

/// The kind's own name, if `kind` is one.
pub(crate) fn kind_named(kind: &str) -> Option<&'static str> {
    KINDS.iter().map(|(name, _)| *name).find(|name| *name == kind)
}

/// Every kind, for messages.
pub(crate) fn kind_names() -> String {
    KINDS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}
