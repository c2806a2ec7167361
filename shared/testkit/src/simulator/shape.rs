//! Providers' shapes: the form of an error and the headers of an answer.

use http::response::Builder;
use serde_json::Value;

use super::{Fault, anthropic_shape, gemini_shape, openai};

/// Provider whose shape an answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    OpenAi,
    Anthropic,
    Gemini,
}

impl Shape {
    /// Returns the shape of a call, from its path or, for a path that several providers have, from its key.
    pub(super) fn of(path: &str, key: &str) -> Self {
        let is_native = path.starts_with("/v1/messages") || path.starts_with("/v1/organizations/");
        let is_shared = ["/v1/models", "/v1/files"].iter().any(|shared| path.starts_with(shared));
        let is_shared = is_shared && key.starts_with("sk-ant-");
        if gemini_shape::is_key(key) {
            Self::Gemini
        } else if is_native || is_shared {
            Self::Anthropic
        } else {
            Self::OpenAi
        }
    }

    /// Returns status and error body of a fault that every shape has.
    pub(super) fn refusal(self, fault: Fault, key: &str) -> Option<(u16, Value)> {
        match self {
            Self::OpenAi => openai::refusal(fault, key),
            Self::Anthropic => anthropic_shape::refusal(fault),
            Self::Gemini => gemini_shape::refusal(fault),
        }
    }

    /// Adds the provider's own headers.
    pub(super) fn headers(self, builder: Builder, number: u64) -> Builder {
        match self {
            Self::OpenAi | Self::Gemini => openai::provider_headers(builder, number),
            Self::Anthropic => anthropic_shape::provider_headers(builder, number),
        }
    }
}
