//! Messages of refusals: the fault and the remedy, without the sent value.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::fixture::{Api, KEY, on_both};

on_both! { a_refusal_says_what_to_do }

/// Path and body of a POST, with the status, the code and a part of the message that refuse it.
type Case = (&'static str, Value, u16, &'static str, &'static str);

fn integrations() -> Vec<Case> {
    let integration = |field: &str, value: Value| {
        let mut body = json!({ "provider": "openai", "name": "other", "credentials": KEY.replace("wxyz", "0001") });
        body[field] = value;
        body
    };
    vec![
        (
            "integrations",
            integration("name", json!("prod")),
            409,
            "name_taken",
            "of this project and provider has this name",
        ),
        ("integrations", integration("provider", json!("OpenAI")), 422, "unknown_provider", "did you mean openai?"),
        (
            "integrations",
            integration("provider", json!(7)),
            422,
            "invalid_field",
            "`provider`: expected text, in quotes",
        ),
        (
            "integrations",
            integration("credentials", json!({ "key": "canary" })),
            422,
            "malformed_key",
            "send the key alone, as text",
        ),
        ("integrations", integration("expires_at", json!("2999-01-01")), 422, "invalid_field", "needs its time too"),
        ("integrations", integration("priority", json!("high")), 422, "invalid_field", "expected a whole number"),
        (
            "integrations",
            integration("limits", json!({ "tokens_per_minute": "10" })),
            422,
            "invalid_field",
            "a whole number",
        ),
        ("integrations", integration("config", json!([])), 422, "invalid_field", "`config`: expected an object"),
        ("integrations", integration("project_id", json!("canary")), 422, "invalid_field", "looks like prj_ followed"),
        (
            "integrations",
            integration("config", json!({ "base_url": "http://localhost:11434/v1" })),
            422,
            "forbidden_host",
            "lists in KEYWAY_TRUSTED_UPSTREAMS, like localhost:11434",
        ),
        (
            "integrations",
            integration("config", json!({ "base_url": "https://ollama.internal/v1" })),
            422,
            "forbidden_host",
            "as host:port, in KEYWAY_TRUSTED_UPSTREAMS",
        ),
    ]
}

fn others() -> Vec<Case> {
    let provider = |name: &str, base_url: &str| json!({ "name": name, "base_url": base_url });
    vec![
        (
            "providers",
            provider("openai", "https://x.example.com"),
            409,
            "name_taken",
            "`api_key` in PUT /api/v1/providers",
        ),
        ("providers", provider("acme", "https://x.example.com"), 409, "name_taken", "change it with PUT"),
        ("providers", provider("inner", "http://10.0.0.1/v1"), 422, "forbidden_host", "KEYWAY_TRUSTED_UPSTREAMS"),
        ("projects", json!({ "name": "default" }), 409, "name_taken", "a project of this tenant has this name"),
        ("providers/acme/models", json!({ "models": "canary" }), 422, "invalid_field", "expected a list"),
        ("usage/fetch", json!({ "provider": "opnai" }), 422, "unknown_provider", "did you mean openai?"),
    ]
}

async fn a_refusal_says_what_to_do(api: Api) -> Result<()> {
    api.submit("prod", KEY).await?;
    let acme = json!({ "name": "acme", "base_url": "https://api.acme.dev/v1" });
    api.post("/api/v1/providers", acme).await?.expect(201)?;
    for (path, body, status, code, said) in integrations().into_iter().chain(others()) {
        let reply = api.post(&format!("/api/v1/{path}"), body.clone()).await?;
        let reply = reply.expect_error(status, code).with_context(|| body.to_string())?;
        let message = reply.text_at("/error/message");
        ensure!(message.contains(said) && !message.contains("canary"), "{body}: {message}");
    }
    let default = api.get("/api/v1/projects?search=default").await?.text_at("/items/0/id").to_owned();
    let kept = api.delete(&format!("/api/v1/projects/{default}")).await?.expect_error(409, "conflict")?;
    let message = kept.text_at("/error/message");
    ensure!(message.contains("always stays") && !message.contains("delete its integrations"), "{message}");
    let typed = api.get("/api/v1/providers/OpenAI/models").await?.expect_error(404, "not_found")?;
    ensure!(typed.text_at("/error/message").contains("did you mean openai?"), "{}", typed.text);
    let asked = api.get("/api/v1/integrations?limit=many").await?.expect_error(400, "invalid_parameter")?;
    ensure!(asked.text_at("/error/message") == "`limit`: expected a whole number", "{}", asked.text);
    Ok(())
}
