//! Both ledgers: once by natural key, and unknown is never zero.

use anyhow::Result;
use keyway_domain::{
    IntegrationId, Ledger, MeteredCall, ProjectId, ReportedUsage, RequestId, Timestamp, TokenCounts, VirtualKeyId,
};
use keyway_store::{
    Only, StoreError, raw,
    reported::{self, Fetched},
    retention,
    usage::{self, MeteredRow},
    usage_report::{self, GroupBy, MAX_GROUPS, ReportQuery, UsageGroup},
};

use crate::fixture::{Fixture, NOW, on_both};

on_both! {
    a_call_counts_once_however_often_it_is_delivered
    a_settled_call_gives_way_to_its_completion_and_never_the_other_way_round
    unknown_figures_stay_unknown_and_are_counted
    an_answer_that_is_read_again_counts_once
    a_model_that_no_database_takes_is_unknown_and_costs_no_other_call
    reported_buckets_are_replaced_and_the_cursor_is_compared
}

const DAY_MS: i64 = 86_400_000;

pub(crate) fn row(
    project_id: ProjectId,
    integration_id: IntegrationId,
    model: Option<&str>,
    tokens: Option<i64>,
) -> MeteredRow {
    let by = (project_id, VirtualKeyId::from_uuid(integration_id.uuid()));
    let call = MeteredCall::begun(RequestId::new(), by, integration_id.into(), "openai", "/v1/chat/completions", NOW);
    let call = MeteredCall {
        model: model.map(str::to_owned),
        http_status: Some(200),
        tokens: TokenCounts { input: tokens, output: tokens, ..TokenCounts::default() },
        duration_ms: 5,
        complete: true,
        ..call
    };
    MeteredRow { call, cost_nano_usd: tokens.map(|tokens| tokens * 100), price_version: Some("1".to_owned()) }
}

pub(crate) async fn append(fixture: &Fixture, rows: &[MeteredRow]) -> Result<usize> {
    let tx = fixture.store.system().await?;
    let added = usage::append_metered(&tx, fixture.tenant, rows.to_vec()).await?;
    tx.commit().await?;
    Ok(added.len())
}

pub(crate) async fn report(fixture: &Fixture, ledger: Ledger, group_by: &[GroupBy]) -> Result<Vec<UsageGroup>> {
    let to = Timestamp::from_ms(NOW.ms() + DAY_MS);
    let (group_by, groups) = (group_by.to_vec(), MAX_GROUPS);
    let query = ReportQuery { from: NOW, to, group_by, ledger, only: Only::default(), after: None, groups };
    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    Ok(usage_report::report(&tx, &query).await?.items)
}

async fn a_call_counts_once_however_often_it_is_delivered(fixture: Fixture) -> Result<()> {
    let integration = IntegrationId::new();
    let rows: Vec<_> =
        [7, 8].into_iter().map(|tokens| row(fixture.project, integration, Some("gpt-4o"), Some(tokens))).collect();
    assert_eq!(append(&fixture, &rows).await?, 2);
    assert_eq!(append(&fixture, &rows).await?, 0);
    let repeated = [rows[0].clone(), row(fixture.project, integration, Some("gpt-4o"), Some(1))];
    let twice = [repeated[1].clone(), repeated[0].clone(), repeated[1].clone()];
    assert_eq!(append(&fixture, &twice).await?, 1);

    let every =
        [GroupBy::Model, GroupBy::Provider, GroupBy::Integration, GroupBy::Project, GroupBy::Day, GroupBy::VirtualKey];
    let groups = report(&fixture, Ledger::Metered, &every).await?;
    assert_eq!(groups.len(), 1);
    let group = &groups[0];
    assert_eq!((group.requests, group.tokens.input, group.tokens.output), (Some(3), Some(16), Some(16)));
    assert_eq!((group.cost_nano_usd, group.unpriced_requests), (Some(1600), Some(0)));
    assert_eq!((group.model.as_deref(), group.provider.as_deref()), (Some("gpt-4o"), Some("openai")));
    assert_eq!((group.integration_id, group.project_id), (Some(integration), Some(fixture.project)));
    assert_eq!(group.day, Some(NOW.day()));
    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    assert_eq!(raw::number(&tx, "SELECT count(*) AS n FROM metered_calls").await?, 3);
    Ok(())
}

async fn a_settled_call_gives_way_to_its_completion_and_never_the_other_way_round(fixture: Fixture) -> Result<()> {
    let integration = IntegrationId::new();
    let completed = row(fixture.project, integration, Some("gpt-4o-2026"), Some(7));
    let mut settled = MeteredRow { cost_nano_usd: None, price_version: None, ..completed.clone() };
    settled.call = MeteredCall {
        model: Some("gpt-4o".to_owned()),
        http_status: None,
        tokens: TokenCounts::default(),
        complete: false,
        settled: true,
        ..completed.call.clone()
    };
    let of = |group: &UsageGroup| {
        let counts = (group.requests, group.failed_requests, group.unknown_token_requests, group.unpriced_requests);
        (group.model.clone(), counts, group.tokens.input, group.cost_nano_usd)
    };
    let ended = (Some("gpt-4o-2026".to_owned()), (Some(1), Some(0), Some(0), Some(0)), Some(7), Some(700));
    let begun = (Some("gpt-4o".to_owned()), (Some(1), Some(1), Some(1), Some(1)), None, None);
    let steps = [
        (&settled, 1, &begun),
        (&settled, 0, &begun),
        (&completed, 1, &ended),
        (&completed, 0, &ended),
        (&settled, 0, &ended),
    ];
    for (at, (row, new, expected)) in steps.into_iter().enumerate() {
        assert_eq!(append(&fixture, std::slice::from_ref(row)).await?, new, "step {at}");
        let groups = report(&fixture, Ledger::Metered, &[GroupBy::Model]).await?;
        assert_eq!(groups.iter().map(of).collect::<Vec<_>>(), std::slice::from_ref(expected), "step {at}");
    }

    let mut other = completed.clone();
    other.call.request_id = RequestId::new();
    let both =
        [MeteredRow { call: MeteredCall { request_id: other.call.request_id, ..settled.call }, ..settled }, other];
    assert_eq!(append(&fixture, &both).await?, 1, "in one batch");
    let groups = report(&fixture, Ledger::Metered, &[]).await?;
    assert_eq!((groups[0].requests, groups[0].failed_requests, groups[0].tokens.input), (Some(2), Some(0), Some(14)));
    Ok(())
}

async fn an_answer_that_is_read_again_counts_once(fixture: Fixture) -> Result<()> {
    let integration = IntegrationId::new();
    let reading = |answer_id: &str, integration: IntegrationId| {
        let mut row = row(fixture.project, integration, Some("gpt-5.4-mini"), Some(9));
        row.call.answer_id = Some(answer_id.to_owned());
        row.call.terms.service_tier = Some("flex".to_owned());
        row
    };
    let first = [reading("resp_1", integration), reading("resp_2", integration), reading("resp_1", integration)];
    assert_eq!(append(&fixture, &first).await?, 3);
    assert_eq!(append(&fixture, &first).await?, 0, "delivered twice");
    assert_eq!(append(&fixture, &[reading("resp_2", integration)]).await?, 1);
    assert_eq!(append(&fixture, &[reading("resp_1", IntegrationId::new())]).await?, 1, "of somebody else");
    let groups = report(&fixture, Ledger::Metered, &[]).await?;
    let total = &groups[0];
    assert_eq!((total.requests, total.tokens.output, total.cost_nano_usd), (Some(5), Some(27), Some(2700)));
    assert_eq!((total.unknown_token_requests, total.unpriced_requests), (Some(0), Some(0)));
    let tx = fixture.store.system().await?;
    let again = "SELECT count(*) AS n FROM metered_calls WHERE price_version = 'counted' AND cost_nano_usd = 0";
    assert_eq!(raw::number(&tx, again).await?, 2);
    assert_eq!(retention::delete_counted_answers(&tx, Timestamp::from_ms(NOW.ms() + 1), 2).await?, 2);
    assert_eq!(retention::delete_counted_answers(&tx, NOW, 2).await?, 0);
    Ok(())
}

async fn unknown_figures_stay_unknown_and_are_counted(fixture: Fixture) -> Result<()> {
    let integration = IntegrationId::new();
    append(&fixture, &[row(fixture.project, integration, None, None)]).await?;
    let groups = report(&fixture, Ledger::Metered, &[GroupBy::Model]).await?;
    assert_eq!((groups[0].tokens, groups[0].cost_nano_usd), (TokenCounts::default(), None));
    assert_eq!(
        (groups[0].model.clone(), groups[0].unknown_token_requests, groups[0].unpriced_requests),
        (None, Some(1), Some(1))
    );

    append(&fixture, &[row(fixture.project, integration, None, Some(5))]).await?;
    append(&fixture, &[row(fixture.project, integration, None, None)]).await?;
    let total = report(&fixture, Ledger::Metered, &[]).await?;
    assert_eq!((total[0].tokens.input, total[0].tokens.reasoning), (Some(5), None));
    assert_eq!((total[0].requests, total[0].unknown_token_requests), (Some(3), Some(2)));
    assert!(report(&fixture, Ledger::Reported, &[]).await?.is_empty(), "nothing reported is not zero");
    Ok(())
}

async fn a_model_that_no_database_takes_is_unknown_and_costs_no_other_call(fixture: Fixture) -> Result<()> {
    let integration = IntegrationId::new();
    let calls = [Some("gpt\0"), Some("gpt-4o")].map(|model| row(fixture.project, integration, model, Some(5)));
    assert_eq!(append(&fixture, &calls).await?, 2);
    let groups = report(&fixture, Ledger::Metered, &[GroupBy::Model]).await?;
    let mut seen: Vec<_> = groups.iter().map(|it| (it.model.as_deref(), it.tokens.input)).collect();
    seen.sort_unstable();
    assert_eq!(seen, [(None, Some(5)), (Some("gpt-4o"), Some(5))]);
    Ok(())
}

async fn reported_buckets_are_replaced_and_the_cursor_is_compared(fixture: Fixture) -> Result<()> {
    let integration_id = fixture.add_integration("admin", 1).await?;
    let bucket = |model: &str, requests| ReportedUsage {
        source: "usage.completions".to_owned(),
        bucket_start: NOW,
        bucket_end: Timestamp::from_ms(NOW.ms() + 60_000),
        model: Some(model.to_owned()),
        line_item: None,
        requests: Some(requests),
        tokens: TokenCounts { input: Some(requests * 10), ..TokenCounts::default() },
        cost_nano_usd: None,
    };
    let rows = [bucket("b", 1), bucket("a", 2)];
    let fetched_to = Timestamp::from_ms(NOW.ms() + 60_000);
    let source = "usage.completions";
    let (project_id, provider) = (fixture.project, "openai");
    let first = Fetched { integration_id, project_id, provider, source, rows: &rows, cursor: None, fetched_to };
    let tx = fixture.store.tenant(fixture.tenant).await?;
    assert_eq!(reported::upsert_reported(&tx, &first, NOW).await?, 2);
    tx.commit().await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    assert!(matches!(reported::upsert_reported(&tx, &first, NOW).await, Err(StoreError::Stale)));
    drop(tx);

    let tx = fixture.store.tenant(fixture.tenant).await?;
    let cursor = reported::cursor(&tx, integration_id, source).await?;
    assert_eq!(cursor.map(|it| (it.fetched_to, it.revision)), Some((fetched_to, 1)));
    let rows = [bucket("a", 5)];
    let second = Fetched { rows: &rows, cursor, fetched_to: NOW, ..first };
    assert_eq!(reported::upsert_reported(&tx, &second, NOW).await?, 1);
    let moved = reported::cursor(&tx, integration_id, source).await?;
    assert_eq!(moved.map(|it| (it.fetched_to, it.revision)), Some((fetched_to, 2)), "it never moves back");
    tx.commit().await?;

    let groups = report(&fixture, Ledger::Reported, &[GroupBy::Model, GroupBy::VirtualKey]).await?;
    let seen: Vec<_> = groups.iter().map(|it| (it.model.as_deref(), it.requests, it.tokens.input)).collect();
    assert_eq!(seen, [(Some("a"), Some(5), Some(50)), (Some("b"), Some(1), Some(10))]);
    assert_eq!((groups[0].cost_nano_usd, groups[0].failed_requests), (None, None));
    Ok(())
}
