//! Cohere: OpenAI's shape under `/compatibility/v1`, and its own, whose answers bill units and do not say
//! which model served. Only billed units count; the tokens it saw are more than it charges for.

use async_trait::async_trait;
use http::HeaderMap;
use keyway_domain::TokenCounts;
use memchr::memmem;
use serde::Deserialize;

use super::openai_compatible::OpenAiCompatible;
use crate::{
    BadSecret, FetchError, Finding, FormatError, GuardedClient, KeyFacts, KeyFamily, Metered, Provider, ProviderSpec,
    Target, UsagePage, UsageQuery,
    lenient::{Count, Maybe, Object},
};

const FIGURES: &str = "billed_units";

/// Cohere's ways.
pub(crate) struct Cohere {
    shape: OpenAiCompatible,
    /// Where its endpoints of OpenAI's shape begin.
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
    fn check_format(&self, credentials: &str) -> Result<KeyFacts, FormatError> {
        self.shape.check_format(credentials)
    }

    async fn probe(&self, target: Target<'_>, http: &GuardedClient) -> Finding {
        self.shape.probe(target, http).await
    }

    fn may_refuse_with(&self, status: u16) -> bool {
        self.shape.may_refuse_with(status)
    }

    fn usage_sources(&self, family: KeyFamily) -> Result<&'static [&'static str], FetchError> {
        self.shape.usage_sources(family)
    }

    async fn usage_page(
        &self,
        target: Target<'_>,
        query: UsageQuery<'_>,
        http: &GuardedClient,
    ) -> Result<UsagePage, FetchError> {
        self.shape.usage_page(target, query, http).await
    }

    fn authorize(&self, path: &str, headers: &mut HeaderMap, secret: &[u8]) -> Result<(), BadSecret> {
        self.shape.authorize(path, headers, secret)
    }

    fn names_model(&self, path: &str) -> bool {
        !self.is_native(path)
    }

    fn figures_field(&self, path: &str) -> &'static str {
        if self.is_native(path) { FIGURES } else { self.shape.figures_field(path) }
    }

    fn meter_body(&self, path: &str, body: &[u8]) -> Metered {
        if !self.is_native(path) {
            return self.shape.meter_body(path, body);
        }
        // The end of an answer that was too long to be kept is followed by the brackets that close it.
        let first = serde_json::Deserializer::from_slice(body).into_iter::<Maybe<Answer>>().next();
        let mut tokens = first.and_then(Result::ok).and_then(|answer| answer.0).map(Answer::tokens).unwrap_or_default();
        if path.ends_with("/embed") && tokens.input.is_some() {
            // Embeddings are billed by their input alone.
            tokens.output = tokens.output.or(Some(0));
        }
        Metered { tokens, ..Metered::default() }
    }

    fn meter_event(&self, so_far: &mut Metered, data: &[u8]) -> bool {
        if memmem::find(data, b"\"billed_units\"").is_none() {
            return self.shape.meter_event(so_far, data);
        }
        let event: Maybe<Answer> = serde_json::from_slice(data).unwrap_or_default();
        let tokens = event.0.map(Answer::tokens).unwrap_or_default();
        let shows_figures = tokens != TokenCounts::default();
        if shows_figures {
            so_far.tokens = tokens;
        }
        shows_figures
    }
}

#[derive(Default, Deserialize)]
struct Answer {
    /// Chat.
    #[serde(default)]
    usage: Maybe<Figures>,
    /// Everything else.
    #[serde(default)]
    meta: Maybe<Figures>,
    /// The last event of a chat.
    #[serde(default)]
    delta: Maybe<Delta>,
    /// The end of a long answer begins here.
    #[serde(default)]
    billed_units: Maybe<Units>,
}

#[derive(Default, Deserialize)]
struct Delta {
    #[serde(default)]
    usage: Maybe<Figures>,
}

#[derive(Default, Deserialize)]
struct Figures {
    #[serde(default)]
    billed_units: Maybe<Units>,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Units {
    #[serde(default)]
    input_tokens: Count,
    #[serde(default)]
    output_tokens: Count,
    #[serde(default)]
    images: Count,
    #[serde(default)]
    image_tokens: Count,
    #[serde(default)]
    search_units: Count,
    #[serde(default)]
    classifications: Count,
}

impl Object for Answer {}
impl Object for Delta {}
impl Object for Figures {}
impl Object for Units {}

impl Answer {
    fn tokens(self) -> TokenCounts {
        let figures = self.usage.0.or(self.meta.0).or_else(|| self.delta.0?.usage.0);
        let units = self.billed_units.0.or_else(|| figures?.billed_units.0);
        units.map(Units::tokens).unwrap_or_default()
    }
}

impl Units {
    fn tokens(self) -> TokenCounts {
        let others = [self.images, self.image_tokens, self.search_units, self.classifications];
        let has_others = others.iter().any(|count| count.0.is_some_and(|count| count > 0));
        TokenCounts {
            // Other units have prices of their own: where some are billed, tokens do not tell the cost.
            input: self.input_tokens.0.filter(|_| !has_others),
            output: self.output_tokens.0,
            ..TokenCounts::default()
        }
    }
}
