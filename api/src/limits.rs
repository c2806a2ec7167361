//! The field `limits` of virtual keys, projects, integrations and providers: parsing, changes and output.

use keyway_domain::{Limits, Measure};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{error::ApiError, input};

/// Largest number that every JSON parser keeps exactly.
pub(crate) const MAX_LIMIT: i64 = (1 << 53) - 1;

/// Limits to set: a number sets one, null removes it, a field that is left out keeps its value.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitsInput {
    /// Requests per minute; 0: none may pass.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 9_007_199_254_740_991_i64, example = 600)]
    #[serde(default, deserialize_with = "input::nullable")]
    requests_per_minute: Option<Option<i64>>,
    /// Input and output tokens per minute, summed.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    #[serde(default, deserialize_with = "input::nullable")]
    tokens_per_minute: Option<Option<i64>>,
    /// Spending per UTC day, in billionths of a US dollar.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 9_007_199_254_740_991_i64, example = 1_000_000_000)]
    #[serde(default, deserialize_with = "input::nullable")]
    daily_budget_nano_usd: Option<Option<i64>>,
    /// Spending per UTC month, in billionths of a US dollar.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    #[serde(default, deserialize_with = "input::nullable")]
    monthly_budget_nano_usd: Option<Option<i64>>,
}

/// The limits of a virtual key, a project, an integration or a provider. Null: no limit of that kind.
#[derive(Serialize, ToSchema)]
pub(crate) struct LimitsView {
    /// Requests per minute.
    requests_per_minute: Option<i64>,
    /// Input and output tokens per minute, summed.
    tokens_per_minute: Option<i64>,
    /// Spending per UTC day, in billionths of a US dollar.
    daily_budget_nano_usd: Option<i64>,
    /// Spending per UTC month, in billionths of a US dollar.
    monthly_budget_nano_usd: Option<i64>,
}

impl LimitsInput {
    /// Applies the changes to the stored limits.
    pub(crate) fn over(self, before: Limits) -> Limits {
        Limits {
            requests_per_minute: self.requests_per_minute.unwrap_or(before.requests_per_minute),
            tokens_per_minute: self.tokens_per_minute.unwrap_or(before.tokens_per_minute),
            daily_budget_nano_usd: self.daily_budget_nano_usd.unwrap_or(before.daily_budget_nano_usd),
            monthly_budget_nano_usd: self.monthly_budget_nano_usd.unwrap_or(before.monthly_budget_nano_usd),
        }
    }

    /// Returns the limits, if each is valid.
    pub(crate) fn checked(self) -> Result<Self, ApiError> {
        let limits = self.clone().over(Limits::default());
        let is_wrong = |measure: &Measure| limits.of(*measure).is_some_and(|limit| !(0..=MAX_LIMIT).contains(&limit));
        match Measure::ALL.into_iter().find(is_wrong) {
            Some(measure) => {
                let unit = if measure.is_budget() { "_nano_usd" } else { "" };
                let field = [measure.name(), unit].concat();
                Err(ApiError::field(format!("`limits.{field}` must be a number from 0 to {MAX_LIMIT}, or null")))
            }
            None => Ok(self),
        }
    }
}

impl From<Limits> for LimitsView {
    fn from(limits: Limits) -> Self {
        Self {
            requests_per_minute: limits.requests_per_minute,
            tokens_per_minute: limits.tokens_per_minute,
            daily_budget_nano_usd: limits.daily_budget_nano_usd,
            monthly_budget_nano_usd: limits.monthly_budget_nano_usd,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> LimitsInput {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_change_sets_takes_away_and_leaves() {
        let before = Limits { requests_per_minute: Some(1), tokens_per_minute: Some(2), ..Limits::default() };
        let after = read(r#"{"requests_per_minute":null,"daily_budget_nano_usd":3}"#).over(before);
        let expected = Limits { tokens_per_minute: Some(2), daily_budget_nano_usd: Some(3), ..Limits::default() };
        assert_eq!(after, expected);
        assert_eq!(read("{}").over(before), before);
    }

    #[test]
    fn a_limit_is_a_number_that_every_reader_keeps() {
        assert!(read(r#"{"tokens_per_minute":0,"monthly_budget_nano_usd":9007199254740991}"#).checked().is_ok());
        for bad in [r#"{"tokens_per_minute":-1}"#, r#"{"monthly_budget_nano_usd":9007199254740992}"#] {
            assert!(read(bad).checked().is_err(), "{bad}");
        }
    }
}
