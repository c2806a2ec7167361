//! The provider's own id of a key, and the reports by that id beside the metered calls.

use anyhow::{Context as _, Result, ensure};
use keyway_domain::{IntegrationId, ProjectId, ReportedUsage, Timestamp, TokenCounts};
use keyway_store::key_usage::{self, KeyFigures, ReportedKey};
use serde_json::json;

use crate::fixture::{Api, KEY, on_both};

on_both! { a_key_is_known_by_its_providers_id_and_its_drift_is_shown }

async fn a_key_is_known_by_its_providers_id_and_its_drift_is_shown(api: Api) -> Result<()> {
    let config = json!({ "provider_key_id": "key_abc123" });
    let body = json!({ "provider": "openai", "name": "prod", "credentials": KEY, "config": config });
    let made = api.post("/api/v1/integrations", body).await?.expect(202)?;
    let id = made.text_at("/integration/id").to_owned();
    ensure!(made.text_at("/integration/config/provider_key_id") == "key_abc123", "{}", made.text);
    let twice = json!({ "provider": "openai", "name": "twice", "credentials": KEY.replace("wxyz", "0003"),
        "config": { "provider_key_id": "key_abc123" } });
    api.post("/api/v1/integrations", twice).await?.expect_error(409, "conflict")?;
    let path = format!("/api/v1/integrations/{id}");
    let same = json!({ "config": { "provider_key_id": "key_abc123" } });
    api.patch(&path, same).await?.expect(200)?;
    let change = json!({ "config": { "provider_key_id": "key_other" } });
    let changed = api.patch(&path, change).await?.expect(200)?;
    ensure!(changed.text_at("/integration/config/provider_key_id") == "key_other", "{}", changed.text);
    let renamed = api.patch(&path, json!({ "name": "main" })).await?.expect(200)?;
    ensure!(renamed.text_at("/integration/config/provider_key_id") == "key_other", "{}", renamed.text);
    for bad in ["", "two words", "é"] {
        let change = json!({ "config": { "provider_key_id": bad } });
        api.patch(&path, change).await?.expect_error(422, "invalid_field")?;
    }
    let replaced = json!({ "credentials": KEY.replace("wxyz", "0001"), "config": { "provider_key_id": "x" } });
    api.put(&format!("{path}/credentials"), replaced).await?.expect_error(422, "invalid_field")?;

    // A new key has another id at the provider.
    let new = json!({ "credentials": KEY.replace("wxyz", "0002") });
    let replaced = api.put(&format!("{path}/credentials"), new).await?.expect(202)?;
    ensure!(replaced.at("/integration/config/provider_key_id").is_null(), "{}", replaced.text);

    let drift = "/api/v1/usage/drift?from=2026-11-01&to=2026-11-03";
    ensure!(api.get(drift).await?.expect(200)?.at("/items").as_array().is_some_and(Vec::is_empty));
    let bucket_start = Timestamp::parse("2026-11-02T10:00:00Z").context("a time")?;
    report(&api, id.parse()?, "key_other", bucket_start).await?;
    let before = api.get(drift).await?.expect(200)?;
    ensure!(before.at("/items").as_array().is_some_and(Vec::is_empty), "before the key came: {}", before.text);
    api.execute(&format!("UPDATE integrations SET created_at_ms = {}", bucket_start.ms())).await?;
    let shown = api.get(drift).await?.expect(200)?;
    let line = shown.at("/items/0");
    ensure!(line["day"] == "2026-11-02" && line["integration_id"] == id.as_str(), "{}", shown.text);
    ensure!(line["reported_tokens"] == 5_000 && line["reported_requests"] == 12, "{}", shown.text);
    ensure!(line["metered_tokens"] == 0 && line["used_outside"] == true, "{}", shown.text);
    report(&api, id.parse()?, "key_other", bucket_start.after(std::time::Duration::from_secs(86_400))).await?;
    let drift = "/api/v1/usage/drift?from=2026-11-01&to=2026-11-05&limit=1";
    let first = api.get(drift).await?.expect(200)?;
    let second = api.get(&format!("{drift}&cursor={}", first.text_at("/next_cursor"))).await?.expect(200)?;
    let days = [&first, &second].map(|page| page.text_at("/items/0/day"));
    ensure!(days == ["2026-11-02", "2026-11-03"] && second.at("/next_cursor").is_null(), "{}", second.text);
    let of_it = api.get(&format!("{drift}&integration_id={id}")).await?.expect(200)?;
    let of_other = api.get(&format!("{drift}&integration_id={}", IntegrationId::new())).await?.expect(200)?;
    ensure!(of_it.json == first.json && of_other.at("/items") == &json!([]), "{}", of_other.text);
    let elsewhere = api.get("/api/v1/usage/drift?from=2026-11-04&to=2026-11-05").await?.expect(200)?;
    ensure!(elsewhere.at("/items").as_array().is_some_and(Vec::is_empty), "{}", elsewhere.text);
    api.get("/api/v1/usage/drift?from=2026-01-01&to=2026-11-03").await?.expect_error(400, "invalid_parameter")?;
    Ok(())
}

/// Keeps a report of an hour's usage by the provider's own id of a key.
pub(crate) async fn report(
    api: &Api,
    integration_id: IntegrationId,
    provider_key_id: &str,
    bucket_start: Timestamp,
) -> Result<()> {
    let row = ReportedUsage {
        source: "usage.completions.by_key".to_owned(),
        bucket_start,
        bucket_end: bucket_start.after(std::time::Duration::from_secs(3600)),
        model: Some("gpt-4o-mini".to_owned()),
        line_item: None,
        requests: Some(12),
        tokens: TokenCounts { input: Some(4_000), output: Some(1_000), ..TokenCounts::default() },
        cost_nano_usd: None,
    };
    let tx = api.store.tenant(api.tenant).await?;
    let key = ReportedKey { integration_id, project_id: ProjectId::new(), provider_key_id: provider_key_id.to_owned() };
    let source = row.source.clone();
    let rows = [(key, row)];
    let figures = KeyFigures { reported_by: integration_id, provider: "openai", source: &source, rows: &rows };
    key_usage::upsert(&tx, &figures, bucket_start).await?;
    Ok(tx.commit().await?)
}
