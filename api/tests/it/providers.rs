//! Providers in the forms that users asked for: with the key in one call, one field at a time, with limits and display
//! names of models.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::fixture::{Api, KEY, Reply, on_both, send};

on_both! {
    a_provider_comes_with_its_key
    the_key_of_a_provider_is_put_and_put_again
    a_change_leaves_what_it_does_not_name
    limits_of_a_provider_are_set_and_taken_away
    models_have_names_for_people
    what_a_predefined_provider_does_not_take_is_said
}

const PROVIDERS: &str = "/api/v1/providers";

fn acme() -> Value {
    json!({ "name": "my-custom-provider", "display_name": "My Custom Provider",
        "base_url": "https://api.example.com/v1", "api_key": KEY, "models": ["model-1", "model-2", "model-3"] })
}

async fn a_provider_comes_with_its_key(api: Api) -> Result<()> {
    let made = api.post(PROVIDERS, acme()).await?.expect(201)?;
    ensure!(made.text_at("/operation/kind") == "verify_key" && made.text_at("/operation/state") == "queued");
    ensure!(made.text_at("/integration/status") == "verifying" && made.at("/has_api_key") == &json!(true));
    ensure!(!made.text.contains(KEY) && made.text_at("/integration/hint").ends_with("wxyz"), "{}", made.text);
    let with_keys = api.get(&format!("{PROVIDERS}/with-keys")).await?.expect(200)?;
    let models = with_keys.at("/items/0/models").as_array().context("no models")?;
    let names: Vec<_> = models.iter().map(|model| model["name"].clone()).collect();
    ensure!(names == ["model-1", "model-2", "model-3"] && with_keys.at("/items/0/has_api_key") == &json!(true));
    ensure!(api.number("SELECT count(*) AS n FROM integrations").await? == 1);

    // One transaction: where the key is not usable, no provider is made.
    let mut bad = acme();
    (bad["name"], bad["api_key"]) = (json!("other"), json!("your-api-key"));
    let before = api.rows().await?;
    api.post(PROVIDERS, bad).await?.expect_error(422, "malformed_key")?;
    ensure!(api.rows().await? == before, "something was written");
    let plain = json!({ "name": "plain", "base_url": "https://api.example.com/v1" });
    let plain = api.post(PROVIDERS, plain).await?.expect(201)?;
    ensure!(plain.at("/operation").is_null() && plain.at("/integration").is_null(), "{}", plain.text);
    Ok(())
}

async fn the_key_of_a_provider_is_put_and_put_again(api: Api) -> Result<()> {
    let openai = format!("{PROVIDERS}/openai");
    ensure!(api.get(&openai).await?.at("/has_api_key") == &json!(false));
    let first = api.put(&openai, json!({ "api_key": KEY })).await?.expect(202)?;
    let operation = format!("/api/v1/operations/{}", first.text_at("/operation/id"));
    ensure!(first.header("location") == operation && first.at("/has_api_key") == &json!(true), "{}", first.text);
    let id = first.text_at("/integration/id").to_owned();
    let second = api.put(&openai, json!({ "api_key": KEY.replace("wxyz", "0002") })).await?.expect(202)?;
    ensure!(second.text_at("/integration/id") == id && second.text_at("/integration/hint").ends_with("0002"));
    ensure!(
        api.number("SELECT CAST(sum(secret_version) AS BIGINT) AS n FROM integrations").await? == 2,
        "it was not replaced"
    );

    // Among several the one with the provider's name; without one it has to be said which.
    api.submit("other", &KEY.replace("wxyz", "0003")).await?;
    let third = api.put(&openai, json!({ "api_key": KEY.replace("wxyz", "0004") })).await?.expect(202)?;
    ensure!(third.text_at("/integration/id") == id, "{}", third.text);
    api.patch(&format!("/api/v1/integrations/{id}"), json!({ "name": "renamed" })).await?.expect(200)?;
    let unclear = api.put(&openai, json!({ "api_key": KEY.replace("wxyz", "0005") })).await?;
    ensure!(unclear.expect_error(409, "conflict")?.text_at("/error/message").contains("/credentials"));
    let taken = api.put(&format!("{PROVIDERS}/xai"), json!({ "api_key": "bad key" })).await?;
    taken.expect_error(422, "malformed_key")?;

    // A key that is switched off stays so.
    api.delete(&format!("/api/v1/integrations/{id}")).await?.expect(204)?;
    let other = api.get("/api/v1/integrations").await?.text_at("/items/0/id").to_owned();
    api.patch(&format!("/api/v1/integrations/{other}"), json!({ "enabled": false })).await?.expect(200)?;
    let kept = api.put(&openai, json!({ "api_key": KEY.replace("wxyz", "0006") })).await?.expect(202)?;
    ensure!(kept.text_at("/integration/status") == "disabled" && kept.at("/operation").is_null(), "{}", kept.text);
    Ok(())
}

async fn a_change_leaves_what_it_does_not_name(api: Api) -> Result<()> {
    let made = api.post(PROVIDERS, acme()).await?.expect(201)?;
    let path = format!("{PROVIDERS}/{}", made.text_at("/id"));
    let named = api.put(&path, json!({ "display_name": "Updated Display Name" })).await?.expect(200)?;
    ensure!(named.text_at("/base_url") == "https://api.example.com/v1" && named.text_at("/auth") == "bearer");
    ensure!(named.text_at("/display_name") == "Updated Display Name" && named.at("/operation").is_null());
    let bound = json!({ "base_url": "https://new-url.example.com" });
    api.put(&path, bound.clone()).await?.expect_error(409, "conflict")?;
    // Together with its only key the host may change: nothing is left that was bound to the old one.
    let moved = json!({ "api_key": KEY.replace("wxyz", "0002"), "base_url": "https://new-url.example.com" });
    let moved = api.put(&path, moved).await?.expect(202)?;
    ensure!(moved.text_at("/base_url") == "https://new-url.example.com", "{}", moved.text);
    let second = json!({ "provider": "my-custom-provider", "name": "second", "credentials": KEY });
    api.post("/api/v1/integrations", second).await?.expect(202)?;
    let again = json!({ "api_key": KEY.replace("wxyz", "0003"), "base_url": "https://third.example.com" });
    api.put(&path, again).await?.expect_error(409, "conflict")?;
    let stale = api.request(Method::PUT, &path).header("If-Match", "\"1\"").json(&json!({ "auth": "api_key" }));
    send(stale).await?.expect_error(412, "precondition_failed")?;
    Ok(())
}

async fn limits_of_a_provider_are_set_and_taken_away(api: Api) -> Result<()> {
    let none = json!({ "requests_per_minute": null, "tokens_per_minute": null, "daily_budget_nano_usd": null,
        "monthly_budget_nano_usd": null });
    let path = format!("{PROVIDERS}/openai");
    let before = api.get(&path).await?.expect(200)?;
    ensure!(before.at("/limits") == &none && before.at("/version") == &json!(0), "{}", before.text);
    let limits = json!({ "limits": { "requests_per_minute": 60, "monthly_budget_nano_usd": 5_000_000_000_i64 } });
    let set = api.put(&path, limits).await?.expect(200)?;
    ensure!(set.at("/limits/requests_per_minute") == &json!(60) && set.at("/version") == &json!(1), "{}", set.text);
    ensure!(set.at("/operation").is_null(), "{}", set.text);
    let changed = json!({ "limits": { "requests_per_minute": null, "tokens_per_minute": 1000 } });
    let stale = api.request(Method::PUT, &path).header("If-Match", before.header("etag")).json(&changed);
    send(stale).await?.expect_error(412, "precondition_failed")?;
    api.put(&path, changed).await?.expect(200)?;
    let shown = api.get(&path).await?.at("/limits").clone();
    ensure!(shown["requests_per_minute"].is_null() && shown["monthly_budget_nano_usd"] == 5_000_000_000_i64, "{shown}");
    let listed = api.get(PROVIDERS).await?;
    let listed = listed.at("/items").as_array().into_iter().flatten().find(|it| it["name"] == "openai").cloned();
    ensure!(listed.context("openai")?["limits"] == shown);
    for bad in [json!({ "requests_per_minute": -1 }), json!({ "tokens_per_minute": 9_007_199_254_740_992_i64 })] {
        api.put(&path, json!({ "limits": bad })).await?.expect_error(422, "invalid_field")?;
    }

    let mut own = acme();
    own["limits"] = json!({ "daily_budget_nano_usd": 7 });
    ensure!(api.post(PROVIDERS, own).await?.expect(201)?.at("/limits/daily_budget_nano_usd") == &json!(7));
    let audited = "SELECT count(*) AS n FROM outbox WHERE route = 'audit'";
    ensure!(api.number(audited).await? >= 4);
    Ok(())
}

async fn models_have_names_for_people(api: Api) -> Result<()> {
    let mut own = acme();
    own["models"] = json!(["model-1", { "name": "model-2", "display_name": "Model Two" }]);
    api.post(PROVIDERS, own).await?.expect(201)?;
    let path = format!("{PROVIDERS}/my-custom-provider/models");
    let one = json!({ "name": "model-name", "display_name": "Model Display Name" });
    let added = api.post(&path, one).await?.expect(201)?;
    let shown = |reply: &Reply| -> Vec<[String; 2]> {
        let items = reply.at("/items").as_array().cloned().unwrap_or_default();
        let text = |it: &Value, field: &str| it[field].as_str().unwrap_or_default().to_owned();
        items.iter().map(|it| [text(it, "name"), text(it, "display_name")]).collect()
    };
    let two = ["model-2", "Model Two"].map(str::to_owned);
    let named = ["model-name", "Model Display Name"].map(str::to_owned);
    ensure!(shown(&added) == [["model-1"; 2].map(str::to_owned), two.clone(), named.clone()], "{}", added.text);
    let more = json!({ "models": ["model-2", { "name": "model-1", "display_name": "Model One" }] });
    api.post(&path, more).await?.expect(201)?;
    let listed = api.get(&path).await?.expect(200)?;
    ensure!(shown(&listed) == [["model-1", "Model One"].map(str::to_owned), two, named], "{}", listed.text);
    ensure!(api.get(&format!("{PROVIDERS}/openai/models")).await?.text_at("/items/0/display_name").len() > 1);
    for bad in [
        json!({}),
        json!({ "display_name": "x" }),
        json!({ "name": "x", "models": ["y"] }),
        json!({ "models": [{ "name": "x", "display_name": "" }] }),
        json!({ "models": [1] }),
        json!({ "name": "a b" }),
    ] {
        api.post(&path, bad.clone()).await?.expect_error(422, "invalid_field").context(bad.to_string())?;
    }
    Ok(())
}

async fn what_a_predefined_provider_does_not_take_is_said(api: Api) -> Result<()> {
    for change in [json!({ "display_name": "X" }), json!({ "base_url": "https://x.example.com", "api_key": KEY })] {
        let refused = api.put(&format!("{PROVIDERS}/openai"), change).await?.expect_error(409, "conflict")?;
        ensure!(refused.text_at("/error/message").contains("`api_key` and `limits`"), "{}", refused.text);
    }
    ensure!(api.number("SELECT count(*) AS n FROM integrations").await? == 0);
    // Where every customer has an address of its own, it comes with the key.
    let azure = format!("{PROVIDERS}/azure_openai");
    let key = json!({ "api_key": "Q7wE4rT9yU2iO5pA8sD1fG3hJ6kL0zXc" });
    let missing = api.put(&azure, key).await?.expect_error(422, "invalid_field")?;
    ensure!(missing.text_at("/error/message").contains("base_url"), "{}", missing.text);
    let whole = json!({ "api_key": "Q7wE4rT9yU2iO5pA8sD1fG3hJ6kL0zXc", "base_url": "https://acme.openai.azure.com" });
    let put = api.put(&azure, whole).await?.expect(202)?;
    ensure!(put.text_at("/integration/config/base_url").starts_with("https://acme.openai.azure.com"), "{}", put.text);
    Ok(())
}
