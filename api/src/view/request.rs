//! Proxied calls, as the request log has them.

use keyway_domain::{CallOutcome, CredentialSource, IntegrationId, ProjectId, RequestId, Timestamp, VirtualKeyId};
use keyway_store::usage::MeteredRow;
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::words;

/// One proxied call. It appears some seconds after it ended, and stays for KEYWAY_LEDGER_DAYS.
#[derive(Serialize, ToSchema)]
pub(crate) struct RequestView {
    /// What the caller got as `x-keyway-request-id`.
    #[schema(value_type = words::RequestId)]
    id: RequestId,
    #[schema(value_type = words::ProjectId)]
    project_id: ProjectId,
    #[schema(value_type = words::VirtualKeyId)]
    virtual_key_id: VirtualKeyId,
    /// Whose secret served it; of several attempts, the last one's. Null: the operator's.
    #[schema(value_type = Option<words::IntegrationId>)]
    integration_id: Option<IntegrationId>,
    /// `own`: an integration's. `fallback`: the operator's, to which the project has consented.
    #[schema(value_type = words::Credential)]
    credential: CredentialSource,
    /// Null: the call was refused before a provider was chosen.
    provider: Option<String>,
    /// The model the provider says it used, else the one asked for; null when neither is known.
    model: Option<String>,
    /// The path at the provider, without its query.
    path: String,
    /// The provider's; null when no answer came, nobody was asked, or nobody knows.
    http_status: Option<u16>,
    input_tokens: Option<i64>,
    cached_input_tokens: Option<i64>,
    cache_write_tokens: Option<i64>,
    /// Those of them that are kept for an hour.
    cache_write_1h_tokens: Option<i64>,
    output_tokens: Option<i64>,
    reasoning_tokens: Option<i64>,
    /// Billionths of a US dollar; null when it is not known.
    cost_nano_usd: Option<i64>,
    /// The price list that says so; `provider` when the provider said it, `cache` and `refused` when none was asked,
    /// `counted` when another call has counted the same answer.
    price_version: Option<String>,
    /// From the request's arrival to the first byte of the answer.
    first_byte_ms: Option<i64>,
    /// From the request's arrival to the last byte of the answer; null when nobody saw it.
    duration_ms: Option<i64>,
    /// Spent in Keyway before a provider was called, in microseconds.
    overhead_us: Option<i64>,
    /// How often a provider was asked for this answer.
    attempts: u16,
    streamed: bool,
    /// Whether the answer came from Keyway's own memory.
    cached: bool,
    /// `completed`: the answer came to its own end. `broken_off`: the caller or the provider broke off, or no
    /// answer came. `settled`: the process that made the call died, so what became of it is unknown. `refused`:
    /// Keyway itself refused the call and asked no provider.
    #[schema(value_type = words::CallOutcome)]
    outcome: CallOutcome,
    /// With which code Keyway refused it, as the caller was told; null when it did not.
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
            integration_id: Some(call.integration_id).filter(|id| *id != IntegrationId::NONE),
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
