//! Tokens of recorded answers, whole and streamed, and of the simulator's.

use keyway_providers::Metered;
use keyway_testkit::{
    replay::Fixture,
    simulator::{Simulator, tokens_of},
};
use serde_json::{Value, json};

use crate::{
    recorded::{expected, metered, metered_events, plain},
    world::predefined,
};

const CHAT: &str = "/v1/chat/completions";

#[test]
fn recorded_answers_are_metered() -> anyhow::Result<()> {
    for (name, path, model) in [
        ("openai/chat_ok", "/v1/chat/completions", "gpt-5.4-mini-2026-03-17"),
        ("openai/embeddings_ok", "/v1/embeddings", "text-embedding-3-small"),
        ("xai/chat_ok", "/v1/chat/completions", "grok-4.5"),
        ("openrouter/chat_ok", "/api/v1/chat/completions", "openai/gpt-5.4-mini"),
    ] {
        let case = Fixture::load(name)?;
        let (_, spec) = predefined(name.split('/').next().unwrap_or_default())?;
        let found = metered(&spec, path, &case.body);
        assert_eq!(plain(found.tokens), plain(expected(&case.expect["usage"])), "{name}");
        assert_eq!(found.model.as_deref(), Some(model), "{name}");
        // OpenRouter's prices are nowhere listed, but it says what it charges.
        assert!(spec.model(model).is_some() || found.cost_nano_usd == Some(950_000), "{name}: what {model} costs");
    }
    let (_, openai) = predefined("openai")?;
    assert_eq!(
        metered(&openai, "/v1/chat/completions", &Fixture::load("openai/model_not_found")?.body),
        Metered::default()
    );
    Ok(())
}

#[test]
fn recorded_streams_are_metered_by_their_last_figures() -> anyhow::Result<()> {
    let (_, openai) = predefined("openai")?;
    for name in [
        "chat_stream_with_usage",
        "chat_stream_no_usage",
        "chat_stream_cut",
        "chat_stream_error_event",
        "responses_stream",
    ] {
        let case = Fixture::load(&format!("openai/{name}"))?;
        let path = if name == "responses_stream" { "/v1/responses" } else { CHAT };
        let metered = metered_events(&openai, path, &case.body);
        match &case.expect["usage"] {
            Value::Null => assert_eq!(metered, None, "{name}"),
            usage => {
                let metered = metered.unwrap_or_default();
                assert_eq!(plain(metered.tokens), plain(expected(usage)), "{name}");
                assert_eq!(metered.model.as_deref(), Some("gpt-5.4-mini-2026-03-17"), "{name}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_simulators_answers_cost_what_a_test_can_compute() -> anyhow::Result<()> {
    let simulator = Simulator::start().await?;
    let (_, openai) = predefined("openai")?;
    let prompt = "one two three four five";
    let messages = json!([{ "role": "user", "content": prompt }]);
    let mut body = json!({ "model": "gpt-4o-mini", "messages": messages });
    let whole = metered(&openai, "/v1/chat/completions", &post(&simulator, "chat/completions", &body).await?);
    assert_eq!(whole.tokens.input, Some(tokens_of(prompt)));
    assert_eq!(whole.tokens.output, Some(8));
    body["stream"] = json!(true);
    let bare = post(&simulator, "chat/completions", &body).await?;
    assert_eq!(metered_events(&openai, CHAT, &bare), None);
    assert!(!String::from_utf8_lossy(&bare).contains("\"usage\""));
    body["stream_options"] = json!({ "include_usage": true });
    let streamed = post(&simulator, "chat/completions", &body).await?;
    assert_eq!(metered_events(&openai, CHAT, &streamed), Some(whole));
    assert!(streamed.ends_with(b"data: [DONE]\n\n"));

    let request = json!({ "model": "text-embedding-3-small", "input": [prompt, "six"] });
    let embedded = post(&simulator, "embeddings", &request).await?;
    assert_eq!(metered(&openai, "/v1/embeddings", &embedded).tokens.input, Some(6));
    let completed = post(&simulator, "completions", &json!({ "model": "gpt-4o-mini", "prompt": prompt })).await?;
    assert_eq!(metered(&openai, "/v1/completions", &completed).tokens.input, Some(5));
    let refused = post(&simulator, "chat/completions", &json!({ "model": "gpt-nope", "messages": messages })).await?;
    assert_eq!(serde_json::from_slice::<Value>(&refused)?["error"]["code"], "model_not_found");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the test plays an application that calls the simulator itself")]
async fn post(simulator: &Simulator, path: &str, body: &Value) -> anyhow::Result<Vec<u8>> {
    crate::world::client(&simulator.host())?; // installs the TLS provider that any client needs
    let http = reqwest::Client::new();
    let request = http.post(format!("{}/{path}", simulator.base_url)).bearer_auth("sk-sim-good-1").json(body);
    Ok(request.send().await?.bytes().await?.to_vec())
}
