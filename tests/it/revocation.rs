//! Revoked keys are refused by every process within a second, and the operation shows when each has dropped them: even
//! if one of them is gone, and while the broker is away.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Api, Keyway, Services, text, until},
    session::ended,
};

const REPLICAS: usize = 3;
/// Time limit after the answer to the revocation.
const EVERYWHERE: Duration = Duration::from_secs(1);
/// Time to live of cached entries, whatever service is away.
const TTL: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_is_revoked_is_refused_by_every_process_and_proved() -> Result<()> {
    let mut keyway = Keyway::cluster(REPLICAS, 1).await?;
    let apis: Vec<_> = keyway.apis().cloned().collect();
    let integration = connected(&keyway).await?;

    let (id, key) = virtual_key(&apis[0]).await?;
    served_by_all(&apis, &key).await?;
    let revoked = apis[0].post(&format!("/virtual-keys/{id}/revoke"), json!({}), 200).await?;
    refused_by_all(&apis, &key, 401, "virtual_key_revoked").await?;
    ensure!(revoked["id"] == id.as_str() && !revoked["revoked_at"].is_null(), "{revoked}");
    ensure!(revoked["operation"]["kind"] == "revoke", "{revoked}");
    acknowledged(&apis[1], &text(&revoked, "/operation/id")?, REPLICAS).await?;

    let (id, key) = virtual_key(&apis[0]).await?;
    served_by_all(&apis, &key).await?;
    let path = format!("/api/v1/virtual-keys/{id}");
    let deleted = apis[1].send(Method::DELETE, &path, None, &[]).await?;
    refused_by_all(&apis, &key, 401, "virtual_key_revoked").await?;
    acknowledged(&apis[0], operation_at(&deleted)?, REPLICAS).await?;

    let (_, key) = virtual_key(&apis[0]).await?;
    served_by_all(&apis, &key).await?;
    let path = format!("/api/v1/integrations/{integration}");
    let off = apis[2].send(Method::PATCH, &path, Some(json!({ "enabled": false })), &[]).await?;
    refused_by_all(&apis, &key, 409, "integration_disabled").await?;
    let off = off.expect(200)?;
    ensure!(off["integration"]["status"] == "disabled", "{off}");
    acknowledged(&apis[0], &text(&off, "/operation/id")?, REPLICAS).await?;
    let deleted = apis[0].send(Method::DELETE, &path, None, &[]).await?;
    refused_by_all(&apis, &key, 404, "integration_not_found").await?;
    acknowledged(&apis[1], operation_at(&deleted)?, REPLICAS).await?;

    one_is_killed(&mut keyway, &apis).await?;
    one_is_killed_and_comes_back(&mut keyway, &apis).await?;
    keyway.finish().await
}

/// The operation names the process that does not answer, and ends without it once it holds nothing any more.
async fn one_is_killed(keyway: &mut Keyway, apis: &[Api]) -> Result<()> {
    keyway.member(2).process.kill()?;
    let (id, _) = virtual_key(&apis[0]).await?;
    let revoked = apis[0].post(&format!("/virtual-keys/{id}/revoke"), json!({}), 200).await?;
    let path = format!("/operations/{}", text(&revoked, "/operation/id")?);
    let mut silent = String::new();
    until("the others have acknowledged", async || {
        let row = apis[1].get(&path).await?;
        ensure!(row["done"] == REPLICAS - 1 && row["total"] == REPLICAS, "{row}");
        ensure!(row["state"] == "queued" && row["failed"] == 0, "it does not wait: {row}");
        silent = text(&row, "/unanswered/0")?;
        Ok(true)
    })
    .await?;
    // A minute and a quarter passes.
    let uuid = silent.strip_prefix("rep_").context("an id of a replica")?;
    let ages = format!("UPDATE replicas SET seen_at_ms = seen_at_ms - 75000 WHERE id = '{uuid}'");
    keyway.database().await?.0.execute_unprepared(&ages).await?;
    let row = ended(&apis[0], &text(&revoked, "/operation/id")?).await?;
    ensure!(row["state"] == "succeeded" && row["done"] == REPLICAS - 1 && row["failed"] == 1, "{row}");
    ensure!(row["unanswered"] == json!([silent]), "{row}");
    keyway.respawn(2)?;
    keyway.ready(2).await
}

/// Checks that a process that takes over a data directory acknowledges at once, as its caches are empty.
async fn one_is_killed_and_comes_back(keyway: &mut Keyway, apis: &[Api]) -> Result<()> {
    keyway.member(1).process.kill()?;
    let (id, key) = virtual_key(&apis[0]).await?;
    let revoked = apis[0].post(&format!("/virtual-keys/{id}/revoke"), json!({}), 200).await?;
    keyway.respawn(1)?;
    keyway.ready(1).await?;
    refused_by_all(apis, &key, 401, "virtual_key_revoked").await?;
    acknowledged(&apis[2], &text(&revoked, "/operation/id")?, REPLICAS).await
}

#[tokio::test]
async fn without_a_broker_it_is_refused_within_the_time_to_live() -> Result<()> {
    let mut keyway = Keyway::on(Services::private().await?).await?;
    keyway.run(&["migrate"])?;
    for role in ["api", "api", "workers"] {
        keyway.start(role).await?;
    }
    let apis: Vec<_> = keyway.apis().cloned().collect();
    connected(&keyway).await?;
    let (id, key) = virtual_key(&apis[0]).await?;
    keyway.services.own()?.1.settle().await?;
    served_by_all(&apis, &key).await?;
    keyway.services.own()?.1.kill().await?;
    let revoked = apis[0].post(&format!("/virtual-keys/{id}/revoke"), json!({}), 200).await?;
    let answered = Instant::now();
    ensure!(chat(&apis[0], &key).await?.status == 401, "who revoked it still serves it");
    let mut served = Duration::ZERO;
    until("the other one refuses it too", async || {
        let asked = answered.elapsed();
        let refuses = chat(&apis[1], &key).await?.status == 401;
        served = if refuses { served } else { asked };
        Ok(refuses)
    })
    .await?;
    ensure!(served < TTL, "it was still served after {served:?}");
    let operation = text(&revoked, "/operation/id")?;
    let row = apis[1].get(&format!("/operations/{operation}")).await?;
    ensure!(row["state"] == "queued", "nobody can have acknowledged it: {row}");
    keyway.services.own()?.1.start().await?;
    acknowledged(&apis[0], &operation, 2).await?;
    keyway.finish().await
}

#[tokio::test]
async fn alone_it_is_proved_at_once() -> Result<()> {
    let keyway = Keyway::embedded().await?;
    let api = keyway.api()?.clone();
    connected(&keyway).await?;
    let (id, key) = virtual_key(&api).await?;
    served_by_all(std::slice::from_ref(&api), &key).await?;
    let revoked = api.post(&format!("/virtual-keys/{id}/revoke"), json!({}), 200).await?;
    ensure!(chat(&api, &key).await?.status == 401);
    acknowledged(&api, &text(&revoked, "/operation/id")?, 1).await?;
    keyway.finish().await
}

async fn connected(keyway: &Keyway) -> Result<String> {
    let api = keyway.api()?;
    let accepted = api.post("/integrations", keyway.openai("prod", "sk-sim-good-revocation"), 202).await?;
    ended(api, &text(&accepted, "/operation/id")?).await?;
    text(&accepted, "/integration/id")
}

/// The id of a new virtual key, and the key.
async fn virtual_key(api: &Api) -> Result<(String, String)> {
    let made = api.post("/virtual-keys", json!({ "name": format!("app {}", fastrand::u64(..)) }), 201).await?;
    Ok((text(&made, "/id")?, text(&made, "/key")?))
}

async fn chat(api: &Api, key: &str) -> Result<Answer> {
    let body = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "hello" }] });
    api.with_key(key).send(Method::POST, "/proxy/openai/v1/chat/completions", Some(body), &[]).await
}

async fn served_by_all(apis: &[Api], key: &str) -> Result<()> {
    for api in apis {
        chat(api, key).await?.expect(200)?;
    }
    Ok(())
}

/// Every process refuses the key like this, within the second that is promised.
async fn refused_by_all(apis: &[Api], key: &str, status: u16, code: &str) -> Result<()> {
    let answered = Instant::now();
    for api in apis {
        loop {
            let (asked, answer) = (answered.elapsed(), chat(api, key).await?);
            if answer.status == status {
                ensure!(answer.header("x-keyway-error") == Some(code), "{}", answer.text);
                break;
            }
            ensure!(asked < EVERYWHERE, "{} answers {} after {asked:?}", api.root(), answer.status);
        }
    }
    Ok(())
}

async fn acknowledged(api: &Api, operation: &str, replicas: usize) -> Result<()> {
    let row = ended(api, operation).await?;
    ensure!(row["state"] == "succeeded" && row["error"] == Value::Null, "{row}");
    ensure!(row["total"] == replicas && row["done"] == replicas && row["failed"] == 0, "{row}");
    Ok(())
}

fn operation_at(deleted: &Answer) -> Result<&str> {
    ensure!(deleted.status == 204, "{}", deleted.text);
    let location = deleted.header("location").context("no operation")?;
    location.strip_prefix("/api/v1/operations/").context("another place")
}
