//! Sharing a tenant: invitations, roles that are given and taken, the last owner, and services.

use std::time::Duration;

use anyhow::{Result, ensure};
use keyway_domain::{Role, Timestamp};
use keyway_store::users::UserRow;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    fixture::{Api, Reply, on_both, send},
    members::{member, session, with},
};

on_both! { an_invitation_makes_a_member_once roles_are_given_by_who_has_them services_are_made_and_end }

const PASSWORD: &str = "a quiet orchard at dusk";

async fn ask(api: &Api, token: &str, method: Method, path: &str, body: Value) -> Result<Reply> {
    send(with(api, token, method, path).json(&body)).await
}

async fn signed_in(api: &Api, role: Role) -> Result<(UserRow, String)> {
    let user = member(api, api.tenant, role, None).await?;
    let token = session(api, &user, Duration::ZERO).await?;
    Ok((user, token))
}

/// Returns the id of a person's membership.
async fn membership(api: &Api, user: &UserRow) -> Result<String> {
    let listed = api.get("/api/v1/members").await?.expect(200)?;
    let items = listed.at("/items").as_array().cloned().unwrap_or_default();
    let own = items.iter().find(|item| item["user_id"] == json!(user.id));
    Ok(own.map(|item| item["id"].as_str().unwrap_or_default().to_owned()).unwrap_or_default())
}

async fn an_invitation_makes_a_member_once(api: Api) -> Result<()> {
    let (_, admin) = signed_in(&api, Role::Admin).await?;
    let invite = json!({ "email": "ben@example.org", "role": "developer" });
    let first = ask(&api, &admin, Method::POST, "/api/v1/invitations", invite.clone()).await?.expect(201)?;
    let made = ask(&api, &admin, Method::POST, "/api/v1/invitations", invite).await?.expect(201)?;
    let (link, token) = (made.text_at("/link"), made.text_at("/token"));
    ensure!(link.starts_with("http://127.0.0.1:") && link.ends_with(&format!("/invite#{token}")), "{link}");
    let owner = json!({ "email": "ben@example.org", "role": "owner" });
    let refused = ask(&api, &admin, Method::POST, "/api/v1/invitations", owner).await?;
    ensure!(refused.expect_error(403, "not_allowed")?.text_at("/error/message").contains("owners.manage"));
    let accept = |token: &str, password: &str| {
        let body = json!({ "token": token, "name": "Ben", "password": password });
        send(api.anonymous(Method::POST, "/api/v1/invitations/accept").json(&body))
    };
    accept(first.text_at("/token"), PASSWORD).await?.expect_error(401, "invalid_credentials")?;
    accept(token, "short").await?.expect_error(422, "invalid_field")?;
    let accepted = accept(token, PASSWORD).await?.expect(201)?;
    ensure!(accepted.text_at("/user/email") == "ben@example.org", "{}", accepted.text);
    let me = ask(&api, accepted.text_at("/session/token"), Method::GET, "/api/v1/me", json!({})).await?.expect(200)?;
    ensure!(me.at("/tenants/0/role") == "developer", "{}", me.text);
    accept(token, PASSWORD).await?.expect_error(401, "invalid_credentials")?;

    // Who has an account proves itself by its password, and has one account in both tenants.
    let other = api.post("/api/v1/tenants", json!({ "name": "other" })).await?.expect(201)?.text_at("/id").to_owned();
    let invite = json!({ "email": "BEN@example.org", "role": "auditor" });
    let there =
        send(api.request(Method::POST, "/api/v1/invitations").header("Keyway-Tenant", &other).json(&invite)).await?;
    let there = there.expect(201)?.text_at("/token").to_owned();
    accept(&there, "something else entirely").await?.expect_error(401, "invalid_credentials")?;
    api.execute("DELETE FROM sign_in_attempts").await?;
    let both = accept(&there, PASSWORD).await?.expect(201)?;
    ensure!(both.text_at("/user/id") == accepted.text_at("/user/id"), "{}", both.text);
    let me = ask(&api, both.text_at("/session/token"), Method::GET, "/api/v1/me", json!({})).await?.expect(200)?;
    ensure!(me.at("/tenants").as_array().is_some_and(|tenants| tenants.len() == 2), "{}", me.text);
    Ok(())
}

async fn roles_are_given_by_who_has_them(api: Api) -> Result<()> {
    let (ana, owner) = signed_in(&api, Role::Owner).await?;
    let (ben, admin) = signed_in(&api, Role::Admin).await?;
    let (_, auditor) = signed_in(&api, Role::Auditor).await?;
    let path = |id: &str| format!("/api/v1/members/{id}");
    let (of_ana, of_ben) = (path(&membership(&api, &ana).await?), path(&membership(&api, &ben).await?));
    for (token, member, role) in
        [(&auditor, &of_ben, "auditor"), (&admin, &of_ben, "owner"), (&admin, &of_ana, "admin")]
    {
        let reply = ask(&api, token, Method::PATCH, member, json!({ "role": role })).await?;
        reply.expect_error(403, "not_allowed")?;
    }
    ask(&api, &admin, Method::DELETE, &of_ana, json!({})).await?.expect_error(403, "not_allowed")?;
    for reply in [
        ask(&api, &owner, Method::PATCH, &of_ana, json!({ "role": "admin" })).await?,
        ask(&api, &owner, Method::DELETE, &of_ana, json!({})).await?,
    ] {
        reply.expect_error(409, "last_owner")?;
    }
    // Ben's warm session ends with his role, at once.
    ask(&api, &admin, Method::GET, "/api/v1/members", json!({})).await?.expect(200)?;
    ask(&api, &admin, Method::PATCH, &of_ana, json!({ "may_reveal": true })).await?.expect_error(403, "not_allowed")?;
    ask(&api, &owner, Method::PATCH, &of_ben, json!({ "role": "owner" })).await?.expect(200)?;
    ask(&api, &admin, Method::GET, "/api/v1/members", json!({})).await?.expect_error(401, "unauthenticated")?;
    let changed = ask(&api, &owner, Method::PATCH, &of_ben, json!({ "may_reveal": true })).await?.expect(200)?;
    ensure!(changed.at("/may_reveal") == true && changed.at("/role") == "owner", "{}", changed.text);
    ask(&api, &owner, Method::PATCH, &of_ana, json!({ "role": "billing" })).await?.expect(200)?;
    ask(&api, &owner, Method::GET, "/api/v1/members", json!({})).await?.expect_error(403, "not_allowed")?;
    Ok(())
}

async fn services_are_made_and_end(api: Api) -> Result<()> {
    let (ana, admin) = signed_in(&api, Role::Admin).await?;
    let make = |permissions: &[&str], name: &str| {
        let expires_at = Timestamp::now().after(Duration::from_secs(3600));
        json!({ "name": name, "permissions": permissions, "expires_at": expires_at })
    };
    for (permissions, status, code) in [
        (&["integrations.reveal"][..], 403, "not_allowed"),
        (&["owners.manage"], 403, "not_allowed"),
        (&["installation.manage"], 422, "invalid_field"),
        (&["integrations.fly"], 422, "invalid_field"),
        (&[], 422, "invalid_field"),
    ] {
        let reply = ask(&api, &admin, Method::POST, "/api/v1/services", make(permissions, "x")).await?;
        reply.expect_error(status, code)?;
    }
    let permissions = ["projects.read", "services.create", "services.delete"];
    let made = ask(&api, &admin, Method::POST, "/api/v1/services", make(&permissions, "one")).await?.expect(201)?;
    let (token, id) = (made.text_at("/token").to_owned(), made.text_at("/id").to_owned());
    ensure!(token.starts_with(&format!("kw_svc_{}_", made.text_at("/public_id"))), "{}", made.text);
    let projects = |token: String| send(with(&api, &token, Method::GET, "/api/v1/projects"));
    projects(token.clone()).await?.expect(200)?;
    let more = ask(&api, &token, Method::POST, "/api/v1/services", make(&["usage.read"], "two")).await?;
    more.expect_error(403, "not_allowed")?;
    let child =
        ask(&api, &token, Method::POST, "/api/v1/services", make(&["projects.read"], "two")).await?.expect(201)?;
    ensure!(child.at("/made_by") == &json!(ana.id), "{}", child.text);

    let path = format!("/api/v1/services/{id}");
    let shown = ask(&api, &admin, Method::GET, &path, json!({})).await?.expect(200)?;
    ensure!(!shown.text.contains(&token), "{}", shown.text);
    let rotate = json!({ "expires_at": Timestamp::now().after(Duration::from_secs(60)) });
    let rotated = ask(&api, &admin, Method::POST, &format!("{path}/rotate"), rotate).await?.expect(200)?;
    projects(token).await?.expect_error(401, "unauthenticated")?;
    let token = rotated.text_at("/token").to_owned();
    projects(token.clone()).await?.expect(200)?;
    ask(&api, &admin, Method::DELETE, &path, json!({})).await?.expect(204)?;
    projects(token).await?.expect_error(401, "unauthenticated")?;

    // With its maker's membership a service loses what it may do, at once.
    let child = child.text_at("/token").to_owned();
    projects(child.clone()).await?.expect(200)?;
    signed_in(&api, Role::Owner).await?;
    api.delete(&format!("/api/v1/members/{}", membership(&api, &ana).await?)).await?.expect(204)?;
    projects(child).await?.expect_error(403, "not_allowed")?;
    Ok(())
}
