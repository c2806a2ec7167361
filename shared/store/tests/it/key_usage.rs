//! Usage reported by key is part of the usage that the organisation reports.

use anyhow::Result;
use keyway_domain::{IntegrationId, Ledger, ProjectId, ReportedUsage, Timestamp, TokenCounts};
use keyway_store::{
    Only,
    key_usage::{self, KeyFigures, ReportedKey},
    raw,
    reported::{self, Fetched},
    usage_report::{self, GroupBy, MAX_GROUPS, ReportQuery, UsageGroup},
};

use crate::{
    fixture::{Fixture, NOW, on_both},
    usage::report,
};

on_both! { figures_of_a_key_are_taken_from_the_whole_and_never_counted_twice }

async fn figures_of_a_key_are_taken_from_the_whole_and_never_counted_twice(fixture: Fixture) -> Result<()> {
    let admin = fixture.add_integration("admin", 1).await?;
    let (one, two) = (key("key_1"), key("key_2"));
    let whole = [
        bucket("shared", 0, Some(6), Some(60)),
        bucket("shared", 1, Some(4), Some(40)),
        bucket("too little", 0, Some(3), Some(30)),
        bucket("calls unsaid", 0, None, Some(50)),
        bucket("tokens unsaid", 0, Some(9), None),
    ];
    let parts = [
        (one.clone(), bucket("shared", 0, Some(2), Some(20))),
        (one.clone(), bucket("shared", 1, Some(2), Some(25))),
        (two.clone(), bucket("shared", 1, Some(1), Some(5))),
        (one.clone(), bucket("too little", 0, Some(2), Some(20))),
        (two.clone(), bucket("too little", 0, Some(2), Some(20))),
        (one.clone(), bucket("calls unsaid", 0, None, Some(20))),
        (one.clone(), bucket("tokens unsaid", 0, Some(1), Some(5))),
    ];
    store(&fixture, admin, &whole, &parts).await?;

    let split = report(&fixture, Ledger::Reported, &[GroupBy::Integration, GroupBy::Model]).await?;
    let of = |it: &UsageGroup| {
        let known = [&one, &two].into_iter().find(|key| it.integration_id == Some(key.integration_id));
        let stranger = if it.integration_id == Some(admin) { "admin" } else { "nobody" };
        let name = known.map_or(stranger, |key| &key.provider_key_id).to_owned();
        (name, it.model.clone().unwrap_or_default(), it.requests, it.tokens.input, it.cost_nano_usd)
    };
    let mut seen: Vec<_> = split.iter().map(of).collect();
    seen.sort_unstable();
    let expected = [
        ("admin", "calls unsaid", None, Some(30), None),
        ("admin", "shared", Some(5), Some(50), Some(7_000)),
        ("admin", "tokens unsaid", Some(9), None, None),
        ("admin", "too little", Some(3), Some(30), None),
        ("key_1", "calls unsaid", None, Some(20), None),
        ("key_1", "shared", Some(4), Some(45), None),
        ("key_2", "shared", Some(1), Some(5), None),
    ];
    assert_eq!(
        seen,
        expected.map(|(name, model, calls, input, cost)| (name.to_owned(), model.to_owned(), calls, input, cost))
    );
    sums_are_those_of_the_whole(&fixture).await
}

fn key(name: &str) -> ReportedKey {
    let (integration_id, project_id) = (IntegrationId::new(), ProjectId::new());
    ReportedKey { integration_id, project_id, provider_key_id: name.to_owned() }
}

fn bucket(model: &str, hour: i64, requests: Option<i64>, input: Option<i64>) -> ReportedUsage {
    ReportedUsage {
        source: "usage.completions".to_owned(),
        bucket_start: Timestamp::from_ms(NOW.ms() + hour * 3_600_000),
        bucket_end: Timestamp::from_ms(NOW.ms() + (hour + 1) * 3_600_000),
        model: Some(model.to_owned()),
        line_item: None,
        requests,
        tokens: TokenCounts { input, output: input, cached_input: requests, ..TokenCounts::default() },
        cost_nano_usd: None,
    }
}

/// Stores the reports read with the admin key: the whole, a cost, and the figures by key, twice.
async fn store(
    fixture: &Fixture,
    admin: IntegrationId,
    whole: &[ReportedUsage],
    parts: &[(ReportedKey, ReportedUsage)],
) -> Result<()> {
    let cost = ReportedUsage {
        source: "costs".to_owned(),
        tokens: TokenCounts::default(),
        cost_nano_usd: Some(7_000),
        ..bucket("shared", 0, None, None)
    };
    let (project_id, fetched_to, provider) = (fixture.project, NOW, "openai");
    let tx = fixture.store.tenant(fixture.tenant).await?;
    for (source, rows) in [("usage.completions", whole), ("costs", &[cost])] {
        let fetched = Fetched { integration_id: admin, project_id, provider, source, rows, cursor: None, fetched_to };
        reported::upsert_reported(&tx, &fetched, NOW).await?;
    }
    let figures = KeyFigures { reported_by: admin, provider, source: "usage.completions.by_key", rows: parts };
    // An earlier build does not say who reported it.
    let earlier = [(key("key_3"), parts[0].1.clone())];
    key_usage::upsert(&tx, &KeyFigures { rows: &earlier, ..figures }, NOW).await?;
    raw::execute(&tx, "UPDATE key_usage SET reported_by = NULL").await?;
    for _ in 0..2 {
        key_usage::upsert(&tx, &figures, NOW).await?;
    }
    Ok(tx.commit().await?)
}

async fn sums_are_those_of_the_whole(fixture: &Fixture) -> Result<()> {
    let all = report(fixture, Ledger::Reported, &[]).await?;
    for by in [GroupBy::Integration, GroupBy::Project] {
        let groups = report(fixture, Ledger::Reported, &[by]).await?;
        let sum = |figure: fn(&UsageGroup) -> Option<i64>| groups.iter().filter_map(figure).sum::<i64>();
        assert_eq!(groups.len(), 3, "{by:?}");
        assert_eq!(Some(sum(|it| it.requests)), all[0].requests, "{by:?}");
        assert_eq!(Some(sum(|it| it.tokens.input)), all[0].tokens.input, "{by:?}");
        assert_eq!(Some(sum(|it| it.tokens.cached_input)), all[0].tokens.cached_input, "{by:?}");
        assert_eq!(Some(sum(|it| it.tokens.output)), all[0].tokens.output, "{by:?}");
        assert_eq!(Some(sum(|it| it.cost_nano_usd)), all[0].cost_nano_usd, "{by:?}");
        for group in groups {
            let only = Only { integration_id: group.integration_id, project_id: group.project_id, ..Only::default() };
            let (to, ledger) = (Timestamp::from_ms(NOW.ms() + 86_400_000), Ledger::Reported);
            let (group_by, groups) = (vec![by], MAX_GROUPS);
            let query = ReportQuery { from: NOW, to, group_by, ledger, only, after: None, groups };
            let tx = fixture.store.tenant_read(fixture.tenant).await?;
            assert_eq!(usage_report::report(&tx, &query).await?.items, [group], "{by:?}");
        }
    }
    Ok(())
}
