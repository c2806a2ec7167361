//! `FetchUsage` (lane `usage.fetch`): fetch one integration's reported usage, page by page.
//!
//! Each page is upserted by natural key, the last one together with the cursor: fetching a window
//! again changes nothing, and an attempt that dies midway is simply done again.

use keyway_domain::{Event, IntegrationId, Message, Outcome, ReportedUsage, Timestamp, UsageWindow};
use keyway_providers::{FetchError, KeyFamily, PageTrail, UsageQuery};
use keyway_store::{
    StoreError,
    reported::{self, Cursor, Fetched},
};
use keyway_telemetry::metrics;

use super::{
    target::{Opened, open},
    verify_key::label,
};
use crate::{Ctx, HandlerError};

/// Fetches every report the key can read.
pub(super) async fn run(
    ctx: &Ctx,
    message: &Message,
    id: IntegrationId,
    window: UsageWindow,
) -> Result<Outcome, HandlerError> {
    let opened = match open(ctx, message.tenant_id, id).await? {
        Ok(opened) => opened,
        Err(missing) => return Ok(Outcome::Failed { code: missing.code(), events: Vec::new() }),
    };
    let provider = label(ctx, &opened.integration.provider);
    let fetched = match fetch(ctx, message, &opened, window).await? {
        Ok(rows) => (rows, None),
        Err(FetchError::NotReportable { why }) => (0, Some(why.to_owned())),
        Err(error) => return Ok(failed(provider, &error)),
    };
    let outcome = if fetched.1.is_some() { "not_reportable" } else { "done" };
    metrics().usage_fetches.with_label_values(&[provider, outcome]).inc();
    metrics().usage_rows.with_label_values(&[provider]).inc_by(u64::try_from(fetched.0).unwrap_or(0));
    Ok(Outcome::Done(vec![Event::UsageFetched {
        integration_id: id,
        secret_version: opened.integration.secret_version,
        rows: fetched.0,
        not_reportable: fetched.1,
        observed_at: Timestamp::now(),
    }]))
}

async fn fetch(
    ctx: &Ctx,
    message: &Message,
    opened: &Opened,
    window: UsageWindow,
) -> Result<Result<i64, FetchError>, HandlerError> {
    let family = KeyFamily::parse(&opened.integration.key_family)
        .ok_or_else(|| HandlerError::Defect("a stored key family is not readable".to_owned()))?;
    let sources = match opened.provider.usage_sources(family) {
        Ok(sources) => sources,
        Err(error) => return Ok(Err(error)),
    };
    let mut rows = 0;
    for source in sources {
        match fetch_source(ctx, message, opened, source, window).await? {
            Ok(count) => rows += count,
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(rows))
}

async fn fetch_source(
    ctx: &Ctx,
    message: &Message,
    opened: &Opened,
    source: &'static str,
    window: UsageWindow,
) -> Result<Result<i64, FetchError>, HandlerError> {
    let integration_id = opened.integration.id;
    let tx = ctx.store.tenant_read(message.tenant_id).await?;
    // What an outage left out is fetched now.
    let mut cursor = reported::cursor(&tx, integration_id, source).await?;
    drop(tx);
    let from = cursor.map_or(window.from, |cursor| cursor.fetched_to.min(window.from));
    let window = UsageWindow { from, to: window.to };
    let (mut trail, mut page, mut rows) = (PageTrail::default(), None::<String>, 0);
    loop {
        let provider = label(ctx, &opened.integration.provider);
        let timer = metrics().provider_seconds.with_label_values(&[provider, "usage"]).start_timer();
        let query = UsageQuery { source, window, page: page.as_deref() };
        let fetched = opened.provider.usage_page(opened.target(), query, &ctx.http).await;
        timer.observe_duration();
        let next = match fetched {
            Ok(fetched) => {
                rows += i64::try_from(fetched.rows.len()).unwrap_or(0);
                // Only the last page moves the cursor to the window's end.
                let so_far = cursor.map_or(from, |cursor| cursor.fetched_to);
                let fetched_to = if fetched.next.is_none() { window.to } else { so_far };
                cursor =
                    Some(store(ctx, message, opened, &Page { source, rows: &fetched.rows, cursor, fetched_to }).await?);
                trail.follow(fetched.next)
            }
            Err(error) => Err(error),
        };
        page = match next {
            Ok(Some(token)) => Some(token),
            Ok(None) => return Ok(Ok(rows)),
            Err(error) => return Ok(Err(error)),
        };
    }
}

struct Page<'r> {
    source: &'r str,
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
        source: page.source,
        rows: page.rows,
        cursor: page.cursor,
        fetched_to: page.fetched_to,
    };
    let tx = ctx.store.tenant(message.tenant_id).await?;
    match reported::upsert_reported(&tx, &fetched, Timestamp::now()).await {
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

fn failed(provider: &str, error: &FetchError) -> Outcome {
    let code = error.code().unwrap_or(keyway_domain::Code::BadAnswer);
    metrics().usage_fetches.with_label_values(&[provider, code.name()]).inc();
    match error {
        FetchError::Refused => Outcome::Failed { code, events: Vec::new() },
        FetchError::RateLimited { retry_after } => {
            Outcome::Retry { code, after: *retry_after, next: None, events: Vec::new() }
        }
        _ => Outcome::Retry { code, after: None, next: None, events: Vec::new() },
    }
}
