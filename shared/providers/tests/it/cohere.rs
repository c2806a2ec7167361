//! Cohere: the meaning of its recorded answers, and the billed units in both its shapes.

use http::HeaderMap;
use keyway_domain::KeyFamily;
use keyway_domain::VerdictKind::{Invalid, Misconfigured, NoCredit, RateLimited, Unreachable, Valid};
use keyway_providers::{FetchError, FormatError, Metered};
use keyway_testkit::replay::Fixture;

use crate::{
    recorded::{expected, metered, metered_events, plain, probed},
    world::{CANARY, predefined, secret},
};

#[test]
fn a_key_without_a_prefix_shows_its_end_only() -> anyhow::Result<()> {
    let (ways, _) = predefined("cohere")?;
    for (key, expected) in [
        ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAwxyz", Ok("...wxyz")),
        ("gsk_AAAAAAAAAAAAAAAAAAAA", Err(FormatError::OtherProvider("Groq"))),
        ("your_api_key", Err(FormatError::Placeholder)),
    ] {
        assert_eq!(ways.check_format(&secret(key)).map(|facts| facts.hint), expected.map(str::to_owned), "{key}");
    }
    Ok(())
}

#[tokio::test]
async fn every_recorded_answer_is_graded() -> anyhow::Result<()> {
    let mut graded = 0;
    for case in Fixture::all("cohere")? {
        let expected = match (case.name.as_str(), case.expect["state"].as_str()) {
            // Without a key in it the answer cannot be about our key.
            ("cohere/verify_missing_key", _) => Misconfigured,
            (_, Some("valid")) => Valid,
            (_, Some("invalid")) => Invalid,
            (_, Some("quota_exhausted")) => NoCredit,
            (_, Some("rate_limited")) => RateLimited,
            (_, Some("provider_error" | "forbidden")) if case.status < 500 => Misconfigured,
            (_, Some("provider_error" | "forbidden")) => Unreachable,
            _ => continue,
        };
        let (name, status) = (case.name.clone(), case.status);
        let said = String::from_utf8_lossy(&case.body).into_owned();
        let (finding, asked) = probed("cohere", case, CANARY).await?;
        assert_eq!(finding.kind, expected, "{name}: {finding:?}");
        assert_eq!((finding.evidence.http_status, finding.retry_after), (Some(status), None), "{name}");
        assert_eq!(asked.line, "POST /v1/check-api-key", "{name}");
        let bearer = format!("Bearer {CANARY}");
        assert_eq!(asked.headers.get("authorization").map(|value| value.as_bytes()), Some(bearer.as_bytes()));
        let shown = format!("{finding:?}");
        for text in [CANARY, "canary", "dashboard", "api token", "1000 API calls", "organization_id", &said] {
            assert!(!shown.contains(text), "{name} shows {text}: {shown}");
        }
        graded += 1;
    }
    assert!(graded >= 10, "only {graded} recorded answers were graded");
    Ok(())
}

#[tokio::test]
async fn a_status_without_its_words_is_no_verdict() -> anyhow::Result<()> {
    for (case, body) in [
        ("verify_invalid_key", r#"{"message":"something else"}"#),
        ("token_498", "{}"),
        ("billing_402", "<html>"),
        ("verify_ok", r#"{"organization_id":"o"}"#),
    ] {
        let mut case = Fixture::load(&format!("cohere/{case}"))?;
        case.body = body.as_bytes().to_vec();
        let (name, (finding, _)) = (case.name.clone(), probed("cohere", case, CANARY).await?);
        assert_eq!(finding.kind, Misconfigured, "{name}: {finding:?}");
    }
    Ok(())
}

#[test]
fn recorded_answers_are_metered_by_what_is_billed() -> anyhow::Result<()> {
    let (ways, spec) = predefined("cohere")?;
    for (name, path, model) in [
        ("chat_ok", "/v2/chat", None),
        ("embeddings_ok", "/v2/embed", None),
        ("embeddings_ok", "/v1/embed", None),
        ("compat_chat_ok", "/compatibility/v1/chat/completions", Some("command-a-03-2025")),
    ] {
        let case = Fixture::load(&format!("cohere/{name}"))?;
        let metered = metered(&spec, path, &case.body);
        assert_eq!(plain(metered.tokens), plain(expected(&case.expect["usage"])), "{name}");
        assert_eq!(metered.model.as_deref(), model, "{name}");
        // Where the answer does not say which model it was, the request is read for it.
        assert_eq!(ways.names_model(path), model.is_some(), "{name}");
    }
    assert!(spec.model("command-a-03-2025").is_some_and(|model| model.price.is_some()));
    assert_eq!(metered(&spec, "/v2/chat", &Fixture::load("cohere/server_error")?.body), Metered::default());

    let stream = Fixture::load("cohere/chat_stream")?;
    let metered = metered_events(&spec, "/v2/chat", &stream.body).unwrap_or_default();
    assert_eq!(plain(metered.tokens), plain(expected(&stream.expect["usage"])));
    let compatible =
        br#"data: {"model":"command-a-03-2025","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":9}}"#;
    let metered = metered_events(&spec, "/compatibility/v1/chat/completions", compatible).unwrap_or_default();
    assert_eq!((metered.model.as_deref(), metered.tokens.output), (Some("command-a-03-2025"), Some(9)));
    Ok(())
}

#[test]
fn what_is_not_billed_by_the_token_leaves_the_cost_unknown() -> anyhow::Result<()> {
    let (_, spec) = predefined("cohere")?;
    for (path, units, expected) in [
        ("/v2/embed", r#"{"input_tokens":2,"images":0}"#, (Some(2), Some(0))),
        ("/v2/embed", r#"{"input_tokens":2,"images":1}"#, (None, None)),
        ("/v2/embed", r#"{"input_tokens":2,"image_tokens":700}"#, (None, None)),
        ("/v2/rerank", r#"{"search_units":1}"#, (Some(0), Some(0))),
        ("/v2/classify", r#"{"classifications":1}"#, (None, None)),
        ("/v2/chat", r#"{"input_tokens":-2,"output_tokens":"9"}"#, (None, None)),
        ("/v2/chat", "[5]", (None, None)),
    ] {
        // As a whole, and in an answer that is too long to be kept.
        for data in ["[1]".to_owned(), format!("[{}1]", "0.5,".repeat(1 << 19))] {
            let body = format!("{{\"meta\":{{\"billed_units\":{units}}},\"data\":{data}}}");
            let tokens = metered(&spec, path, body.as_bytes()).tokens;
            assert_eq!((tokens.input, tokens.output), expected, "{path}: {units}");
        }
    }
    Ok(())
}

#[test]
fn a_key_is_sent_as_bearer_and_has_no_usage_report() -> anyhow::Result<()> {
    let (ways, spec) = predefined("cohere")?;
    let mut headers = HeaderMap::new();
    ways.authorize("/v2/chat", &mut headers, &secret(CANARY))?;
    assert!(headers.get("authorization").is_some_and(|value| value.is_sensitive()) && headers.len() == 1);
    let told = ways.usage_sources(KeyFamily::Ordinary);
    assert!(matches!(told, Err(FetchError::NotReportable { .. })), "{told:?}");
    assert_eq!(spec.chat_endpoint(), "/compatibility/v1/chat/completions");
    Ok(())
}
