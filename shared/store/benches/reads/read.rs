//! Reads of the dashboard's pages.

use anyhow::Result;
use keyway_domain::{IntegrationId, Ledger, Timestamp, VirtualKeyId};
use keyway_store::{
    Only, Page, TenantTx,
    drift::{self, Days},
    request_log::{self, Filter},
    usage_report::{self, GroupBy, MAX_GROUPS, ReportQuery},
};

use crate::seed::{self, DAY_MS};

/// One read.
pub(crate) struct Read {
    pub(crate) name: &'static str,
    pub(crate) of: Of,
}

/// Kind of a read, with its parameters.
pub(crate) enum Of {
    /// Usage.
    Usage(ReportQuery),
    /// The request log.
    Requests(Box<Filter>),
    /// Drift over so many days.
    Drift(i64),
}

impl Read {
    /// Reads, and returns the number of lines.
    pub(crate) async fn lines(&self, tx: &TenantTx) -> Result<usize> {
        Ok(match &self.of {
            Of::Usage(query) => usage_report::report(tx, query).await?.items.len(),
            Of::Requests(filter) => request_log::list(tx, filter, Page::first(100)).await?.items.len(),
            Of::Drift(days) => {
                let to = seed::end();
                let days = Days { from: Timestamp::from_ms(to.ms() - days * DAY_MS).day(), to: to.day() };
                drift::report(tx, &days, None, None, Page::first(1000)).await?.items.len()
            }
        })
    }
}

/// Returns every read that is measured.
pub(crate) fn all() -> Vec<Read> {
    let usage = |days: i64, group_by: &[GroupBy], only: Only, groups: u64| {
        let (to, ledger) = (seed::end(), Ledger::Metered);
        let from = Timestamp::from_ms(to.ms() - days * DAY_MS);
        Of::Usage(ReportQuery { from, to, group_by: group_by.to_vec(), ledger, only, after: None, groups })
    };
    let any = Only::default;
    let often = Only { integration_id: Some(integration(seed::OFTEN)), ..any() };
    let rare = Only { integration_id: Some(integration(seed::RARE)), ..any() };
    let key = Only { virtual_key_id: Some(VirtualKeyId::from_uuid(seed::uuid("k", seed::RARE_KEY))), ..any() };
    let log = |only: Only, model: Option<&str>| {
        Of::Requests(Box::new(Filter { only, model: model.map(str::to_owned), ..Filter::default() }))
    };
    [
        ("usage by day, 60 days", usage(60, &[GroupBy::Day], any(), MAX_GROUPS)),
        ("usage by day and model, 30 days", usage(30, &[GroupBy::Day, GroupBy::Model], any(), MAX_GROUPS)),
        ("usage by hour and provider, 2 days", usage(2, &[GroupBy::Hour, GroupBy::Provider], any(), MAX_GROUPS)),
        ("usage by project, 30 days", usage(30, &[GroupBy::Project], any(), MAX_GROUPS)),
        ("usage by virtual key, 30 days", usage(30, &[GroupBy::VirtualKey], any(), MAX_GROUPS)),
        ("usage by integration, 30 days, a page of 1,000", usage(30, &[GroupBy::Integration], any(), 1000)),
        ("usage by integration, 30 days, a page of 10,000", usage(30, &[GroupBy::Integration], any(), MAX_GROUPS)),
        ("usage of one integration by day and model", usage(30, &[GroupBy::Day, GroupBy::Model], often, MAX_GROUPS)),
        ("usage of one key by day", usage(30, &[GroupBy::Day], key.clone(), MAX_GROUPS)),
        ("requests, the newest", log(any(), None)),
        ("requests of a rare integration", log(rare, None)),
        ("requests of a rare virtual key", log(key, None)),
        ("requests of a rare model, a page's bound", log(any(), Some(seed::RARE_MODEL))),
        ("drift of 7 days, a page of 1,000", Of::Drift(7)),
    ]
    .map(|(name, of)| Read { name, of })
    .into()
}

fn integration(number: i64) -> IntegrationId {
    IntegrationId::from_uuid(seed::uuid("i", number))
}
