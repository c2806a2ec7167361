//! Whose shape an answer has: what an error looks like and which headers come along.

use http::response::Builder;
use serde_json::Value;

use super::{Fault, answer, anthropic, gemini};

/// Whose shape a call is answered in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    OpenAi,
    Anthropic,
    Gemini,
}

impl Shape {
    /// The shape of a call: its path says so, or the key of a path that several providers have.
    pub(super) fn of(path: &str, key: &str) -> Self {
        let is_native = path.starts_with("/v1/messages") || path.starts_with("/v1/organizations/");
        let is_shared = ["/v1/models", "/v1/files"].iter().any(|shared| path.starts_with(shared));
        let is_shared = is_shared && key.starts_with("sk-ant-");
        if gemini::is_key(key) {
            Self::Gemini
        } else if is_native || is_shared {
            Self::Anthropic
        } else {
            Self::OpenAi
        }
    }

    /// The error of a fault that is one in every shape.
    pub(super) fn refusal(self, fault: Fault, key: &str) -> Option<(u16, Value)> {
        match self {
            Self::OpenAi => answer::refusal(fault, key),
            Self::Anthropic => anthropic::refusal(fault),
            Self::Gemini => gemini::refusal(fault),
        }
    }

    /// The headers of the provider's own.
    pub(super) fn headers(self, builder: Builder, number: u64) -> Builder {
        match self {
            Self::OpenAi | Self::Gemini => answer::provider_headers(builder, number),
            Self::Anthropic => anthropic::provider_headers(builder, number),
        }
    }
}
