//! Mails that follow from requests: an invitation whose link goes by mail alone, a forgotten password of which the answer
//! says nothing, a sign-in from a new place, and the choice of each person.

use anyhow::{Context as _, Result, ensure};
use keyway_domain::{Lane, Route, Timestamp};
use keyway_store::{
    link_tokens::{self, Purpose},
    mails::Outgoing,
    outbox, users,
};
use keyway_testkit::postgres::TestDatabase;
use keyway_vault::{AccessToken, AccessTokenKind};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    fixture::{Api, Options, Reply, on_both, send},
    members::with,
    people::{EMAIL, PASSWORD, set_up},
};

on_both! { without_a_server_mails_are_listed_and_links_handed_over a_forgotten_password }

const NEXT: &str = "a louder orchard at dawn";

/// Starts a server beside this one, on the same kind of database, that has a mail server set.
pub(crate) async fn with_server(is_postgres: bool) -> Result<Api> {
    let outgoing = Outgoing { domain: "keyway.example.com".to_owned(), is_set: true };
    let public_url = Some("https://keyway.example.com".to_owned());
    let database = if is_postgres { TestDatabase::postgres().await? } else { TestDatabase::sqlite()? };
    Api::start(database, Options { outgoing, public_url, ..Options::usual()? }).await
}

/// Makes the token of a forgotten password, as who sends the mail does.
pub(crate) async fn reset_link(api: &Api, email: &str) -> Result<String> {
    let (token, now) = (AccessToken::generate(AccessTokenKind::Link)?, Timestamp::now());
    let tx = api.store.system().await?;
    let user = users::find_for_sign_in(&tx, &email.parse()?).await?.context("nobody")?.user;
    let ends_at = now.after(std::time::Duration::from_secs(60));
    link_tokens::insert(&tx, Purpose::PasswordReset, user.id, &token.sha256(), (now, ends_at)).await?;
    tx.commit().await?;
    Ok(token.plain().to_owned())
}

async fn anybody(api: &Api, path: &str, body: Value) -> Result<Reply> {
    send(api.anonymous(Method::POST, path).json(&body)).await
}

async fn count(api: &Api, kind: &str) -> Result<i64> {
    api.number(&format!("SELECT count(*) AS n FROM mails WHERE kind = '{kind}'")).await
}

#[tokio::test]
async fn a_link_goes_by_mail_alone_postgres() -> Result<()> {
    a_link_goes_by_mail_alone(with_server(true).await?).await
}

#[tokio::test]
async fn a_link_goes_by_mail_alone_sqlite() -> Result<()> {
    a_link_goes_by_mail_alone(with_server(false).await?).await
}

async fn a_link_goes_by_mail_alone(api: Api) -> Result<()> {
    let invite = json!({ "email": "ben@example.org", "role": "developer" });
    let invited = api.post("/api/v1/invitations", invite).await?.expect(201)?;
    ensure!(invited.at("/link").is_null() && invited.at("/token").is_null(), "{}", invited.text);
    let listed = api.get("/api/v1/mails?state=waiting").await?.expect(200)?;
    let id = listed.text_at("/items/0/id");
    ensure!(listed.at("/items/0/recipient") == "ben@example.org" && listed.at("/items/1").is_null(), "{}", listed.text);
    ensure!(!listed.text.contains('#'), "a list shows no link: {}", listed.text);
    api.post(&format!("/api/v1/mails/{id}/send"), json!({})).await?.expect_error(409, "conflict")?;

    let tx = api.store.system().await?;
    let rows = outbox::claim(&tx, Route::Lane(Lane::Mail), 10, Timestamp::now()).await?;
    let bodies: Vec<_> = rows.iter().map(|row| String::from_utf8_lossy(&row.body).into_owned()).collect();
    ensure!(bodies.len() == 1 && bodies[0].contains(id) && !bodies[0].contains("example"), "{bodies:?}");
    drop(tx);

    // One that was given up is sent again; of another tenant it does not exist.
    api.execute("UPDATE mails SET state = 'bounced', error_code = 'mail_bounced'").await?;
    let again = api.post(&format!("/api/v1/mails/{id}/send"), json!({})).await?.expect(202)?;
    let operation = again.text_at("/operation_id");
    ensure!(again.at("/state") == "waiting" && again.header("location").ends_with(operation), "{}", again.text);
    api.execute("UPDATE mails SET state = 'unsent', ends_at_ms = 1").await?;
    api.post(&format!("/api/v1/mails/{id}/send"), json!({})).await?.expect_error(409, "conflict")?;
    Ok(())
}

async fn without_a_server_mails_are_listed_and_links_handed_over(api: Api) -> Result<()> {
    let invite = json!({ "email": "ben@example.org", "role": "developer" });
    let invited = api.post("/api/v1/invitations", invite).await?.expect(201)?;
    ensure!(invited.text_at("/link").starts_with("http://127.0.0.1"), "{}", invited.text);
    let listed = api.get("/api/v1/mails").await?.expect(200)?;
    let mail = (listed.text_at("/items/0/state"), listed.text_at("/items/0/error/code"));
    ensure!(mail == ("unsent", "mail_unset"), "{}", listed.text);
    let path = format!("/api/v1/mails/{}/send", listed.text_at("/items/0/id"));
    api.post(&path, json!({})).await?.expect_error(409, "conflict")?;
    ensure!(api.number("SELECT count(*) AS n FROM outbox WHERE route = 'mail'").await? == 0, "nothing is to be done");
    Ok(())
}

async fn a_forgotten_password(api: Api) -> Result<()> {
    let session = set_up(&api).await?;
    let mut answers = Vec::new();
    for (email, mails) in [(EMAIL, 1), ("nobody@example.org", 2)] {
        let asked = anybody(&api, "/api/v1/password-resets", json!({ "email": email })).await?.expect(202)?;
        answers.push(asked.text);
        // The same is written for both, and neither is looked up.
        ensure!(count(&api, "password_reset").await? == mails, "{email}");
        let early = anybody(&api, "/api/v1/password-resets", json!({ "email": email })).await?;
        early.expect_error(429, "too_many_attempts")?;
    }
    ensure!(answers[0] == answers[1], "{answers:?}");
    ensure!(api.number("SELECT count(*) AS n FROM link_tokens").await? == 0, "a token was made by the request");
    let listed = api.get("/api/v1/mails").await?.expect(200)?;
    ensure!(listed.at("/items") == &json!([]), "they are no tenant's: {}", listed.text);
    let listed = api.get("/api/v1/mails?scope=installation").await?.expect(200)?;
    ensure!(listed.at("/items/1/tenant_id").is_null() && listed.at("/items/2").is_null(), "{}", listed.text);

    let accept = |token: &str, password: &str| json!({ "token": token, "password": password });
    let path = "/api/v1/password-resets/accept";
    let token = reset_link(&api, EMAIL).await?;
    anybody(&api, path, accept(&token, "too short")).await?.expect_error(422, "invalid_field")?;
    api.execute("UPDATE link_tokens SET expires_at_ms = 1").await?;
    anybody(&api, path, accept(&token, NEXT)).await?.expect_error(401, "invalid_credentials")?;
    let token = reset_link(&api, EMAIL).await?;
    let other = reset_link(&api, EMAIL).await?;
    anybody(&api, path, accept(&token, NEXT)).await?.expect(204)?;
    for used in [token, other] {
        anybody(&api, path, accept(&used, PASSWORD)).await?.expect_error(401, "invalid_credentials")?;
    }
    send(with(&api, &session, Method::GET, "/api/v1/me")).await?.expect_error(401, "unauthenticated")?;
    let proof = |password: &str| json!({ "email": EMAIL, "password": password });
    anybody(&api, "/api/v1/sessions", proof(NEXT)).await?.expect(201)?;
    anybody(&api, "/api/v1/sessions", proof(PASSWORD)).await?.expect_error(401, "invalid_credentials")?;
    Ok(())
}

#[tokio::test]
async fn a_sign_in_from_a_new_place_is_told_once_to_who_wants_it() -> Result<()> {
    let api = with_server(false).await?;
    let session = set_up(&api).await?;
    let sign_in = async |device: &str| {
        let request = api.anonymous(Method::POST, "/api/v1/sessions").header("user-agent", device);
        send(request.json(&json!({ "email": EMAIL, "password": PASSWORD }))).await?.expect(201)
    };
    ensure!(count(&api, "new_sign_in").await? == 0, "the first place is no news");
    for device in ["curl/8.5.0", "curl/8.6.0"] {
        sign_in(device).await?;
        ensure!(count(&api, "new_sign_in").await? == 1, "{device}");
    }
    let path = "/api/v1/me/notifications";
    let shown = send(with(&api, &session, Method::GET, path)).await?.expect(200)?;
    ensure!(shown.json.as_object().is_some_and(|kinds| kinds.len() == 6 && kinds.values().all(|it| it == true)));
    let change = with(&api, &session, Method::PATCH, path).json(&json!({ "new_sign_in": false }));
    let changed = send(change).await?.expect(200)?;
    ensure!(changed.at("/new_sign_in") == false && changed.at("/key_expiring") == true, "{}", changed.text);
    let wrong = with(&api, &session, Method::PATCH, path).json(&json!({ "invitation": false }));
    send(wrong).await?.expect_error(422, "unknown_field")?;
    sign_in("Firefox/145.0").await?;
    ensure!(count(&api, "new_sign_in").await? == 1, "it was switched off");
    Ok(())
}
