//! Pages of reported usage, errors of fetching one, and the guard against endless paging.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use keyway_domain::{Code, ReportedUsage, Timestamp, UsageWindow};

use crate::{GuardError, grade::Reading};

/// Largest number of pages of a report; a provider that goes on is faulty.
pub const MAX_USAGE_PAGES: usize = 500;

/// One page to fetch.
#[derive(Clone, Copy, Debug)]
pub struct UsageQuery<'a> {
    /// Report, one of [`crate::Provider::usage_sources`].
    pub source: &'a str,
    /// Time span; the report's buckets that overlap it are returned whole.
    pub window: UsageWindow,
    /// `None` for the first page, then [`UsagePage::next`].
    pub page: Option<&'a str>,
    /// Of a report by key: the provider's own ids of the keys to ask for; empty for all.
    pub provider_key_ids: &'a [&'a str],
}

/// One page, its rows unique by natural key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsagePage {
    /// The rows.
    pub rows: Vec<ReportedUsage>,
    /// Token of the next page; `None`: this was the last.
    pub next: Option<String>,
    /// Time before which no later page has rows; `None` if the report is not ordered by time.
    pub complete_to: Option<Timestamp>,
}

/// Reason why a page cannot be fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The provider reports no usage to this key: show `why`, never 0, and do not try again.
    #[error("{why}")]
    NotReportable {
        /// One sentence for the owner.
        why: &'static str,
    },
    /// The provider asked to wait: try again later.
    #[error("the provider asked to wait")]
    RateLimited {
        /// Time to wait, clamped, if the provider named one.
        retry_after: Option<Duration>,
    },
    /// No answer, or a 5xx: try again later.
    #[error("the provider could not be reached")]
    Unreachable,
    /// The answer does not have its documented shape: try again; if it stays, the provider has changed its answers.
    #[error("the provider's answer was not in its documented form")]
    BadAnswer,
    /// The provider refuses the key for this call; its next verification says why.
    #[error("the provider refuses this key")]
    Refused,
}

impl FetchError {
    /// Returns the code to store; `None` for [`Self::NotReportable`], which is an answer and no failure.
    #[must_use]
    pub const fn code(&self) -> Option<Code> {
        match self {
            Self::NotReportable { .. } => None,
            Self::RateLimited { .. } => Some(Code::RateLimited),
            Self::Unreachable => Some(Code::Unreachable),
            Self::BadAnswer => Some(Code::BadAnswer),
            Self::Refused => Some(Code::Refused),
        }
    }
}

impl From<GuardError> for FetchError {
    fn from(error: GuardError) -> Self {
        match error {
            GuardError::TooLarge => Self::BadAnswer,
            _ => Self::Unreachable,
        }
    }
}

/// Classifies an answer other than 200, once the provider's own signals about the key were ruled out.
pub(crate) fn failure(reading: &Reading<'_>) -> FetchError {
    match reading.status().as_u16() {
        429 if reading.says_no_credit() => FetchError::Refused,
        429 => FetchError::RateLimited { retry_after: reading.retry_after() },
        300..=399 | 500..=599 => FetchError::Unreachable,
        _ => FetchError::BadAnswer,
    }
}

/// Widens the window to whole buckets, so that a bucket's figures are always those of the whole bucket.
pub(crate) fn whole_buckets(window: UsageWindow, bucket: Duration) -> (Timestamp, Timestamp) {
    let start = window.from.floor(bucket);
    let last = window.to.before(Duration::from_millis(1)).max(start);
    (start, last.floor(bucket).after(bucket))
}

/// Returns the token of the next page for pages with a separate `has_more` flag. A page that names itself as the next
/// is refused.
pub(crate) fn next(has_more: bool, token: Option<String>, query: UsageQuery<'_>) -> Result<Option<String>, FetchError> {
    match (has_more, token) {
        (false, _) => Ok(None),
        (true, Some(token)) if !token.is_empty() && Some(token.as_str()) != query.page => Ok(Some(token)),
        (true, _) => Err(FetchError::BadAnswer),
    }
}

/// Merges rows with the same natural key into one: a host may split finer than asked.
pub(crate) fn merged(rows: impl IntoIterator<Item = ReportedUsage>) -> Vec<ReportedUsage> {
    let mut merged: BTreeMap<_, ReportedUsage> = BTreeMap::new();
    for row in rows {
        let key = (row.bucket_start, row.bucket_end, row.model.clone(), row.line_item.clone());
        merged.entry(key).and_modify(|sum| add(sum, &row)).or_insert(row);
    }
    merged.into_values().collect()
}

/// Adds the figures of `row`; an unknown figure makes the sum unknown.
fn add(sum: &mut ReportedUsage, row: &ReportedUsage) {
    let plus = |left: Option<i64>, right: Option<i64>| left?.checked_add(right?);
    sum.requests = plus(sum.requests, row.requests);
    sum.tokens.input = plus(sum.tokens.input, row.tokens.input);
    sum.tokens.cached_input = plus(sum.tokens.cached_input, row.tokens.cached_input);
    sum.tokens.cache_write = plus(sum.tokens.cache_write, row.tokens.cache_write);
    sum.tokens.cache_write_1h = plus(sum.tokens.cache_write_1h, row.tokens.cache_write_1h);
    sum.tokens.output = plus(sum.tokens.output, row.tokens.output);
    sum.tokens.reasoning = plus(sum.tokens.reasoning, row.tokens.reasoning);
    sum.cost_nano_usd = plus(sum.cost_nano_usd, row.cost_nano_usd);
}

/// Follows one report from page to page and refuses to go in circles.
#[derive(Debug, Default)]
pub struct PageTrail {
    seen: HashSet<String>,
}

impl PageTrail {
    /// Takes the token of the next page; pass it to the next [`UsageQuery`].
    ///
    /// # Errors
    /// [`FetchError::BadAnswer`] if the token was already followed or there are too many pages.
    pub fn follow(&mut self, next: Option<String>) -> Result<Option<String>, FetchError> {
        let Some(token) = next else { return Ok(None) };
        if self.seen.len() + 1 >= MAX_USAGE_PAGES || !self.seen.insert(token.clone()) {
            return Err(FetchError::BadAnswer);
        }
        Ok(Some(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_ends_refuses_circles_and_is_bounded() {
        let mut trail = PageTrail::default();
        assert_eq!(trail.follow(Some("a".to_owned())), Ok(Some("a".to_owned())));
        assert_eq!(trail.follow(Some("b".to_owned())), Ok(Some("b".to_owned())));
        assert_eq!(trail.follow(Some("a".to_owned())), Err(FetchError::BadAnswer));
        assert_eq!(trail.follow(None), Ok(None));

        let mut endless = PageTrail::default();
        let followed = (0..).take_while(|page| endless.follow(Some(page.to_string())).is_ok()).count();
        assert_eq!(followed, MAX_USAGE_PAGES - 1, "with the first page, which has no token");
    }
}
