//! Cohere: OpenAI's shape under `/compatibility/v1`, and its own, whose answers bill units and do not name the model
//! that served. Only billed units count; token counts beside them exceed the charge.

use async_trait::async_trait;
use http::HeaderMap;

use keyway_domain::KeyFamily;
use keyway_vault::ProviderSecret;

use super::openai_compatible::OpenAiCompatible;
use crate::{
    BadSecret, FetchError, Finding, FormatError, GuardedClient, KeyFacts, Provider, ProviderSpec, Signal, Target,
    UsageCall, UsagePage,
};

/// Cohere as a provider.
pub(crate) struct Cohere {
    shape: OpenAiCompatible,
    /// Path prefix of its OpenAI-shaped endpoints.
    openai_path: String,
}

impl Cohere {
    pub(crate) fn new(spec: &ProviderSpec) -> Self {
        Self { shape: OpenAiCompatible::new(spec), openai_path: spec.openai_path.clone() }
    }

    fn is_native(&self, path: &str) -> bool {
        !path.contains(&self.openai_path)
    }
}

#[async_trait]
impl Provider for Cohere {
    fn check_format(&self, credentials: &ProviderSecret) -> Result<KeyFacts, FormatError> {
        self.shape.check_format(credentials)
    }

    async fn probe(&self, target: Target<'_>, http: &GuardedClient) -> Finding {
        self.shape.probe(target, http).await
    }

    fn signals(&self) -> &[Signal] {
        self.shape.signals()
    }

    fn usage_sources(&self, family: KeyFamily) -> Result<&'static [&'static str], FetchError> {
        self.shape.usage_sources(family)
    }

    async fn usage_page(&self, call: UsageCall<'_>) -> Result<UsagePage, FetchError> {
        self.shape.usage_page(call).await
    }

    fn authorize(&self, path: &str, headers: &mut HeaderMap, secret: &ProviderSecret) -> Result<(), BadSecret> {
        self.shape.authorize(path, headers, secret)
    }

    fn names_model(&self, path: &str) -> bool {
        !self.is_native(path)
    }
}
