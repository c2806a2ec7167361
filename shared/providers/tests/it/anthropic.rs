//! Anthropic: its keys, every recorded answer to a probe, and its reports.

use std::time::Duration;

use keyway_domain::KeyFamily;
use keyway_domain::{
    Timestamp, UsageWindow,
    VerdictKind::{Invalid, Misconfigured, NoCredit, RateLimited, Restricted, Unreachable, Valid},
};
use keyway_providers::{Capability, FetchError, Finding, FormatError, UsageCall, UsagePage, UsageQuery};
use keyway_testkit::{
    replay::{Fixture, Received, Replay},
    simulator::Simulator,
};
use serde_json::{Value, json};
use url::Url;

use crate::{
    recorded::probed,
    world::{client, predefined, secret, target},
};

const KEY: &str = "sk-ant-api03-canary-7h1s-mu5t-n3v3r-l34k";
const ADMIN_KEY: &str = "sk-ant-admin01-canary-7h1s-mu5t-n3v3r-l34k";

fn case(name: &str) -> anyhow::Result<Fixture> {
    Fixture::load(&format!("anthropic/{name}"))
}

/// A page of a report with these buckets.
fn page_of(buckets: &Value) -> anyhow::Result<Fixture> {
    let body = json!({ "data": buckets, "has_more": false, "next_page": null });
    Ok(Fixture { body: body.to_string().into_bytes(), ..case("usage_empty")? })
}

async fn probe(case: Fixture, key: &str) -> anyhow::Result<(Finding, Received)> {
    probed("anthropic", case, key).await
}

fn window() -> anyhow::Result<UsageWindow> {
    let time = |text| Timestamp::parse(text).ok_or_else(|| anyhow::anyhow!("{text}"));
    Ok(UsageWindow { from: time("2026-11-01T10:20:00Z")?, to: time("2026-11-01T12:00:00Z")? })
}

async fn fetch(
    case: Fixture,
    (source, page): (&str, Option<&str>),
    key: &str,
) -> anyhow::Result<(Result<UsagePage, FetchError>, Vec<Received>)> {
    let server = Replay::start(vec![case]).await?;
    let (ways, _) = predefined("anthropic")?;
    let base: Url = format!("{}/v1", server.root).parse()?;
    let query = UsageQuery { source, window: window()?, page, provider_key_ids: &[] };
    let result =
        ways.usage_page(UsageCall { target: target(&base, &secret(key)), query, http: &client(&server.host)? }).await;
    Ok((result, server.received()))
}

#[test]
fn keys_are_told_from_login_tokens_and_from_each_other() -> anyhow::Result<()> {
    let (ways, spec) = predefined("anthropic")?;
    let tail = "b".repeat(89);
    for (key, family, hint) in [
        (format!("sk-ant-api03-{tail}wxyzAA"), KeyFamily::Ordinary, "sk-ant-api03-...yzAA"),
        (format!("sk-ant-admin01-{tail}wxyzAA"), KeyFamily::Admin, "sk-ant-admin01-...yzAA"),
        (format!("sk-ant-new99-{tail}wxyz"), KeyFamily::Ordinary, "sk-ant-...wxyz"),
    ] {
        let facts = ways.check_format(&secret(&key))?;
        assert_eq!((facts.family, facts.hint.as_str()), (family, hint));
    }
    for (key, expected) in [
        ("sk-ant-oat01-bbbbbbbbbbbbbbbbbbbb", FormatError::LoginToken),
        ("sk-ant-ort01-bbbbbbbbbbbbbbbbbbbb", FormatError::LoginToken),
        ("sk-ant-sid01-bbbbbbbbbbbbbbbbbbbb", FormatError::LoginToken),
        ("sk-ant-api03-", FormatError::TooShort),
        ("sk-ant-api03-R2D...igAA", FormatError::Masked),
        ("sk-proj-abcdefghijklmnop", FormatError::OtherProvider("OpenAI")),
    ] {
        assert_eq!(ways.check_format(&secret(key)), Err(expected), "{key}");
    }
    assert!([Capability::Chat, Capability::Messages, Capability::Usage].into_iter().all(|it| spec.can(it)));
    assert_eq!((spec.chat_endpoint().as_str(), spec.host_root().as_str()), ("/messages", "https://api.anthropic.com"));
    Ok(())
}

#[tokio::test]
async fn every_recorded_answer_is_graded() -> anyhow::Result<()> {
    let mut graded = 0;
    for case in Fixture::all("anthropic")? {
        let expected = match (case.name.as_str(), case.expect["state"].as_str()) {
            // Some disabled keys get it, but so does every wrong address.
            ("anthropic/verify_disabled_404", _) => Misconfigured,
            (_, Some("valid")) if case.kind == "verify" => Valid,
            // A request that was wrong says nothing about its key.
            (_, Some("valid")) if case.status != 200 => Misconfigured,
            (_, Some("invalid")) => Invalid,
            (_, Some("valid_limited")) => Restricted,
            (_, Some("quota_exhausted")) => NoCredit,
            (_, Some("rate_limited")) => RateLimited,
            (_, Some("provider_error")) if case.status >= 500 => Unreachable,
            (_, Some("provider_error")) if case.status != 200 => Misconfigured,
            _ => continue,
        };
        let is_admin = case.name.contains("/admin_");
        let (key, line) =
            if is_admin { (ADMIN_KEY, "GET /v1/organizations/me") } else { (KEY, "GET /v1/models?limit=1") };
        let (name, status) = (case.name.clone(), case.status);
        let code: Option<Value> = serde_json::from_slice::<Value>(&case.body).ok();
        let code = code.as_ref().and_then(|body| body.pointer("/error/type")?.as_str()).map(str::to_owned);
        let waits = case.expect["retry_after_ms"].as_u64().map(Duration::from_millis);
        let (finding, asked) = probe(case, key).await?;
        assert_eq!(finding.kind, expected, "{name}: {finding:?}");
        assert_eq!((finding.evidence.http_status, finding.retry_after), (Some(status), waits), "{name}");
        assert_eq!(finding.evidence.provider_code, code, "{name}");
        assert_eq!(finding.evidence.provider_request_id.as_deref(), Some("req_011CSHoEeqs5C35K2UUqR7Fy"), "{name}");
        assert_eq!(asked.line, line, "{name}");
        let sent = |header: &str| asked.headers.get(header).and_then(|value| value.to_str().ok());
        assert_eq!((sent("x-api-key"), sent("anthropic-version")), (Some(key), Some("2023-06-01")), "{name}");
        assert_eq!(sent("authorization"), None, "{name}");
        let shown = format!("{finding:?}");
        for text in ["canary", "invalid x-api-key", "bearer token", "Plans & Billing", "Organization Name", "claude"] {
            assert!(!shown.contains(text), "{name} shows {text}: {shown}");
        }
        graded += 1;
    }
    assert!(graded >= 15, "only {graded} recorded answers were graded");
    let html = Fixture { status: 502, body: b"<html>invalid x-api-key</html>".to_vec(), ..case("verify_ok")? };
    assert_eq!(probe(html, KEY).await?.0.kind, Unreachable);
    let other = Fixture {
        body: br#"{"error":{"type":"authentication_error","message":"x-api-key header is required"}}"#.to_vec(),
        ..case("verify_invalid_key")?
    };
    assert_eq!(probe(other, KEY).await?.0.kind, Misconfigured, "that is not about the key");
    Ok(())
}

#[tokio::test]
async fn each_fault_of_the_simulator_has_its_verdict_and_no_request_is_repeated() -> anyhow::Result<()> {
    let simulator = Simulator::start().await?;
    let base: Url = simulator.base_url.parse()?;
    let http = client(&simulator.host())?;
    let (ways, _) = predefined("anthropic")?;
    for (key, expected) in [
        ("sk-ant-sim-good-1", Valid),
        ("sk-ant-admin01-sim-1", Valid),
        ("sk-ant-api03-unknown-to-the-simulator", Invalid),
        ("sk-ant-admin01-unknown-to-the-simulator", Invalid),
        ("sk-ant-sim-revoked-1", Invalid),
        ("sk-ant-sim-restricted-1", Restricted),
        ("sk-ant-sim-nocredit-1", NoCredit),
        ("sk-ant-sim-429-1", RateLimited),
        ("sk-ant-sim-500-1", Unreachable),
        ("sk-ant-sim-html-1", Misconfigured),
        ("sk-ant-sim-truncated-1", Unreachable),
        ("sk-ant-sim-echo-key-that-must-not-leak", Valid),
    ] {
        let finding = ways.probe(target(&base, &secret(key)), &http).await;
        assert_eq!(finding.kind, expected, "{key}: {finding:?}");
        assert!(!format!("{finding:?}").contains(key), "{key}: {finding:?}");
        assert_eq!(simulator.all_calls().get(key).map_or(0, |paths| paths.values().sum()), 1, "{key}");
    }
    Ok(())
}

#[tokio::test]
async fn recorded_pages_of_usage_are_read() -> anyhow::Result<()> {
    for name in ["usage_page1", "usage_page2_last", "usage_empty"] {
        let case = case(name)?;
        let expect = case.expect.clone();
        let page = fetch(case, ("usage.messages", None), ADMIN_KEY).await?.0?;
        assert_eq!(page.next.as_deref(), expect["next"]["page"].as_str(), "{name}");
        let rows = expect["rows"].as_array().cloned().unwrap_or_default();
        assert_eq!(page.rows.len(), rows.len(), "{name}");
        for row in rows {
            let figure = |name: &str| row[name].as_i64();
            let found = page.rows.iter().find(|found| found.model.as_deref() == row["model"].as_str());
            let found = found.ok_or_else(|| anyhow::anyhow!("{name}: {row}"))?;
            let input = ["input_uncached", "input_cached", "cache_write"].into_iter().map(figure).sum::<Option<i64>>();
            let tokens = found.tokens;
            assert_eq!((tokens.input, tokens.output), (input, figure("output")), "{name}");
            assert_eq!((tokens.cached_input, tokens.cache_write), (figure("input_cached"), figure("cache_write")));
            assert_eq!((found.requests, found.cost_nano_usd), (None, None), "{name}: neither is reported");
            assert_eq!(Some(found.bucket_start.to_string().as_str()), row["bucket_start"].as_str(), "{name}");
        }
    }
    let page = fetch(case("usage_page1")?, ("usage.messages", None), ADMIN_KEY).await?.0?;
    let long: Vec<_> = page.rows.iter().map(|row| row.tokens.cache_write_1h).collect();
    assert_eq!(long, [Some(0), Some(1000)], "by model: haiku, sonnet");
    assert_eq!(page.complete_to.map(|to| to.to_string()).as_deref(), Some("2026-11-03T00:00:00Z"));
    Ok(())
}

#[tokio::test]
async fn costs_are_cents_and_exact() -> anyhow::Result<()> {
    for (name, nano_usd, next) in [
        ("cost_page1", 1_400_000_000, Some("page_MjAyNi0xMS0wMlQwMDowMDowMFo=")),
        ("cost_page2_last", 0, None),
        ("cost_empty", 0, None),
    ] {
        let page = fetch(case(name)?, ("costs", None), ADMIN_KEY).await?.0?;
        assert_eq!(page.rows.iter().map(|row| row.cost_nano_usd).sum::<Option<i64>>(), Some(nano_usd), "{name}");
        assert_eq!(page.next.as_deref(), next, "{name}");
    }
    let page = fetch(case("cost_page1")?, ("costs", None), ADMIN_KEY).await?.0?;
    let lines: Vec<_> =
        page.rows.iter().map(|row| (row.model.as_deref(), row.line_item.as_deref(), row.cost_nano_usd)).collect();
    assert_eq!(
        lines,
        [
            (None, Some("Web Search Usage"), Some(100_000_000)),
            (Some("claude-sonnet-4-6"), Some("Claude Sonnet 4.6 Usage - Input Tokens"), Some(1_234_500_000)),
            (Some("claude-sonnet-4-6"), Some("Claude Sonnet 4.6 Usage - Output Tokens"), Some(65_500_000)),
        ]
    );
    for (amount, currency, expected) in [
        (json!("0.00001"), json!("USD"), Some(100)),
        (json!("1E-7"), json!("USD"), Some(1)),
        (json!(12.5), json!("USD"), Some(125_000_000)),
        (json!("-3"), json!("USD"), None),
        (json!("5"), json!("EUR"), None),
        (json!("5"), Value::Null, None),
        (Value::Null, json!("USD"), None),
    ] {
        let bucket = json!([{ "starting_at": "2026-11-01T00:00:00Z", "ending_at": "2026-11-02T00:00:00Z",
            "results": [{ "amount": amount, "currency": currency }] }]);
        let page = fetch(page_of(&bucket)?, ("costs", None), ADMIN_KEY).await?.0?;
        assert_eq!(page.rows.first().map(|row| row.cost_nano_usd), Some(expected), "{amount} {currency}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_absent_or_absurd_is_unknown_and_one_key_is_one_row() -> anyhow::Result<()> {
    let entry = |uncached: Value, read: Value, written: Value| {
        json!({ "model": "m", "uncached_input_tokens": uncached, "cache_read_input_tokens": read,
            "cache_creation": written, "output_tokens": 3 })
    };
    let none = json!({ "ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0 });
    for (entries, input, output) in [
        (vec![entry(json!(5), json!(2), none.clone())], Some(7), Some(3)),
        (vec![entry(json!(5), json!(2), none.clone()), entry(json!(1), json!(1), none.clone())], Some(9), Some(6)),
        (vec![entry(json!(-5), json!(2), none.clone())], None, Some(3)),
        (vec![entry(json!(5), Value::Null, none.clone())], None, Some(3)),
        (vec![entry(json!(5), json!("2"), none)], None, Some(3)),
        (vec![entry(json!(5), json!(2), Value::Null)], None, Some(3)),
    ] {
        let bucket = json!([{ "starting_at": "2026-11-01T10:00:00Z", "ending_at": "2026-11-01T11:00:00Z",
            "results": entries }]);
        let page = fetch(page_of(&bucket)?, ("usage.messages", None), ADMIN_KEY).await?.0?;
        let found: Vec<_> = page.rows.iter().map(|row| (row.tokens.input, row.tokens.output)).collect();
        assert_eq!(found, [(input, output)], "{bucket}");
    }
    Ok(())
}

#[tokio::test]
async fn a_window_is_widened_and_a_page_that_makes_no_sense_is_refused() -> anyhow::Result<()> {
    let (_, asked) = fetch(case("usage_empty")?, ("usage.messages", Some("page_a=b&c")), ADMIN_KEY).await?;
    assert_eq!(
        asked.first().map(|asked| asked.line.as_str()),
        Some(
            "GET /v1/organizations/usage_report/messages?starting_at=2026-11-01T10%3A00%3A00Z\
             &ending_at=2026-11-01T12%3A00%3A00Z&bucket_width=1h&limit=24&group_by%5B%5D=model&page=page_a%3Db%26c"
        )
    );
    let (_, asked) = fetch(case("cost_empty")?, ("costs", None), ADMIN_KEY).await?;
    assert_eq!(
        asked.first().map(|asked| asked.line.as_str()),
        Some(
            "GET /v1/organizations/cost_report?starting_at=2026-11-01T00%3A00%3A00Z\
             &ending_at=2026-11-02T00%3A00%3A00Z&bucket_width=1d&limit=14&group_by%5B%5D=description"
        )
    );
    for body in [
        "<html></html>",
        "{}",
        r#"{"data":[],"has_more":true,"next_page":null}"#,
        r#"{"data":[],"has_more":true,"next_page":"again"}"#,
        r#"{"data":[{"starting_at":"yesterday","ending_at":"2026-11-02T00:00:00Z","results":[]}],"has_more":false}"#,
        r#"{"data":[{"starting_at":"2026-11-02T00:00:00Z","ending_at":"2026-11-02T00:00:00Z","results":[]}],"has_more":false}"#,
        r#"{"data":[{"starting_at":"2026-"#,
    ] {
        let page = Fixture { body: body.as_bytes().to_vec(), ..case("usage_empty")? };
        let (result, _) = fetch(page, ("costs", Some("again")), ADMIN_KEY).await?;
        assert_eq!(result, Err(FetchError::BadAnswer), "{body}");
    }
    let (unknown, asked) = fetch(case("usage_empty")?, ("gossip", None), ADMIN_KEY).await?;
    assert!(matches!(unknown, Err(FetchError::NotReportable { .. })) && asked.is_empty(), "{unknown:?}");
    Ok(())
}

#[tokio::test]
async fn a_report_of_keys_names_them() -> anyhow::Result<()> {
    let entry = |id: Value| {
        json!({ "model": "m", "api_key_id": id, "uncached_input_tokens": 5, "cache_read_input_tokens": 0,
            "cache_creation": { "ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0 }, "output_tokens": 1 })
    };
    let bucket = json!([{ "starting_at": "2026-11-01T10:00:00Z", "ending_at": "2026-11-01T11:00:00Z",
        "results": [entry(json!("apikey_a")), entry(json!("apikey_b")), entry(json!("apikey_a")), entry(json!(null))] }]);
    let server = Replay::start(vec![page_of(&bucket)?]).await?;
    let (ways, _) = predefined("anthropic")?;
    assert_eq!(ways.key_sources(KeyFamily::Admin), ["usage.messages.by_key"]);
    assert!(ways.key_sources(KeyFamily::Ordinary).is_empty());
    let (base, admin): (Url, _) = (format!("{}/v1", server.root).parse()?, secret(ADMIN_KEY));
    let provider_key_ids = &["apikey_a", "apikey_b"];
    let query = UsageQuery { source: "usage.messages.by_key", window: window()?, page: None, provider_key_ids };
    let page =
        ways.usage_page(UsageCall { target: target(&base, &admin), query, http: &client(&server.host)? }).await?;
    let found: Vec<_> = page.rows.iter().map(|row| (row.line_item.as_deref(), row.tokens.input)).collect();
    assert_eq!(found, [(None, Some(5)), (Some("apikey_a"), Some(10)), (Some("apikey_b"), Some(5))]);
    let asked = server.received();
    let line = asked.first().map_or("", |asked| asked.line.as_str());
    assert!(line.contains("&group_by%5B%5D=model&group_by%5B%5D=api_key_id&api_key_ids%5B%5D=apikey_a"), "{line}");
    Ok(())
}

#[tokio::test]
async fn refusals_of_a_report_have_their_reason_and_an_ordinary_key_is_not_asked_for_one() -> anyhow::Result<()> {
    let waits = FetchError::RateLimited { retry_after: Some(Duration::from_secs(60)) };
    for (name, expected) in [
        ("admin_verify_invalid", FetchError::Refused),
        ("billing_error_402", FetchError::Refused),
        ("admin_rate_limited", waits),
        ("usage_bad_param_400", FetchError::BadAnswer),
        ("verify_disabled_404", FetchError::BadAnswer),
        ("server_error", FetchError::Unreachable),
        ("overloaded_529", FetchError::Unreachable),
    ] {
        assert_eq!(fetch(case(name)?, ("costs", None), ADMIN_KEY).await?.0, Err(expected), "{name}");
    }
    let (result, _) = fetch(case("permission_error_403")?, ("costs", None), ADMIN_KEY).await?;
    assert!(matches!(result, Err(FetchError::NotReportable { .. })), "{result:?}");
    let (result, asked) = fetch(case("admin_endpoint_with_normal_key_401")?, ("costs", None), KEY).await?;
    assert!(matches!(result, Err(FetchError::NotReportable { .. })), "{result:?}");
    assert!(asked.is_empty(), "its answer would say nothing about the key: {asked:?}");
    assert!(predefined("anthropic")?.0.usage_sources(KeyFamily::Ordinary).is_err());
    Ok(())
}
