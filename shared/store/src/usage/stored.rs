//! Calls as the ledger has stored them.

use keyway_domain::{
    CredentialSource, MeteredCall, ProjectId, RequestId, ServedBy, Timestamp, TokenCounts, VirtualKeyId,
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::row::MeteredRow;

/// A row of the ledger.
#[derive(FromQueryResult)]
pub(crate) struct CallRow {
    pub(crate) tenant_id: Uuid,
    request_id: Uuid,
    project_id: Uuid,
    virtual_key_id: Uuid,
    integration_id: Uuid,
    provider: String,
    model: Option<String>,
    path: String,
    http_status: Option<i32>,
    input_tokens: Option<i64>,
    cached_input_tokens: Option<i64>,
    cache_write_tokens: Option<i64>,
    cache_write_1h_tokens: Option<i64>,
    output_tokens: Option<i64>,
    reasoning_tokens: Option<i64>,
    cost_nano_usd: Option<i64>,
    price_version: Option<String>,
    started_at_ms: i64,
    duration_ms: i64,
    first_byte_ms: Option<i64>,
    streamed: bool,
    complete: bool,
    overhead_us: Option<i64>,
    attempts: i32,
    cached: bool,
    settled: bool,
    credential: String,
    refused_code: Option<String>,
    pub(crate) rolled_up: bool,
}

impl CallRow {
    /// Returns the call with its price.
    pub(crate) fn metered(self) -> MeteredRow {
        let call = MeteredCall::begun(
            RequestId::from_uuid(self.request_id),
            (ProjectId::from_uuid(self.project_id), VirtualKeyId::from_uuid(self.virtual_key_id)),
            ServedBy::from_uuid(self.integration_id),
            self.provider,
            self.path,
            Timestamp::from_ms(self.started_at_ms),
        );
        let call = MeteredCall {
            // A word of a later build: whose it was is not known here, and no integration's.
            credential: CredentialSource::parse(&self.credential).unwrap_or(CredentialSource::Fallback),
            model: self.model,
            http_status: self.http_status.and_then(|status| u16::try_from(status).ok()),
            tokens: TokenCounts {
                input: self.input_tokens,
                cached_input: self.cached_input_tokens,
                cache_write: self.cache_write_tokens,
                cache_write_1h: self.cache_write_1h_tokens,
                output: self.output_tokens,
                reasoning: self.reasoning_tokens,
                ..TokenCounts::default()
            },
            cost_nano_usd: self.cost_nano_usd,
            duration_ms: self.duration_ms,
            first_byte_ms: self.first_byte_ms,
            streamed: self.streamed,
            complete: self.complete,
            overhead_us: self.overhead_us,
            attempts: u16::try_from(self.attempts).unwrap_or(u16::MAX),
            cached: self.cached,
            settled: self.settled,
            refused_code: self.refused_code,
            ..call
        };
        MeteredRow { call, cost_nano_usd: self.cost_nano_usd, price_version: self.price_version }
    }
}
