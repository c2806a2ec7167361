//! Pages of reported usage, why a page cannot be had, and the guard against endless paging.

use std::{collections::HashSet, time::Duration};

use keyway_domain::{Code, ReportedUsage, Timestamp, UsageWindow};

/// No report has more pages than this; a provider that goes on is not answering sensibly.
pub const MAX_USAGE_PAGES: usize = 500;

/// Which page to fetch.
#[derive(Clone, Copy, Debug)]
pub struct UsageQuery<'a> {
    /// One of [`crate::Provider::usage_sources`].
    pub source: &'a str,
    /// The time asked for; the report's buckets that touch it are returned whole.
    pub window: UsageWindow,
    /// `None` for the first page, then [`UsagePage::next`].
    pub page: Option<&'a str>,
}

/// One page, its rows unique by natural key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsagePage {
    /// The rows.
    pub rows: Vec<ReportedUsage>,
    /// The token of the next page; `None`: this was the last.
    pub next: Option<String>,
    /// Nothing before this is on a later page; `None` where the report is not in the order of time.
    pub complete_to: Option<Timestamp>,
}

/// Why a page cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The provider reports no usage to this key; show `why`, never 0, and do not try again.
    #[error("{why}")]
    NotReportable {
        /// One sentence for the owner.
        why: &'static str,
    },
    /// The provider asked to wait: try again later.
    #[error("the provider asked to wait")]
    RateLimited {
        /// How long, clamped, if it said so.
        retry_after: Option<Duration>,
    },
    /// No answer, or a 5xx: try again later.
    #[error("the provider could not be reached")]
    Unreachable,
    /// Not the documented shape: try again; if it stays, the provider has changed its answers.
    #[error("the provider's answer was not in its documented form")]
    BadAnswer,
    /// The provider refuses the key for this call: verify the key.
    #[error("the provider refuses this key")]
    Refused,
}

impl FetchError {
    /// The code to store; `None` for [`Self::NotReportable`], which is an answer and no failure.
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

/// Follows one report from page to page and refuses to go in circles.
#[derive(Debug, Default)]
pub struct PageTrail {
    seen: HashSet<String>,
}

impl PageTrail {
    /// Takes the next token; give it to the next [`UsageQuery`].
    ///
    /// # Errors
    /// [`FetchError::BadAnswer`] when the token was already followed or there are too many pages.
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
