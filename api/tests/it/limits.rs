//! The field `limits` of virtual keys, projects and integrations: set, changed, taken away, audited.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::fixture::{Api, KEY, on_both};

on_both! {
    limits_are_set_changed_and_taken_away
    a_limit_that_cannot_be_one_is_refused_by_its_name
}

/// Returns three resources: the path and body that create them, and the JSON pointer to their view in the answer.
fn resources() -> [(&'static str, Value, &'static str); 3] {
    let integration = json!({ "provider": "openai", "name": "prod", "credentials": KEY });
    [
        ("/api/v1/virtual-keys", json!({ "name": "app" }), ""),
        ("/api/v1/projects", json!({ "name": "shop" }), ""),
        ("/api/v1/integrations", integration, "/integration"),
    ]
}

async fn limits_are_set_changed_and_taken_away(api: Api) -> Result<()> {
    let none = json!({ "requests_per_minute": null, "tokens_per_minute": null, "daily_budget_nano_usd": null,
        "monthly_budget_nano_usd": null });
    let with = |changes: Value| {
        let mut limits = none.clone();
        limits.as_object_mut().into_iter().for_each(|limits| {
            limits.extend(changes.as_object().cloned().unwrap_or_default());
        });
        limits
    };
    for (path, mut body, view) in resources() {
        body["limits"] = json!({ "requests_per_minute": 60, "monthly_budget_nano_usd": 5_000_000_000_i64 });
        let made = api.post(path, body).await?;
        let made_limits = made.at(&format!("{view}/limits"));
        let expected = with(json!({ "requests_per_minute": 60, "monthly_budget_nano_usd": 5_000_000_000_i64 }));
        ensure!(*made_limits == expected, "{path}: {}", made.text);
        let own = format!("{path}/{}", made.text_at(&format!("{view}/id")));
        let version = made.at(&format!("{view}/version")).as_i64().context("a version")?;
        let change = json!({ "limits": { "requests_per_minute": null, "tokens_per_minute": 1000 } });
        let changed = api.patch(&own, change.clone()).await?.expect(200)?;
        let expected = with(json!({ "tokens_per_minute": 1000, "monthly_budget_nano_usd": 5_000_000_000_i64 }));
        ensure!(*changed.at(&format!("{view}/limits")) == expected, "{path}: {}", changed.text);
        ensure!(*changed.at(&format!("{view}/version")) == version + 1, "{path}: {}", changed.text);
        let shown = api.get(&own).await?.expect(200)?;
        ensure!(*shown.at("/limits") == expected, "{path}: {}", shown.text);
        let listed = api.get(path).await?.expect(200)?;
        let items = listed.at("/items").as_array().cloned().unwrap_or_default();
        let mut limits = items.iter().filter(|item| item["id"] == *shown.at("/id")).map(|item| &item["limits"]);
        ensure!(limits.next() == Some(&expected), "{path}: {}", listed.text);
        // What is left out stays as it is.
        let renamed = api.patch(&own, json!({ "name": "other" })).await?.expect(200)?;
        ensure!(*renamed.at(&format!("{view}/limits")) == expected, "{path}: {}", renamed.text);
    }
    let audited = "SELECT count(*) AS n FROM outbox WHERE route = 'audit'";
    ensure!(api.number(audited).await? == 9, "each change is audited once");
    Ok(())
}

async fn a_limit_that_cannot_be_one_is_refused_by_its_name(api: Api) -> Result<()> {
    let before = api.rows().await?;
    for (path, body, _) in resources() {
        for (limits, code, name) in [
            (json!({ "requests_per_minute": -1 }), "invalid_field", "limits.requests_per_minute"),
            (json!({ "daily_budget_nano_usd": 1_u64 << 53 }), "invalid_field", "limits.daily_budget_nano_usd"),
            (json!({ "tokens_per_minute": "many" }), "invalid_field", "limits.tokens_per_minute"),
            (json!({ "requests_per_day": 1 }), "unknown_field", "requests_per_day"),
        ] {
            let mut body = body.clone();
            body["limits"] = limits;
            let refused = api.post(path, body).await?.expect_error(422, code)?;
            ensure!(refused.text_at("/error/message").contains(name), "{path}: {}", refused.text);
        }
    }
    ensure!(api.rows().await? == before, "something was written");
    Ok(())
}
