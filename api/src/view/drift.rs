//! Days of an integration whose reported and metered usage are compared.

use keyway_domain::IntegrationId;
use keyway_store::drift::Drift;
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::words;

/// An integration on a day. Only those are listed whose `config.provider_key_id` an organisation's report names, and only
/// from when they were made: what was used before did not have to go through the proxy.
#[derive(Serialize, ToSchema)]
pub(crate) struct DriftView {
    /// The UTC day.
    day: String,
    #[schema(value_type = words::IntegrationId)]
    integration_id: IntegrationId,
    /// What the provider reports; null when it did not say.
    reported_requests: Option<i64>,
    /// Input and output together.
    reported_tokens: Option<i64>,
    /// Calls through the proxy.
    metered_requests: i64,
    /// Input and output together, as far as they are known.
    metered_tokens: i64,
    /// Calls whose tokens are unknown, so that `metered_tokens` is too low.
    unknown_token_requests: i64,
    /// Whether more than the trifle that KEYWAY_DRIFT_PERCENT allows did not go through the proxy.
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
