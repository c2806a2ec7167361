//! Pasted credentials: kept without surrounding characters, or refused before anything is written or any host called.

use anyhow::{Context as _, Result, ensure};
use keyway_testkit::postgres::TestDatabase;
use serde_json::json;

use crate::fixture::{Api, KEY, Options, TRUSTED, on_both};

on_both! {
    what_is_no_key_of_the_provider_is_refused_and_says_what_it_is
    what_copying_brings_along_is_no_part_of_the_key
    a_host_of_ones_own_takes_any_word_but_no_key_of_keyway
}

const INTEGRATIONS: &str = "/api/v1/integrations";

async fn submitted(api: &Api, provider: &str, name: &str, credentials: &str) -> Result<crate::fixture::Reply> {
    api.post(INTEGRATIONS, json!({ "provider": provider, "name": name, "credentials": credentials })).await
}

async fn what_is_no_key_of_the_provider_is_refused_and_says_what_it_is(api: Api) -> Result<()> {
    let kept = api.submit("prod", KEY).await?;
    let virtual_key = api.post("/api/v1/virtual-keys", json!({ "name": "app" })).await?.expect(201)?;
    let virtual_key = virtual_key.text_at("/key").to_owned();
    let before = api.rows().await?;
    for (key, said) in [
        (virtual_key.as_str(), "a key of Keyway itself"),
        (&api.admin_key, "a key of Keyway itself"),
        ("kw_live_canary0123456789", "a key of Keyway itself"),
        ("ghp_canary0123456789canary0123456789", "a secret of GitHub"),
        ("gho_canary0123456789canary0123456789", "a secret of GitHub"),
        ("github_pat_canary0123456789", "a secret of GitHub"),
        ("glpat-canary0123456789", "a secret of GitLab"),
        ("xoxb-canary0123456789", "a secret of Slack"),
        ("AKIAIOSFODNN7CANARY0", "a key of AWS"),
        ("SG.canary0123456789.canary", "a secret of SendGrid"),
        ("hf_canary0123456789", "a secret of Hugging Face"),
        ("OPENAI_API_KEY=sk-proj-canary0123456789", "a line NAME=value"),
        ("export OPENAI_API_KEY=sk-proj-canary0123456789", "a line NAME=value"),
        ("'sk-proj-canary0123456789'", "in quotes"),
        ("Bearer sk-proj-canary0123456789", "a header"),
        ("Authorization: Bearer sk-proj-canary0123456789", "a header"),
        ("sk-...", "a placeholder"),
        ("your-api-key", "a placeholder"),
        ("sk-your-openai-api-key", "a placeholder"),
        ("<key>", "a placeholder"),
        ("https://api.openai.com/v1", "an address"),
        ("{\"key\": \"canary\"}", "a JSON object"),
    ] {
        for reply in [
            submitted(&api, "openai", "other", key).await?,
            api.put(&format!("{INTEGRATIONS}/{kept}/credentials"), json!({ "credentials": key })).await?,
            api.put("/api/v1/providers/openai", json!({ "api_key": key })).await?,
        ] {
            let reply = reply.expect_error(422, "malformed_key").with_context(|| key.to_owned())?;
            let message = reply.text_at("/error/message");
            ensure!(message.contains(said) && !message.to_lowercase().contains("canary"), "{key}: {message}");
        }
    }
    for secret in [&virtual_key, &api.admin_key] {
        let cloud = json!({ "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": secret });
        let body = json!({ "provider": "aws", "name": "cloud", "credentials": cloud });
        let refused = api.post(INTEGRATIONS, body).await?.expect_error(422, "malformed_key")?;
        ensure!(refused.text_at("/error/message").contains("a key of Keyway itself"), "{}", refused.text);
    }
    ensure!(api.rows().await? == before, "something was written");
    Ok(())
}

async fn what_copying_brings_along_is_no_part_of_the_key(api: Api) -> Result<()> {
    let first = api.submit("prod", &format!("\u{feff}\u{200b} {KEY}\u{200d}\r\n")).await?;
    let again = submitted(&api, "openai", "again", &format!("{KEY}\n")).await?.expect_error(409, "duplicate_key")?;
    ensure!(again.text_at("/error/message").contains(&first), "{}", again.text);
    let shown = api.get(&format!("{INTEGRATIONS}/{first}")).await?.expect(200)?;
    ensure!(shown.text_at("/hint") == "sk-proj-...wxyz", "{}", shown.text);
    let within = submitted(&api, "openai", "within", "sk-proj-AAAA\u{200b}AAAAAAAAAAAA").await?;
    within.expect_error(422, "malformed_key")?;
    Ok(())
}

async fn a_host_of_ones_own_takes_any_word_but_no_key_of_keyway(api: Api) -> Result<()> {
    let local = json!({ "name": "local", "base_url": format!("http://{TRUSTED}/v1"), "models": ["llama3:8b"] });
    api.post("/api/v1/providers", local).await?.expect(201)?;
    for key in ["ollama", "EMPTY", "sk-1234", "none", "x"] {
        let reply = submitted(&api, "local", key, key).await?.expect(202)?;
        ensure!(!reply.text_at("/integration/hint").contains(key), "{}", reply.text);
        // A word is nobody's alone.
        submitted(&api, "local", &format!("{key} again"), key).await?.expect(202)?;
    }
    submitted(&api, "local", "no key", " \n").await?.expect(202)?;
    let noted = json!({ "provider": "local", "name": "noted", "credentials": "any", "meta": { "for": "anybody" } });
    api.post(INTEGRATIONS, noted).await?.expect(202)?;
    let own = api.post("/api/v1/virtual-keys", json!({ "name": "app" })).await?.expect(201)?;
    let own = own.text_at("/key").to_owned();
    let before = api.rows().await?;
    for key in [own.as_str(), &own[..own.len() - 1], &api.admin_key] {
        let refused = submitted(&api, "local", "own", key).await?.expect_error(422, "malformed_key")?;
        ensure!(refused.text_at("/error/message").contains("a key of Keyway itself"), "{}", refused.text);
    }
    ensure!(api.rows().await? == before, "something was written");
    // Another Keyway's virtual key is for that one, which may be a host of the tenant's own.
    let other = keyway_vault::token::VirtualKeyToken::generate().context("no random bytes")?;
    submitted(&api, "local", "other", other.plain()).await?.expect(202)?;
    Ok(())
}

/// An operator may choose any text as the admin key; no form tells it from a provider's.
#[tokio::test]
async fn the_admin_key_is_known_whatever_its_form() -> Result<()> {
    let admin_key = Some("sk-proj-0123456789abcdef0123456789abcdef".to_owned());
    let api = Api::start(TestDatabase::sqlite()?, Options { admin_key, ..Options::usual()? }).await?;
    let refused = submitted(&api, "openai", "own", &api.admin_key).await?.expect_error(422, "malformed_key")?;
    ensure!(refused.text_at("/error/message").contains("a key of Keyway itself"), "{}", refused.text);
    Ok(())
}
