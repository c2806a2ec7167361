//! The caches: enough to serve without the database, and no entry past its time to live.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use http::Method;
use keyway_domain::Invalidation;
use keyway_testkit::{
    fault_proxy::{FaultProxy, Weather},
    postgres::TestDatabase,
};
use keyway_vault::{Keyring, Vault};
use serde_json::json;

use super::harness::{Harness, SECRET, chat, until};
use crate::fixture::{Api, send};

#[tokio::test]
async fn a_warm_proxy_serves_without_its_database() {
    let (harness, key) = Harness::ready().await;
    harness.proxy.warm().await.unwrap();
    harness.store.clone().close().await;
    for stream in [false, true] {
        for path in ["/v1/chat/completions", "/proxy/openai/v1/chat/completions"] {
            let answer = harness.post(path, &key, &chat(stream)).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            answer.text().await.unwrap();
        }
    }
    assert_eq!(harness.simulator.calls(SECRET, "/v1/chat/completions"), 4);
    assert_eq!(harness.get("/v1/models", &key).send().await.unwrap().status(), 200);
    harness.proxy.forget(harness.tenant, Invalidation::Integrations);
    let answer = harness.post("/v1/chat/completions", &key, &chat(false)).send().await.unwrap();
    assert_eq!(answer.status(), 503, "what was forgotten has to be read, and cannot be");
    assert_eq!(answer.headers()["x-keyway-error"], "unavailable");
}

/// Twice the time limit of a look-up: the machine may be busy.
const SOON: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_silent_database_holds_no_call_up_whose_key_is_not_in_memory() -> anyhow::Result<()> {
    let mut database = TestDatabase::postgres().await?;
    let server: SocketAddr = database.url.split(['@', '/']).nth(3).unwrap_or_default().parse()?;
    let link = FaultProxy::start(server).await?;
    database.url = database.url.replacen(&server.to_string(), &link.address.to_string(), 1);
    let harness = Harness::start_on(database, Vault::open(Keyring::generate()?), &[]).await;
    harness.integration("openai", SECRET).await;
    let known = harness.virtual_key(None).await;
    let get = async |text: &str| {
        let begun = Instant::now();
        let call = harness.http.get(format!("{}/proxy/openai/v1/models", harness.url)).bearer_auth(text);
        let status = call.send().await.map(|answer| answer.status().as_u16());
        (status.unwrap_or_default(), begun.elapsed())
    };
    assert_eq!(get(&known.text).await.0, 200);

    link.set(Weather { holds_answers: true, ..Weather::default() });
    let fresh = || keyway_vault::token::VirtualKeyToken::generate().unwrap().plain().to_owned();
    let same = fresh();
    for _ in 0..4 {
        // As many ask for one key as for keys of their own.
        let own: Vec<_> = (0..25).map(|_| fresh()).collect();
        let calls = own.iter().chain(std::iter::repeat_n(&same, 25)).map(|key| get(key));
        let (answers, served) = tokio::join!(futures::future::join_all(calls), get(&known.text));
        assert_eq!(served.0, 200, "what is in memory serves on");
        for (status, took) in answers {
            assert!(status == 503 && took < SOON, "{status} after {took:?}");
        }
    }
    link.heal();
    until("the database to be asked again", async || get(&same).await.0 == 401).await;
    Ok(())
}

#[tokio::test]
async fn a_revoked_key_is_refused_as_soon_as_the_proxy_is_told() {
    let (harness, key) = Harness::ready().await;
    let status = async || harness.get("/proxy/openai/v1/models", &key).send().await.unwrap().status().as_u16();
    assert_eq!(status().await, 200);
    harness.revoke(&key).await;
    assert_eq!(status().await, 200, "nobody told it yet");
    harness.proxy.forget(harness.tenant, Invalidation::VirtualKey { id: key.id });
    assert_eq!(status().await, 401);
}

#[tokio::test]
async fn the_bus_tells_every_proxy_what_changed() {
    let (harness, key) = Harness::ready().await;
    let status = async || harness.get("/proxy/openai/v1/models", &key).send().await.unwrap().status().as_u16();
    assert_eq!(status().await, 200);
    harness.revoke(&key).await;
    harness.tell(Invalidation::VirtualKey { id: key.id }).await;
    until("the key to be refused", async || status().await == 401).await;
}

#[tokio::test]
async fn a_new_key_works_within_the_time_that_absence_is_believed() {
    let (harness, _) = Harness::ready().await;
    let token = keyway_vault::token::VirtualKeyToken::generate().unwrap();
    let get = async |text: &str| {
        let call = harness.http.get(format!("{}/proxy/openai/v1/models", harness.url)).bearer_auth(text);
        call.send().await.unwrap().status().as_u16()
    };
    assert_eq!(get(token.plain()).await, 401);
    let new = keyway_store::virtual_keys::NewVirtualKey {
        project_id: harness.project,
        name: "late".to_owned(),
        token_sha256: token.sha256(),
        hint: token.hint(),
        expires_at: None,
        limits: keyway_domain::Limits::default(),
        cache_ttl_seconds: None,
    };
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    keyway_store::virtual_keys::insert(&tx, new, keyway_domain::Timestamp::now()).await.unwrap();
    tx.commit().await.unwrap();
    until("the key to be known", async || get(token.plain()).await == 200).await;
}

#[tokio::test]
async fn a_key_that_is_revoked_over_the_api_is_refused_when_the_answer_is_there() -> anyhow::Result<()> {
    let api = Api::sqlite().await?;
    let made = api.post("/api/v1/virtual-keys", json!({ "name": "app" })).await?.expect(201)?;
    let models = || send(api.anonymous(Method::GET, "/v1/models").bearer_auth(made.text_at("/key")));
    models().await?.expect(200)?;
    // Nothing relays the outbox here: only the process itself can know.
    api.post(&format!("/api/v1/virtual-keys/{}/revoke", made.text_at("/id")), json!({})).await?.expect(200)?;
    let refused = models().await?.expect(401)?;
    assert_eq!(refused.text_at("/error/code"), "virtual_key_revoked");
    Ok(())
}
