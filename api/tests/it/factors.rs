//! Second factors: an app of somebody else's making, recovery codes, and what a sign-in asks for.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::join_all;
use keyway_domain::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    authenticator::Authenticator,
    fixture::{Api, Reply, on_both, send},
    members::{member, session, with},
    people::{EMAIL, PASSWORD, anybody, audited, set_up},
    secrets::tables_without,
};

on_both! {
    a_sign_in_asks_for_the_app
    a_recovery_code_stands_in_once
    of_many_at_once_one_comes_in
    factors_change_with_a_recent_proof_only
    a_short_password_never_stands_alone
    an_invitation_asks_for_the_app_too
}

/// A person with an app in use.
struct Ana {
    app: Authenticator,
    url: String,
    token: String,
    codes: Vec<String>,
}

async fn ask(api: &Api, token: &str, path: &str, body: Value) -> Result<Reply> {
    send(with(api, token, Method::POST, path).json(&body)).await
}

/// Lets the next attempt come at once.
async fn wait_no_more(api: &Api) -> Result<()> {
    api.execute("UPDATE sign_in_attempts SET next_at_ms = 0").await.map(drop)
}

async fn with_app(api: &Api) -> Result<Ana> {
    let (app, token) = (Authenticator::installed().await?, set_up(api).await?);
    let begun = ask(api, &token, "/api/v1/me/totp", json!({})).await?.expect(201)?;
    let url = begun.text_at("/url").to_owned();
    ensure!(url.contains(&format!("secret={}", begun.text_at("/secret"))), "{url}");
    let proof = json!({ "totp": app.code(&url, 0).await? });
    let confirmed = ask(api, &token, "/api/v1/me/totp/confirm", proof).await?.expect(200)?;
    let codes = confirmed.at("/recovery_codes").as_array().cloned().unwrap_or_default();
    let codes: Vec<_> = codes.iter().filter_map(|code| code.as_str().map(str::to_owned)).collect();
    ensure!(codes.len() == 10, "{}", confirmed.text);
    Ok(Ana { app, url, token: confirmed.text_at("/session/token").to_owned(), codes })
}

/// Shows the password; returns the challenge.
async fn challenge(api: &Api, password: &str) -> Result<String> {
    let proof = json!({ "email": EMAIL, "password": password });
    let asked = anybody(api, "/api/v1/sessions", proof).await?.expect(200)?;
    ensure!(asked.at("/session").is_null() && asked.header("set-cookie").is_empty(), "{}", asked.text);
    ensure!(asked.at("/second_factor/0") == "totp", "{}", asked.text);
    Ok(asked.text_at("/challenge").to_owned())
}

async fn second(api: &Api, challenge: &str, kind: &str, code: &str) -> Result<Reply> {
    anybody(api, "/api/v1/sessions/second-factor", json!({ "challenge": challenge, kind: code })).await
}

async fn a_sign_in_asks_for_the_app(api: Api) -> Result<()> {
    let (app, token) = (Authenticator::installed().await?, set_up(&api).await?);
    let sign_in = || anybody(&api, "/api/v1/sessions", json!({ "email": EMAIL, "password": PASSWORD }));
    ask(&api, &token, "/api/v1/me/totp/confirm", json!({ "totp": "123456" })).await?.expect_error(409, "conflict")?;
    let first = ask(&api, &token, "/api/v1/me/totp", json!({})).await?.expect(201)?;
    let begun = ask(&api, &token, "/api/v1/me/totp", json!({})).await?.expect(201)?;
    let (url, secret) = (begun.text_at("/url").to_owned(), begun.text_at("/secret").to_owned());
    let other = sign_in().await?.expect(201)?.text_at("/session/token").to_owned();
    let confirm = async |url: &str| -> Result<Reply> {
        let proof = json!({ "totp": app.code(url, 0).await? });
        ask(&api, &token, "/api/v1/me/totp/confirm", proof).await
    };
    confirm(first.text_at("/url")).await?.expect_error(401, "invalid_credentials")?;
    confirm(&url).await?.expect_error(429, "too_many_attempts")?;
    wait_no_more(&api).await?;
    let code = app.code(&url, 0).await?;
    let proof = json!({ "totp": code });
    let confirmed = ask(&api, &token, "/api/v1/me/totp/confirm", proof).await?.expect(200)?;
    for token in [&token, &other] {
        send(with(&api, token, Method::GET, "/api/v1/me")).await?.expect_error(401, "unauthenticated")?;
    }
    let own = confirmed.text_at("/session/token").to_owned();
    ask(&api, &own, "/api/v1/me/totp", json!({})).await?.expect_error(409, "conflict")?;
    ensure!(audited(&api, "factor.added").await?.0.contains("\"type\":\"user\""));
    for planted in [secret.as_str(), confirmed.text_at("/recovery_codes/0")] {
        ensure!(tables_without(&api, planted).await? > 50);
    }

    let begun = challenge(&api, PASSWORD).await?;
    send(with(&api, &begun, Method::GET, "/api/v1/me")).await?.expect_error(401, "unauthenticated")?;
    // The code that confirmed it is used up.
    second(&api, &begun, "totp", &code).await?.expect_error(401, "invalid_credentials")?;
    second(&api, &begun, "totp", &app.code(&url, 1).await?).await?.expect_error(429, "too_many_attempts")?;
    // A right password in between does not begin the count anew.
    challenge(&api, PASSWORD).await?;
    second(&api, &begun, "totp", &app.code(&url, 1).await?).await?.expect_error(429, "too_many_attempts")?;
    for (late, status) in [(-5, 401), (5, 401), (1, 201)] {
        wait_no_more(&api).await?;
        second(&api, &begun, "totp", &app.code(&url, late).await?).await?.expect(status)?;
    }
    wait_no_more(&api).await?;
    second(&api, &begun, "totp", &app.code(&url, 1).await?).await?.expect_error(401, "invalid_credentials")?;
    let spent = json!({ "challenge": begun, "recovery": confirmed.text_at("/recovery_codes/0") });
    anybody(&api, "/api/v1/sessions/second-factor", spent).await?.expect_error(401, "invalid_credentials")?;
    let factors = send(with(&api, &own, Method::GET, "/api/v1/me/factors")).await?.expect(200)?;
    ensure!(!factors.at("/totp/confirmed_at").is_null(), "{}", factors.text);
    ensure!(factors.at("/recovery_codes_left") == 10, "a spent challenge burns nothing: {}", factors.text);
    Ok(())
}

async fn a_recovery_code_stands_in_once(api: Api) -> Result<()> {
    let ana = with_app(&api).await?;
    let begun = challenge(&api, PASSWORD).await?;
    let both = json!({ "challenge": begun, "totp": "123456", "recovery": ana.codes[0] });
    for body in [both, json!({ "challenge": begun })] {
        anybody(&api, "/api/v1/sessions/second-factor", body).await?.expect_error(422, "invalid_field")?;
    }
    let typed = ana.codes[0].to_uppercase().replace('-', " ");
    let entered = second(&api, &begun, "recovery", &typed).await?.expect(201)?;
    let token = entered.text_at("/session/token").to_owned();
    let sessions = send(with(&api, &token, Method::GET, "/api/v1/sessions")).await?.expect(200)?;
    ensure!(sessions.at("/items/0/proved_by") == "recovery_code", "{}", sessions.text);
    let begun = challenge(&api, PASSWORD).await?;
    second(&api, &begun, "recovery", &ana.codes[0]).await?.expect_error(401, "invalid_credentials")?;
    wait_no_more(&api).await?;
    let replaced = ask(&api, &token, "/api/v1/me/recovery-codes", json!({})).await?.expect(200)?;
    send(with(&api, &ana.token, Method::GET, "/api/v1/me")).await?.expect_error(401, "unauthenticated")?;
    // What was begun with other factors has ended with them.
    second(&api, &begun, "recovery", replaced.text_at("/recovery_codes/0"))
        .await?
        .expect_error(401, "invalid_credentials")?;
    wait_no_more(&api).await?;
    let begun = challenge(&api, PASSWORD).await?;
    second(&api, &begun, "recovery", &ana.codes[1]).await?.expect_error(401, "invalid_credentials")?;
    wait_no_more(&api).await?;
    second(&api, &begun, "recovery", replaced.text_at("/recovery_codes/9")).await?.expect(201)?;
    let begun = challenge(&api, PASSWORD).await?;
    api.execute("UPDATE link_tokens SET expires_at_ms = 1").await?;
    let late = second(&api, &begun, "recovery", replaced.text_at("/recovery_codes/8")).await?;
    late.expect_error(401, "invalid_credentials")?;
    Ok(())
}

async fn of_many_at_once_one_comes_in(api: Api) -> Result<()> {
    let ana = with_app(&api).await?;
    let code = ana.app.code(&ana.url, 1).await?;
    let mut challenges = Vec::new();
    for _ in 0..6 {
        challenges.push(challenge(&api, PASSWORD).await?);
    }
    let replies = join_all(challenges.iter().map(|begun| second(&api, begun, "totp", &code))).await;
    let mut entered = 0;
    for reply in replies {
        let reply = reply?;
        entered += usize::from(reply.status == 201);
        ensure!([201, 401, 429].contains(&reply.status), "{}", reply.text);
    }
    ensure!(entered == 1, "{entered} came in by one code");
    Ok(())
}

async fn factors_change_with_a_recent_proof_only(api: Api) -> Result<()> {
    let ana = with_app(&api).await?;
    let user = member(&api, api.tenant, Role::Auditor, None).await?;
    let stale = session(&api, &user, Duration::from_secs(600)).await?;
    for path in ["totp", "totp/confirm", "totp/remove", "recovery-codes"] {
        let reply = ask(&api, &stale, &format!("/api/v1/me/{path}"), json!({})).await?;
        reply.expect_error(403, "step_up_required")?;
    }
    let fresh = session(&api, &user, Duration::ZERO).await?;
    for path in ["totp/remove", "recovery-codes"] {
        ask(&api, &fresh, &format!("/api/v1/me/{path}"), json!({})).await?.expect_error(409, "conflict")?;
    }

    let begun = challenge(&api, PASSWORD).await?;
    let entered = second(&api, &begun, "recovery", &ana.codes[0]).await?.expect(201)?;
    let token = entered.text_at("/session/token").to_owned();
    api.execute("UPDATE sessions SET proof_at_ms = 1").await?;
    ask(&api, &token, "/api/v1/me/recovery-codes", json!({})).await?.expect_error(403, "step_up_required")?;
    let step_up = |token: &str, body: Value| {
        let request = with(&api, token, Method::POST, "/api/v1/sessions/step-up").json(&body);
        async move { send(request).await }
    };
    let code = ana.app.code(&ana.url, 1).await?;
    for body in [json!({}), json!({ "totp": code, "password": PASSWORD })] {
        step_up(&token, body).await?.expect_error(422, "invalid_field")?;
    }
    let proved = step_up(&token, json!({ "totp": code })).await?.expect(200)?;
    let token = proved.text_at("/session/token").to_owned();
    step_up(&token, json!({ "totp": code })).await?.expect_error(401, "invalid_credentials")?;
    wait_no_more(&api).await?;
    let proved = step_up(&token, json!({ "recovery": ana.codes[1] })).await?.expect(200)?;
    ask(&api, proved.text_at("/session/token"), "/api/v1/me/recovery-codes", json!({})).await?.expect(200)?;
    Ok(())
}

async fn a_short_password_never_stands_alone(api: Api) -> Result<()> {
    let (short, long) = ("jWq3kz8T", "another orchard before dawn");
    let user_token = set_up(&api).await?;
    let change = |from: &str, to: &str| json!({ "current_password": from, "password": to });
    let refused = ask(&api, &user_token, "/api/v1/me/password", change(PASSWORD, short)).await?;
    refused.expect_error(422, "invalid_field")?;
    api.execute("DELETE FROM users").await?;
    let ana = with_app(&api).await?;
    let changed = ask(&api, &ana.token, "/api/v1/me/password", change(PASSWORD, short)).await?.expect(200)?;
    let token = changed.text_at("/session/token").to_owned();
    let remove = |token: &str, body: Value| {
        let request = with(&api, token, Method::POST, "/api/v1/me/totp/remove").json(&body);
        async move { send(request).await }
    };
    remove(&token, json!({})).await?.expect_error(422, "invalid_field")?;
    remove(&token, json!({ "password": "wrong one" })).await?.expect_error(401, "invalid_credentials")?;
    wait_no_more(&api).await?;
    let refused = remove(&token, json!({ "password": short })).await?.expect_error(409, "conflict")?;
    ensure!(refused.text_at("/error/message").contains("too short"), "{}", refused.text);
    challenge(&api, short).await?;
    let changed = ask(&api, &token, "/api/v1/me/password", change(short, long)).await?.expect(200)?;
    let token = changed.text_at("/session/token").to_owned();
    let removed = remove(&token, json!({ "password": long })).await?.expect(200)?;
    send(with(&api, &token, Method::GET, "/api/v1/me")).await?.expect_error(401, "unauthenticated")?;
    let token = removed.text_at("/session/token").to_owned();
    let factors = send(with(&api, &token, Method::GET, "/api/v1/me/factors")).await?.expect(200)?;
    ensure!(factors.json == json!({ "totp": null, "passkeys": 0, "recovery_codes_left": 0 }), "{}", factors.text);
    anybody(&api, "/api/v1/sessions", json!({ "email": EMAIL, "password": long })).await?.expect(201)?;
    Ok(())
}

async fn an_invitation_asks_for_the_app_too(api: Api) -> Result<()> {
    let ana = with_app(&api).await?;
    let other = api.post("/api/v1/tenants", json!({ "name": "other" })).await?.expect(201)?.text_at("/id").to_owned();
    let invite = json!({ "email": EMAIL, "role": "auditor" });
    let invite = api.request(Method::POST, "/api/v1/invitations").header("Keyway-Tenant", &other).json(&invite);
    let link = send(invite).await?.expect(201)?.text_at("/token").to_owned();
    let accept = |extra: Value| {
        let mut body = json!({ "token": link, "name": "Ana", "password": PASSWORD });
        for (name, value) in extra.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        anybody(&api, "/api/v1/invitations/accept", body)
    };
    accept(json!({ "password": "something else entirely", "recovery": ana.codes[0] })).await?.expect(401)?;
    wait_no_more(&api).await?;
    accept(json!({})).await?.expect_error(422, "invalid_field")?;
    accept(json!({ "totp": "000000" })).await?.expect_error(401, "invalid_credentials")?;
    wait_no_more(&api).await?;
    let accepted = accept(json!({ "totp": ana.app.code(&ana.url, 1).await? })).await?.expect(201)?;
    let me = send(with(&api, accepted.text_at("/session/token"), Method::GET, "/api/v1/me")).await?.expect(200)?;
    ensure!(me.at("/tenants").as_array().is_some_and(|tenants| tenants.len() == 2), "{}", me.text);
    Ok(())
}
