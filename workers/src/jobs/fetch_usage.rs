//! `FetchUsage` (lane `usage.fetch`): fetch one integration's reported usage, page by page.
//!
//! Each page is upserted by natural key together with the cursor: fetching a window again changes nothing. An attempt
//! that stops midway tells the next one where to resume; one that dies is done again.

use std::time::{Duration, Instant};

use keyway_domain::{
    Code, Command, Event, IntegrationId, Message, Outcome, ReportedUsage, Timestamp, UsageProgress, UsageWindow,
};
use keyway_providers::{FetchError, KeyFamily, PageTrail, UsagePage, UsageQuery};
use keyway_store::{
    StoreError,
    key_usage::{self, KeyFigures, ReportedKey},
    reported::{self, Cursor, Fetched},
};
use keyway_telemetry::metrics;

use super::{
    target::{Opened, open},
    verify_key::label,
};
use crate::{Ctx, HandlerError};

/// Run time after which an attempt stops between two pages, well before its deadline would end it without recording its
/// progress.
const LONG_ENOUGH: Duration = Duration::from_secs(180);

/// Fetches every report the key can read.
pub(super) async fn run(
    ctx: &Ctx,
    message: &Message,
    id: IntegrationId,
    window: UsageWindow,
    resume: Option<&UsageProgress>,
) -> Result<Outcome, HandlerError> {
    let opened = match open(ctx, message.tenant_id, id, None).await? {
        Ok(opened) => opened,
        Err(missing) => return Ok(missing.outcome()),
    };
    let provider = label(ctx, &opened.integration.provider);
    let family = KeyFamily::parse(&opened.integration.key_family)
        .ok_or_else(|| HandlerError::Defect("a stored key family is not readable".to_owned()))?;
    let fetched = match opened.provider.usage_sources(family) {
        // Nobody has to be asked, so nobody's turn is taken.
        Err(error) => Err(Stopped { error: Some(error), progress: resume.cloned() }),
        Ok(sources) => {
            let pass = match opened.enter(ctx).await {
                Ok(pass) => pass,
                Err(away) => return Ok(away.outcome(message.turn)),
            };
            let attempt = Attempt { ctx, message, opened: &opened, window, began: Instant::now() };
            let fetched = attempt.fetch(family, sources, resume).await?;
            pass.answered(!matches!(fetched, Err(Stopped { error: Some(FetchError::Unreachable), .. })));
            fetched
        }
    };
    let (rows, not_reportable) = match fetched {
        Ok(rows) => (rows, None),
        Err(Stopped { error: Some(FetchError::NotReportable { why }), .. }) => (0, Some(why.to_owned())),
        Err(stopped) => {
            let next = Command::FetchUsage { integration_id: id, window, resume: stopped.progress };
            return Ok(unfinished(provider, stopped.error.as_ref(), next));
        }
    };
    let outcome = if not_reportable.is_some() { "not_reportable" } else { "done" };
    metrics().usage_fetches.with_label_values(&[provider, outcome]).inc();
    metrics().usage_rows.with_label_values(&[provider]).inc_by(u64::try_from(rows).unwrap_or(0));
    Ok(Outcome::Done(vec![Event::UsageFetched {
        integration_id: id,
        secret_version: opened.integration.secret_version,
        rows,
        not_reportable,
        observed_at: Timestamp::now(),
    }]))
}

/// Longest scheduled window, with the rounding of its first day.
const USUAL_WINDOW: Duration = Duration::from_secs(5 * 86_400);
/// Largest number of keys named in one URL.
const MOST_KEYS_NAMED: usize = 100;

struct Attempt<'a> {
    ctx: &'a Ctx,
    message: &'a Message,
    opened: &'a Opened,
    window: UsageWindow,
    began: Instant,
}

/// An attempt that stopped before its end.
struct Stopped {
    /// Error that stopped it; `None`: it had run for long enough.
    error: Option<FetchError>,
    /// Place at which the next attempt resumes.
    progress: Option<UsageProgress>,
}

impl Attempt<'_> {
    /// Fetches every report, or those that an earlier attempt left; returns the number of rows.
    async fn fetch(
        &self,
        family: KeyFamily,
        sources: &[&'static str],
        resume: Option<&UsageProgress>,
    ) -> Result<Result<i64, Stopped>, HandlerError> {
        let keys = self.keys(family).await?;
        let of_keys = if keys.is_empty() { &[] } else { self.opened.provider.key_sources(family) };
        let all = sources.iter().map(|source| Report { source, keys: &[] });
        let reports: Vec<_> = all.chain(of_keys.iter().map(|source| Report { source, keys: &keys })).collect();
        let resumed = |source: &str| resume.filter(|resume| resume.source == source);
        let left = reports.iter().position(|report| resumed(report.source).is_some()).unwrap_or(0);
        let mut rows = 0;
        for report in &reports[left..] {
            match self.fetch_report(*report, resumed(report.source).map(|resume| resume.from)).await? {
                Ok(count) => rows += count,
                Err(stopped) => return Ok(Err(stopped)),
            }
        }
        Ok(Ok(rows))
    }

    /// Returns the tenant's keys that the provider's reports name; empty if the provider reports none by key.
    async fn keys(&self, family: KeyFamily) -> Result<Vec<ReportedKey>, HandlerError> {
        if self.opened.provider.key_sources(family).is_empty() {
            return Ok(Vec::new());
        }
        let tx = self.ctx.store.tenant_read(self.message.tenant_id).await?;
        Ok(key_usage::keys_of(&tx, &self.opened.integration.provider).await?)
    }

    async fn fetch_report(
        &self,
        report: Report<'_>,
        resumed: Option<Timestamp>,
    ) -> Result<Result<i64, Stopped>, HandlerError> {
        let source = report.source;
        let tx = self.ctx.store.tenant_read(self.message.tenant_id).await?;
        let mut cursor = reported::cursor(&tx, self.opened.integration.id, source).await?;
        drop(tx);
        let renewed = self.opened.provider.renewed_every(source);
        if resumed.is_none() && cursor.is_some_and(|cursor| is_recent(cursor.fetched_to, self.window, renewed)) {
            return Ok(Ok(0));
        }
        // What an outage left out is fetched now. What is yet to come is not: the cursor would pass it by.
        let from = cursor.map_or(self.window.from, |cursor| cursor.fetched_to.min(self.window.from));
        let mut from = resumed.unwrap_or(from);
        let window = UsageWindow { from, to: self.window.to.min(Timestamp::now()) };
        if window.from >= window.to {
            return Ok(Ok(0));
        }
        let ids = named(report.keys);
        let (mut trail, mut page, mut rows) = (PageTrail::default(), None::<String>, 0);
        loop {
            if self.began.elapsed() > LONG_ENOUGH {
                return Ok(Err(Stopped::at(source, from, None)));
            }
            let query = UsageQuery { source, window, page: page.as_deref(), provider_key_ids: &ids };
            let next = match self.ask(query).await {
                Ok(fetched) => {
                    rows += i64::try_from(fetched.rows.len()).unwrap_or(0);
                    from = match fetched.next {
                        None => window.to,
                        Some(_) => fetched.complete_to.map_or(from, |to| to.min(window.to).max(from)),
                    };
                    let stored = Page { report, rows: &fetched.rows, cursor, fetched_to: from };
                    cursor = Some(store(self.ctx, self.message, self.opened, &stored).await?);
                    trail.follow(fetched.next)
                }
                Err(error) => Err(error),
            };
            page = match next {
                Ok(Some(token)) => Some(token),
                Ok(None) => return Ok(Ok(rows)),
                Err(error) => return Ok(Err(Stopped::at(source, from, Some(error)))),
            };
        }
    }

    async fn ask(&self, query: UsageQuery<'_>) -> Result<UsagePage, FetchError> {
        let provider = label(self.ctx, &self.opened.integration.provider);
        let _timer = metrics().provider_seconds.with_label_values(&[provider, "usage"]).start_timer();
        self.opened.provider.usage_page(self.opened.target(), query, &self.ctx.http).await
    }
}

impl Stopped {
    fn at(source: &str, from: Timestamp, error: Option<FetchError>) -> Self {
        Self { error, progress: Some(UsageProgress { source: source.to_owned(), from }) }
    }
}

/// Returns `true` if the window is the usual one and was read completely less than `renewed` ago. A window that begins
/// earlier, or is over, was asked for on purpose.
fn is_recent(fetched_to: Timestamp, window: UsageWindow, renewed: Duration) -> bool {
    let is_usual = window.from >= fetched_to.before(USUAL_WINDOW) && window.to >= fetched_to;
    is_usual && window.to.since(fetched_to) < renewed
}

/// A report to fetch: by key for these keys, or of everything if there are none.
#[derive(Clone, Copy)]
struct Report<'k> {
    source: &'static str,
    keys: &'k [ReportedKey],
}

struct Page<'r> {
    report: Report<'r>,
    rows: &'r [ReportedUsage],
    cursor: Option<Cursor>,
    fetched_to: Timestamp,
}

async fn store(ctx: &Ctx, message: &Message, opened: &Opened, page: &Page<'_>) -> Result<Cursor, HandlerError> {
    let integration = &opened.integration;
    let fetched = Fetched {
        integration_id: integration.id,
        project_id: integration.project_id,
        provider: &integration.provider,
        source: page.report.source,
        rows: page.rows,
        cursor: page.cursor,
        fetched_to: page.fetched_to,
    };
    let tx = ctx.store.tenant(message.tenant_id).await?;
    let stored = match page.report.keys {
        [] => reported::upsert_reported(&tx, &fetched, Timestamp::now()).await,
        keys => {
            let rows = assigned(page.rows, keys);
            let (provider, source) = (integration.provider.as_str(), page.report.source);
            let figures = KeyFigures { reported_by: integration.id, provider, source, rows: &rows };
            match reported::advance(&tx, &fetched).await {
                Ok(()) => key_usage::upsert(&tx, &figures, Timestamp::now()).await,
                Err(error) => Err(error),
            }
        }
    };
    match stored {
        Ok(_) => tx.commit().await?,
        // The same message is being handled elsewhere too, or the integration was just deleted: begin
        // again from what is there now.
        Err(StoreError::Stale | StoreError::Conflict) => {
            return Err(HandlerError::Unavailable("the usage cursor was moved meanwhile".to_owned()));
        }
        Err(error) => return Err(error.into()),
    }
    let revision = page.cursor.map_or(1, |cursor| cursor.revision + 1);
    let fetched_to = page.cursor.map_or(page.fetched_to, |cursor| cursor.fetched_to.max(page.fetched_to));
    Ok(Cursor { fetched_to, revision })
}

/// Returns the key ids to ask for; none, which means all, if they would make the URL too long. Rows of other keys are
/// dropped later.
fn named(keys: &[ReportedKey]) -> Vec<&str> {
    let few = if keys.len() > MOST_KEYS_NAMED { &[] } else { keys };
    few.iter().map(|key| key.provider_key_id.as_str()).collect()
}

/// Pairs each row with the key it names; rows of other keys are dropped.
fn assigned(rows: &[ReportedUsage], keys: &[ReportedKey]) -> Vec<(ReportedKey, ReportedUsage)> {
    let of = |row: &ReportedUsage| {
        let key = keys.iter().find(|key| row.line_item.as_deref() == Some(key.provider_key_id.as_str()))?;
        Some((key.clone(), row.clone()))
    };
    rows.iter().filter_map(of).collect()
}

fn unfinished(provider: &str, error: Option<&FetchError>, next: Command) -> Outcome {
    let code = error.map_or(Code::TimedOut, |error| error.code().unwrap_or(Code::BadAnswer));
    metrics().usage_fetches.with_label_values(&[provider, code.name()]).inc();
    let after = match error {
        Some(FetchError::Refused) => return Outcome::Failed { code, events: Vec::new() },
        Some(FetchError::RateLimited { retry_after }) => *retry_after,
        _ => None,
    };
    Outcome::Retry { code, after, next: Some(next), events: Vec::new() }
}
