//! Organisations' reports in buckets of time, page by page, in the form of OpenAI and Anthropic, which differ in names
//! and in the format of times.

use std::time::Duration;

use keyway_domain::{ReportedUsage, Timestamp, UsageWindow};
use serde::Deserialize;
use url::Url;

use crate::{FetchError, UsagePage, UsageQuery, catalog::join, usage_page};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// A report in buckets of an hour or a day.
pub(super) struct Report {
    path: &'static str,
    group_by: &'static [&'static str],
    bucket: Duration,
}

/// Names of the parameters of a provider's reports.
pub(super) struct Dialect {
    pub(super) start: &'static str,
    pub(super) end: &'static str,
    pub(super) group_by: &'static str,
    pub(super) provider_key_ids: &'static str,
    pub(super) time: fn(Timestamp) -> String,
}

impl Report {
    pub(super) const fn hourly(path: &'static str, group_by: &'static [&'static str]) -> Self {
        Self { path, group_by, bucket: HOUR }
    }

    pub(super) const fn daily(path: &'static str, group_by: &'static [&'static str]) -> Self {
        Self { path, group_by, bucket: DAY }
    }

    /// Returns the URL of one page. The number of buckets per page keeps the page of an organisation with many models
    /// well below the size limit.
    pub(super) fn url(&self, base: &Url, query: UsageQuery<'_>, names: &Dialect) -> Url {
        let (width, buckets) = if self.bucket == HOUR { ("1h", "24") } else { ("1d", "14") };
        let (start, end) = self.span(query.window);
        let mut url = join(base, self.path);
        url.query_pairs_mut()
            .append_pair(names.start, &(names.time)(start))
            .append_pair(names.end, &(names.time)(end))
            .append_pair("bucket_width", width)
            .append_pair("limit", buckets)
            .extend_pairs(self.group_by.iter().map(|by| (names.group_by, by)))
            .extend_pairs(query.provider_key_ids.iter().map(|id| (names.provider_key_ids, id)))
            .extend_pairs(query.page.map(|page| ("page", page)));
        url
    }

    fn span(&self, window: UsageWindow) -> (Timestamp, Timestamp) {
        usage_page::whole_buckets(window, self.bucket)
    }
}

/// A page of buckets.
#[derive(Deserialize)]
pub(super) struct Page<B> {
    data: Vec<B>,
    has_more: bool,
    next_page: Option<String>,
}

/// A bucket with its entries.
pub(super) trait Bucket {
    /// Returns start and end of the bucket.
    fn span(&self) -> (Timestamp, Timestamp);

    /// Returns one row per entry.
    fn rows(self, source: &str) -> Vec<ReportedUsage>;
}

impl<B: Bucket> Page<B> {
    /// Returns the rows of the page; fails if a bucket has no valid times.
    pub(super) fn read(self, query: UsageQuery<'_>) -> Result<UsagePage, FetchError> {
        let spans: Vec<_> = self.data.iter().map(Bucket::span).collect();
        if spans.iter().any(|(start, end)| start.ms() < 0 || end <= start) {
            return Err(FetchError::BadAnswer);
        }
        let in_order = spans.is_sorted_by_key(|(start, _)| *start);
        let complete_to = spans.last().filter(|_| in_order).map(|(_, end)| *end);
        let next = usage_page::next(self.has_more, self.next_page, query)?;
        let rows = self.data.into_iter().flat_map(|bucket| bucket.rows(query.source));
        Ok(UsagePage { rows: usage_page::merged(rows), next, complete_to })
    }
}
