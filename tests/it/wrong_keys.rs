//! Wrong keys: counted, logged, audited once for each address and minute, and answered the later the more there are,
//! which a right key and another address do not feel.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Keyway, metrics, text, until};

const ATTEMPTS: usize = 41;
const REFUSED: &str = "keyway_auth_failures_total";

#[tokio::test]
async fn forty_one_wrong_admin_keys_are_seen_and_slowed_down() -> Result<()> {
    let keyway = Keyway::embedded().await?;
    let api = keyway.api()?.clone();
    let wrong = api.with_key("kw_admin_canary-of-a-wrong-key");
    let first =
        timed(async || wrong.send(Method::GET, "/api/v1/projects", None, &[]).await.map(|it| it.status)).await?;
    try_join_all(
        (1..ATTEMPTS).map(|_| async { wrong.send(Method::GET, "/api/v1/projects", None, &[]).await?.expect(401) }),
    )
    .await?;
    let last = timed(async || wrong.send(Method::GET, "/api/v1/projects", None, &[]).await.map(|it| it.status)).await?;
    ensure!(first.1 == 401 && last.1 == 401, "{first:?} {last:?}");
    ensure!(last.0 >= Duration::from_millis(390), "the next is answered after {:?}", last.0);

    // Of three tries one is not held up by the machine.
    let (mut right, mut elsewhere) = (Duration::MAX, Duration::MAX);
    for _ in 0..3 {
        let (took, status) =
            timed(async || api.send(Method::GET, "/api/v1/projects", None, &[]).await.map(|it| it.status)).await?;
        ensure!(status == 200, "the right key is refused: {status}");
        right = right.min(took);
        let (took, status) = timed(async || from_elsewhere(api.root()).await).await?;
        ensure!(status == 401, "{status}");
        elsewhere = elsewhere.min(took);
    }
    ensure!(right < Duration::from_millis(300), "the right key waits {right:?}");
    ensure!(elsewhere < Duration::from_millis(300), "another address waits {elsewhere:?}");

    let event = audited(&keyway, "admin_key.refused", "127.0.0.1").await?;
    ensure!(event["outcome"] == "denied" && event["changes"]["count"] == ATTEMPTS + 1, "{event}");
    ensure!(event["changes"]["reason"] == "wrong_admin_key", "{event}");
    audited(&keyway, "admin_key.refused", "127.0.0.2").await?;
    let all = api.get("/audit?action=admin_key.refused").await?;
    ensure!(all["items"].as_array().map(Vec::len) == Some(2), "one for each address: {all}");
    let figures = keyway.ops(0, "/metrics").await?.text;
    let counted = metrics::sum(&figures, REFUSED)?;
    ensure!(counted == (ATTEMPTS + 4) as f64, "{counted}");
    let log = keyway.members()[0].process.log()?;
    let lines: Vec<_> = log.lines().filter(|line| line.contains("access was refused")).collect();
    ensure!(lines.len() == 2 && lines[0].contains("127.0.0.1"), "one line for each address: {lines:?}");
    ensure!(!log.contains("canary-of-a-wrong-key"), "a wrong key is in the log");
    keyway.finish().await
}

#[tokio::test]
async fn wrong_revoked_and_missing_virtual_keys_are_told_apart() -> Result<()> {
    let keyway = Keyway::embedded().await?;
    let api = keyway.api()?.clone();
    let made = api.post("/virtual-keys", json!({ "name": "app" }), 201).await?;
    let (id, key) = (text(&made, "/id")?, text(&made, "/key")?);
    api.send(Method::DELETE, &format!("/api/v1/virtual-keys/{id}"), None, &[]).await?;
    let models = async |key: &str, code: &str| -> Result<()> {
        let refused = api.with_key(key).send(Method::GET, "/v1/models", None, &[]).await?;
        ensure!(refused.header("x-keyway-error") == Some(code), "{}", refused.text);
        Ok(())
    };
    for _ in 0..2 {
        models(&key, "virtual_key_revoked").await?;
        models("sk-canary-of-a-provider", "invalid_virtual_key").await?;
    }
    let none = reqwest_client(None)?.get(format!("{}/v1/models", api.root())).send().await?;
    ensure!(none.status() == StatusCode::UNAUTHORIZED);
    let revoked = audited(&keyway, "virtual_key.refused", &id).await?;
    ensure!(revoked["changes"]["count"] == 2 && revoked["changes"]["address"] == "127.0.0.1", "{revoked}");
    ensure!(revoked["actor"] == json!({ "type": "virtual_key", "id": id }), "{revoked}");
    let wrong = audited(&keyway, "virtual_key.refused", "127.0.0.1").await?;
    ensure!(wrong["changes"]["count"] == 2 && wrong["changes"]["reason"] == "wrong_virtual_key", "{wrong}");
    ensure!(metrics::sum(&keyway.ops(0, "/metrics").await?.text, REFUSED)? == 4.0, "a missing key is not a wrong one");
    ensure!(!keyway.members()[0].process.log()?.contains("canary-of-a-provider"), "a wrong key is in the log");
    keyway.finish().await
}

async fn timed(ask: impl AsyncFnOnce() -> Result<u16>) -> Result<(Duration, u16)> {
    let start = Instant::now();
    let status = ask().await?;
    Ok((start.elapsed(), status))
}

/// Waits for the one event of this action about this target.
async fn audited(keyway: &Keyway, action: &str, target: &str) -> Result<Value> {
    let (api, mut found) = (keyway.api()?, Vec::new());
    let path = format!("/audit?action={action}&target={target}");
    until(&format!("{action} of {target} is audited"), async || {
        found = api.get(&path).await?["items"].as_array().cloned().unwrap_or_default();
        Ok(!found.is_empty())
    })
    .await?;
    ensure!(found.len() == 1, "{found:?}");
    found.pop().context("an event")
}

async fn from_elsewhere(root: &str) -> Result<u16> {
    let address = IpAddr::from([127, 0, 0, 2]);
    let request = reqwest_client(Some(address))?.get(format!("{root}/api/v1/projects"));
    Ok(request.bearer_auth("kw_admin_wrong").send().await?.status().as_u16())
}

fn reqwest_client(from: Option<IpAddr>) -> Result<reqwest::Client> {
    #[expect(clippy::disallowed_methods, reason = "the guarded client would refuse this machine's addresses")]
    let builder = reqwest::Client::builder();
    Ok(builder.no_proxy().local_address(from).build()?)
}
