//! Proxied calls, as the request log has them.

use keyway_domain::{CallOutcome, CredentialSource, IntegrationId, ProjectId, RequestId, Timestamp, VirtualKeyId};
use keyway_store::usage::MeteredRow;
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::words;

/// One proxied call. It appears some seconds after it ended, and stays for KEYWAY_LEDGER_DAYS.
#[derive(Serialize, ToSchema)]
pub(crate) struct RequestView {
    /// Id of the request; the caller got it as `x-keyway-request-id`.
    #[schema(value_type = words::RequestId)]
    id: RequestId,
    #[schema(value_type = words::ProjectId)]
    project_id: ProjectId,
    #[schema(value_type = words::VirtualKeyId)]
    virtual_key_id: VirtualKeyId,
    /// Integration whose secret served the call; of several attempts, the last one's. Null: the operator's key.
    #[schema(value_type = Option<words::IntegrationId>)]
    integration_id: Option<IntegrationId>,
    /// `own`: an integration's secret. `fallback`: the operator's key, to which the project has consented.
    #[schema(value_type = words::Credential)]
    credential: CredentialSource,
    /// Provider's name; null if the call was refused before one was chosen.
    provider: Option<String>,
    /// Model that the provider says it used, else the one asked for; null if neither is known.
    model: Option<String>,
    /// Path at the provider, without its query.
    path: String,
    /// Status of the provider's answer; null if none came, no provider was asked, or it is unknown.
    http_status: Option<u16>,
    input_tokens: Option<i64>,
    cached_input_tokens: Option<i64>,
    cache_write_tokens: Option<i64>,
    /// Part of the cache writes that is kept for one hour.
    cache_write_1h_tokens: Option<i64>,
    output_tokens: Option<i64>,
    reasoning_tokens: Option<i64>,
    /// Cost in billionths of a US dollar; null if unknown.
    cost_nano_usd: Option<i64>,
    /// Version of the price list used; `provider` if the provider stated the charge, `cache` and `refused` if none was
    /// asked, `counted` if another call has counted the same answer.
    price_version: Option<String>,
    /// Milliseconds from the request's arrival to the first byte of the answer.
    first_byte_ms: Option<i64>,
    /// Milliseconds from the request's arrival to the last byte of the answer; null if unknown.
    duration_ms: Option<i64>,
    /// Microseconds spent in Keyway before a provider was called.
    overhead_us: Option<i64>,
    /// Number of calls to providers made for this answer.
    attempts: u16,
    streamed: bool,
    /// `true` if the answer came from Keyway's own cache.
    cached: bool,
    /// `completed`: the answer came to its own end. `broken_off`: the caller or the provider broke off, or no answer
    /// came. `settled`: the process that made the call died, so its result is unknown. `refused`: Keyway itself refused
    /// the call and asked no provider.
    #[schema(value_type = words::CallOutcome)]
    outcome: CallOutcome,
    /// Code of Keyway's own refusal, as the caller got it; null if there was none.
    #[schema(example = "budget_exceeded")]
    refused_code: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
}

impl From<MeteredRow> for RequestView {
    fn from(row: MeteredRow) -> Self {
        let call = row.call;
        Self {
            outcome: call.outcome(),
            id: call.request_id,
            project_id: call.project_id,
            virtual_key_id: call.virtual_key_id,
            integration_id: call.served_by.integration(),
            credential: call.credential,
            provider: Some(call.provider).filter(|provider| !provider.is_empty()),
            model: call.model,
            path: call.path,
            http_status: call.http_status,
            input_tokens: call.tokens.input,
            cached_input_tokens: call.tokens.cached_input,
            cache_write_tokens: call.tokens.cache_write,
            cache_write_1h_tokens: call.tokens.cache_write_1h,
            output_tokens: call.tokens.output,
            reasoning_tokens: call.tokens.reasoning,
            cost_nano_usd: row.cost_nano_usd,
            price_version: row.price_version,
            first_byte_ms: call.first_byte_ms,
            duration_ms: (!call.settled).then_some(call.duration_ms),
            overhead_us: call.overhead_us,
            attempts: call.attempts,
            streamed: call.streamed,
            cached: call.cached,
            refused_code: call.refused_code,
            started_at: call.started_at,
        }
    }
}
