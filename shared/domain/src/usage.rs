//! The two usage ledgers: *metered* (seen by our proxy) and *reported* (by the provider).
//!
//! Unknown is never zero: a figure that nobody gave is `None`, and stays so up to the dashboard.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{IntegrationId, ProjectId, RequestId, ServedBy, Timestamp, VirtualKeyId};

/// Money: billionths of a US dollar.
pub type NanoUsd = i64;

/// Which ledger a figure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ledger {
    /// Counted by Keyway's proxy.
    Metered,
    /// Reported by the provider.
    Reported,
}

impl Ledger {
    /// The text in JSON and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Metered => "metered",
            Self::Reported => "reported",
        }
    }
}

/// What was counted of one call or one bucket, in one normal form for all providers: `input` counts every
/// input token, those of the cache included; `output` counts reasoning tokens too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCounts {
    /// All input tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<i64>,
    /// Those of them read from the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<i64>,
    /// Those of them written to the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<i64>,
    /// Those of `cache_write` that are kept for an hour, which some providers price apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<i64>,
    /// Those of `cache_write` that are kept for twelve hours, which some providers price apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_12h: Option<i64>,
    /// All output tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<i64>,
    /// Those of them spent on reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<i64>,
    /// Those of `input` that are sound, where a provider tells them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_input: Option<i64>,
    /// Those of `cached_input` that are sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_audio_input: Option<i64>,
    /// Those of `output` that are sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_output: Option<i64>,
    /// Not tokens, but charged beside them: searches of the web that the provider made for its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_searches: Option<i64>,
    /// Not tokens either: units of searching documents, by which some providers charge a reranking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search_units: Option<i64>,
}

impl TokenCounts {
    /// Both together. A figure that only one of them has counts as the sum: the other had nothing of it.
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

/// Terms beside token counts that decide the price of a call, as its answer states them. Ordinary terms
/// (`default`, `standard`, `global`) are left out, so that an empty value is the ordinary price.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceTerms {
    /// Service tier that served: `priority`, `flex`, `batch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    /// Speed that was sold: `fast`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<String>,
    /// Region in which the model ran, where the provider states one: `us`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Uses of the provider's own tools that are charged beside tokens, by the tool's name: `file_search`.
    /// Searches of the web are counted in [`TokenCounts::web_searches`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, i64>,
}

impl PriceTerms {
    /// Whether the ordinary price applies.
    #[must_use]
    pub fn is_ordinary(&self) -> bool {
        *self == Self::default()
    }
}

/// One proxied call, as the metered ledger keeps it; one row, once, by `request_id`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeteredCall {
    /// The natural key.
    pub request_id: RequestId,
    /// The project of the virtual key.
    pub project_id: ProjectId,
    /// Who called.
    pub virtual_key_id: VirtualKeyId,
    /// Whose secret served it.
    #[serde(rename = "integration_id")]
    pub served_by: ServedBy,
    /// Whether that secret is the project's own.
    #[serde(default, skip_serializing_if = "CredentialSource::is_own")]
    pub credential: CredentialSource,
    /// The provider's name; empty where the call was refused before one was chosen.
    pub provider: String,
    /// The model the provider says it used, else the one asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The model the caller asked for, where the answer named another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_model: Option<String>,
    /// The path that was called, without its query.
    pub path: String,
    /// The provider's HTTP status; `None` when no answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// Tokens as the provider counted them.
    pub tokens: TokenCounts,
    /// Terms of the price beside tokens.
    #[serde(default, skip_serializing_if = "PriceTerms::is_ordinary")]
    pub terms: PriceTerms,
    /// What the provider says it charges for the call, where its answers say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_nano_usd: Option<NanoUsd>,
    /// When the request came in.
    pub started_at: Timestamp,
    /// From the request's arrival to the last byte of the answer.
    pub duration_ms: i64,
    /// From the request's arrival to the first byte of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<i64>,
    /// Whether the answer was streamed.
    pub streamed: bool,
    /// Whether the answer came to its own end (false: the client or the provider broke off).
    pub complete: bool,
    /// Time spent in Keyway before a provider was called, in microseconds; `None` when nobody measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overhead_us: Option<i64>,
    /// How often a provider was asked for this answer.
    #[serde(default = "one_attempt", skip_serializing_if = "is_one")]
    pub attempts: u16,
    /// The attempts that were refused before it was served.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedAttempt>,
    /// Integrations whose key the provider's own words put in question: each is verified soon.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubted: Vec<IntegrationId>,
    /// Provider's id of an answer that can be read again (`resp_...`): its figures count once, in whichever call
    /// shows them first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_id: Option<String>,
    /// Whether the answer came from Keyway's own memory: it cost nothing, which is known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    /// Whether the process died while the call was under way, so that nobody knows how it ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
    /// Code of Keyway's own refusal, when no provider was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_code: Option<String>,
}

impl MeteredCall {
    /// A call that has just begun: nothing of its answer is known.
    #[must_use]
    pub fn begun(
        request_id: RequestId,
        (project_id, virtual_key_id): (ProjectId, VirtualKeyId),
        served_by: ServedBy,
        provider: impl Into<String>,
        path: impl Into<String>,
        started_at: Timestamp,
    ) -> Self {
        Self {
            request_id,
            project_id,
            virtual_key_id,
            served_by,
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

    /// As it is, refused by Keyway itself: no provider was asked, so it cost nothing, which is known.
    #[must_use]
    pub fn refused_with(self, code: impl Into<String>) -> Self {
        Self { refused_code: Some(code.into()), cost_nano_usd: Some(0), attempts: 0, complete: true, ..self }
    }

    /// How it ended.
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

/// Where the secret of a call came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialSource {
    /// From an integration of the project.
    #[default]
    Own,
    /// From the operator, to which the project has consented.
    Fallback,
}

impl CredentialSource {
    /// The text in JSON, headers and the store.
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

    /// Whether it is the project's own: what goes without saying.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        matches!(self, Self::Own)
    }
}

/// An attempt of a call that a provider refused, and that another integration then took over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedAttempt {
    /// Whose secret was refused.
    pub integration_id: IntegrationId,
    /// With which HTTP status.
    pub http_status: u16,
}

/// How a proxied call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// The answer came to its own end.
    Completed,
    /// The caller or the provider broke off, or no answer came.
    BrokenOff,
    /// The process that made the call died: what the provider did is unknown.
    Settled,
    /// Keyway itself refused it, and asked no provider.
    Refused,
}

impl CallOutcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Completed, Self::BrokenOff, Self::Settled, Self::Refused];

    /// The text in JSON.
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
    /// The report it is from: `usage.completions`, `usage.embeddings`, `costs`.
    pub source: String,
    /// Start of the bucket, inclusive.
    pub bucket_start: Timestamp,
    /// End of the bucket, exclusive.
    pub bucket_end: Timestamp,
    /// The model, where the report splits by it.
    pub model: Option<String>,
    /// The provider's own line of the bill, where the report splits by it.
    pub line_item: Option<String>,
    /// Calls in the bucket.
    pub requests: Option<i64>,
    /// Tokens in the bucket.
    pub tokens: TokenCounts,
    /// What the provider charges for it.
    pub cost_nano_usd: Option<NanoUsd>,
}

/// How far a fetch has come: the reports before `source` are done, and of it everything before `from`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageProgress {
    /// The report to go on with.
    pub source: String,
    /// Where in it, inclusive.
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
