//! Calls that Keyway itself refused: in the log like every other, and in no sum but their own.

use anyhow::{Context, Result};
use keyway_domain::{
    CallOutcome, CredentialSource, IntegrationId, Ledger, MeteredCall, RequestId, ServedBy, VirtualKeyId,
};
use keyway_store::{
    Page, projects,
    request_log::{self, Filter},
    usage::MeteredRow,
    usage_report::GroupBy,
};

use crate::{
    fixture::{Fixture, NOW, on_both},
    usage::{append, report, row},
};

on_both! {
    a_refused_call_is_logged_and_counted_apart
    a_refusal_takes_the_place_of_a_settlement
    credentials_are_told_apart
}

fn refused(fixture: &Fixture, provider: &str, code: &str) -> MeteredRow {
    let by = (fixture.project, VirtualKeyId::new());
    let call = MeteredCall::begun(RequestId::new(), by, ServedBy::NoIntegration, provider, "/v1/chat/completions", NOW);
    let call = MeteredCall { model: Some("gpt-4o".to_owned()), ..call }.refused_with(code);
    // As it comes when nobody has priced it.
    MeteredRow { call, cost_nano_usd: None, price_version: None }
}

async fn a_refused_call_is_logged_and_counted_apart(fixture: Fixture) -> Result<()> {
    let served = row(fixture.project, IntegrationId::new(), Some("gpt-4o"), Some(7));
    let unpriced = row(fixture.project, IntegrationId::new(), Some("gpt-4o"), None);
    let nowhere = refused(&fixture, "", "unknown_model");
    let rows = [refused(&fixture, "openai", "budget_exceeded"), nowhere.clone(), served, unpriced];
    assert_eq!(append(&fixture, &rows).await?, 4);
    assert_eq!(append(&fixture, &rows).await?, 0, "again");

    let groups = report(&fixture, Ledger::Metered, &[]).await?;
    let sums = &groups[0];
    assert_eq!((sums.requests, sums.failed_requests, sums.refused_requests), (Some(2), Some(0), Some(2)));
    assert_eq!(
        (sums.unpriced_requests, sums.unknown_token_requests, sums.cost_nano_usd),
        (Some(1), Some(1), Some(700))
    );
    let by_provider: Vec<_> = report(&fixture, Ledger::Metered, &[GroupBy::Provider]).await?;
    let figures = by_provider.iter().map(|it| (it.provider.as_deref(), it.requests, it.refused_requests));
    assert_eq!(figures.collect::<Vec<_>>(), [(None, Some(0), Some(1)), (Some("openai"), Some(2), Some(1))]);
    let models = report(&fixture, Ledger::Metered, &[GroupBy::Model]).await?;
    let models: Vec<_> = models.iter().map(|it| (it.model.as_deref(), it.requests, it.cost_nano_usd)).collect();
    assert_eq!(models, [(None, Some(0), None), (Some("gpt-4o"), Some(2), Some(700))], "a caller's word makes no group");

    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    let used = projects::fallback_use(&tx, fixture.project, NOW).await?;
    assert_eq!((used.requests, used.unpriced_requests, used.cost_nano_usd), (0, 0, 0), "nobody's key was used");
    let shown = request_log::find(&tx, nowhere.call.request_id).await?.context("it is not found")?;
    assert_eq!(shown.call, nowhere.call);
    assert_eq!((shown.cost_nano_usd, shown.price_version.as_deref()), (Some(0), Some("refused")));
    for (filter, expected) in [
        (Filter { outcome: Some(CallOutcome::Refused), ..Filter::default() }, 2),
        (Filter { outcome: Some(CallOutcome::Completed), ..Filter::default() }, 2),
        (Filter { refused_code: Some("unknown_model".to_owned()), ..Filter::default() }, 1),
        (Filter { refused_code: Some("sealed".to_owned()), ..Filter::default() }, 0),
    ] {
        assert_eq!(request_log::list(&tx, &filter, Page::first(10)).await?.items.len(), expected, "{filter:?}");
    }
    Ok(())
}

async fn a_refusal_takes_the_place_of_a_settlement(fixture: Fixture) -> Result<()> {
    let refusal = refused(&fixture, "openai", "rate_limited");
    let mut settled = refusal.clone();
    settled.call = MeteredCall { settled: true, complete: false, refused_code: None, ..settled.call };
    for rows in [&settled, &refusal, &settled] {
        append(&fixture, std::slice::from_ref(rows)).await?;
    }
    let groups = report(&fixture, Ledger::Metered, &[]).await?;
    assert_eq!((groups[0].requests, groups[0].refused_requests), (Some(0), Some(1)));
    assert_eq!((groups[0].unpriced_requests, groups[0].cost_nano_usd), (Some(0), None));
    Ok(())
}

async fn credentials_are_told_apart(fixture: Fixture) -> Result<()> {
    let own = row(fixture.project, IntegrationId::new(), Some("gpt-4o"), Some(7));
    let mut operators = row(fixture.project, ServedBy::NoIntegration.into(), Some("openai/gpt-4o"), Some(5));
    operators.call.credential = CredentialSource::Fallback;
    append(&fixture, &[own, operators, refused(&fixture, "openai", "rate_limited")]).await?;
    let groups = report(&fixture, Ledger::Metered, &[GroupBy::Credential]).await?;
    let mut found: Vec<_> = groups.iter().map(|it| (it.credential, it.requests, it.cost_nano_usd)).collect();
    found.sort_unstable();
    let (own, fallback) = (CredentialSource::Own, CredentialSource::Fallback);
    let expected = [(None, Some(0), None), (Some(own), Some(1), Some(700)), (Some(fallback), Some(1), Some(500))];
    assert_eq!(found, expected);
    assert!(report(&fixture, Ledger::Reported, &[GroupBy::Credential]).await?.is_empty());
    Ok(())
}
