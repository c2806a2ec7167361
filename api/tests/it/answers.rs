//! The good answer of every route, as a snapshot that a review sees: on both databases the same. Ids, times, secrets and
//! cursors are replaced by their kind. A route of the document without a snapshot fails, and so does a snapshot without
//! a route.

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use keyway_domain::{Body, Command, Message, MessageId, MeteredCall, ServedBy, Timestamp};
use keyway_store::dead_letters::{self, DeadLetterRow};
use keyway_testkit::snapshots;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::{
    authenticator::Authenticator,
    document, document_answers, drift,
    fixture::{Api, KEY, Reply, on_both, send},
    mails, members,
    passkey_device::{Device, Words},
    people, requests, resources,
};

const HOST: &str = "localhost";
const ORIGIN: &str = "http://localhost";

on_both! { every_route_answers_as_its_snapshot_says }

/// Answers so far, by the route's method and template.
pub(crate) struct Answers {
    pub(crate) api: Api,
    /// Token of the session that calls; `None`: the admin key does.
    token: Option<String>,
    seen: BTreeMap<&'static str, Value>,
}

async fn every_route_answers_as_its_snapshot_says(api: Api) -> Result<()> {
    let mut answers = Answers { api, token: None, seen: BTreeMap::new() };
    tenants(&mut answers).await?;
    projects_and_keys(&mut answers).await?;
    providers(&mut answers).await?;
    let integration = integrations(&mut answers).await?;
    usage(&mut answers, &integration).await?;
    operations(&mut answers).await?;
    dead_letters(&mut answers).await?;
    resources::write_log(&answers.api).await?;
    answers.get("GET /api/v1/audit", "", "?action=project.created&limit=1").await?;
    answers.get("GET /api/v1/audit/checkpoints", "", "").await?;
    answers.get("GET /api/v1/audit/key", "", "").await?;

    document_answers::content(&mut answers).await?;
    document_answers::flows_and_scenes(&mut answers).await?;

    answers.get("GET /api/v1/events", "", "").await?;
    people(&mut answers, &integration).await?;

    let mut snapshots = BTreeMap::new();
    // Redirects to and from an identity provider are in `oidc.rs`, with one.
    let answered = |route: &str| document::is_managed(route) && !route.contains("/oidc/");
    for (route, _) in document::operations()?.into_iter().filter(|(route, _)| answered(route)) {
        let (method, path) = route.split_once(' ').context("a method")?;
        let upper = format!("{} {path}", method.to_uppercase());
        let answer =
            answers.seen.remove(upper.as_str()).with_context(|| format!("{upper}: it is called nowhere here"))?;
        let name = path.trim_start_matches("/api/v1").trim_start_matches('/').replace('/', ".").replace(['{', '}'], "");
        snapshots.insert(format!("{name}.{method}"), answer);
    }
    ensure!(answers.seen.is_empty(), "they are of no route: {:?}", answers.seen.keys());
    snapshots::compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots/routes"), &snapshots)
}

async fn people(answers: &mut Answers, integration: &str) -> Result<()> {
    let (email, password, next) = ("ana@example.org", "a quiet orchard at dusk", "a louder orchard at dawn");
    let setup = people::offered(&answers.api).await?;
    let first = json!({ "token": setup, "email": email, "name": "Ana", "password": password });
    let made = answers.send("POST /api/v1/setup", "", first).await?;
    let proof = json!({ "email": email, "password": password });
    let other = answers.send("POST /api/v1/sessions", "", proof).await?;
    answers.token = Some(made.text_at("/session/token").to_owned());
    answers.get("GET /api/v1/me", "", "").await?;
    answers.send("PATCH /api/v1/me", "", json!({ "locale": "es" })).await?;
    answers.get("GET /api/v1/me/notifications", "", "").await?;
    answers.send("PATCH /api/v1/me/notifications", "", json!({ "new_sign_in": false })).await?;
    answers.get("GET /api/v1/sessions", "", "").await?;
    answers.act("DELETE /api/v1/sessions/{id}", other.text_at("/session/id")).await?;
    let proved = answers.send("POST /api/v1/sessions/step-up", "", json!({ "password": password })).await?;
    answers.token = Some(proved.text_at("/session/token").to_owned());

    let invite = json!({ "email": "ben@example.org", "role": "developer" });
    let invited = answers.send("POST /api/v1/invitations", "", invite).await?;
    answers.get("GET /api/v1/invitations", "", "").await?;
    let accept = json!({ "token": invited.text_at("/token"), "name": "Ben", "password": "another quiet orchard" });
    answers.send("POST /api/v1/invitations/accept", "", accept).await?;
    let unused =
        answers.api.post("/api/v1/invitations", json!({ "email": "cy@example.org", "role": "auditor" })).await?;
    answers.act("DELETE /api/v1/invitations/{id}", unused.expect(201)?.text_at("/id")).await?;
    let listed = answers.get("GET /api/v1/members", "", "").await?;
    let ben = listed.text_at("/items/0/id");
    answers.get("GET /api/v1/members/{id}", ben, "").await?;
    answers.send("PATCH /api/v1/members/{id}", ben, json!({ "role": "auditor" })).await?;
    answers.act("DELETE /api/v1/members/{id}", ben).await?;
    let owner = format!("/api/v1/members/{}", listed.text_at("/items/1/id"));
    let token = proved.text_at("/session/token");
    let own = members::with(&answers.api, token, Method::PATCH, &owner).json(&json!({ "may_reveal": true }));
    send(own).await?.expect(200)?;
    answers.send("PUT /api/v1/reveals", "", json!({ "allowed": true })).await?;
    answers.get("GET /api/v1/reveals", "", "").await?;
    answers.send("POST /api/v1/integrations/{id}/reveal", integration, json!({ "reason": "a move" })).await?;

    let expires_at = json!(Timestamp::now().after(Duration::from_secs(86_400)));
    let service = json!({ "name": "billing", "permissions": ["usage.read"], "expires_at": expires_at });
    let made = answers.send("POST /api/v1/services", "", service).await?;
    let id = made.text_at("/id");
    answers.get("GET /api/v1/services", "", "").await?;
    answers.get("GET /api/v1/services/{id}", id, "").await?;
    answers.send("POST /api/v1/services/{id}/rotate", id, json!({ "expires_at": expires_at })).await?;
    answers.send("PATCH /api/v1/services/{id}", id, json!({ "may_reveal": true })).await?;
    answers.act("DELETE /api/v1/services/{id}", id).await?;

    factors(answers, (email, password)).await?;
    passkeys(answers, password).await?;
    let change = json!({ "current_password": password, "password": next });
    answers.send("POST /api/v1/me/password", "", change).await?;
    let proof = json!({ "email": email, "password": next });
    let last = send(answers.api.anonymous(Method::POST, "/api/v1/sessions").json(&proof)).await?.expect(201)?;
    answers.token = Some(last.text_at("/session/token").to_owned());
    answers.act("DELETE /api/v1/sessions", "").await?;
    answers.act("DELETE /api/v1/sessions/current", "").await?;
    answers.token = None;
    mails_and_resets(answers, email).await
}

/// The mail of the invitation, and a forgotten password. The link is made where mails are sent: here by hand.
async fn mails_and_resets(answers: &mut Answers, email: &str) -> Result<()> {
    let with = mails::with_server(answers.api.is_postgres).await?;
    let without = std::mem::replace(&mut answers.api, with);
    let token = answers.token.take();
    let invite = json!({ "email": "dee@example.org", "role": "auditor" });
    answers.api.post("/api/v1/invitations", invite).await?.expect(201)?;
    answers.api.execute("UPDATE mails SET state = 'bounced', error_code = 'mail_bounced', attempts = 1").await?;
    let listed = answers.get("GET /api/v1/mails", "", "?limit=1").await?;
    answers.act("POST /api/v1/mails/{id}/send", listed.text_at("/items/0/id")).await?;
    (answers.api, answers.token) = (without, token);
    answers.send("POST /api/v1/password-resets", "", json!({ "email": "nobody@example.org" })).await?;
    let token = mails::reset_link(&answers.api, email).await?;
    let accept = json!({ "token": token, "password": "a quiet orchard at dusk, again" });
    answers.send("POST /api/v1/password-resets/accept", "", accept).await.map(drop)
}

async fn factors(answers: &mut Answers, (email, password): (&str, &str)) -> Result<()> {
    let app = Authenticator::installed().await?;
    let begun = answers.send("POST /api/v1/me/totp", "", json!({})).await?;
    let url = begun.text_at("/url");
    let proof = json!({ "totp": app.code(url, 0).await? });
    let confirmed = answers.send("POST /api/v1/me/totp/confirm", "", proof).await?;
    answers.token = Some(confirmed.text_at("/session/token").to_owned());
    answers.get("GET /api/v1/me/factors", "", "").await?;
    let proof = json!({ "email": email, "password": password });
    let asked = send(answers.api.anonymous(Method::POST, "/api/v1/sessions").json(&proof)).await?.expect(200)?;
    let second = json!({ "challenge": asked.text_at("/challenge"), "totp": app.code(url, 1).await? });
    answers.send("POST /api/v1/sessions/second-factor", "", second).await?;
    let replaced = answers.get("POST /api/v1/me/recovery-codes", "", "").await?;
    answers.token = Some(replaced.text_at("/session/token").to_owned());
    let removed = answers.send("POST /api/v1/me/totp/remove", "", json!({ "password": password })).await?;
    answers.token = Some(removed.text_at("/session/token").to_owned());
    Ok(())
}

async fn passkeys(answers: &mut Answers, password: &str) -> Result<()> {
    let device = Device::ed25519(b"laptop")?;
    let begun = answers.get("POST /api/v1/me/passkeys/begin", "", "").await?;
    let credential = device.create(&Words::honest(ORIGIN, begun.at("/public_key")), &device.cose())?;
    let body = json!({ "name": "laptop", "credential": credential });
    let added = answers.send("POST /api/v1/me/passkeys", "", body).await?;
    answers.token = Some(added.text_at("/session/token").to_owned());
    let id = added.text_at("/passkey/id");
    answers.get("GET /api/v1/me/passkeys", "", "").await?;
    answers.send("PATCH /api/v1/me/passkeys/{id}", id, json!({ "name": "phone" })).await?;
    let asked = answers.get("POST /api/v1/sessions/passkey/begin", "", "").await?;
    let handle = Some(begun.text_at("/public_key/user/id").to_owned());
    let proof = device.get(&Words { handle, ..Words::honest(ORIGIN, asked.at("/public_key")) })?;
    answers.send("POST /api/v1/sessions/passkey", "", json!({ "credential": proof })).await?;
    let removed = answers.send("POST /api/v1/me/passkeys/{id}/remove", id, json!({ "password": password })).await?;
    answers.token = Some(removed.text_at("/session/token").to_owned());
    Ok(())
}

async fn tenants(answers: &mut Answers) -> Result<()> {
    let made = answers.send("POST /api/v1/tenants", "", json!({ "name": "other" })).await?;
    let id = made.text_at("/id");
    answers.get("GET /api/v1/tenants", "", "").await?;
    answers.get("GET /api/v1/tenants/{id}", id, "").await?;
    answers.send("PATCH /api/v1/tenants/{id}", id, json!({ "name": "renamed" })).await?;
    answers.act("DELETE /api/v1/tenants/{id}", id).await
}

async fn projects_and_keys(answers: &mut Answers) -> Result<()> {
    let limits = json!({ "requests_per_minute": 60, "monthly_budget_nano_usd": 5_000_000_000_i64 });
    let project = json!({ "name": "shop", "limits": limits });
    let made = answers.send("POST /api/v1/projects", "", project).await?;
    let id = made.text_at("/id");
    answers.get("GET /api/v1/projects", "", "?search=shop").await?;
    answers.get("GET /api/v1/projects/{id}", id, "").await?;
    answers.send("PATCH /api/v1/projects/{id}", id, json!({ "name": "shop 2" })).await?;

    let key = json!({ "project_id": id, "name": "app", "expires_at": "2999-01-01T00:00:00Z" });
    let made = answers.send("POST /api/v1/virtual-keys", "", key).await?;
    let key = made.text_at("/id");
    answers.get("GET /api/v1/virtual-keys", "", "?search=app").await?;
    answers.get("GET /api/v1/virtual-keys/{id}", key, "").await?;
    answers.send("PATCH /api/v1/virtual-keys/{id}", key, json!({ "cache_ttl_seconds": 60 })).await?;
    answers.act("POST /api/v1/virtual-keys/{id}/revoke", key).await?;
    answers.act("DELETE /api/v1/virtual-keys/{id}", key).await?;
    answers.act("DELETE /api/v1/projects/{id}", id).await
}

async fn providers(answers: &mut Answers) -> Result<()> {
    let own = json!({ "name": "acme", "base_url": "https://api.acme.dev/v1", "models": ["acme-1"], "api_key": KEY });
    answers.send("POST /api/v1/providers", "", own).await?;
    answers.get("GET /api/v1/providers", "", "").await?;
    answers.get("GET /api/v1/providers/with-keys", "", "").await?;
    answers.get("GET /api/v1/providers/{id}", "acme", "").await?;
    let models = json!({ "models": ["acme-2"] });
    let added = answers.send("POST /api/v1/providers/{id}/models", "acme", models).await?;
    answers.get("GET /api/v1/providers/{id}/models", "acme", "").await?;
    answers.act("DELETE /api/v1/providers/models/{id}", added.text_at("/items/0/id")).await?;
    let change = json!({ "display_name": "Acme Ltd", "base_url": "https://api.acme.dev/v1" });
    answers.send("PUT /api/v1/providers/{id}", "acme", change).await?;
    let bare = json!({ "name": "bare", "base_url": "https://api.bare.dev/v1" });
    answers.api.post("/api/v1/providers", bare).await?.expect(201)?;
    answers.act("DELETE /api/v1/providers/{id}", "bare").await
}

/// Returns the id of one that stays.
async fn integrations(answers: &mut Answers) -> Result<String> {
    let key = |end: &str| KEY.replace("wxyz", end);
    let body = json!({ "provider": "openai", "name": "prod", "credentials": key("0001") });
    let made = answers.send("POST /api/v1/integrations", "", body).await?;
    let id = made.text_at("/integration/id");
    answers.get("GET /api/v1/integrations", "", "?search=prod").await?;
    answers.get("GET /api/v1/integrations/{id}", id, "").await?;
    answers.send("PATCH /api/v1/integrations/{id}", id, json!({ "name": "main", "priority": 2 })).await?;
    answers.act("POST /api/v1/integrations/{id}/test", id).await?;
    let new = json!({ "credentials": key("0002") });
    answers.send("PUT /api/v1/integrations/{id}/credentials", id, new).await?;
    answers.get("GET /api/v1/routing", "", "?model=gpt-4o-mini").await?;
    let printed = json!({ "service": "openai", "key": key("0005"), "meta": { "organization": "org-123" } });
    answers.send("POST /credentials", "", printed).await?;
    let gone = answers.api.submit("gone", &key("0003")).await?;
    answers.act("DELETE /api/v1/integrations/{id}", &gone).await?;
    Ok(id.to_owned())
}

async fn usage(answers: &mut Answers, integration: &str) -> Result<()> {
    let integration_id = integration.parse()?;
    let served = MeteredCall { served_by: ServedBy::Integration(integration_id), ..requests::call(0) };
    requests::append(&answers.api, &[&served]).await?;
    answers.get("GET /api/v1/usage", "", "?from=2026-10-30&to=2026-11-02&group_by=day,model").await?;
    let app = answers.api.post("/api/v1/virtual-keys", json!({ "name": "own usage" })).await?.expect(201)?;
    answers.token = Some(app.text_at("/key").to_owned());
    answers.get("GET /api/v1/me/usage", "", "?from=2026-10-30&to=2026-11-02&group_by=model").await?;
    answers.token = None;
    answers.get("GET /api/v1/requests", "", "").await?;
    answers.get("GET /api/v1/requests/{id}", &served.request_id.to_string(), "").await?;
    let from = Timestamp::parse("2026-11-02T10:00:00Z").context("a time")?;
    drift::report(&answers.api, integration_id, "key_other", from).await?;
    answers.api.execute(&format!("UPDATE integrations SET created_at_ms = {}", from.ms())).await?;
    answers.get("GET /api/v1/usage/drift", "", "?from=2026-11-01&to=2026-11-03").await?;
    let some = json!({ "from": "2026-10-30T00:00:00Z", "to": "2026-11-01T00:00:00Z", "provider": "openai" });
    answers.send("POST /api/v1/usage/fetch", "", some).await.map(drop)
}

async fn operations(answers: &mut Answers) -> Result<()> {
    let integration = answers.api.submit("fresh", &KEY.replace("wxyz", "0004")).await?;
    let listed = answers.get("GET /api/v1/operations", "", &format!("?integration_id={integration}")).await?;
    let id = listed.text_at("/items/0/id");
    answers.get("GET /api/v1/operations/{id}", id, "").await?;
    answers.act("POST /api/v1/operations/{id}/cancel", id).await?;
    answers.act("POST /api/v1/operations/{id}/retry", id).await
}

async fn dead_letters(answers: &mut Answers) -> Result<()> {
    let api = &answers.api;
    let message = Message::new(MessageId::new(), api.tenant, Body::Command(Command::MeterCalls { calls: vec![] }));
    let letter = DeadLetterRow {
        id: message.id,
        tenant_id: Some(api.tenant),
        lane: "meter".to_owned(),
        reason: "crashed".to_owned(),
        error: "too often".to_owned(),
        body: message.encode()?,
        attempts: 3,
        created_at: Timestamp::now(),
        replayed_at: None,
    };
    let tx = api.store.system().await?;
    dead_letters::insert(&tx, letter).await?;
    tx.commit().await?;
    let id = message.id.to_string();
    answers.get("GET /api/v1/dead-letters", "", "").await?;
    answers.act("POST /api/v1/dead-letters/{id}/replay", &id).await?;
    answers.act("POST /api/v1/dead-letters/{id}/discard", &id).await
}

impl Answers {
    pub(crate) async fn get(&mut self, route: &'static str, id: &str, query: &str) -> Result<Reply> {
        self.call(route, id, query, None).await
    }

    pub(crate) async fn act(&mut self, route: &'static str, id: &str) -> Result<()> {
        self.call(route, id, "", None).await.map(drop)
    }

    pub(crate) async fn send(&mut self, route: &'static str, id: &str, body: Value) -> Result<Reply> {
        self.call(route, id, "", Some(body)).await
    }

    /// Calls a route of the table, with the text of its placeholder, and keeps its answer.
    async fn call(&mut self, route: &'static str, id: &str, query: &str, body: Option<Value>) -> Result<Reply> {
        let (method, template) = route.split_once(' ').context("a method")?;
        let path =
            format!("{}{query}", template.replace("{id}", id).replace("{type}", "article").replace("{version}", "1"));
        let method = Method::from_bytes(method.as_bytes())?;
        let request = match &self.token {
            Some(token) => members::with(&self.api, token, method, &path),
            None => self.api.request(method, &path),
        };
        // Passkeys need an address with a name.
        let request = if template.contains("/passkey") { request.header("host", HOST) } else { request };
        let reply = send(if let Some(body) = body { request.json(&body) } else { request }).await?;
        ensure!((200..300).contains(&reply.status), "{route}: {} {}", reply.status, reply.text);
        let mut headers = Map::new();
        for name in ["content-type", "location", "etag", "cache-control"] {
            let Some(value) = reply.headers.get(name) else { continue };
            let text = without_ids(value.to_str()?);
            // A resource has its version, a list the hash of what it shows.
            let is_hash = name == "etag" && text.len() > 20;
            headers.insert(name.to_owned(), json!(if is_hash { "[hash]" } else { &text }));
        }
        let answer = json!({ "status": reply.status, "headers": headers, "body": redacted("", reply.json.clone()) });
        ensure!(self.seen.insert(route, answer).is_none(), "{route} was called before");
        Ok(reply)
    }
}

/// Replaces what differs from run to run by its kind.
fn redacted(name: &str, value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| {
                let value = redacted(&name, value);
                (name, value)
            })
            .collect(),
        // The catalog has a review of its own.
        Value::Array(items) => {
            let of_catalog = |item: &Value| item["custom"] == false && item["name"] != "openai";
            items.into_iter().filter(|item| !of_catalog(item)).map(|item| redacted(name, item)).collect()
        }
        Value::String(_)
            if matches!(name, "key" | "hint" | "next_cursor" | "token" | "link" | "public_id" | "credentials")
                || matches!(name, "secret" | "url" | "challenge" | "recovery_codes" | "public_key") =>
        {
            json!(format!("[{name}]"))
        }
        // Name of a person at authenticators, which is a hash.
        Value::String(text) if name == "id" && text.len() == 43 => json!("[handle]"),
        Value::String(text) if name.ends_with("_at") && Timestamp::parse(&text).is_some() => json!("[time]"),
        Value::String(text) => json!(without_ids(&text)),
        value => value,
    }
}

/// Replaces each id by its prefix.
fn without_ids(text: &str) -> String {
    let mut words: Vec<String> = text.split('_').map(str::to_owned).collect();
    for word in words.iter_mut().skip(1) {
        let digits = word.bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits == 32 {
            *word = format!("[id]{}", &word[32..]);
        }
    }
    words.join("_")
}
