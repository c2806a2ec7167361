//! Gemini: the meaning of its recorded answers, the form of its requests, and the tokens of both its shapes.

use std::time::Duration;

use http::HeaderMap;
use keyway_domain::KeyFamily;
use keyway_domain::VerdictKind::{Invalid, Misconfigured, NoCredit, RateLimited, Restricted, Unreachable, Valid};
use keyway_providers::{FetchError, FormatError, Metered};
use keyway_testkit::{replay::Fixture, simulator::Simulator};
use serde_json::Value;
use url::Url;

use crate::{
    recorded::{expected, metered, metered_events, plain, probed},
    world::{client, predefined, secret, target},
};

const KEY: &str = "AIzaCanary7h1sMu5tN3v3rL34k0123456789xy";

#[test]
fn keys_of_both_forms_pass_and_show_their_public_parts_only() -> anyhow::Result<()> {
    let (ways, _) = predefined("gemini")?;
    for (key, expected) in [
        (KEY, Ok("AIza...89xy")),
        ("AQ.Ab8RN6canary0123456789wxyz", Ok("AQ....wxyz")),
        ("a-form-nobody-has-seen-yet-1234", Ok("...1234")),
        ("AIza", Err(FormatError::TooShort)),
        ("ya29.a0AfH6SMBabcdef", Err(FormatError::LoginToken)),
        ("sk-proj-AAAAAAAAAAAAAAAAAAAA", Err(FormatError::OtherProvider("OpenAI"))),
    ] {
        let hint = ways.check_format(&secret(key)).map(|facts| facts.hint);
        assert_eq!(hint, expected.map(str::to_owned), "{key}");
    }
    Ok(())
}

#[tokio::test]
async fn every_recorded_answer_is_graded() -> anyhow::Result<()> {
    let mut graded = 0;
    for case in Fixture::all("gemini")? {
        let expected = match (case.name.as_str(), case.expect["state"].as_str()) {
            // Without a key in it the answer cannot be about our key.
            ("gemini/verify_missing_key", _) => Misconfigured,
            (_, Some("valid")) => Valid,
            (_, Some("invalid")) => Invalid,
            (_, Some("valid_limited")) => Restricted,
            (_, Some("quota_exhausted")) => NoCredit,
            (_, Some("rate_limited")) => RateLimited,
            (_, Some("provider_error" | "forbidden")) if case.status < 500 => Misconfigured,
            (_, Some("provider_error" | "forbidden")) => Unreachable,
            _ => continue,
        };
        let (name, status) = (case.name.clone(), case.status);
        let waits = case.expect["retry_after_ms"].as_u64().map(Duration::from_millis);
        let body: Value = serde_json::from_slice(&case.body)?;
        let (finding, asked) = probed("gemini", case, KEY).await?;
        assert_eq!(finding.kind, expected, "{name}: {finding:?}");
        assert_eq!((finding.evidence.http_status, finding.retry_after), (Some(status), waits), "{name}");
        let said = body["error"]["message"].as_str().or_else(|| body[0]["error"]["message"].as_str());
        let shown = format!("{finding:?}");
        for text in [KEY, "Canary", "123456789012", "generativelanguage"].into_iter().chain(said) {
            assert!(!shown.contains(text), "{name} shows {text}: {shown}");
        }
        assert_eq!(asked.line, "GET /v1beta/models?pageSize=1", "{name}");
        assert_eq!(asked.headers.get("x-goog-api-key").map(|value| value.as_bytes()), Some(KEY.as_bytes()));
        assert!(!asked.headers.contains_key("authorization"), "a second credential makes Google refuse both");
        graded += 1;
    }
    assert!(graded >= 13, "only {graded} recorded answers were graded");
    Ok(())
}

#[tokio::test]
async fn the_reason_is_found_wherever_it_stands_among_the_details() -> anyhow::Result<()> {
    let with = |case: &mut Fixture, change: &dyn Fn(&mut Value)| -> anyhow::Result<()> {
        let mut body: Value = serde_json::from_slice(&case.body)?;
        change(&mut body);
        case.body = body.to_string().into_bytes();
        Ok(())
    };
    let mut turned = Fixture::load("gemini/verify_invalid_key")?;
    with(&mut turned, &|body| {
        if let Some(details) = body["error"]["details"].as_array_mut() {
            details.reverse();
        }
    })?;
    let (finding, _) = probed("gemini", turned, KEY).await?;
    assert_eq!((finding.kind, finding.evidence.provider_code.as_deref()), (Invalid, Some("API_KEY_INVALID")));

    for (reason, expected) in [
        ("API_KEY_IP_ADDRESS_BLOCKED", Restricted),
        ("API_KEY_HTTP_REFERRER_BLOCKED", Restricted),
        ("A_REASON_OF_TOMORROW", Misconfigured),
        // The right word with another status is not the signal.
        ("API_KEY_INVALID", Misconfigured),
    ] {
        let mut case = Fixture::load("gemini/verify_service_blocked_403")?;
        with(&mut case, &|body| body["error"]["details"][0]["reason"] = reason.into())?;
        let (finding, _) = probed("gemini", case, KEY).await?;
        assert_eq!(finding.kind, expected, "{reason}: {finding:?}");
    }
    Ok(())
}

#[tokio::test]
async fn each_fault_of_a_simulated_key_has_its_verdict() -> anyhow::Result<()> {
    let simulator = Simulator::start().await?;
    let base: Url = format!("http://{}/v1beta", simulator.host()).parse()?;
    let http = client(&simulator.host())?;
    let (ways, _) = predefined("gemini")?;
    for (key, expected, waits) in [
        ("AIzaSim-good-1", Valid, None),
        ("AIzaSim-revoked-1", Invalid, None),
        ("AIzaSyUnknownToTheSimulator", Invalid, None),
        ("AIzaSim-restricted-1", Restricted, None),
        ("AIzaSim-nocredit-1", NoCredit, None),
        ("AIzaSim-429-1", RateLimited, Some(Duration::from_secs(20))),
        ("AIzaSim-500-1", Unreachable, None),
        ("AIzaSim-html-1", Misconfigured, None),
        ("AIzaSim-cut-1", Unreachable, None),
    ] {
        let finding = ways.probe(target(&base, &secret(key)), &http).await;
        assert_eq!((finding.kind, finding.retry_after), (expected, waits), "{key}: {finding:?}");
        assert!(!format!("{finding:?}").contains(key), "{key}: {finding:?}");
        assert_eq!(simulator.calls(key, "/v1beta/models"), 1, "{key}");
    }
    Ok(())
}

#[test]
fn each_path_gets_one_credential_in_its_own_header() -> anyhow::Result<()> {
    let (ways, _) = predefined("gemini")?;
    for (path, name, value) in [
        ("/v1beta/models/gemini-2.5-flash:generateContent", "x-goog-api-key", KEY.to_owned()),
        ("/v1/models", "x-goog-api-key", KEY.to_owned()),
        ("/v1beta/openai/chat/completions", "authorization", format!("Bearer {KEY}")),
    ] {
        let mut headers = HeaderMap::new();
        ways.authorize(path, &mut headers, &secret(KEY))?;
        assert_eq!(headers.len(), 1, "{path}");
        assert!(headers.get(name).is_some_and(|sent| sent.is_sensitive() && sent.as_bytes() == value.as_bytes()));
        assert!(ways.authorize(path, &mut headers, &secret("a\nb")).is_err(), "{path}");
    }
    Ok(())
}

#[test]
fn recorded_answers_are_metered() -> anyhow::Result<()> {
    let (_, spec) = predefined("gemini")?;
    for (name, path) in [
        ("chat_ok", "/v1beta/models/gemini-2.5-flash:generateContent"),
        ("chat_stream_json_array", "/v1beta/models/gemini-2.5-flash:streamGenerateContent"),
        ("openai_compat_chat_ok", "/v1beta/openai/chat/completions"),
    ] {
        let case = Fixture::load(&format!("gemini/{name}"))?;
        let metered = metered(&spec, path, &case.body);
        assert_eq!(plain(metered.tokens), plain(expected(&case.expect["usage"])), "{name}");
        assert_eq!(metered.model.as_deref(), Some("gemini-2.5-flash"), "{name}");
    }
    assert!(spec.model("gemini-2.5-flash").is_some_and(|model| model.price.is_some()));
    // Where Google counts nothing, nothing is known.
    for (name, path) in [
        ("embeddings_ok", "/v1beta/models/gemini-embedding-001:embedContent"),
        ("quota_exhausted_daily", "/v1beta/models/gemini-2.5-flash:generateContent"),
    ] {
        let case = Fixture::load(&format!("gemini/{name}"))?;
        assert_eq!(metered(&spec, path, &case.body), Metered::default(), "{name}");
    }
    let embedded = metered(
        &spec,
        "/v1beta/openai/embeddings",
        br#"{"model":"gemini-embedding-001","usage":{"prompt_tokens":3,"total_tokens":3}}"#,
    );
    assert_eq!((embedded.tokens.input, embedded.tokens.output), (Some(3), Some(0)));
    Ok(())
}

#[test]
fn streams_are_metered_by_their_last_figures() -> anyhow::Result<()> {
    let (_, spec) = predefined("gemini")?;
    let case = Fixture::load("gemini/chat_stream")?;
    let path = "/v1beta/models/gemini-2.5-flash:streamGenerateContent";
    let metered = metered_events(&spec, path, &case.body).unwrap_or_default();
    assert_eq!(metered.model.as_deref(), Some("gemini-2.5-flash"));
    assert_eq!(plain(metered.tokens), plain(expected(&case.expect["usage"])));
    // Broken off after the first event: its input is known, and what came of it is not.
    let half = metered_events(&spec, path, &case.body[..case.body.len() / 2]).unwrap_or_default().tokens;
    assert_eq!((half.input, half.output, half.reasoning), (metered.tokens.input, None, None));
    let compat = br#"data: {"model":"gemini-2.5-flash","choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":36}}"#;
    let metered = metered_events(&spec, "/v1beta/openai/chat/completions", compat).unwrap_or_default();
    assert_eq!((metered.tokens.input, metered.tokens.output), (Some(4), Some(32)));
    Ok(())
}

#[test]
fn an_api_key_has_no_usage_report() -> anyhow::Result<()> {
    let (ways, spec) = predefined("gemini")?;
    let told = ways.usage_sources(KeyFamily::Ordinary);
    assert!(matches!(&told, Err(FetchError::NotReportable { why }) if why.contains("service account")), "{told:?}");
    assert_eq!(spec.endpoint("/chat/completions"), "/openai/chat/completions");
    Ok(())
}
