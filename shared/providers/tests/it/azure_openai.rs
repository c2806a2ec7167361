//! Azure OpenAI: the meaning of its recorded answers at a customer's own base URL, and the tokens of its deployments.

use std::time::Duration;

use http::HeaderMap;
use keyway_domain::KeyFamily;
use keyway_domain::VerdictKind::{Invalid, Misconfigured, RateLimited, Restricted, Unreachable, Valid};
use keyway_providers::{FetchError, FormatError, Metered};
use keyway_testkit::replay::Fixture;
use url::Url;

use crate::{
    recorded::{expected, metered, metered_events, plain, probed},
    world::{client, predefined, secret, target},
};

const KEY: &str = "0123456789abcdef0123456789canary";
const DEPLOYMENT: &str = "/openai/deployments/chat-prod/chat/completions";

#[test]
fn a_key_without_a_prefix_shows_its_end_only() -> anyhow::Result<()> {
    let (ways, spec) = predefined("azure_openai")?;
    for (key, expected) in [
        (KEY, Ok("...nary")),
        ("sk-proj-AAAAAAAAAAAAAAAAAAAA", Err(FormatError::OtherProvider("OpenAI"))),
        ("eyJhbGciOi.eyJzdWIi.c2ln", Err(FormatError::LoginToken)),
    ] {
        assert_eq!(ways.check_format(&secret(key)).map(|facts| facts.hint), expected.map(str::to_owned), "{key}");
    }
    assert!(spec.needs_base_url, "everybody has an address of their own");
    Ok(())
}

#[tokio::test]
async fn every_recorded_answer_about_a_key_is_graded() -> anyhow::Result<()> {
    for (name, expected, told) in [
        ("verify_ok", Valid, "accepts"),
        ("verify_invalid_key", Invalid, "config.base_url"),
        ("verify_keys_disabled_403", Restricted, "switched off"),
        ("verify_network_403", Misconfigured, "no verdict"),
        ("rate_limited", RateLimited, "wait"),
        ("server_error", Unreachable, "error of its own"),
        ("deployment_not_found", Misconfigured, "check the base URL"),
        ("bad_api_version", Misconfigured, "check the base URL"),
        ("content_filter_400", Misconfigured, "says nothing"),
    ] {
        let case = Fixture::load(&format!("azure_openai/{name}"))?;
        let (status, waits) = (case.status, case.expect["retry_after_ms"].as_u64().map(Duration::from_millis));
        let (finding, asked) = probed("azure_openai", case, KEY).await?;
        assert_eq!(finding.kind, expected, "{name}: {finding:?}");
        assert_eq!((finding.evidence.http_status, finding.retry_after), (Some(status), waits), "{name}");
        assert!(finding.evidence.reason.contains(told), "{name}: {finding:?}");
        assert_eq!(asked.line, "GET /openai/v1/models", "{name}");
        assert_eq!(asked.headers.get("api-key").map(|value| value.as_bytes()), Some(KEY.as_bytes()), "{name}");
        assert!(!asked.headers.contains_key("authorization"), "{name}");
        let shown = format!("{finding:?}");
        for text in [KEY, "canary", "subscription key", "Firewall", "pricing tier", "Microsoft", "deployment"] {
            assert!(!shown.contains(text), "{name} shows {text}: {shown}");
        }
    }
    // The other code of the same refusal.
    let mut case = Fixture::load("azure_openai/verify_invalid_key")?;
    case.body = br#"{"error":{"code":"Unauthorized","message":"x"}}"#.to_vec();
    assert_eq!(probed("azure_openai", case.clone(), KEY).await?.0.kind, Invalid);
    // The status without a code is no verdict.
    case.body = br#"{"error":{"message":"Access denied"}}"#.to_vec();
    assert_eq!(probed("azure_openai", case, KEY).await?.0.kind, Misconfigured);
    Ok(())
}

#[tokio::test]
async fn an_address_that_does_not_exist_says_nothing_about_the_key() -> anyhow::Result<()> {
    let expected = Fixture::load("azure_openai/verify_dns_failure")?.expect;
    assert_eq!(expected["state"], "unreachable");
    let (ways, _) = predefined("azure_openai")?;
    // A top-level domain that is kept free of names.
    let base: Url = "https://no-such-resource.openai.azure.invalid/openai/v1".parse()?;
    let finding = ways.probe(target(&base, &secret(KEY)), &client("127.0.0.1:9")?).await;
    assert_eq!((finding.kind, finding.evidence.http_status), (Unreachable, None), "{finding:?}");
    assert!(!format!("{finding:?}").contains("no-such-resource"), "{finding:?}");
    Ok(())
}

#[test]
fn a_deployments_answers_are_metered_by_the_model_behind_it() -> anyhow::Result<()> {
    let (_, spec) = predefined("azure_openai")?;
    let whole = Fixture::load("azure_openai/chat_ok")?;
    let stream = Fixture::load("azure_openai/chat_stream")?;
    let streamed = metered_events(&spec, DEPLOYMENT, &stream.body).unwrap_or_default();
    for (metered, expect) in [(metered(&spec, DEPLOYMENT, &whole.body), &whole.expect), (streamed, &stream.expect)] {
        assert_eq!(plain(metered.tokens), plain(expected(&expect["usage"])));
        assert_eq!(metered.model.as_deref(), Some("gpt-5.4-mini-2026-03-17"));
    }
    // The first event has no choices either, but it is about the prompt's content.
    let first = stream.body.split(|byte| *byte == b'\n').next().unwrap_or_default();
    assert_eq!(metered_events(&spec, DEPLOYMENT, first), None);
    let filtered = Fixture::load("azure_openai/content_filter_400")?;
    assert_eq!(metered(&spec, DEPLOYMENT, &filtered.body), Metered::default());
    // Its prices differ by region and contract, so that nobody's list is used.
    assert!(spec.models.is_empty());
    Ok(())
}

#[test]
fn a_key_is_sent_in_its_own_header_and_has_no_usage_report() -> anyhow::Result<()> {
    let (ways, spec) = predefined("azure_openai")?;
    let mut headers = HeaderMap::new();
    ways.authorize(DEPLOYMENT, &mut headers, &secret(KEY))?;
    assert!(headers.get("api-key").is_some_and(|value| value.is_sensitive()) && headers.len() == 1);
    let told = ways.usage_sources(KeyFamily::Ordinary);
    assert!(matches!(told, Err(FetchError::NotReportable { .. })), "{told:?}");
    assert_eq!(spec.chat_endpoint(), "/chat/completions");
    Ok(())
}
