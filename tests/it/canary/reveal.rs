//! The one exception: an owner has a secret revealed, and asks every other route for it.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, Keyway, text, until};

use super::search::Canary;

/// Ids of things by the segment of the path that they stand behind, and where they are listed.
const LISTED: [&str; 8] =
    ["projects", "virtual-keys", "integrations", "operations", "requests", "members", "services", "providers"];

/// Reveals the secret of the integration with this name, and asks every other route. Returns the only text of an answer
/// that may hold the secret.
pub(super) async fn to_its_owner(
    keyway: &Keyway,
    (name, secret): (&str, &str),
    planted: &mut Vec<Canary>,
) -> Result<String> {
    let owner = owner(keyway, planted).await?;
    let integrations = owner.get("/integrations?limit=200").await?;
    let found = integrations["items"].as_array().and_then(|rows| rows.iter().find(|row| row["name"] == name));
    let path = format!("/api/v1/integrations/{}/reveal", text(found.context("no integration")?, "/id")?);
    let why = json!({ "reason": "to see what comes out" });
    owner.send(Method::POST, &path, Some(why.clone()), &[]).await?.expect(403)?;
    let member = text(&owner.get("/members").await?, "/items/0/id")?;
    let allow = json!({ "may_reveal": true });
    owner.send(Method::PATCH, &format!("/api/v1/members/{member}"), Some(allow), &[]).await?.expect(200)?;
    owner.send(Method::PUT, "/api/v1/reveals", Some(json!({ "allowed": true })), &[]).await?.expect(200)?;
    let revealed = owner.send(Method::POST, &path, Some(why), &[("idempotency-key", "reveal")]).await?;
    ensure!(revealed.header("cache-control") == Some("no-store"), "{:?}", revealed.headers);
    let shown = revealed.text.clone();
    ensure!(revealed.expect(200)?["credentials"] == secret, "{shown}");
    until("the reveal is in the audit log", async || {
        let events = owner.get("/audit?action=integration.revealed").await?;
        Ok(events["items"][0]["changes"]["reason"] == "to see what comes out")
    })
    .await?;
    every_other_route(&owner).await?;
    Ok(shown)
}

/// The first owner, who may do everything.
async fn owner(keyway: &Keyway, planted: &mut Vec<Canary>) -> Result<Api> {
    let password = Canary::plant("a person's password", "");
    let log = keyway.members()[0].process.log()?;
    let token = log.split_whitespace().find(|word| word.starts_with("kw_setup_")).context("no setup token")?;
    let body = json!({ "token": token, "email": "ana@example.org", "name": "Ana", "password": password.secret });
    let made = keyway.api()?.with_key("nobody").post("/setup", body, 201).await?;
    planted.push(password);
    Ok(keyway.api()?.with_key(&text(&made, "/session/token")?))
}

/// Reads everything that there is to read, by the document; the client keeps each answer.
async fn every_other_route(owner: &Api) -> Result<()> {
    let document = owner.send(Method::GET, "/api/openapi.json", None, &[]).await?.expect(200)?;
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().context("no paths")? {
        if !path.starts_with("/api/v1/") || methods["get"].is_null() {
            continue;
        }
        let path = match path.split_once("/{id}") {
            None => path.clone(),
            Some((before, after)) => match one_of(owner, before).await? {
                Some(id) => format!("{before}/{id}{after}"),
                None => continue,
            },
        };
        let answer = owner.send(Method::GET, &path, None, &[]).await?;
        ensure!(answer.status < 500, "{path}: {}", answer.text);
        asked += usize::from(answer.status == 200);
    }
    ensure!(asked > 20, "hardly a route answered: {asked}");
    Ok(())
}

async fn one_of(owner: &Api, list: &str) -> Result<Option<String>> {
    let name = list.rsplit('/').next().unwrap_or_default();
    if !LISTED.contains(&name) {
        return Ok(None);
    }
    let rows: Value = owner.send(Method::GET, list, None, &[]).await?.expect(200)?;
    let row = &rows["items"][0];
    Ok(row["id"].as_str().or(row["name"].as_str()).map(str::to_owned))
}
