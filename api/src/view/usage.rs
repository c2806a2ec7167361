//! Groups of a usage report.

use keyway_domain::{CredentialSource, IntegrationId, Ledger, ProjectId, Timestamp, VirtualKeyId};
use keyway_store::usage_report::{GroupBy, UsageGroup};
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::words;

/// One group of a report. The first nine fields are present if they were asked for.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageView {
    #[schema(value_type = words::Ledger)]
    ledger: Ledger,
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<Option<String>>,
    /// Start of the UTC hour.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    hour: Option<Option<Timestamp>>,
    #[schema(value_type = Option<words::ProjectId>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<Option<ProjectId>>,
    /// Integration. In the reported ledger, usage that a provider reports for a single key belongs to the integration
    /// with that `config.provider_key_id` (and to its project), if there is one; the rest stays with the integration
    /// whose admin key reported all. Costs are not reported by key and stay there whole.
    #[schema(value_type = Option<words::IntegrationId>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    integration_id: Option<Option<IntegrationId>>,
    #[schema(value_type = Option<words::VirtualKeyId>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    virtual_key_id: Option<Option<VirtualKeyId>>,
    /// `own`: an integration's secret served. `fallback`: the operator's key. Null: none did.
    #[schema(value_type = Option<words::Credential>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<Option<CredentialSource>>,
    /// Provider's name; null for calls that were refused before a provider was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<Option<String>>,
    /// Model; null for usage whose model is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<Option<String>>,
    /// Calls to the provider; calls that Keyway itself refused are counted apart.
    requests: Option<i64>,
    /// Failed calls; metered only.
    failed_requests: Option<i64>,
    input_tokens: Option<i64>,
    cached_input_tokens: Option<i64>,
    cache_write_tokens: Option<i64>,
    /// Part of the cache writes that is kept for one hour.
    cache_write_1h_tokens: Option<i64>,
    output_tokens: Option<i64>,
    reasoning_tokens: Option<i64>,
    /// Cost in billionths of a US dollar; null if nothing of it is known.
    cost_nano_usd: Option<i64>,
    /// Calls whose tokens are unknown and missing from the sums; metered only.
    unknown_token_requests: Option<i64>,
    /// Calls whose cost is unknown and missing from the cost; metered only.
    unpriced_requests: Option<i64>,
    /// Calls that Keyway itself refused, for a limit or another reason; metered only. No other figure counts them.
    refused_requests: Option<i64>,
    /// Estimate of the milliseconds within which half of the calls ended; metered only. Null where the report is split by
    /// anything but day, project and provider, or narrowed to anything but project and provider.
    duration_p50_ms: Option<i64>,
    /// Estimate of the milliseconds within which 99 % of the calls ended.
    duration_p99_ms: Option<i64>,
}

impl UsageView {
    /// Shows a group, with those of its names that were `asked` for.
    pub(crate) fn of(ledger: Ledger, group: UsageGroup, asked: &[GroupBy]) -> Self {
        fn shown<T>(by: GroupBy, asked: &[GroupBy], value: Option<T>) -> Option<Option<T>> {
            asked.contains(&by).then_some(value)
        }
        Self {
            ledger,
            day: shown(GroupBy::Day, asked, group.day),
            hour: shown(GroupBy::Hour, asked, group.hour),
            project_id: shown(GroupBy::Project, asked, group.project_id),
            integration_id: shown(GroupBy::Integration, asked, group.integration_id),
            virtual_key_id: shown(GroupBy::VirtualKey, asked, group.virtual_key_id),
            credential: shown(GroupBy::Credential, asked, group.credential),
            provider: shown(GroupBy::Provider, asked, group.provider),
            model: shown(GroupBy::Model, asked, group.model),
            requests: group.requests,
            failed_requests: group.failed_requests,
            input_tokens: group.tokens.input,
            cached_input_tokens: group.tokens.cached_input,
            cache_write_tokens: group.tokens.cache_write,
            cache_write_1h_tokens: group.tokens.cache_write_1h,
            output_tokens: group.tokens.output,
            reasoning_tokens: group.tokens.reasoning,
            cost_nano_usd: group.cost_nano_usd,
            unknown_token_requests: group.unknown_token_requests,
            unpriced_requests: group.unpriced_requests,
            refused_requests: group.refused_requests,
            duration_p50_ms: group.duration_p50_ms,
            duration_p99_ms: group.duration_p99_ms,
        }
    }
}
