//! Invariant 1: a plaintext secret never reaches the database, a queue, a log, a metric, a file or an
//! answer, but for the one route that reveals it. Canaries go in wherever secrets do, everything is run, failures included, and then every
//! byte that was written anywhere is searched for them, in every form they could have taken.

mod reveal;
mod search;

use std::{fs, io, path::PathBuf};

use anyhow::{Context, Result, ensure};
use keyway_testkit::smtp::SmtpServer;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Api, Keyway, Services, text, until},
    mail,
};

use search::{CORE, Canary, files_with, nothing_is_found};

#[tokio::test]
async fn no_secret_is_anywhere_embedded() -> Result<()> {
    search_everything(Services::Embedded, &["serve"]).await
}

#[tokio::test]
async fn no_secret_is_anywhere_distributed() -> Result<()> {
    search_everything(Services::private().await?, &["api", "workers"]).await
}

async fn search_everything(services: Services, roles: &[&'static str]) -> Result<()> {
    let mut keyway = Keyway::on(services).await?;
    let admin = Canary::plant("the admin key", "kw_admin_");
    keyway.set("KEYWAY_ADMIN_KEY", &admin.secret);
    let operators = Canary::plant("the operator's OpenRouter key", "sk-or-v1-");
    keyway.set("KEYWAY_FALLBACK_OPENROUTER_KEY", &operators.secret);
    keyway.set("KEYWAY_LOG", "debug");
    keyway.admin_key.clone_from(&admin.secret);
    if roles.len() > 1 {
        keyway.run(&["migrate"])?;
    }
    let server = mail::server().await?;
    mail::configure(&mut keyway, &server);
    for role in roles {
        keyway.start(role).await?;
    }
    let mut planted = vec![admin, operators];
    let (shown, echo) = run_everything(&keyway, &mut planted).await?;
    planted.extend(links_of_mails(keyway.api()?, &server).await?);
    keyway.settle().await?;
    let mut places = vec![keyway.dir.clone()];
    let collected = Collection::new(&keyway)?;
    collected.keep("answers", &without(&keyway.api()?.seen().bodies, &shown))?;
    collected.keep("headers", &keyway.api()?.seen().heads)?;
    // A body is the provider's own, byte by byte; its headers are searched for the key.
    collected.keep("headers of echoes", &echo.seen().heads)?;
    for (at, role) in roles.iter().enumerate() {
        collected.keep(&format!("metrics of {role}"), keyway.ops(at, "/metrics").await?.text.as_bytes())?;
        collected.keep(&format!("environment of {role}"), &environment(&keyway, at)?)?;
    }
    if let Services::Private(database, broker) = &keyway.services {
        collected.keep("dump", &database.dump().await?)?;
        places.extend([database.directory().to_owned(), broker.directory().to_owned()]);
    }
    places.push(collected.0.clone());
    // What no canary may be found by is able to find: the audit log passes through the same places.
    let searched = if roles.len() > 1 { &places[1..3] } else { &places[..1] };
    for place in searched {
        let marker = std::iter::once(b"integration.created".to_vec());
        ensure!(!files_with(marker, std::slice::from_ref(place))?.is_empty(), "{} was not searched", place.display());
    }
    nothing_is_found(&planted, &places)?;
    keyway.stop().await?;
    // Again after the end: what was only in memory has been written by now.
    nothing_is_found(&planted, &places)?;
    for at in 0..roles.len() {
        keyway.respawn(at)?;
        keyway.ready(at).await?;
    }
    keyway.finish().await
}

/// Returns what the system shows of a process's environment; its memory is never dumped.
fn environment(keyway: &Keyway, at: usize) -> Result<Vec<u8>> {
    let process = keyway.members()[at].process.id()?;
    let limits = fs::read_to_string(format!("/proc/{process}/limits"))?;
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).context("no limit of cores")?;
    ensure!(cores.split_whitespace().filter(|word| *word == "0").count() == 2, "{cores}");
    match fs::read(format!("/proc/{process}/environ")) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(b"shown to nobody".to_vec()),
        shown => Ok(shown?),
    }
}

/// Collected files to search, in a directory that is removed on drop.
struct Collection(PathBuf);

impl Collection {
    fn new(keyway: &Keyway) -> Result<Self> {
        let directory = keyway.dir.with_extension("collected");
        fs::create_dir_all(&directory)?;
        Ok(Self(directory))
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> Result<()> {
        ensure!(!bytes.is_empty(), "there is nothing in {name}");
        Ok(fs::write(self.0.join(name), bytes)?)
    }
}

impl Drop for Collection {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Runs every flow, failures included. Returns the texts that are answered once, on purpose, and the client that called
/// the echoing provider.
async fn run_everything(keyway: &Keyway, planted: &mut Vec<Canary>) -> Result<([String; 2], Api)> {
    let api = keyway.api()?;
    let mut keys = Vec::new();
    for word in ["good", "revoked", "echo", "restricted", "nocredit", "html", "redirect", "truncated", "unknown-format"]
    {
        let canary = Canary::plant("a provider's key", &format!("sk-sim-{word}-"));
        let mut body = keyway.openai(word, &canary.secret);
        // Calls go to the good one: a body of 2xx that quotes its key passes as it is.
        body["priority"] = json!(if word == "good" { 0 } else { 1 });
        api.post("/integrations", body, 202).await?;
        keys.push(canary.secret.clone());
        planted.push(canary);
    }
    let reporting = Canary::plant("an organisation's key", "sk-admin-sim-");
    api.post("/integrations", keyway.openai("reporting", &reporting.secret), 202).await?;
    planted.push(reporting);
    refusals(keyway, api, planted, &keys).await?;
    for word in ["html", "redirect", "truncated"] {
        // Retried for a long time: ended here, so that nothing is under way at the end.
        give_up(api, word).await?;
    }
    until("every key has its verdict", async || {
        let rows = api.get("/integrations?status=verifying").await?;
        Ok(rows["items"].as_array().is_some_and(Vec::is_empty))
    })
    .await?;
    let plan = text(&api.post("/usage/fetch", json!({}), 202).await?, "/operation/id")?;
    crate::session::ended(api, &plan).await?;
    let (key, echo) = calls(keyway, api, planted).await?;
    let revealed = reveal::to_its_owner(keyway, ("good", &keys[0]), planted).await?;
    Ok(([format!("\"key\":\"{key}\""), revealed], echo))
}

/// The tokens of links in mails: one that is taken up, one that waits, and one of a forgotten password.
async fn links_of_mails(api: &Api, server: &SmtpServer) -> Result<Vec<Canary>> {
    let mut planted = Vec::new();
    for to in ["dan@example.org", "ben@example.org"] {
        api.post("/invitations", json!({ "email": to, "role": "auditor" }), 201).await?;
        planted.push(mail::arrived(server, to, "/invite").await?.1);
    }
    let accept = json!({ "token": planted[0], "name": "Dan", "password": "a quiet orchard at dusk" });
    // Its answer has the token of a session, on purpose: that is not kept to be searched.
    api.apart().post("/invitations/accept", accept, 201).await?;
    api.post("/password-resets", json!({ "email": "dan@example.org" }), 202).await?;
    planted.push(mail::arrived(server, "dan@example.org", "/reset").await?.1);
    let canary =
        |secret: String| Canary { what: "the link in a mail", core: secret.chars().take(CORE).collect(), secret };
    Ok(planted.into_iter().map(canary).collect())
}

/// Requests that are refused while they carry secrets.
async fn refusals(keyway: &Keyway, api: &Api, planted: &mut Vec<Canary>, keys: &[String]) -> Result<()> {
    let mut odd = |what| {
        let canary = Canary::plant(what, "sk-sim-good-");
        planted.push(canary);
        planted.last().map(|canary| canary.secret.clone()).unwrap_or_default()
    };
    let path = "/api/v1/integrations";
    let mut bodies = vec![keyway.openai("twice", &keys[0])];
    let mut unknown = keyway.openai("unknown field", &odd("a key beside an unknown field"));
    unknown["credential"] = json!(odd("a key in an unknown field"));
    bodies.push(unknown);
    let mut nowhere = keyway.openai("nowhere", &odd("a key for an unknown provider"));
    nowhere["provider"] = json!(odd("a key as a provider's name"));
    bodies.push(nowhere);
    bodies.push(keyway.openai("white space", &format!("{} with spaces", odd("a key with spaces"))));
    bodies.push(json!({ "provider": "openai", "name": { "nested": odd("a key in a wrong type") }, "credentials": 7 }));
    let mut forbidden = keyway.openai("forbidden host", &odd("a key for a forbidden host"));
    forbidden["config"]["base_url"] = json!(format!("https://{}@10.0.0.1/v1", odd("a key in a URL")));
    bodies.push(forbidden);
    for body in bodies {
        let answer = api.send(Method::POST, path, Some(body), &[]).await?;
        ensure!((400..500).contains(&answer.status), "{}", answer.text);
    }
    let stranger = api.with_key(&odd("a wrong admin key"));
    stranger.send(Method::GET, "/api/v1/projects", None, &[]).await?.expect(401)?;
    stranger.send(Method::POST, "/v1/chat/completions", Some(json!({ "model": "x" })), &[]).await?.expect(401)?;
    let path = format!("/api/v1/integrations/{}?limit={}", odd("a key in a path"), odd("a key in a query"));
    let answer = api.send(Method::GET, &path, None, &[("x-request-id", &odd("a key in a header"))]).await?;
    ensure!(answer.status == 404, "{}", answer.text);
    Ok(())
}

async fn give_up(api: &Api, name: &str) -> Result<()> {
    let rows = api.get("/integrations").await?;
    let row = rows["items"].as_array().and_then(|items| items.iter().find(|row| row["name"] == name));
    let id = text(row.with_context(|| format!("{name} is not listed"))?, "/id")?;
    until("its first attempt is over", async || {
        Ok(!api.get(&format!("/integrations/{id}")).await?["verdict"].is_null())
    })
    .await?;
    api.send(Method::DELETE, &format!("/api/v1/integrations/{id}"), None, &[]).await?.expect(204)?;
    let operations = api.get("/operations?limit=200").await?;
    for operation in operations["items"].as_array().context("items")?.iter().filter(|row| row["integration_id"] == id) {
        // One that has ended meanwhile cannot be called off any more.
        let path = format!("/api/v1/operations/{}/cancel", text(operation, "/id")?);
        api.send(Method::POST, &path, Some(json!({})), &[]).await?;
    }
    Ok(())
}

/// Calls through the proxy: good ones, streamed ones, and to a provider that echoes the key everywhere.
async fn calls(keyway: &Keyway, api: &Api, planted: &mut Vec<Canary>) -> Result<(String, Api)> {
    let created = json!({ "name": "app" });
    let headers = [("idempotency-key", "make the app's key")];
    let answer = api.send(Method::POST, "/api/v1/virtual-keys", Some(created), &headers).await?.expect(201)?;
    let key = text(&answer, "/key")?;
    let core: String = key.chars().skip("kw_live_".len()).take(CORE).collect();
    planted.push(Canary { what: "a virtual key", secret: key.clone(), core });
    let prompt = Canary::plant("a prompt", "");
    let app = api.with_key(&key);
    let echo = project_of_the_echo(keyway, api, planted).await?;
    for app in [&app, &echo] {
        for (path, stream) in
            [("/v1/chat/completions", false), ("/v1/chat/completions", true), ("/v1/embeddings", false)]
        {
            let model = if path.ends_with("embeddings") { "text-embedding-3-small" } else { "gpt-4o-mini" };
            let messages = json!([{ "role": "user", "content": prompt.secret }]);
            let body = json!({ "model": model, "messages": messages, "input": prompt.secret, "stream": stream });
            for path in [path.to_owned(), format!("/proxy/openai{path}")] {
                app.send(Method::POST, &path, Some(body.clone()), &[]).await?;
            }
        }
        app.send(Method::POST, "/proxy/openai", Some(json!({ "payload": { "model": "gpt-4o-mini" } })), &[]).await?;
    }
    // The provider repeats a wrong model's name in its body, so that only the rest is searched for it.
    let wrong = json!({ "model": format!("does-not-exist-{}", prompt.secret), "messages": [] });
    echo.send(Method::POST, "/v1/chat/completions", Some(wrong), &[]).await?.expect(404)?;
    planted.push(prompt);
    until("calls are metered", async || {
        let usage: Value = api.get("/usage?ledger=metered&group_by=model").await?;
        Ok(usage["items"].as_array().is_some_and(|items| !items.is_empty()))
    })
    .await?;
    Ok((key, echo))
}

/// A project whose only key is echoed by the provider in every header and in the body.
async fn project_of_the_echo(keyway: &Keyway, api: &Api, planted: &mut Vec<Canary>) -> Result<Api> {
    let project = text(&api.post("/projects", json!({ "name": "echo" }), 201).await?, "/id")?;
    let canary = Canary::plant("a key that the provider echoes", "sk-sim-echo-");
    let mut body = keyway.openai("echoed", &canary.secret);
    body["project_id"] = json!(project);
    let accepted = api.post("/integrations", body, 202).await?;
    crate::session::ended(api, &text(&accepted, "/operation/id")?).await?;
    planted.push(canary);
    let key = text(&api.post("/virtual-keys", json!({ "project_id": project, "name": "echo" }), 201).await?, "/key")?;
    Ok(api.with_key(&key).apart())
}

/// Returns the answers without the first place of each text that was answered once.
fn without(bytes: &[u8], shown: &[String]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    shown.iter().fold(text, |text, once| text.replacen(once.as_str(), "", 1)).into_bytes()
}
