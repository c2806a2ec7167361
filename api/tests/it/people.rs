//! People: the first owner, signing in and out, proofs, and what wrong attempts cost.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use keyway_api::SessionTimes;
use keyway_domain::{Lane, Role, Route, Timestamp};
use keyway_store::{memberships, outbox, setup_token, users};
use keyway_testkit::postgres::TestDatabase;
use keyway_vault::{AccessToken, AccessTokenKind};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    fixture::{Api, Options, Reply, on_both, send},
    members::{member, session, with},
};

on_both! { the_session_of_the_design wrong_passwords_wait sessions_end_where_they_should }

pub(crate) const EMAIL: &str = "ana@example.org";
pub(crate) const PASSWORD: &str = "a quiet orchard at dusk";

/// Offers a setup token, as the first start does.
pub(crate) async fn offered(api: &Api) -> Result<String> {
    let token = AccessToken::generate(AccessTokenKind::Setup)?;
    let tx = api.store.system().await?;
    ensure!(setup_token::offer(&tx, &token.sha256()).await?, "no token is offered");
    tx.commit().await?;
    Ok(token.plain().to_owned())
}

fn ana(token: &str) -> Value {
    json!({ "token": token, "email": EMAIL, "name": "Ana", "password": PASSWORD })
}

pub(crate) async fn anybody(api: &Api, path: &str, body: Value) -> Result<Reply> {
    send(api.anonymous(Method::POST, path).json(&body)).await
}

/// Makes the first owner, and returns the token of its session.
pub(crate) async fn set_up(api: &Api) -> Result<String> {
    let reply = anybody(api, "/api/v1/setup", ana(&offered(api).await?)).await?.expect(201)?;
    Ok(reply.text_at("/session/token").to_owned())
}

async fn the_session_of_the_design(api: Api) -> Result<()> {
    let setup = offered(&api).await?;
    let other = AccessToken::generate(AccessTokenKind::Setup)?;
    anybody(&api, "/api/v1/setup", ana(other.plain())).await?.expect_error(401, "invalid_credentials")?;
    let mut weak = ana(&setup);
    weak["password"] = json!("passwordpassword");
    anybody(&api, "/api/v1/setup", weak).await?.expect_error(422, "invalid_field")?;
    let made = anybody(&api, "/api/v1/setup", ana(&setup)).await?.expect(201)?;
    ensure!(made.text_at("/user/id").starts_with("usr_") && made.text_at("/user/email") == EMAIL, "{}", made.text);
    let cookie = made.header("set-cookie").to_owned();
    ensure!(cookie.starts_with("keyway_session=kw_ses_") && cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
    anybody(&api, "/api/v1/setup", ana(&setup)).await?.expect_error(401, "invalid_credentials")?;
    ensure!(!setup_token::offer(&api.store.system().await?, &other.sha256()).await?, "there is somebody");

    let signed_in =
        anybody(&api, "/api/v1/sessions", json!({ "email": "ANA@example.org", "password": PASSWORD })).await?;
    let signed_in = signed_in.expect(201)?;
    let token = signed_in.text_at("/session/token").to_owned();
    ensure!(token.starts_with("kw_ses_") && signed_in.text_at("/session/id").starts_with("ses_"), "{}", signed_in.text);
    let me = send(with(&api, &token, Method::GET, "/api/v1/me")).await?.expect(200)?;
    ensure!(me.at("/principal") == "user" && me.at("/tenants/0/role") == "owner", "{}", me.text);
    ensure!(me.at("/tenants/0/id") == &json!(api.tenant.to_string()), "{}", me.text);
    let permissions = me.at("/permissions").as_array().cloned().unwrap_or_default();
    ensure!(permissions.contains(&json!("integrations.read")) && !permissions.contains(&json!("integrations.reveal")));
    let project = with(&api, &token, Method::POST, "/api/v1/projects").json(&json!({ "name": "shop" }));
    send(project).await?.expect(201)?;
    let (action, address) = audited(&api, "project.created").await?;
    ensure!(action.contains("\"type\":\"user\"") && address == "127.0.0.1", "{action} {address}");

    by_cookie(&api, &token).await?;
    send(with(&api, &token, Method::DELETE, "/api/v1/sessions/current")).await?.expect(204)?;
    send(with(&api, &token, Method::GET, "/api/v1/me")).await?.expect_error(401, "unauthenticated")?;
    Ok(())
}

/// Returns actor and address of the audit event of an action, which waits in the outbox.
pub(crate) async fn audited(api: &Api, action: &str) -> Result<(String, String)> {
    let tx = api.store.system().await?;
    let rows = outbox::claim(&tx, Route::Lane(Lane::Audit), 500, Timestamp::now()).await?;
    let messages = rows.iter().filter_map(|row| serde_json::from_slice(&row.body).ok());
    let event = messages.filter_map(|message| event_of(&message, action)).next().context("no such event")?;
    Ok((event["actor"].to_string(), event["changes"]["address"].as_str().unwrap_or_default().to_owned()))
}

fn event_of(message: &Value, action: &str) -> Option<Value> {
    let parts = message.as_object()?;
    if parts.get("action").is_some_and(|own| own == action) {
        return Some(message.clone());
    }
    parts.values().find_map(|part| event_of(part, action))
}

async fn by_cookie(api: &Api, token: &str) -> Result<()> {
    let ask = |method, name: &str| {
        let cookie = format!("{name}={token}");
        api.anonymous(method, "/api/v1/projects").header("cookie", cookie).json(&json!({ "name": "by cookie" }))
    };
    send(ask(Method::GET, "keyway_session")).await?.expect(200)?;
    send(ask(Method::GET, "__Host-keyway_session")).await?.expect_error(401, "unauthenticated")?;
    send(ask(Method::POST, "keyway_session")).await?.expect_error(403, "cross_site")?;
    for site in ["cross-site", "same-site", "none"] {
        let reply = send(ask(Method::POST, "keyway_session").header("sec-fetch-site", site)).await?;
        reply.expect_error(403, "cross_site")?;
    }
    let reply = send(ask(Method::POST, "keyway_session").header("origin", "http://evil.example")).await?;
    reply.expect_error(403, "cross_site")?;
    send(ask(Method::POST, "keyway_session").header("sec-fetch-site", "same-origin")).await?.expect(201)?;
    // A wrong key is not made up for by the cookie.
    let reply = send(ask(Method::GET, "keyway_session").bearer_auth("x")).await?;
    reply.expect_error(401, "unauthenticated")?;
    Ok(())
}

async fn wrong_passwords_wait(api: Api) -> Result<()> {
    set_up(&api).await?;
    let attempt = |email: &str, password: &str| {
        let body = json!({ "email": email, "password": password });
        api.anonymous(Method::POST, "/api/v1/sessions").json(&body)
    };
    let (mut known, mut unknown) = (Duration::ZERO, Duration::ZERO);
    for (email, spent) in [(EMAIL, &mut known), ("nobody@example.org", &mut unknown)] {
        let started = Instant::now();
        let refused = send(attempt(email, "something else entirely")).await?;
        *spent = started.elapsed();
        let refused = refused.expect_error(401, "invalid_credentials")?;
        ensure!(refused.text_at("/error/message") == "the address or the password is wrong", "{}", refused.text);
        // Too early, with the right one too, and nothing is judged.
        let early = send(attempt(email, PASSWORD)).await?.expect_error(429, "too_many_attempts")?;
        ensure!(early.header("retry-after") == "1", "{}", early.header("retry-after"));
    }
    ensure!(unknown * 10 > known, "an unknown address is told apart: {known:?} {unknown:?}");
    api.execute("UPDATE sign_in_attempts SET next_at_ms = 0").await?;
    send(attempt(EMAIL, PASSWORD)).await?.expect(201)?;
    send(attempt(EMAIL, PASSWORD)).await?.expect(201)?;
    let tx = api.store.system().await?;
    let id = users::list(&tx, keyway_store::Page::first(1)).await?.items[0].id;
    users::disable(&tx, id, Timestamp::now()).await?;
    tx.commit().await?;
    send(attempt(EMAIL, PASSWORD)).await?.expect_error(401, "invalid_credentials")?;
    Ok(())
}

async fn sessions_end_where_they_should(api: Api) -> Result<()> {
    let first = set_up(&api).await?;
    let sign_in = || anybody(&api, "/api/v1/sessions", json!({ "email": EMAIL, "password": PASSWORD }));
    let second = sign_in().await?.expect(201)?;
    let (second, id) = (second.text_at("/session/token").to_owned(), second.text_at("/session/id").to_owned());
    let ask = |token: &str, method, path: &str| with(&api, token, method, path);
    let listed = send(ask(&first, Method::GET, "/api/v1/sessions")).await?.expect(200)?;
    ensure!(listed.at("/items/0/id") == &json!(id) && listed.at("/items/0/is_current") == false, "{}", listed.text);
    ensure!(
        listed.at("/items/1/is_current") == true && listed.at("/items/0/address") == "127.0.0.1",
        "{}",
        listed.text
    );
    ensure!(!listed.text.contains("kw_ses_"), "{}", listed.text);
    send(ask(&first, Method::DELETE, &format!("/api/v1/sessions/{id}"))).await?.expect(204)?;
    send(ask(&second, Method::GET, "/api/v1/me")).await?.expect_error(401, "unauthenticated")?;

    let proof = json!({ "password": PASSWORD });
    let proved = send(ask(&first, Method::POST, "/api/v1/sessions/step-up").json(&proof)).await?.expect(200)?;
    send(ask(&first, Method::GET, "/api/v1/me")).await?.expect_error(401, "unauthenticated")?;
    let first = proved.text_at("/session/token").to_owned();

    let third = sign_in().await?.expect(201)?.text_at("/session/token").to_owned();
    let change = json!({ "current_password": PASSWORD, "password": "another orchard before dawn" });
    let changed = send(ask(&first, Method::POST, "/api/v1/me/password").json(&change)).await?.expect(200)?;
    for token in [&first, &third] {
        send(ask(token, Method::GET, "/api/v1/me")).await?.expect_error(401, "unauthenticated")?;
    }
    let first = changed.text_at("/session/token").to_owned();
    let renamed =
        send(ask(&first, Method::PATCH, "/api/v1/me").json(&json!({ "name": "Ana R", "locale": "es" }))).await?;
    ensure!(renamed.expect(200)?.at("/locale") == "es");
    let me = send(ask(&first, Method::GET, "/api/v1/me")).await?.expect(200)?;
    ensure!(me.at("/user/name") == "Ana R", "{}", me.text);
    sign_in().await?.expect_error(401, "invalid_credentials")?;
    Ok(())
}

/// A session holds as long as the settings say.
#[tokio::test]
async fn a_session_holds_as_long_as_the_settings_say() -> Result<()> {
    let sessions = SessionTimes { idle: Duration::from_secs(600), absolute: Duration::from_secs(1200) };
    let api = Api::start(TestDatabase::sqlite()?, Options { sessions, ..Options::usual()? }).await?;
    let token = set_up(&api).await?;
    let left = "SELECT (ends_at_ms - created_at_ms) / 1000 AS n FROM sessions";
    ensure!(api.number(left).await? == 1200);
    let ask = || send(with(&api, &token, Method::GET, "/api/v1/me"));
    ask().await?.expect(200)?;
    // As if it had been left alone, and this process had not seen it in the last minute.
    api.execute("UPDATE sessions SET seen_at_ms = seen_at_ms - 601000, idle_ends_at_ms = idle_ends_at_ms - 601000")
        .await?;
    let body = json!({ "email": EMAIL, "password": PASSWORD });
    let other = anybody(&api, "/api/v1/sessions", body).await?.expect(201)?;
    let listed =
        send(with(&api, other.text_at("/session/token"), Method::GET, "/api/v1/sessions")).await?.expect(200)?;
    ensure!(listed.at("/items").as_array().is_some_and(|items| items.len() == 1), "{}", listed.text);
    Ok(())
}

/// Which tenant a person acts in, and that a lost membership counts from the next request on.
#[tokio::test]
async fn the_header_chooses_among_memberships() -> Result<()> {
    let api = Api::sqlite().await?;
    let other = api.post("/api/v1/tenants", json!({ "name": "other" })).await?.expect(201)?.text_at("/id").to_owned();
    let user = member(&api, api.tenant, Role::Auditor, None).await?;
    let token = session(&api, &user, Duration::ZERO).await?;
    let ask = || with(&api, &token, Method::GET, "/api/v1/projects");
    send(ask()).await?.expect(200)?;
    send(ask().header("Keyway-Tenant", &other)).await?.expect_error(404, "not_found")?;
    let tx = api.store.system().await?;
    let role = (Role::Auditor, None);
    memberships::insert(&tx, other.parse()?, user.id, role, Timestamp::now()).await?;
    tx.commit().await?;
    let token = session(&api, &user, Duration::ZERO).await?;
    let ask = || with(&api, &token, Method::GET, "/api/v1/projects");
    let refused = send(ask()).await?.expect_error(400, "invalid_parameter")?;
    ensure!(refused.text_at("/error/message").contains("Keyway-Tenant"), "{}", refused.text);
    send(ask().header("Keyway-Tenant", &other)).await?.expect(200)?;
    send(ask().header("Keyway-Tenant", api.tenant.to_string())).await?.expect(200)?;
    Ok(())
}
