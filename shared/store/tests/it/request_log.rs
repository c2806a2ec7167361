//! The request log: the calls that a filter accepts, page by page, and nothing of another tenant.

use anyhow::{Context, Result};
use keyway_domain::{
    CallOutcome, CredentialSource, IntegrationId, MeteredCall, RequestId, ServedBy, Timestamp, VirtualKeyId,
};
use keyway_store::{
    Only, Page, raw,
    request_log::{self, Filter, MAX_SCANNED, RequestKey},
    usage::MeteredRow,
};

use crate::{
    fixture::{Fixture, NOW, add_tenant, on_both},
    usage::{append, row},
};

on_both! {
    a_filter_lets_through_what_it_names_and_pages_follow_each_other
    a_call_is_shown_as_it_was_kept_and_only_to_its_tenant
    a_page_looks_at_so_many_calls_and_the_next_goes_on
}

async fn listed(fixture: &Fixture, filter: &Filter, page: Page<RequestKey>) -> Result<(Vec<RequestId>, bool)> {
    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    let found = request_log::list(&tx, filter, page).await?;
    Ok((found.items.iter().map(|row| row.call.request_id).collect(), found.next.is_some()))
}

/// Calls a second apart, the newest first.
fn calls(fixture: &Fixture) -> Vec<MeteredRow> {
    let plain = row(fixture.project, IntegrationId::new(), Some("gpt-4o"), Some(5));
    let at = |ago: i64, change: &dyn Fn(&mut MeteredCall)| {
        let mut row = plain.clone();
        row.call.request_id = RequestId::new();
        row.call.started_at = Timestamp::from_ms(NOW.ms() - ago * 1000);
        change(&mut row.call);
        row
    };
    vec![
        at(0, &|_| {}),
        at(1, &|call| {
            (call.http_status, call.model) = (Some(404), Some("other".to_owned()));
            call.credential = CredentialSource::Fallback;
        }),
        at(2, &|call| (call.complete, call.virtual_key_id) = (false, VirtualKeyId::new())),
        at(3, &|call| (call.complete, call.settled, call.http_status) = (false, true, None)),
        at(4, &|call| {
            (call.served_by, call.provider) = (ServedBy::Integration(IntegrationId::new()), "mistral".to_owned())
        }),
    ]
}

async fn a_filter_lets_through_what_it_names_and_pages_follow_each_other(fixture: Fixture) -> Result<()> {
    let rows = calls(&fixture);
    append(&fixture, &rows).await?;
    let ids: Vec<_> = rows.iter().map(|row| row.call.request_id).collect();
    let all = Filter::default();
    let of = |only| Filter { only, ..Filter::default() };
    let cases: [(Filter, &[usize]); 12] = [
        (all.clone(), &[0, 1, 2, 3, 4]),
        (of(Only { project_id: Some(fixture.project), ..Only::default() }), &[0, 1, 2, 3, 4]),
        (of(Only { virtual_key_id: Some(rows[2].call.virtual_key_id), ..Only::default() }), &[2]),
        (of(Only { integration_id: rows[4].call.served_by.integration(), ..Only::default() }), &[4]),
        (Filter { credential: Some(CredentialSource::Fallback), ..all.clone() }, &[1]),
        (of(Only { provider: Some("openai".to_owned()), ..Only::default() }), &[0, 1, 2, 3]),
        (Filter { model: Some("other".to_owned()), ..all.clone() }, &[1]),
        (Filter { status: Some(400..=499), ..all.clone() }, &[1]),
        (Filter { outcome: Some(CallOutcome::Completed), ..all.clone() }, &[0, 1, 4]),
        (Filter { outcome: Some(CallOutcome::BrokenOff), ..all.clone() }, &[2]),
        (Filter { outcome: Some(CallOutcome::Settled), ..all.clone() }, &[3]),
        (Filter { from: Some(rows[3].call.started_at), to: Some(rows[1].call.started_at), ..all.clone() }, &[2, 3]),
    ];
    for (filter, expected) in cases {
        let expected: Vec<_> = expected.iter().map(|at| ids[*at]).collect();
        assert_eq!(listed(&fixture, &filter, Page::first(10)).await?, (expected, false), "{filter:?}");
    }

    let mut seen = Vec::new();
    let mut page = Page::first(2);
    loop {
        let (found, more) = listed(&fixture, &all, page).await?;
        seen.extend(found);
        if !more {
            break;
        }
        let last = rows.iter().find(|row| Some(&row.call.request_id) == seen.last()).map(|row| &row.call);
        page.after = last.map(|call| RequestKey { started_at: call.started_at, request_id: call.request_id });
    }
    assert_eq!(seen, ids);
    Ok(())
}

async fn a_call_is_shown_as_it_was_kept_and_only_to_its_tenant(fixture: Fixture) -> Result<()> {
    let mut kept = row(fixture.project, IntegrationId::new(), Some("gpt-4o"), Some(5));
    (kept.call.overhead_us, kept.call.attempts, kept.call.cached) = (Some(21), 3, true);
    kept.call.cost_nano_usd = kept.cost_nano_usd;
    append(&fixture, std::slice::from_ref(&kept)).await?;
    let id = kept.call.request_id;
    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    let found = request_log::find(&tx, id).await?.context("it is not found")?;
    assert_eq!((&found.call, found.price_version), (&kept.call, kept.price_version));
    assert_eq!(found.call.outcome(), CallOutcome::Completed);
    drop(tx);

    let (other, ..) = add_tenant(&fixture.store, "second").await?;
    let tx = fixture.store.tenant_read(other).await?;
    assert!(request_log::find(&tx, id).await?.is_none());
    assert!(request_log::list(&tx, &Filter::default(), Page::first(10)).await?.items.is_empty());
    Ok(())
}

async fn a_page_looks_at_so_many_calls_and_the_next_goes_on(fixture: Fixture) -> Result<()> {
    let rare = row(fixture.project, IntegrationId::new(), Some("rare"), Some(5));
    append(&fixture, std::slice::from_ref(&rare)).await?;
    let new_id = if fixture.url().starts_with("postgres") { "gen_random_uuid()" } else { "randomblob(16)" };
    let tx = fixture.store.system().await?;
    // The last of the calls at which the second page looks is the rare one.
    let newer = 2 * MAX_SCANNED - 1;
    let text = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {newer}) INSERT INTO metered_calls \
         (request_id, tenant_id, project_id, virtual_key_id, integration_id, provider, model, path, started_at_ms, \
         duration_ms, streamed, complete) SELECT {new_id}, tenant_id, project_id, virtual_key_id, integration_id, \
         provider, 'common', path, started_at_ms + i, duration_ms, streamed, complete FROM metered_calls, n"
    );
    raw::execute(&tx, &text).await?;
    tx.commit().await?;

    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    let filter = Filter { model: Some("rare".to_owned()), ..Filter::default() };
    let first = request_log::list(&tx, &filter, Page::first(2)).await?;
    assert!(first.items.is_empty());
    let last = first.next.context("the next page")?;
    assert_eq!(last.started_at, Timestamp::from_ms(NOW.ms() + 10_000));
    let second = request_log::list(&tx, &filter, Page { after: Some(last), limit: 2 }).await?;
    assert_eq!(second.items.iter().map(|row| row.call.request_id).collect::<Vec<_>>(), [rare.call.request_id]);
    let end = request_log::list(&tx, &filter, Page { after: second.next, limit: 2 }).await?;
    assert!(second.next.is_some() && end.items.is_empty() && end.next.is_none());

    let filter = Filter { model: Some("common".to_owned()), ..Filter::default() };
    let full = request_log::list(&tx, &filter, Page::first(2)).await?;
    let after = full.items.last().map(|row| row.call.request_id);
    assert_eq!((full.items.len(), full.next.map(|key| key.request_id)), (2, after), "a full page ends with its last");
    let served_by = Only { integration_id: rare.call.served_by.integration(), ..Only::default() };
    let filter = Filter { only: served_by, from: Some(NOW), to: Some(last.started_at), ..Filter::default() };
    let indexed = request_log::list(&tx, &filter, Page { after: None, limit: 1 }).await?;
    assert_eq!(indexed.next.map(|key| key.started_at), Some(Timestamp::from_ms(NOW.ms() + 9_999)));
    Ok(())
}
