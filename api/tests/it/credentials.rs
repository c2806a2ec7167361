//! openagent's ways in: its commands work as its documents print them, with a service's token for the tenant's API key.

use std::time::Duration;

use anyhow::{Result, ensure};
use keyway_domain::Timestamp;
use reqwest::Method;
use serde_json::json;

use crate::fixture::{Api, KEY, on_both, send};

on_both! { a_credential_is_stored_as_openagent_prints_it }

async fn a_credential_is_stored_as_openagent_prints_it(api: Api) -> Result<()> {
    let expires_at = Timestamp::now().after(Duration::from_secs(3600));
    let key = api.post("/api/v1/virtual-keys", json!({ "name": "app" })).await?.expect(201)?.text_at("/id").to_owned();
    let service = |name: &str, permissions: &[&str], key: &str| {
        let body = json!({ "name": name, "permissions": permissions, "virtual_key_id": key, "expires_at": expires_at });
        api.post("/api/v1/services", body)
    };
    let both = ["integrations.create", "integrations.use"];
    service("a", &both[..1], &key).await?.expect_error(422, "invalid_field")?;
    service("b", &both, "vk_00000000000000000000000000000000").await?.expect_error(404, "not_found")?;
    let made = service("openagent", &both, &key).await?.expect(201)?;
    ensure!(made.text_at("/virtual_key_id") == key, "{}", made.text);
    let token = made.text_at("/token");

    let submit = |body| {
        let request = api.anonymous(Method::POST, "/credentials").header("x-api-key", token);
        send(request.json(&body))
    };
    let printed = json!({ "service": "openai", "key": KEY, "meta": { "organization": "org-123" } });
    let stored = submit(printed.clone()).await?.expect(202)?;
    let integration = stored.at("/integration");
    ensure!(integration["provider"] == "openai" && integration["name"] == "openai", "{}", stored.text);
    ensure!(integration["meta"]["organization"] == "org-123", "{}", stored.text);
    ensure!(!stored.text.contains(KEY), "the key comes back");
    submit(printed).await?.expect(409)?;
    submit(json!({ "service": "openai", "key": KEY, "tenant": "x" })).await?.expect_error(422, "unknown_field")?;

    // Known to the proxy, too: it refuses the body, and not the token.
    let asked = api.anonymous(Method::POST, "/proxy/openai").header("x-api-key", token);
    send(asked.json(&json!({ "payload": "text" }))).await?.expect(400)?;
    api.delete(&format!("/api/v1/virtual-keys/{key}")).await?.expect(204)?;
    service("late", &both, &key).await?.expect_error(409, "conflict")?;
    Ok(())
}
