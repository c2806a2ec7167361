//! A provider where every customer has a base URL of their own, which must be entered with the key.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::fixture::{Api, TRUSTED, on_both};

on_both! { an_address_of_ones_own_is_asked_for }

const KEY: &str = "0123456789abcdef0123456789abwxyz";

fn submission(config: Value) -> Value {
    json!({ "provider": "azure_openai", "name": "prod", "credentials": KEY, "config": config })
}

async fn an_address_of_ones_own_is_asked_for(api: Api) -> Result<()> {
    let before = api.rows().await?;
    let without = json!({ "provider": "azure_openai", "name": "prod", "credentials": KEY });
    for body in [without, submission(json!({})), submission(json!({ "base_url": null }))] {
        let refused = api.post("/api/v1/integrations", body).await?.expect_error(422, "invalid_field")?;
        let told = refused.text_at("/error/message");
        for part in ["`config.base_url`", "Azure OpenAI", "https://your-resource.openai.azure.com/openai/v1"] {
            ensure!(told.contains(part), "{told}");
        }
    }
    ensure!(api.rows().await? == before, "a refused submission wrote something");

    // Whether the key is right at that address is for the verification to find out.
    let base_url = format!("http://{TRUSTED}/openai/v1");
    let accepted = api.post("/api/v1/integrations", submission(json!({ "base_url": base_url }))).await?.expect(202)?;
    ensure!(accepted.text_at("/integration/status") == "verifying", "{}", accepted.text);
    ensure!(accepted.text_at("/integration/config/base_url") == base_url, "{}", accepted.text);
    ensure!(accepted.text_at("/integration/hint") == "...wxyz", "{}", accepted.text);
    ensure!(accepted.text_at("/operation/state") == "queued", "{}", accepted.text);

    // The host alone, as the provider shows it, will do.
    let mut bare = submission(json!({ "base_url": format!("http://{TRUSTED}") }));
    bare["name"] = json!("bare");
    bare["credentials"] = json!(KEY.replace("wxyz", "0001"));
    let completed = api.post("/api/v1/integrations", bare).await?.expect(202)?;
    ensure!(completed.text_at("/integration/config/base_url") == base_url, "{}", completed.text);

    // Nor can it be taken away again with a new key.
    let path = format!("/api/v1/integrations/{}/credentials", accepted.text_at("/integration/id"));
    let bare = json!({ "credentials": KEY.replace("wxyz", "0002"), "config": {} });
    api.put(&path, bare).await?.expect_error(422, "invalid_field")?;
    Ok(())
}
