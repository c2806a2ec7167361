//! Reveals: off until an owner allows them, to whom it allows them, audited, counted, and never for the admin key.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use keyway_domain::{Role, Timestamp};
use keyway_store::users::UserRow;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    fixture::{Api, KEY, Reply, on_both, send},
    members::{member, session, with},
    people::audited,
};

on_both! { a_secret_is_revealed_to_whom_an_owner_allows_it services_reveal_by_an_owners_word }

const FRESH: Duration = Duration::ZERO;
const STALE: Duration = Duration::from_secs(600);

async fn ask(api: &Api, token: &str, method: Method, path: &str, body: Value) -> Result<Reply> {
    send(with(api, token, method, path).json(&body)).await
}

async fn reveal(api: &Api, token: &str, integration: &str) -> Result<Reply> {
    let path = format!("/api/v1/integrations/{integration}/reveal");
    ask(api, token, Method::POST, &path, json!({ "reason": "moving to another host" })).await
}

async fn allow(api: &Api, token: &str, allowed: bool) -> Result<Reply> {
    ask(api, token, Method::PUT, "/api/v1/reveals", json!({ "allowed": allowed })).await
}

/// Lets a member reveal secrets, or no longer.
async fn let_reveal(api: &Api, token: &str, user: &UserRow, may_reveal: bool) -> Result<Reply> {
    let members = api.get("/api/v1/members").await?.expect(200)?;
    let members = members.at("/items").as_array().context("no members")?;
    let found = members.iter().find(|member| member["user_id"] == json!(user.id)).context("no such member")?;
    let path = format!("/api/v1/members/{}", found["id"].as_str().unwrap_or_default());
    ask(api, token, Method::PATCH, &path, json!({ "may_reveal": may_reveal })).await
}

async fn a_secret_is_revealed_to_whom_an_owner_allows_it(api: Api) -> Result<()> {
    let integration = api.submit("prod", KEY).await?;
    let ana = member(&api, api.tenant, Role::Owner, None).await?;
    let ben = member(&api, api.tenant, Role::Admin, None).await?;
    let (owner, admin) = (session(&api, &ana, FRESH).await?, session(&api, &ben, FRESH).await?);
    let operator = api.admin_key.clone();
    for token in [&owner, &admin, &operator] {
        let refused = reveal(&api, token, &integration).await?.expect_error(403, "not_allowed")?;
        ensure!(refused.text_at("/error/message").contains("integrations.reveal"), "{}", refused.text);
    }
    // Only an owner who signed in allows it.
    for token in [&admin, &operator] {
        allow(&api, token, true).await?.expect_error(403, "not_allowed")?;
        let_reveal(&api, token, &ben, true).await?.expect_error(403, "not_allowed")?;
    }
    let_reveal(&api, &owner, &ana, true).await?.expect(200)?;
    let off = reveal(&api, &owner, &integration).await?.expect_error(403, "not_allowed")?;
    ensure!(off.text_at("/error/message").contains("PUT /api/v1/reveals"), "{}", off.text);
    let allowed = allow(&api, &owner, true).await?.expect(200)?;
    ensure!(allowed.at("/allowed") == true && allowed.at("/allowed_by") == &json!(ana.id), "{}", allowed.text);
    let shown = ask(&api, &admin, Method::GET, "/api/v1/reveals", json!({})).await?.expect(200)?;
    ensure!(shown.json == allowed.json, "{}", shown.text);

    let revealed = reveal(&api, &owner, &integration).await?.expect(200)?;
    ensure!(revealed.json == json!({ "credentials": KEY }), "{}", revealed.text);
    ensure!(revealed.header("cache-control") == "no-store", "{:?}", revealed.headers);
    let (actor, address) = audited(&api, "integration.revealed").await?;
    ensure!(actor.contains(&ana.id.to_string()) && address == "127.0.0.1", "{actor} {address}");
    reveal(&api, &admin, &integration).await?.expect_error(403, "not_allowed")?;
    let late = session(&api, &ana, STALE).await?;
    reveal(&api, &late, &integration).await?.expect_error(403, "step_up_required")?;
    unusable(&api, &owner, &integration).await?;
    limited(&api, &owner, &integration).await?;

    let_reveal(&api, &owner, &ana, false).await?.expect(200)?;
    reveal(&api, &owner, &integration).await?.expect_error(403, "not_allowed")?;
    let_reveal(&api, &owner, &ana, true).await?.expect(200)?;
    // What was allowed may be taken back by the operator, too.
    allow(&api, &operator, false).await?.expect(200)?;
    reveal(&api, &owner, &integration).await?.expect_error(403, "not_allowed")?;
    Ok(())
}

/// Requests that reveal nothing, and count as nothing.
async fn unusable(api: &Api, owner: &str, integration: &str) -> Result<()> {
    let path = format!("/api/v1/integrations/{integration}/reveal");
    for reason in [json!({}), json!({ "reason": " " }), json!({ "reason": "x".repeat(201) }), json!({ "reason": 7 })] {
        ask(api, owner, Method::POST, &path, reason).await?.expect_error(422, "invalid_field")?;
    }
    let leaking = json!({ "reason": format!("is it still {KEY}?") });
    ask(api, owner, Method::POST, &path, leaking).await?.expect_error(422, "invalid_field")?;
    let unknown = keyway_domain::IntegrationId::new().to_string();
    reveal(api, owner, &unknown).await?.expect_error(404, "not_found")?;
    let other = api.post("/api/v1/tenants", json!({ "name": "other" })).await?.expect(201)?.text_at("/id").to_owned();
    let there = with(api, owner, Method::POST, &path).header("Keyway-Tenant", other);
    send(there.json(&json!({ "reason": "x" }))).await?.expect_error(404, "not_found")?;
    Ok(())
}

/// Five a minute, one of which was before; an idempotency key neither keeps an answer nor saves a count.
async fn limited(api: &Api, owner: &str, integration: &str) -> Result<()> {
    let path = format!("/api/v1/integrations/{integration}/reveal");
    let keyed = || {
        let request = with(api, owner, Method::POST, &path).header("idempotency-key", "k");
        send(request.json(&json!({ "reason": "x" })))
    };
    for _ in 0..4 {
        let revealed = keyed().await?.expect(200)?;
        ensure!(revealed.header("idempotent-replayed").is_empty(), "it was kept");
    }
    ensure!(api.number("SELECT count(*) AS n FROM idempotency_keys WHERE key = 'k'").await? == 0);
    let refused = keyed().await?.expect_error(429, "rate_limited")?;
    let wait: u64 = refused.header("retry-after").parse()?;
    ensure!((1..=60).contains(&wait), "{wait}");
    api.execute("UPDATE reveals SET revealed_at_ms = revealed_at_ms - 61000").await?;
    keyed().await?.expect(200)?;
    ensure!(api.number("SELECT count(*) AS n FROM reveals").await? == 1, "counts of the minute before are deleted");
    Ok(())
}

async fn services_reveal_by_an_owners_word(api: Api) -> Result<()> {
    let integration = api.submit("prod", KEY).await?;
    let ana = member(&api, api.tenant, Role::Owner, None).await?;
    let owner = session(&api, &ana, FRESH).await?;
    let expires_at = Timestamp::now().after(Duration::from_secs(3600));
    let make =
        |name: &str, permission: &str| json!({ "name": name, "permissions": [permission], "expires_at": expires_at });
    let services = "/api/v1/services";
    allow(&api, &owner, true).await?.expect(200)?;
    let early = ask(&api, &owner, Method::POST, services, make("kyto", "integrations.reveal")).await?;
    early.expect_error(403, "not_allowed")?;
    let_reveal(&api, &owner, &ana, true).await?.expect(200)?;
    let made = ask(&api, &owner, Method::POST, services, make("kyto", "integrations.reveal")).await?.expect(201)?;
    let (token, path) = (made.text_at("/token").to_owned(), format!("{services}/{}", made.text_at("/id")));
    let revealed = reveal(&api, &token, &integration).await?.expect(200)?;
    ensure!(revealed.at("/credentials") == KEY, "{}", revealed.text);
    let (actor, _) = audited(&api, "integration.revealed").await?;
    ensure!(actor.contains(made.text_at("/id")), "{actor}");

    let patch = |token: String, path: String, may_reveal: bool| {
        let body = json!({ "may_reveal": may_reveal });
        send(with(&api, &token, Method::PATCH, &path).json(&body))
    };
    patch(owner.clone(), path.clone(), false).await?.expect(200)?;
    reveal(&api, &token, &integration).await?.expect_error(403, "not_allowed")?;
    patch(api.admin_key.clone(), path.clone(), true).await?.expect_error(403, "not_allowed")?;
    let again = patch(owner.clone(), path.clone(), true).await?.expect(200)?;
    ensure!(again.at("/permissions") == &json!(["integrations.reveal"]), "{}", again.text);
    reveal(&api, &token, &integration).await?.expect(200)?;
    // With its maker's word goes its own.
    let_reveal(&api, &owner, &ana, false).await?.expect(200)?;
    reveal(&api, &token, &integration).await?.expect_error(403, "not_allowed")?;
    patch(owner.clone(), path.clone(), false).await?.expect(200)?;
    patch(owner.clone(), path, true).await?.expect_error(409, "conflict")?;

    // The operator's service reveals once an owner says so, and not by the operator's word.
    api.post(services, make("ci", "integrations.reveal")).await?.expect_error(403, "not_allowed")?;
    let made = api.post(services, make("ci", "usage.read")).await?.expect(201)?;
    let (token, path) = (made.text_at("/token").to_owned(), format!("{services}/{}", made.text_at("/id")));
    patch(api.admin_key.clone(), path.clone(), true).await?.expect_error(403, "not_allowed")?;
    patch(owner, path, true).await?.expect(200)?;
    reveal(&api, &token, &integration).await?.expect(200)?;
    Ok(())
}

/// A role in a project reveals there and nowhere else; a cloud credential comes back as the object it is.
#[tokio::test]
async fn a_reveal_stays_in_its_project_and_has_the_form_it_came_in() -> Result<()> {
    let api = Api::sqlite().await?;
    let outside = api.submit("prod", KEY).await?;
    let project = api.post("/api/v1/projects", json!({ "name": "shop" })).await?.expect(201)?.text_at("/id").to_owned();
    let credentials = json!({ "access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "region": "eu-west-1" });
    let body = json!({ "project_id": project, "provider": "aws", "name": "cloud", "credentials": credentials });
    let inside = api.post("/api/v1/integrations", body).await?.expect(202)?.text_at("/integration/id").to_owned();
    let ana = member(&api, api.tenant, Role::Owner, None).await?;
    let ben = member(&api, api.tenant, Role::Developer, Some(project.parse()?)).await?;
    let owner = session(&api, &ana, FRESH).await?;
    allow(&api, &owner, true).await?.expect(200)?;
    let_reveal(&api, &owner, &ben, true).await?.expect(200)?;
    let token = session(&api, &ben, FRESH).await?;
    reveal(&api, &token, &outside).await?.expect_error(404, "not_found")?;
    let revealed = reveal(&api, &token, &inside).await?.expect(200)?;
    ensure!(revealed.at("/credentials") == &credentials, "{}", revealed.text);
    Ok(())
}
