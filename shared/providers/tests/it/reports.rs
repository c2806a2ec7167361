//! Reported usage: recorded pages, whole reports of the simulator, and keys without a report.

use keyway_domain::{ReportedUsage, Timestamp, UsageWindow};
use keyway_providers::{FetchError, KeyFamily, UsagePage, UsageQuery};
use keyway_testkit::{
    replay::{Fixture, Replay},
    simulator::Simulator,
};
use url::Url;

use crate::world::{CANARY, client, custom, predefined, secret, target, whole_report};

const NOVEMBER: i64 = 1_793_491_200;

fn window(days: i64) -> UsageWindow {
    let from = Timestamp::from_seconds(NOVEMBER);
    UsageWindow { from, to: Timestamp::from_seconds(NOVEMBER + days * 86_400) }
}

async fn fetch(case: Fixture, source: &str, key: &str) -> anyhow::Result<Result<UsagePage, FetchError>> {
    let server = Replay::start(vec![case]).await?;
    let (openai, _) = predefined("openai")?;
    let base: Url = format!("{}/v1", server.root).parse()?;
    let secret = secret(key);
    let query = UsageQuery { source, window: window(3), page: None, provider_key_ids: &[] };
    Ok(openai.usage_page(target(&base, &secret), query, &client(&server.host)?).await)
}

fn sum(rows: &[ReportedUsage], figure: impl Fn(&ReportedUsage) -> Option<i64>) -> Option<i64> {
    rows.iter().map(figure).sum()
}

#[tokio::test]
async fn every_recorded_page_of_usage_is_read() -> anyhow::Result<()> {
    for name in ["page1", "page2_last", "empty", "older_shape"] {
        let case = Fixture::load(&format!("openai/usage_completions_{name}"))?;
        let expect = case.expect.clone();
        let page = fetch(case, "usage.completions", "sk-admin-canary").await??;
        assert_eq!(page.next.as_deref(), expect["next"]["page"].as_str(), "{name}");
        let expected = |fields: &[&str]| -> i64 {
            let rows = expect["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
            rows.iter().flat_map(|row| fields.iter().filter_map(|field| row[*field].as_i64())).sum()
        };
        let input = expected(&["input_uncached", "input_cached", "cache_write"]);
        assert_eq!(sum(&page.rows, |row| row.tokens.input), Some(input), "{name}");
        assert_eq!(sum(&page.rows, |row| row.tokens.cached_input), Some(expected(&["input_cached"])), "{name}");
        assert_eq!(sum(&page.rows, |row| row.tokens.output), Some(expected(&["output"])), "{name}");
        assert_eq!(sum(&page.rows, |row| row.requests), Some(expected(&["requests"])), "{name}");
    }
    let page = fetch(Fixture::load("openai/usage_embeddings")?, "usage.embeddings", "sk-admin-canary").await??;
    let row = page.rows.first().ok_or_else(|| anyhow::anyhow!("no row"))?;
    assert_eq!((row.tokens.input, row.tokens.output, row.requests), (Some(16_000), None, Some(4)));
    assert_eq!(row.model.as_deref(), Some("text-embedding-3-small"));
    Ok(())
}

#[tokio::test]
async fn recorded_costs_are_exact() -> anyhow::Result<()> {
    for (name, nano_usd, next) in [
        ("costs_page1", 111_000_000, Some("page_Y29zdHMy")),
        ("costs_page2_last", 1_234_567_800, None),
        ("costs_empty", 0, None),
    ] {
        let page = fetch(Fixture::load(&format!("openai/{name}"))?, "costs", "sk-admin-canary").await??;
        assert_eq!(sum(&page.rows, |row| row.cost_nano_usd), Some(nano_usd), "{name}");
        assert_eq!(page.next.as_deref(), next, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn recorded_refusals_have_their_reason() -> anyhow::Result<()> {
    let not_reportable =
        |result: &Result<UsagePage, FetchError>| matches!(result, Err(FetchError::NotReportable { .. }));
    for name in ["usage_project_key_forbidden_401", "usage_project_key_forbidden_403", "usage_not_admin_session_key"] {
        let result = fetch(Fixture::load(&format!("openai/{name}"))?, "costs", "sk-admin-canary").await?;
        assert!(not_reportable(&result), "{name}: {result:?}");
    }
    for (name, expected) in [
        ("verify_invalid_key", FetchError::Refused),
        ("usage_bad_request", FetchError::BadAnswer),
        ("server_error", FetchError::Unreachable),
        ("gateway_html_502", FetchError::Unreachable),
        ("rate_limited", FetchError::RateLimited { retry_after: Some(std::time::Duration::from_secs(20)) }),
        ("quota_exhausted", FetchError::Refused),
    ] {
        let result = fetch(Fixture::load(&format!("openai/{name}"))?, "costs", "sk-admin-canary").await?;
        assert_eq!(result, Err(expected), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn an_ordinary_key_and_a_custom_host_report_nothing_and_are_not_asked() -> anyhow::Result<()> {
    let simulator = Simulator::start().await?;
    let base: Url = simulator.base_url.parse()?;
    let http = client(&simulator.host())?;
    let key = secret("sk-sim-good-1");
    let query = UsageQuery { source: "costs", window: window(1), page: None, provider_key_ids: &[] };
    let (openai, _) = predefined("openai")?;
    for ways in [openai, custom(&base)] {
        let result = ways.usage_page(target(&base, &key), query, &http).await;
        assert!(matches!(result, Err(FetchError::NotReportable { .. })), "{result:?}");
        assert!(ways.usage_sources(KeyFamily::Ordinary).is_err());
    }
    assert!(simulator.all_calls().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_whole_report_is_the_same_however_often_it_is_read() -> anyhow::Result<()> {
    let simulator = Simulator::start().await?;
    let base: Url = simulator.base_url.parse()?;
    let http = client(&simulator.host())?;
    let (openai, _) = predefined("openai")?;
    let admin = secret("sk-admin-sim-1");
    for source in openai.usage_sources(KeyFamily::Admin)? {
        let mut readings = Vec::new();
        for _ in 0..2 {
            let asked = (*source, window(31));
            let (rows, pages) = whole_report(&*openai, target(&base, &admin), asked, &http).await?;
            let (buckets, a_page, models) = match *source {
                "costs" => (31, 14, 2),
                "usage.embeddings" => (31 * 24, 24, 1),
                _ => (31 * 24, 24, 2),
            };
            assert_eq!(pages, usize::div_ceil(buckets, a_page), "{source}");
            assert_eq!(rows.len(), buckets * models, "{source}");
            assert!(rows.iter().all(|row| row.source == *source), "{source}");
            readings.push(rows);
        }
        assert_eq!(readings.first(), readings.last(), "{source}");
    }
    Ok(())
}

#[tokio::test]
async fn a_report_that_goes_in_circles_ends() -> anyhow::Result<()> {
    let simulator = Simulator::start().await?;
    let base: Url = simulator.base_url.parse()?;
    let http = client(&simulator.host())?;
    let (openai, _) = predefined("openai")?;
    let admin = secret("sk-admin-sim-circle-1");
    let query = |page| UsageQuery { source: "costs", window: window(1), page, provider_key_ids: &[] };
    let first = openai.usage_page(target(&base, &admin), query(None), &http).await?;
    let again = openai.usage_page(target(&base, &admin), query(first.next.as_deref()), &http).await;
    assert_eq!(again, Err(FetchError::BadAnswer));
    Ok(())
}

#[tokio::test]
async fn an_unknown_canary_never_shows_in_a_failure() -> anyhow::Result<()> {
    let result =
        fetch(Fixture::load("openai/verify_invalid_key")?, "costs", &CANARY.replace("sk-", "sk-admin-")).await?;
    assert!(!format!("{result:?}").contains("canary"), "{result:?}");
    Ok(())
}

#[tokio::test]
async fn openrouters_activity_is_read_day_by_day() -> anyhow::Result<()> {
    let key = "sk-or-v1-canary-0123456789";
    let ask = async |case: &str, to: &str| {
        let server = Replay::start(vec![Fixture::load(case)?]).await?;
        let (ways, _) = predefined("openrouter")?;
        let base: Url = format!("{}/api/v1", server.root).parse()?;
        let window = UsageWindow { from: time("2026-11-01T00:00:00Z")?, to: time(to)? };
        let query = UsageQuery { source: "activity", window, page: None, provider_key_ids: &[] };
        let page = ways.usage_page(target(&base, &secret(key)), query, &client(&server.host)?).await;
        let asked = server.received();
        anyhow::ensure!(asked.len() == 1 && asked[0].line == "GET /api/v1/activity", "{asked:?}");
        anyhow::Ok(page)
    };
    let page = ask("openrouter/activity_ok", "2026-11-03T00:00:00Z").await??;
    assert_eq!((page.rows.len(), page.next.as_deref()), (2, None));
    let first = page.rows.first().ok_or_else(|| anyhow::anyhow!("no row"))?;
    assert_eq!(
        (first.bucket_start.day().as_str(), first.model.as_deref()),
        ("2026-11-01", Some("openai/gpt-5.4-mini"))
    );
    assert_eq!((first.tokens.input, first.tokens.cached_input), (Some(5000), Some(1000)));
    assert_eq!((first.requests, first.cost_nano_usd), (Some(5), Some(61_500_000)));
    let page = ask("openrouter/activity_ok", "2026-11-01T12:00:00Z").await??;
    assert_eq!(page.rows.len(), 1, "only what the window touches");
    assert!(ask("openrouter/activity_empty", "2026-11-03T00:00:00Z").await??.rows.is_empty());
    let refused = ask("openrouter/credits_forbidden", "2026-11-03T00:00:00Z").await?;
    assert!(matches!(refused, Err(FetchError::NotReportable { .. })), "{refused:?}");
    for (case, expected) in [("verify_invalid_key", FetchError::Refused), ("activity_bad_date", FetchError::BadAnswer)]
    {
        assert_eq!(ask(&format!("openrouter/{case}"), "2026-11-03T00:00:00Z").await?, Err(expected), "{case}");
    }
    Ok(())
}

fn time(text: &str) -> anyhow::Result<Timestamp> {
    Timestamp::parse(text).ok_or_else(|| anyhow::anyhow!("{text}"))
}

#[tokio::test]
async fn xais_bill_is_read_by_the_team_of_its_management_key() -> anyhow::Result<()> {
    let ask = async |cases: &[&str]| {
        let cases = cases.iter().map(|case| Fixture::load(&format!("xai_management/{case}")));
        let server = Replay::start(cases.collect::<anyhow::Result<_>>()?).await?;
        let (ways, _) = predefined("xai_management")?;
        let (base, key): (Url, _) = (server.root.parse()?, secret(CANARY));
        let query = UsageQuery { source: "costs", window: window(3), page: None, provider_key_ids: &[] };
        let page = ways.usage_page(target(&base, &key), query, &client(&server.host)?).await;
        anyhow::Ok((page, server.received()))
    };
    let (page, asked) = ask(&["token_ok", "cost_page"]).await?;
    let page = page?;
    assert_eq!(sum(&page.rows, |row| row.cost_nano_usd), Some(1_759_737_250));
    let first = page.rows.first().ok_or_else(|| anyhow::anyhow!("no row"))?;
    assert_eq!((first.bucket_start.day().as_str(), first.line_item.as_deref()), ("2026-11-01", Some("Grok 4.5")));
    let lines: Vec<_> = asked.iter().map(|asked| asked.line.as_str()).collect();
    let usage = "POST /v1/billing/teams/5ea6f6bd-7815-4b8a-9135-28b2d7ba6722/usage";
    assert_eq!(lines, ["GET /auth/management-keys/validation", usage]);
    let body: serde_json::Value = serde_json::from_slice(&asked[1].body)?;
    let range = &body["analyticsRequest"]["timeRange"];
    assert_eq!(
        (&range["startTime"], &range["endTime"]),
        (&"2026-11-01 00:00:00".into(), &"2026-11-04 00:00:00".into())
    );

    for (cases, expected, asked) in [
        // A part of a bill is no figure.
        (&["token_ok", "cost_partial"][..], FetchError::BadAnswer, 2),
        (&["token_wrong_key"], FetchError::Refused, 1),
        (&["token_server_error"], FetchError::Unreachable, 1),
        (&["token_ok", "token_server_error"], FetchError::Unreachable, 2),
    ] {
        let (page, received) = ask(cases).await?;
        assert_eq!((page, received.len()), (Err(expected), asked), "{cases:?}");
    }
    Ok(())
}
