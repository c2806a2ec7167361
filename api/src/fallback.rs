//! The field `fallback` of projects: the consent to the operator's OpenRouter key, parsing and output.

use keyway_store::projects::FallbackUse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{error::ApiError, limits::MAX_LIMIT};

/// Consent to the operator's OpenRouter key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FallbackInput {
    /// Monthly budget (UTC) for such calls, in billionths of a US dollar.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_i64, example = 5_000_000_000_i64)]
    monthly_budget_nano_usd: i64,
}

/// A project's consent to the operator's OpenRouter key.
#[derive(Serialize, ToSchema)]
pub(crate) struct FallbackView {
    /// Monthly budget (UTC) for such calls, in billionths of a US dollar.
    monthly_budget_nano_usd: i64,
    /// Use in this month; null in lists of projects, and in answers to a change.
    this_month: Option<FallbackUseView>,
}

/// Metered calls with the operator's key.
#[derive(Serialize, ToSchema)]
pub(crate) struct FallbackUseView {
    requests: i64,
    /// Calls whose cost is unknown; `cost_nano_usd` leaves them out.
    unpriced_requests: i64,
    /// Cost in billionths of a US dollar.
    cost_nano_usd: i64,
}

impl FallbackInput {
    /// Returns the budget, if it is valid.
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
    /// Builds a view of the consent alone.
    pub(crate) const fn new(monthly_budget_nano_usd: i64) -> Self {
        Self { monthly_budget_nano_usd, this_month: None }
    }

    /// Adds the use of this month.
    pub(crate) const fn used(self, used: FallbackUse) -> Self {
        let FallbackUse { requests, unpriced_requests, cost_nano_usd } = used;
        Self { this_month: Some(FallbackUseView { requests, unpriced_requests, cost_nano_usd }), ..self }
    }
}
