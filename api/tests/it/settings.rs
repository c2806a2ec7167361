//! An integration's settings and its owner's note: given, changed, kept over a new credential, and shown.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::fixture::{Api, KEY, on_both};

on_both! {
    a_note_comes_back_as_it_was_given
    an_organisation_belongs_to_openai_and_outlives_a_key
}

fn submission(config: Value, meta: Value) -> Value {
    json!({ "provider": "openai", "name": "prod", "credentials": KEY, "config": config, "meta": meta })
}

async fn a_note_comes_back_as_it_was_given(api: Api) -> Result<()> {
    let note = json!({ "organization": "org-123", "owner": { "team": "search", "pager": [1, 2.5, null, true] } });
    let made = api.post("/api/v1/integrations", submission(json!({}), note.clone())).await?.expect(202)?;
    ensure!(made.at("/integration/meta") == &note, "{}", made.text);
    let path = format!("/api/v1/integrations/{}", made.text_at("/integration/id"));
    ensure!(api.get("/api/v1/integrations").await?.at("/items/0/meta") == &note);
    let version = made.at("/integration/version").clone();
    let renamed = api.patch(&path, json!({ "name": "prod 2" })).await?.expect(200)?;
    ensure!(renamed.at("/integration/meta") == &note && renamed.at("/integration/version") != &version);
    let changed = api.patch(&path, json!({ "meta": { "a": 1 } })).await?.expect(200)?;
    ensure!(changed.at("/integration/meta") == &json!({ "a": 1 }), "{}", changed.text);
    api.patch(&path, json!({ "meta": {} })).await?.expect(200)?;
    ensure!(api.get(&path).await?.at("/meta") == &json!({}));

    for bad in [json!([1]), json!("text"), json!({ "x": "y".repeat(4096) })] {
        api.patch(&path, json!({ "meta": bad })).await?.expect_error(422, "invalid_field")?;
    }
    let leaking = json!({ "note": format!("the key is {KEY}") });
    let mut other = submission(json!({}), leaking);
    other["name"] = json!("other");
    let refused = api.post("/api/v1/integrations", other).await?.expect_error(422, "invalid_field")?;
    ensure!(refused.text_at("/error/message").contains("`meta`") && !refused.text.contains(KEY), "{}", refused.text);
    Ok(())
}

async fn an_organisation_belongs_to_openai_and_outlives_a_key(api: Api) -> Result<()> {
    let config = json!({ "organization": "org-1", "project": "proj_1", "provider_key_id": "key_1" });
    let made = api.post("/api/v1/integrations", submission(config, json!({}))).await?.expect(202)?;
    let path = format!("/api/v1/integrations/{}", made.text_at("/integration/id"));
    ensure!(made.text_at("/integration/config/organization") == "org-1", "{}", made.text);
    let change = json!({ "config": { "project": null, "redact_answers": true } });
    let changed = api.patch(&path, change).await?.expect(200)?;
    let shown = json!({ "base_url": null, "provider_key_id": "key_1", "organization": "org-1", "project": null,
        "redact_answers": true });
    ensure!(changed.at("/integration/config") == &shown, "{}", changed.text);

    let put = format!("{path}/credentials");
    let second = json!({ "credentials": KEY.replace("wxyz", "0002") });
    let replaced = api.put(&put, second).await?.expect(202)?;
    let shown = json!({ "base_url": null, "provider_key_id": null, "organization": "org-1", "project": null,
        "redact_answers": true });
    ensure!(replaced.at("/integration/config") == &shown, "{}", replaced.text);
    let third = json!({ "credentials": KEY.replace("wxyz", "0003"), "config": { "organization": "org-3" } });
    let replaced = api.put(&put, third).await?.expect(202)?;
    ensure!(replaced.text_at("/integration/config/organization") == "org-3", "{}", replaced.text);

    for bad in ["", "org 1", "org\n1"] {
        let change = json!({ "config": { "organization": bad } });
        api.patch(&path, change).await?.expect_error(422, "invalid_field")?;
    }
    let elsewhere = json!({ "provider": "groq", "name": "groq", "credentials": "gsk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAwxyz",
        "config": { "organization": "org-1" } });
    let refused = api.post("/api/v1/integrations", elsewhere).await?.expect_error(422, "invalid_field")?;
    ensure!(refused.text_at("/error/message").contains("openai only"), "{}", refused.text);
    Ok(())
}
