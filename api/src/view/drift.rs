//! Days of an integration whose reported and metered usage are compared.

use keyway_domain::IntegrationId;
use keyway_store::drift::Drift;
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::words;

/// One integration on one day. Listed are integrations whose `config.provider_key_id` is in an organisation's report,
/// from their creation on: earlier usage need not have gone through the proxy.
#[derive(Serialize, ToSchema)]
pub(crate) struct DriftView {
    /// UTC day.
    day: String,
    #[schema(value_type = words::IntegrationId)]
    integration_id: IntegrationId,
    /// Calls that the provider reports; null if not reported.
    reported_requests: Option<i64>,
    /// Reported input and output tokens, summed.
    reported_tokens: Option<i64>,
    /// Calls through the proxy.
    metered_requests: i64,
    /// Metered input and output tokens, summed, as far as known.
    metered_tokens: i64,
    /// Calls whose tokens are unknown; `metered_tokens` leaves them out.
    unknown_token_requests: i64,
    /// `true` if more than KEYWAY_DRIFT_PERCENT of the reported usage did not go through the proxy.
    used_outside: bool,
}

impl DriftView {
    /// Compares a line of the store, in which so many percent may be missing.
    pub(crate) fn of(line: Drift, percent: u64) -> Self {
        Self {
            used_outside: line.is_outside(percent),
            day: line.day,
            integration_id: line.integration_id,
            reported_requests: line.reported_requests,
            reported_tokens: line.reported_tokens,
            metered_requests: line.metered_requests,
            metered_tokens: line.metered_tokens,
            unknown_token_requests: line.unknown_token_requests,
        }
    }
}
