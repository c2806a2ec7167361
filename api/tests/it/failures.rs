//! Failures at the door: each kind is counted, and of one sender and address in a minute one event is written, in the log
//! of the tenant that it concerns.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use keyway_domain::{Lane, Message, Role, Route, Timestamp};
use keyway_store::outbox;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    fixture::{Api, on_both, send},
    members::{member, service, session, with},
};

on_both! { failures_of_each_kind_are_grouped_and_told_to_whom_they_concern }

/// Longer than it takes until a group is written.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns the only event of this reason, once it is written, with the tenant whose log it goes to.
async fn only(api: &Api, reason: &str) -> Result<(String, Value)> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let tx = api.store.system().await?;
        let rows = outbox::claim(&tx, Route::Lane(Lane::Audit), 500, Timestamp::now()).await?;
        drop(tx);
        let mut found = Vec::new();
        for row in rows {
            let message = Message::decode(&row.body)?;
            let event: Value = serde_json::from_slice(&row.body)?;
            if find(&event, "reason").is_some_and(|it| it == reason) {
                found.push((message.tenant_id.to_string(), event));
            }
        }
        if let Some(event) = found.pop() {
            ensure!(found.is_empty(), "{reason}: more than one event: {found:?}");
            return Ok(event);
        }
        if Instant::now() > deadline {
            bail!("{reason} was not audited");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Returns the first field of this name, however deep.
fn find<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Object(fields) => fields.get(name).or_else(|| fields.values().find_map(|field| find(field, name))),
        _ => None,
    }
}

async fn failures_of_each_kind_are_grouped_and_told_to_whom_they_concern(api: Api) -> Result<()> {
    let other = api.post("/api/v1/tenants", json!({ "name": "other" })).await?.expect(201)?.text_at("/id").to_owned();
    let ana = member(&api, api.tenant, Role::Owner, None).await?;
    let ben = member(&api, other.parse()?, Role::Billing, None).await?;
    let (owner, billing) = (session(&api, &ana, Duration::ZERO).await?, session(&api, &ben, Duration::ZERO).await?);
    let get = |token: String, path: &'static str| send(with(&api, &token, Method::GET, path));

    // Two permissions that one member lacks, asked for three times: one event, in its tenant's log.
    for path in ["/api/v1/audit", "/api/v1/integrations", "/api/v1/audit"] {
        get(billing.clone(), path).await?.expect_error(403, "not_allowed")?;
    }
    // A password of somebody, and one of nobody; then it is too early.
    for (email, status) in [(ana.email.as_given(), 401), ("nobody@example.org", 401), ("nobody@example.org", 429)] {
        api.execute("UPDATE sign_in_attempts SET next_at_ms = next_at_ms + 600000 WHERE subject LIKE 'account %'")
            .await?;
        let body = json!({ "email": email, "password": "something else entirely" });
        send(api.anonymous(Method::POST, "/api/v1/sessions").json(&body)).await?.expect(status)?;
    }
    let gone = send(with(&api, &owner, Method::DELETE, "/api/v1/sessions/current")).await?;
    gone.expect(204)?;
    for _ in 0..2 {
        get(owner.clone(), "/api/v1/me").await?.expect_error(401, "unauthenticated")?;
    }
    let token = service(&api, other.parse()?, keyway_domain::Permissions::NONE, None).await?;
    api.execute("UPDATE services SET revoked_at_ms = 1").await?;
    get(token, "/api/v1/projects").await?.expect_error(401, "unauthenticated")?;
    wrong_tokens(&api).await?;

    let default = api.tenant.to_string();
    let field = |event: &Value, name: &str| find(event, name).cloned().unwrap_or_default();
    let (tenant, event) = only(&api, "denied_permission").await?;
    ensure!(tenant == other && field(&event, "count") == 3, "{event}");
    ensure!(field(&event, "permissions") == json!(["audit.read", "integrations.read"]), "{event}");
    ensure!(field(&event, "actor") == json!({ "type": "user", "id": ben.id }), "{event}");
    ensure!(field(&event, "action") == "permission.denied" && field(&event, "outcome") == "denied", "{event}");
    let (tenant, event) = only(&api, "wrong_password").await?;
    ensure!(tenant == default && field(&event, "count") == 2 && field(&event, "address") == "127.0.0.1", "{event}");
    ensure!(field(&event, "user_ids") == json!([ana.id]), "an address of nobody is told apart by nothing: {event}");
    for (reason, tenant, count) in [
        ("too_many_attempts", &default, 1),
        ("wrong_session", &default, 2),
        ("wrong_service_token", &other, 1),
        ("wrong_setup_token", &default, 1),
        ("wrong_invitation", &default, 1),
        ("wrong_factor", &default, 1),
        ("wrong_password_reset", &default, 1),
    ] {
        let (of, event) = only(&api, reason).await?;
        ensure!(&of == tenant && field(&event, "count") == count, "{reason}: {event}");
        ensure!(field(&event, "address") == "127.0.0.1", "{reason}: {event}");
    }
    let (_, event) = only(&api, "wrong_service_token").await?;
    ensure!(field(&event, "target").as_str().is_some_and(|target| target.starts_with("svc_")), "{event}");
    let figures = String::from_utf8(keyway_telemetry::metrics().encode())?;
    for kind in keyway_domain::AuthFailureKind::ALL {
        let line = format!("keyway_auth_failures_total{{kind=\"{}\"}}", kind.name());
        let count = figures.lines().find_map(|it| it.strip_prefix(&line)).context(line)?;
        let is_other = kind.name().contains("_key") || kind.name() == "cross_site";
        ensure!(is_other || count.trim() != "0", "{}: {count}", kind.name());
    }
    Ok(())
}

/// Sends tokens of each kind that nobody was given.
async fn wrong_tokens(api: &Api) -> Result<()> {
    let setup =
        json!({ "token": "kw_setup_x", "email": "x@example.org", "name": "X", "password": "a quiet orchard at dusk" });
    send(api.anonymous(Method::POST, "/api/v1/setup").json(&setup)).await?.expect_error(401, "invalid_credentials")?;
    let factor = json!({ "challenge": "kw_link_x", "totp": "123456" });
    send(api.anonymous(Method::POST, "/api/v1/sessions/second-factor").json(&factor)).await?.expect(401)?;
    let reset = json!({ "token": "kw_link_x", "password": "a quiet orchard at dusk" });
    send(api.anonymous(Method::POST, "/api/v1/password-resets/accept").json(&reset)).await?.expect(401)?;
    let accept = json!({ "token": "kw_link_x", "name": "X", "password": "a quiet orchard at dusk" });
    send(api.anonymous(Method::POST, "/api/v1/invitations/accept").json(&accept)).await?.expect(401)?;
    Ok(())
}
