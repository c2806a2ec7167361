//! Mail through the whole product, over STARTTLS with a login: an invitation is taken up and a forgotten password is
//! replaced by the links in mails alone, and a process that is killed while it sends has sent nothing twice or never.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use keyway_testkit::smtp::{Received, SmtpServer};
use reqwest::Method;
use serde_json::json;

use crate::harness::{Api, Keyway, Services, text, until};

const PASSWORD: &str = "a quiet orchard at dusk";
const NEXT: &str = "a louder orchard at dawn";
const PUBLIC: &str = "https://keyway.example.com";

#[tokio::test]
async fn links_in_mails_do_their_work_embedded() -> Result<()> {
    mails(Services::Embedded, &["serve"]).await
}

#[tokio::test]
async fn links_in_mails_do_their_work_distributed() -> Result<()> {
    mails(Services::shared().await?, &["api", "workers"]).await
}

async fn mails(services: Services, roles: &[&'static str]) -> Result<()> {
    let server = server().await?;
    let mut keyway = Keyway::on(services).await?;
    configure(&mut keyway, &server);
    if roles.len() > 1 {
        keyway.run(&["migrate"])?;
    }
    for role in roles {
        keyway.start(role).await?;
    }
    let api = keyway.api()?.clone();
    let session = invited(&api, &server).await?;
    forgotten(&api, &server, &session).await?;
    killed(&mut keyway, &server, roles.len() - 1).await?;
    let listed = keyway.api()?.get("/mails?scope=installation&limit=200").await?;
    let items = listed["items"].as_array().context("items")?;
    // One mail to nobody is gone: there is no such account.
    ensure!(items.len() == 3 && items.iter().all(|mail| mail["state"] == "sent"), "{listed}");
    ensure!(server.received()?.iter().all(|mail| mail.is_secure), "a mail went without TLS");
    keyway.finish().await
}

/// Starts the server that wants STARTTLS and a login.
pub(crate) async fn server() -> Result<SmtpServer> {
    let tls = ["certificate.pem", "key.pem"]
        .map(|file| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls").join(file));
    tokio::task::spawn_blocking(move || SmtpServer::start(Some((&tls[0], &tls[1])))).await?
}

/// Sets it for every process that is started from now on.
pub(crate) fn configure(keyway: &mut Keyway, server: &SmtpServer) {
    let port = server.port();
    keyway.set("KEYWAY_SMTP_URL", &format!("smtp://keyway:pass%20word%3A%40%2F@localhost:{port}?tls=required"));
    keyway.set("KEYWAY_MAIL_FROM", "Keyway <keyway@keyway.example.com>");
    keyway.set("KEYWAY_PUBLIC_URL", PUBLIC);
    let certificate = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls/certificate.pem");
    keyway.set("SSL_CERT_FILE", &certificate.display().to_string());
}

/// Waits for the mail to a recipient, and returns it with the token of its link.
pub(crate) async fn arrived(server: &SmtpServer, to: &str, page: &str) -> Result<(Received, String)> {
    let mut found = None;
    until(&format!("a mail to {to} arrives"), async || {
        found = server.received_by(to)?.into_iter().find(|mail| mail.text.contains(page));
        Ok(found.is_some())
    })
    .await?;
    let mail = found.context("it has arrived")?;
    let link = mail.text.split(&format!("{PUBLIC}{page}#")).nth(1).and_then(|rest| rest.lines().next());
    let token = link.with_context(|| format!("no link: {}", mail.text))?.to_owned();
    Ok((mail, token))
}

/// Returns the token of the session of who took the invitation up.
async fn invited(api: &Api, server: &SmtpServer) -> Result<String> {
    let invited = api.post("/invitations", json!({ "email": "ana@example.org", "role": "owner" }), 201).await?;
    ensure!(invited["link"].is_null() && invited["token"].is_null(), "the link goes by mail alone: {invited}");
    let (mail, token) = arrived(server, "ana@example.org", "/invite").await?;
    ensure!(mail.html.contains(&token) && !mail.html.contains("<img"), "{}", mail.html);
    let accept = json!({ "token": token, "name": "Ana", "password": PASSWORD });
    text(&api.post("/invitations/accept", accept, 201).await?, "/session/token")
}

async fn forgotten(api: &Api, server: &SmtpServer, session: &str) -> Result<()> {
    let unknown = api.post("/password-resets", json!({ "email": "nobody@example.org" }), 202).await?;
    let known = api.post("/password-resets", json!({ "email": "ana@example.org" }), 202).await?;
    ensure!(unknown == known, "{unknown} {known}");
    let (_, token) = arrived(server, "ana@example.org", "/reset").await?;
    let weak = json!({ "token": token, "password": "short" });
    api.post("/password-resets/accept", weak, 422).await?;
    let accept = json!({ "token": token, "password": NEXT });
    api.post("/password-resets/accept", accept.clone(), 204).await?;
    api.post("/password-resets/accept", accept, 401).await?;
    let old = api.with_key(session).send(Method::GET, "/api/v1/me", None, &[]).await?;
    ensure!(old.status == 401, "a session outlived the password: {}", old.text);
    api.post("/sessions", json!({ "email": "ana@example.org", "password": NEXT }), 201).await?;
    ensure!(server.received_by("nobody@example.org")?.is_empty(), "somebody without an account got a mail");
    Ok(())
}

/// Kills the process that sends while the server has a mail and has not said so.
async fn killed(keyway: &mut Keyway, server: &SmtpServer, sender: usize) -> Result<()> {
    let invite = json!({ "email": "slow@example.org", "role": "auditor" });
    keyway.api()?.post("/invitations", invite, 201).await?;
    arrived(server, "slow@example.org", "/invite").await?;
    keyway.member(sender).process.kill()?;
    server.release()?;
    keyway.respawn(sender)?;
    keyway.ready(sender).await?;
    let api = keyway.api()?.clone();
    until("the mail is known to be sent", async || {
        let listed = api.get("/mails").await?;
        let mail = listed["items"].as_array().and_then(|items| items.first()).context("no mail")?;
        ensure!(mail["recipient"] == "slow@example.org", "{listed}");
        Ok(mail["state"] == "sent")
    })
    .await?;
    let received = server.received_by("slow@example.org")?;
    ensure!(received.len() == 2, "the mail was unknown, and is sent again: {}", received.len());
    ensure!(received[0].message_id == received[1].message_id, "{received:?}");
    Ok(())
}
