//! The field `fallback` of projects: the consent to the operator's OpenRouter key, how it is read and shown.

use keyway_store::projects::FallbackUse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{error::ApiError, limits::MAX_LIMIT};

/// Consent to the operator's OpenRouter key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FallbackInput {
    /// What such calls may cost in a month of UTC, in billionths of a US dollar.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_i64, example = 5_000_000_000_i64)]
    monthly_budget_nano_usd: i64,
}

/// A project's consent to the operator's OpenRouter key.
#[derive(Serialize, ToSchema)]
pub(crate) struct FallbackView {
    /// What such calls may cost in a month of UTC, in billionths of a US dollar.
    monthly_budget_nano_usd: i64,
    /// What this month's have come to so far; null where several projects are listed, and in answers to a change.
    this_month: Option<FallbackUseView>,
}

/// What calls with the operator's key have come to, as far as they are metered.
#[derive(Serialize, ToSchema)]
pub(crate) struct FallbackUseView {
    requests: i64,
    /// Those whose cost is unknown, so that the cost is too low.
    unpriced_requests: i64,
    /// Billionths of a US dollar.
    cost_nano_usd: i64,
}

impl FallbackInput {
    /// The ceiling, if it can be one.
    pub(crate) fn checked(self) -> Result<i64, ApiError> {
        match self.monthly_budget_nano_usd {
            budget @ 0..=MAX_LIMIT => Ok(budget),
            _ => Err(ApiError::field(format!(
                "`fallback.monthly_budget_nano_usd` must be a number from 0 to {MAX_LIMIT}"
            ))),
        }
    }
}

impl FallbackView {
    /// The consent alone.
    pub(crate) const fn new(monthly_budget_nano_usd: i64) -> Self {
        Self { monthly_budget_nano_usd, this_month: None }
    }

    /// With what it was used for.
    pub(crate) const fn used(self, used: FallbackUse) -> Self {
        let FallbackUse { requests, unpriced_requests, cost_nano_usd } = used;
        Self { this_month: Some(FallbackUseView { requests, unpriced_requests, cost_nano_usd }), ..self }
    }
}
