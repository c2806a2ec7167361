//! A thousand keys of ten providers, some failing in each way and one provider hanging: after one scheduled round
//! every key's verdict is right, and so are the figures; who hangs holds nobody up.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use futures::{TryStreamExt as _, stream};
use keyway_providers::Catalog;
use keyway_testkit::{hosts::Host, replay::Fixture};
use reqwest::Method;
use sea_orm::ConnectionTrait as _;
use serde_json::json;

use crate::harness::{Api, Database, Keyway, Services, text, until};

const PROVIDERS: [&str; 10] =
    ["openai", "anthropic", "xai", "gemini", "openrouter", "mistral", "cohere", "groq", "deepseek", "azure_openai"];
/// The provider that hangs in the round.
const HANGING: &str = "groq";
const KEYS: usize = 100;
/// Number of keys of each provider that fail in each of three ways.
const EACH_WAY: usize = 5;
/// Number of admin keys of each provider that reports usage.
const ADMINS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_over_ten_providers_ends_right_while_one_hangs() -> Result<()> {
    let mut hosts = Vec::new();
    for provider in PROVIDERS {
        hosts.push((provider, Host::start(provider).await?));
    }
    let keyway = installation(&hosts).await?;
    let (api, database) = (keyway.api()?, keyway.database().await?);
    stream::iter(keys()?.into_iter().map(Ok))
        .try_for_each_concurrent(16, async |key| submit(api, &hosts, &key).await)
        .await?;
    until("every key has its first verdict", async || Ok(count(&database, "checked_at_ms > 0").await? == 1000)).await?;
    let found = found(&database).await?;
    for (status, verdict, way) in [
        ("connected", "valid", 1000 - 30 * EACH_WAY),
        ("error", "invalid", 10 * EACH_WAY),
        ("verifying", "rate_limited", 10 * EACH_WAY),
        ("verifying", "unreachable", 10 * EACH_WAY),
    ] {
        let line = format!("{status} {verdict} {way}");
        ensure!(found.contains(&line), "{line} is not in {found:?}");
    }

    let (_, hanging) = hosts.iter().find(|(name, _)| *name == HANGING).context("one hangs")?;
    hanging.hang();
    let before = database.number("SELECT max(checked_at_ms) AS n FROM integrations").await?;
    database.0.execute_unprepared("UPDATE integrations SET next_check_at_ms = 0").await?;
    until("every key of the others was verified again", async || {
        let others = format!("checked_at_ms > {before} AND provider <> '{HANGING}'");
        Ok(count(&database, &others).await? == 900)
    })
    .await?;
    // Nothing was heard from it, so what was found before is kept.
    let kept = count(&database, &format!("provider = '{HANGING}' AND status = 'connected'")).await?;
    ensure!(kept == number(KEYS - 3 * EACH_WAY), "only {kept} keys of who hangs are connected");
    let again = count(&database, &format!("provider <> '{HANGING}' AND status = 'connected'")).await?;
    ensure!(again == number(900 - 27 * EACH_WAY), "{again} keys of the others are connected");

    // The jobs of who hangs would wait for the host's next turn, which is minutes away by now; those of keys that
    // have no verdict yet would use up their attempts when nothing is put off any more.
    for which in [format!("provider={HANGING}"), "status=verifying".to_owned()] {
        let found = api.get(&format!("/integrations?{which}&limit=200")).await?;
        for row in found["items"].as_array().into_iter().flatten() {
            let path = format!("/api/v1/integrations/{}", text(row, "/id")?);
            api.send(Method::DELETE, &path, None, &[]).await?.expect(204)?;
        }
    }
    hosts.iter().for_each(|(_, host)| host.heal());
    figures(api).await?;
    until("all that was put off is done", async || {
        database.0.execute_unprepared("UPDATE outbox SET available_at_ms = 0").await?;
        Ok(count(&database, "status = 'verifying'").await? == 0 && database.outbox_rows().await? == 0)
    })
    .await?;
    keyway.finish().await
}

/// Starts processes whose catalog places the providers at these hosts.
async fn installation(hosts: &[(&str, Host)]) -> Result<Keyway> {
    let mut keyway = Keyway::on(Services::shared().await?).await?;
    let mut yaml = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/models.yaml"))?;
    for spec in Catalog::load(None)?.providers() {
        if let Some((_, host)) = hosts.iter().find(|(name, _)| *name == spec.name) {
            let there = format!("base_url: {}{}\n", host.root, spec.base_url.path().trim_end_matches('/'));
            yaml = yaml.replace(&format!("base_url: {}\n", spec.base_url.as_str().trim_end_matches('/')), &there);
        }
    }
    let file = keyway.dir.join("models.yaml");
    fs::write(&file, yaml)?;
    keyway.set("KEYWAY_MODELS_FILE", &file.display().to_string());
    let trusted: Vec<_> = hosts.iter().map(|(_, host)| host.host.as_str()).collect();
    keyway.set("KEYWAY_TRUSTED_UPSTREAMS", &trusted.join(","));
    keyway.run(&["migrate"])?;
    for role in ["api", "workers"] {
        keyway.start(role).await?;
    }
    Ok(keyway)
}

/// A key to submit.
struct Key {
    provider: &'static str,
    text: String,
}

/// Returns the keys of the round; the text of a key selects its answers.
fn keys() -> Result<Vec<Key>> {
    let catalog = Catalog::load(None)?;
    let mut keys = Vec::with_capacity(PROVIDERS.len() * KEYS);
    for provider in PROVIDERS {
        let spec = catalog.get(provider).with_context(|| format!("no provider {provider}"))?;
        let own = spec.key_prefixes.iter().find(|prefix| !prefix.contains("admin")).map_or("", String::as_str);
        for at in 0..KEYS {
            let (prefix, way) = match at / EACH_WAY {
                0 => (own, "wrong"),
                1 => (own, "waiting"),
                2 => (own, "failing"),
                _ if at >= KEYS - ADMINS && provider == "openai" => ("sk-admin-", "good"),
                _ if at >= KEYS - ADMINS && provider == "anthropic" => ("sk-ant-admin01-", "good"),
                _ => (own, "good"),
            };
            keys.push(Key { provider, text: format!("{prefix}{way}{at:03}{:024x}", fastrand::u128(..) >> 32) });
        }
    }
    fastrand::shuffle(&mut keys);
    Ok(keys)
}

async fn submit(api: &Api, hosts: &[(&str, Host)], key: &Key) -> Result<()> {
    let mut body = json!({ "provider": key.provider, "name": key.text, "credentials": key.text });
    if key.provider == "azure_openai" {
        let (_, host) = hosts.iter().find(|(name, _)| *name == key.provider).context("its host")?;
        body["config"] = json!({ "base_url": host.root });
    }
    api.apart().post("/integrations", body, 202).await.map(drop)
}

/// Fetches the reported usage and compares it with the recorded cases.
async fn figures(api: &Api) -> Result<()> {
    let fetch = json!({ "from": "2026-11-01T00:00:00Z", "to": "2026-11-04T00:00:00Z" });
    let started = api.post("/usage/fetch", fetch, 202).await?;
    let path = format!("/operations/{}", text(&started, "/operation/id")?);
    until("the round of usage has ended", async || {
        let state = api.get(&path).await?;
        ensure!(state["failed"] == 0, "{state}");
        Ok(state["state"] == "succeeded")
    })
    .await?;
    let report = api.get("/usage?ledger=reported&group_by=provider&from=2026-10-01&to=2026-12-01").await?;
    let items = report["items"].as_array().context("items")?;
    ensure!(items.len() == 2, "others than admin keys report: {report}");
    for (provider, pages) in [
        ("openai", &["usage_completions_page1", "usage_completions_page2_last", "usage_embeddings"][..]),
        ("anthropic", &["usage_page1", "usage_page2_last"]),
    ] {
        let mut output = 0;
        for page in pages {
            let case = Fixture::load(&format!("{provider}/{page}"))?;
            let rows = case.expect["rows"].as_array().cloned().unwrap_or_default();
            output += rows.iter().filter_map(|row| row["output"].as_i64()).sum::<i64>();
        }
        let row = items.iter().find(|row| row["provider"] == provider).with_context(|| provider)?;
        ensure!(output > 0 && row["output_tokens"] == output * number(ADMINS), "{output} of each, {row}");
        ensure!(row["cost_nano_usd"].as_i64().is_some_and(|cost| cost > 0), "{row}");
    }
    Ok(())
}

async fn found(database: &Database) -> Result<Vec<String>> {
    let text =
        "SELECT status || ' ' || verdict_kind || ' ' || count(*) FROM integrations GROUP BY status, verdict_kind";
    database.texts(text).await
}

async fn count(database: &Database, which: &str) -> Result<i64> {
    database.number(&format!("SELECT count(*) FROM integrations WHERE {which}")).await
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
