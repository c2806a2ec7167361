//! The two usage ledgers: *metered* (seen by our proxy) and *reported* (by the provider).
//!
//! Unknown is never zero: a figure that no source gave is `None`, and stays so up to the dashboard.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{IntegrationId, ProjectId, RequestId, Timestamp, VirtualKeyId};

/// Money: billionths of a US dollar.
pub type NanoUsd = i64;

/// Ledger that a figure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ledger {
    /// Counted by Keyway's proxy.
    Metered,
    /// Reported by the provider.
    Reported,
}

impl Ledger {
    /// Returns the text in JSON and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Metered => "metered",
            Self::Reported => "reported",
        }
    }
}

/// Counts of one call or one bucket, normalised across providers: `input` includes tokens read from or written to the
/// cache; `output` includes reasoning tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCounts {
    /// All input tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<i64>,
    /// Part of `input` read from the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<i64>,
    /// Part of `input` written to the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<i64>,
    /// Part of `cache_write` kept for one hour, which some providers price separately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<i64>,
    /// Part of `cache_write` kept for twelve hours, which some providers price separately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_12h: Option<i64>,
    /// All output tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<i64>,
    /// Part of `output` spent on reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<i64>,
    /// Part of `input` that is audio, where the provider splits it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_input: Option<i64>,
    /// Part of `cached_input` that is audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_audio_input: Option<i64>,
    /// Part of `output` that is audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_output: Option<i64>,
    /// Web searches that the provider made for its answer; no tokens, but charged beside them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_searches: Option<i64>,
    /// Search units, by which some providers charge document search and reranking; no tokens either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search_units: Option<i64>,
}

impl TokenCounts {
    /// Adds both, field by field. A field that only one side has counts as the sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let sum = |a: Option<i64>, b: Option<i64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
        Self {
            input: sum(self.input, other.input),
            cached_input: sum(self.cached_input, other.cached_input),
            cache_write: sum(self.cache_write, other.cache_write),
            cache_write_1h: sum(self.cache_write_1h, other.cache_write_1h),
            cache_write_12h: sum(self.cache_write_12h, other.cache_write_12h),
            output: sum(self.output, other.output),
            reasoning: sum(self.reasoning, other.reasoning),
            audio_input: sum(self.audio_input, other.audio_input),
            cached_audio_input: sum(self.cached_audio_input, other.cached_audio_input),
            audio_output: sum(self.audio_output, other.audio_output),
            web_searches: sum(self.web_searches, other.web_searches),
            search_units: sum(self.search_units, other.search_units),
        }
    }
}

/// Terms beside token counts that decide the price of a call, as its answer states them. Ordinary terms (`default`,
/// `standard`, `global`) are left out, so that an empty value is the ordinary price.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceTerms {
    /// Service tier: `priority`, `flex`, `batch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    /// Speed: `fast`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<String>,
    /// Region in which the model ran, where the provider states one: `us`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Calls of the provider's own tools that are charged beside tokens, by tool name: `file_search`. Web searches are
    /// counted in [`TokenCounts::web_searches`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, i64>,
}

impl PriceTerms {
    /// Returns `true` if the ordinary price applies.
    #[must_use]
    pub fn is_ordinary(&self) -> bool {
        *self == Self::default()
    }
}

/// One proxied call as a row of the metered ledger; unique by `request_id`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeteredCall {
    /// Natural key.
    pub request_id: RequestId,
    /// The project of the virtual key.
    pub project_id: ProjectId,
    /// Virtual key that made the call.
    pub virtual_key_id: VirtualKeyId,
    /// Integration whose secret served the call; [`IntegrationId::NONE`] if none did.
    pub integration_id: IntegrationId,
    /// Source of the secret: the project's own integration or the operator.
    #[serde(default, skip_serializing_if = "CredentialSource::is_own")]
    pub credential: CredentialSource,
    /// The provider's name; empty if the call was refused before one was chosen.
    pub provider: String,
    /// Model that the provider says it used, else the model asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Model that the caller asked for, if the answer names another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_model: Option<String>,
    /// Path of the request, without its query.
    pub path: String,
    /// The provider's HTTP status; `None` if no answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// Tokens as the provider counted them.
    pub tokens: TokenCounts,
    /// Price terms beside tokens.
    #[serde(default, skip_serializing_if = "PriceTerms::is_ordinary")]
    pub terms: PriceTerms,
    /// Charge in nano-USD as stated in the provider's answer; `None` if the answer states none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_nano_usd: Option<NanoUsd>,
    /// Arrival time of the request.
    pub started_at: Timestamp,
    /// Milliseconds from the request's arrival to the last byte of the answer.
    pub duration_ms: i64,
    /// Milliseconds from the request's arrival to the first byte of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<i64>,
    /// `true` if the answer was streamed.
    pub streamed: bool,
    /// `true` if the answer came to its own end; `false` if the client or the provider broke off.
    pub complete: bool,
    /// Microseconds spent in Keyway before a provider was called; `None` if not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overhead_us: Option<i64>,
    /// Number of calls to providers made for this answer.
    #[serde(default = "one_attempt", skip_serializing_if = "is_one")]
    pub attempts: u16,
    /// Attempts that were refused before `integration_id` served the call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedAttempt>,
    /// Integrations whose key the provider's answers put in doubt: each is verified soon.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubted: Vec<IntegrationId>,
    /// Provider's id of an answer that can be read again (`resp_...`): its figures count once, in the call that shows
    /// them first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_id: Option<String>,
    /// `true` if the answer came from Keyway's own cache: its cost is known to be 0.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    /// `true` if the process died during the call, so that its outcome is unknown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
    /// Code of Keyway's own refusal; `None` if a provider was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_code: Option<String>,
}

impl MeteredCall {
    /// Builds the record of a call that has just begun: every figure of its answer is unknown.
    #[must_use]
    pub fn begun(
        request_id: RequestId,
        (project_id, virtual_key_id): (ProjectId, VirtualKeyId),
        integration_id: IntegrationId,
        provider: impl Into<String>,
        path: impl Into<String>,
        started_at: Timestamp,
    ) -> Self {
        Self {
            request_id,
            project_id,
            virtual_key_id,
            integration_id,
            credential: CredentialSource::Own,
            provider: provider.into(),
            model: None,
            asked_model: None,
            path: path.into(),
            http_status: None,
            tokens: TokenCounts::default(),
            terms: PriceTerms::default(),
            cost_nano_usd: None,
            started_at,
            duration_ms: 0,
            first_byte_ms: None,
            streamed: false,
            complete: false,
            overhead_us: None,
            attempts: 1,
            refused: Vec::new(),
            doubted: Vec::new(),
            answer_id: None,
            cached: false,
            settled: false,
            refused_code: None,
        }
    }

    /// Marks the call as refused by Keyway itself: no provider was asked, so its cost is known to be 0.
    #[must_use]
    pub fn refused_with(self, code: impl Into<String>) -> Self {
        Self { refused_code: Some(code.into()), cost_nano_usd: Some(0), attempts: 0, complete: true, ..self }
    }

    /// Returns the outcome that `refused_code`, `settled` and `complete` add up to.
    #[must_use]
    pub const fn outcome(&self) -> CallOutcome {
        match (self.settled, self.complete) {
            _ if self.refused_code.is_some() => CallOutcome::Refused,
            (true, _) => CallOutcome::Settled,
            (false, true) => CallOutcome::Completed,
            (false, false) => CallOutcome::BrokenOff,
        }
    }
}

/// Source of the secret that served a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialSource {
    /// An integration of the project.
    #[default]
    Own,
    /// The operator's key, to which the project has consented.
    Fallback,
}

impl CredentialSource {
    /// Returns the text in JSON, headers and the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Fallback => "fallback",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Own, Self::Fallback].into_iter().find(|source| source.name() == name)
    }

    /// Returns `true` for the project's own secret, the default that serialization leaves out.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        matches!(self, Self::Own)
    }
}

/// An attempt that a provider refused before another integration served the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedAttempt {
    /// Integration whose secret was refused.
    pub integration_id: IntegrationId,
    /// HTTP status of the refusal.
    pub http_status: u16,
}

/// Outcome of a proxied call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// The answer came to its own end.
    Completed,
    /// The caller or the provider broke off, or no answer came.
    BrokenOff,
    /// The process died during the call: the outcome at the provider is unknown.
    Settled,
    /// Keyway refused the call without asking a provider.
    Refused,
}

impl CallOutcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Completed, Self::BrokenOff, Self::Settled, Self::Refused];

    /// Returns the text in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::BrokenOff => "broken_off",
            Self::Settled => "settled",
            Self::Refused => "refused",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

/// One bucket of usage as a provider reports it. Its natural key is integration, source,
/// `bucket_start`, `bucket_end`, model and line item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedUsage {
    /// Name of the report: `usage.completions`, `usage.embeddings`, `costs`.
    pub source: String,
    /// Start of the bucket, inclusive.
    pub bucket_start: Timestamp,
    /// End of the bucket, exclusive.
    pub bucket_end: Timestamp,
    /// Model, if the report splits by model.
    pub model: Option<String>,
    /// The provider's line item of the bill, if the report splits by it.
    pub line_item: Option<String>,
    /// Number of calls in the bucket.
    pub requests: Option<i64>,
    /// Tokens in the bucket.
    pub tokens: TokenCounts,
    /// Charge for the bucket in nano-USD.
    pub cost_nano_usd: Option<NanoUsd>,
}

/// Progress of a fetch: all reports before `source` are done, and all of `source` before `from`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageProgress {
    /// Report to resume with.
    pub source: String,
    /// Time to resume at, inclusive.
    pub from: Timestamp,
}

/// A span of time whose usage is to be fetched: `from` inclusive, `to` exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageWindow {
    /// Start, inclusive.
    pub from: Timestamp,
    /// End, exclusive.
    pub to: Timestamp,
}

const fn one_attempt() -> u16 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_one(attempts: &u16) -> bool {
    *attempts == 1
}
