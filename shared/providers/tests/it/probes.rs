//! Findings of probes: recorded answers of every predefined provider, and each fault of the simulator.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use keyway_domain::VerdictKind::{self, Invalid, Misconfigured, NoCredit, RateLimited, Restricted, Unreachable, Valid};
use keyway_providers::{AuthStyle, Finding, SignalVerdict, sign};
use keyway_testkit::{
    replay::{Fixture, Replay},
    simulator::{Fault, Script, Simulator},
};
use url::Url;

use crate::world::{CANARY, client, custom, custom_with, predefined, secret, target};

async fn replayed(provider: &str, case: Fixture, key: &str) -> anyhow::Result<(Finding, String)> {
    let server = Replay::start(vec![case]).await?;
    let (ways, spec) = predefined(provider)?;
    let base: Url = format!("{}{}", server.root, spec.base_url.path().trim_end_matches('/')).parse()?;
    let secret = secret(key);
    let finding = ways.probe(target(&base, &secret), &client(&server.host)?).await;
    let received = server.received();
    let first = received.first().ok_or_else(|| anyhow::anyhow!("nothing was asked"))?;
    assert_eq!(
        first.headers.get("authorization").map(|value| value.as_bytes()),
        Some(format!("Bearer {key}").as_bytes())
    );
    Ok((finding, first.line.clone()))
}

#[tokio::test]
async fn every_recorded_answer_of_openai_is_graded() -> anyhow::Result<()> {
    let mut graded = 0;
    for case in Fixture::all("openai")? {
        let expected = match (case.name.as_str(), case.expect["state"].as_str()) {
            // Without a key in it the answer cannot be about our key.
            ("openai/verify_missing_key", _) => Misconfigured,
            (_, Some("valid")) if case.status == 200 && case.kind == "verify" => Valid,
            (_, Some("invalid")) => Invalid,
            ("openai/usage_not_admin_session_key", _) => Misconfigured,
            (_, Some("valid_limited")) => Restricted,
            (_, Some("quota_exhausted")) => NoCredit,
            (_, Some("rate_limited")) => RateLimited,
            (_, Some("provider_error" | "forbidden")) if case.status >= 500 => Unreachable,
            (_, Some("provider_error" | "forbidden")) if case.status != 200 => Misconfigured,
            _ => continue,
        };
        let (name, status) = (case.name.clone(), case.status);
        let waits = case.expect["retry_after_ms"].as_u64().map(Duration::from_millis);
        let (finding, line) = replayed("openai", case, CANARY).await?;
        assert_eq!(finding.kind, expected, "{name}: {finding:?}");
        assert_eq!(finding.evidence.http_status, Some(status), "{name}");
        assert_eq!(finding.retry_after, waits, "{name}");
        assert_eq!(line, "GET /v1/models", "{name}");
        assert_no_provider_text(&finding, &name);
        graded += 1;
    }
    assert!(graded >= 16, "only {graded} recorded answers were graded");
    Ok(())
}

#[tokio::test]
async fn an_admin_key_is_checked_with_the_call_it_is_for() -> anyhow::Result<()> {
    let (finding, line) =
        replayed("openai", Fixture::load("openai/costs_empty")?, "sk-admin-canary-0123456789").await?;
    assert_eq!(finding.kind, Valid);
    assert!(line.starts_with("GET /v1/organization/costs?start_time=") && line.ends_with("&limit=1"), "{line}");
    Ok(())
}

#[tokio::test]
async fn the_stanzas_of_the_catalog_grade_their_providers_answers() -> anyhow::Result<()> {
    for (name, expected, path) in [
        ("groq/verify_ok", Valid, "GET /openai/v1/models"),
        ("groq/verify_invalid_key", Invalid, "GET /openai/v1/models"),
        ("groq/expired_key", Invalid, "GET /openai/v1/models"),
        ("groq/org_restricted_400", Restricted, "GET /openai/v1/models"),
        ("mistral/verify_ok", Valid, "GET /v1/models"),
        ("mistral/verify_invalid_key", Invalid, "GET /v1/models"),
        ("mistral/verify_invalid_key_gateway", Invalid, "GET /v1/models"),
        // A status alone says nothing about the key.
        ("mistral/verify_401_no_body", Misconfigured, "GET /v1/models"),
        ("deepseek/verify_ok", Valid, "GET /user/balance"),
        ("deepseek/balance_empty", Valid, "GET /user/balance"),
        ("deepseek/balance_exhausted", NoCredit, "GET /user/balance"),
        ("deepseek/verify_invalid_key", Invalid, "GET /user/balance"),
        ("deepseek/verify_missing_key_text", Invalid, "GET /user/balance"),
        ("deepseek/forbidden", Misconfigured, "GET /user/balance"),
        ("openrouter/verify_ok", Valid, "GET /api/v1/key"),
        ("openrouter/verify_ok_unlimited_minimal", Valid, "GET /api/v1/key"),
        ("openrouter/verify_management_key", Restricted, "GET /api/v1/key"),
        ("openrouter/verify_invalid_key", Invalid, "GET /api/v1/key"),
        ("xai/verify_ok", Valid, "GET /v1/api-key"),
        ("xai/verify_blocked_200", Restricted, "GET /v1/api-key"),
        ("xai/verify_invalid_key", Invalid, "GET /v1/api-key"),
        ("xai/verify_missing_key", Misconfigured, "GET /v1/api-key"),
    ] {
        let provider = name.split('/').next().unwrap_or_default();
        let (finding, line) = replayed(provider, Fixture::load(name)?, CANARY).await?;
        assert_eq!((finding.kind, line.as_str()), (expected, path), "{name}: {finding:?}");
        assert_no_provider_text(&finding, name);
        let key_id = match name {
            "xai/verify_ok" | "xai/verify_blocked_200" => Some("ae1e1841-4326-4b36-a8a9-8a1a7237db11"),
            _ => None,
        };
        assert_eq!(finding.provider_key_id.as_deref(), key_id, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn each_fault_of_the_simulator_has_its_verdict_and_no_request_is_repeated() -> anyhow::Result<()> {
    let simulator = Simulator::start().await?;
    let base: Url = simulator.base_url.parse()?;
    let http = client(&simulator.host())?;
    let (openai, _) = predefined("openai")?;
    for (key, expected, waits) in [
        ("sk-sim-good-1", Valid, None),
        ("sk-admin-sim-1", Valid, None),
        ("sk-sim-revoked-1", Invalid, None),
        ("sk-unknown-to-the-simulator", Invalid, None),
        ("sk-sim-restricted-1", Restricted, None),
        ("sk-sim-nocredit-1", NoCredit, None),
        ("sk-sim-429-1", RateLimited, Some(Duration::from_secs(20))),
        ("sk-sim-absurd-1", RateLimited, Some(Duration::from_secs(3600))),
        ("sk-sim-500-1", Unreachable, None),
        ("sk-sim-hang-1", Unreachable, None),
        ("sk-sim-html-1", Misconfigured, None),
        ("sk-sim-truncated-1", Unreachable, None),
        ("sk-sim-cut-1", Unreachable, None),
        ("sk-sim-redirect-1", Misconfigured, None),
        ("sk-sim-echo-key-that-must-not-leak", Valid, None),
    ] {
        let secret = secret(key);
        let finding = openai.probe(target(&base, &secret), &http).await;
        assert_eq!((finding.kind, finding.retry_after), (expected, waits), "{key}: {finding:?}");
        assert!(!format!("{finding:?}").contains(key), "{key}: {finding:?}");
        let asked: u64 = simulator.all_calls().get(key).map_or(0, |paths| paths.values().sum());
        assert_eq!(asked, 1, "{key}");
    }
    Ok(())
}

#[tokio::test]
async fn a_flaky_key_works_after_its_failures() -> anyhow::Result<()> {
    let simulator = Simulator::start().await?;
    let base: Url = simulator.base_url.parse()?;
    let http = client(&simulator.host())?;
    let (openai, _) = predefined("openai")?;
    let flaky = secret("sk-sim-flaky-1");
    let mut found: Vec<VerdictKind> = Vec::new();
    for _ in 0..3 {
        found.push(openai.probe(target(&base, &flaky), &http).await.kind);
    }
    assert_eq!(found, [Unreachable, Unreachable, Valid]);
    simulator.script(Script { key: "sk-sim-flaky-1".to_owned(), fault: Fault::Revoked, times: Some(1), latency_ms: 1 });
    assert_eq!(openai.probe(target(&base, &flaky), &http).await.kind, Invalid);
    assert_eq!(openai.probe(target(&base, &flaky), &http).await.kind, Valid);
    Ok(())
}

#[tokio::test]
async fn a_custom_host_proves_a_key_only_if_it_refuses_another_one() -> anyhow::Result<()> {
    let simulator = Simulator::start().await?;
    let base: Url = simulator.base_url.parse()?;
    let http = client(&simulator.host())?;
    let (good, wrong) = (secret("sk-sim-good-1"), secret("sk-sim-revoked-1"));
    let proven = custom(&base).probe(target(&base, &good), &http).await;
    assert_eq!(proven.kind, Valid);
    assert!(!proven.evidence.reason.contains("anybody"), "{proven:?}");
    assert_eq!(custom(&base).probe(target(&base, &wrong), &http).await.kind, Invalid);

    let open = Replay::start(vec![Fixture::load("openai/verify_ok")?]).await?;
    let base: Url = format!("{}/v1", open.root).parse()?;
    let unproven = custom(&base).probe(target(&base, &good), &client(&open.host)?).await;
    assert_eq!(unproven.kind, Valid);
    assert!(unproven.evidence.reason.contains("anybody"), "{unproven:?}");
    assert_eq!(open.received().len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_custom_host_may_list_its_models_as_it_likes_or_not_at_all() -> anyhow::Result<()> {
    for (status, body, expected, said) in [
        (200, r#"[{"id": "llama3:8b"}]"#, Valid, "anybody"),
        (200, "[]", Valid, "anybody"),
        (200, r#"{"models": [{"name": "llama3:8b"}]}"#, Valid, "anybody"),
        (200, r#"{"data": []}"#, Valid, "anybody"),
        (200, r#"{"status": "ok"}"#, Misconfigured, "documented form"),
        (200, "<html></html>", Misconfigured, "web page"),
        (200, r#"{"data": [{"id""#, Unreachable, "not whole"),
        (404, r#"{"detail": "Not Found"}"#, Misconfigured, "proves the key"),
        (405, "", Misconfigured, "proves the key"),
        (501, "", Misconfigured, "proves the key"),
        (308, "", Misconfigured, "redirects"),
        (503, "<html></html>", Unreachable, "error of its own"),
    ] {
        let answer = Fixture { status, body: body.as_bytes().to_vec(), ..Fixture::load("openai/verify_ok")? };
        let server = Replay::start(vec![answer]).await?;
        let base: Url = format!("{}/v1", server.root).parse()?;
        for key in ["ollama", ""] {
            let key = secret(key);
            let finding = custom(&base).probe(target(&base, &key), &client(&server.host)?).await;
            assert_eq!(finding.kind, expected, "{status} {body}: {finding:?}");
            assert!(finding.evidence.reason.contains(said), "{status} {body}: {finding:?}");
        }
        let (with, without): (Vec<_>, Vec<_>) =
            server.received().into_iter().partition(|request| request.headers.contains_key("authorization"));
        assert!(!with.is_empty() && !without.is_empty(), "an empty key is no key");
    }
    Ok(())
}

#[tokio::test]
async fn a_custom_host_gets_the_key_where_it_wants_it_and_nowhere_else() -> anyhow::Result<()> {
    let styles = [
        (AuthStyle::Bearer, "authorization", format!("Bearer {CANARY}")),
        (AuthStyle::ApiKey, "api-key", CANARY.to_owned()),
        (AuthStyle::XApiKey, "x-api-key", CANARY.to_owned()),
    ];
    for (style, header, value) in &styles {
        let server = Replay::start(vec![Fixture::load("openai/verify_ok")?]).await?;
        let base: Url = format!("{}/v1", server.root).parse()?;
        let (ways, key) = (custom_with(&base, *style), secret(CANARY));
        assert_eq!(ways.probe(target(&base, &key), &client(&server.host)?).await.kind, Valid);
        let mut called = HeaderMap::new();
        ways.authorize("/v1/chat/completions", &mut called, &secret(CANARY))?;
        let received = server.received();
        let probed = &received.first().ok_or_else(|| anyhow::anyhow!("nothing was asked"))?.headers;
        for headers in [probed, &called] {
            assert_eq!(headers.get(*header).map(|value| value.as_bytes()), Some(value.as_bytes()), "{style:?}");
            let holders = headers.values().filter(|value| value.as_bytes().ends_with(CANARY.as_bytes())).count();
            assert_eq!(holders, 1, "{style:?}");
        }
        assert!(called.values().all(HeaderValue::is_sensitive));
    }
    Ok(())
}

#[test]
fn a_providers_own_sign_tells_what_a_refused_call_means() -> anyhow::Result<()> {
    let (wrong, poor, narrow) = (SignalVerdict::Invalid, SignalVerdict::NoCredit, SignalVerdict::Restricted);
    for (provider, status, body, expected) in [
        ("openai", 401, r#"{"error":{"code":"invalid_api_key","message":"x"}}"#, Some(wrong)),
        ("openai", 401, r#"{"error":{"message":"Missing scopes: model.request"}}"#, Some(narrow)),
        ("openai", 429, r#"{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}"#, Some(poor)),
        ("openai", 429, r#"{"error":{"type":"requests","code":"rate_limit_exceeded"}}"#, None),
        ("openai", 400, r#"{"error":{"code":"invalid_api_key"}}"#, None),
        ("anthropic", 400, r#"{"error":{"message":"Your credit balance is too low to go on."}}"#, Some(poor)),
        ("anthropic", 400, r#"{"error":{"message":"max_tokens: too large"}}"#, None),
        ("xai", 400, r#"{"error":"Incorrect API key provided: xa***zz."}"#, Some(wrong)),
        ("gemini", 400, r#"{"error":{"details":[{"reason":"API_KEY_INVALID"}]}}"#, Some(wrong)),
        ("gemini", 400, r#"[{"error":{"details":[{"reason":"API_KEY_INVALID"}]}}]"#, Some(wrong)),
        ("groq", 400, r#"{"error":{"code":"organization_restricted"}}"#, Some(narrow)),
        ("groq", 400, r#"{"error":{"code":"blocked_api_access"}}"#, Some(poor)),
        ("cohere", 498, r#"{"message":"invalid token"}"#, Some(wrong)),
        ("deepseek", 402, r#"{"error":{"message":"Insufficient Balance"}}"#, Some(poor)),
        ("openrouter", 401, "<html>", None),
    ] {
        let ways = predefined(provider)?.0;
        let found = sign(ways.signals(), StatusCode::from_u16(status)?, Bytes::from_static(body.as_bytes()));
        assert_eq!(found.map(|sign| sign.verdict), expected, "{provider} {status} {body}");
    }
    Ok(())
}

#[tokio::test]
async fn a_host_that_is_not_there_is_unreachable() -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let host = listener.local_addr()?.to_string();
    drop(listener);
    let base: Url = format!("http://{host}/v1").parse()?;
    let key = secret(CANARY);
    let finding = custom(&base).probe(target(&base, &key), &client(&host)?).await;
    assert_eq!((finding.kind, finding.evidence.http_status), (Unreachable, None));
    assert!(!finding.evidence.reason.contains("127.0.0.1"), "{finding:?}");
    Ok(())
}

/// Checks that a finding shows no part of the secret, and no text that only the provider could have written.
fn assert_no_provider_text(finding: &Finding, name: &str) {
    let shown = format!("{finding:?}");
    for text in [CANARY, "canary", "***", "Incorrect", "platform.openai.com", "org-example", "xa*", "1a2b"] {
        assert!(!shown.contains(text), "{name} shows {text}: {shown}");
    }
}
