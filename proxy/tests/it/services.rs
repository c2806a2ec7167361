//! A service that calls with its own token: as the virtual key that it was made with, and as long as it, the key and its
//! maker may.

use std::time::Duration;

use keyway_domain::{Invalidation, Permission, Permissions, Role, Timestamp, UserId};
use keyway_store::{
    memberships,
    services::{self, NewService, ServiceRow},
    users::{self, NewUser},
};
use keyway_vault::ServiceToken;
use serde_json::{Value, json};

use super::harness::{Harness, Key, SECRET, chat, until};

/// A service of an operator of the tenant, with its token and its maker.
async fn service(harness: &Harness, key: Option<&Key>) -> (ServiceRow, String, UserId) {
    let (tx, now) = (harness.store.system().await.unwrap(), Timestamp::now());
    let email = format!("{}@example.org", UserId::new()).parse().unwrap();
    let new = NewUser { email, name: "Ana".to_owned(), locale: "en".to_owned(), password_hash: None };
    let maker = users::insert(&tx, new, now).await.unwrap();
    memberships::insert(&tx, harness.tenant, maker.id, (Role::Operator, None), now).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    let token = ServiceToken::generate().unwrap();
    let new = NewService {
        name: token.public_id().to_owned(),
        public_id: token.public_id().to_owned(),
        token_sha256: token.sha256(),
        permissions: [Permission::CALL].into_iter().collect::<Permissions>(),
        made_by: Some(maker.id),
        virtual_key_id: key.map(|key| key.id),
        expires_at: now.after(Duration::from_secs(3600)),
    };
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    let row = services::insert(&tx, new, now).await.unwrap();
    tx.commit().await.unwrap();
    (row, token.plain().to_owned(), maker.id)
}

/// Calls as openagent's documents print it; returns the status and the body.
async fn call(harness: &Harness, token: &str, path: &str) -> (u16, Value) {
    let body = json!({ "payload": chat(false) });
    let request = harness.http.post(format!("{}{path}", harness.url)).header("x-api-key", token).json(&body);
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn is_refused(harness: &Harness, token: &str) -> bool {
    let (status, body) = call(harness, token, "/proxy/openai").await;
    assert!(status == 200 || status == 401, "{status} {body}");
    status == 401
}

#[tokio::test]
async fn a_service_calls_as_its_virtual_key() {
    let (harness, key) = Harness::ready().await;
    let (row, token, _) = service(&harness, Some(&key)).await;
    let (status, body) = call(&harness, &token, "/proxy/openai").await;
    assert_eq!((status, &body["object"]), (200, &json!("chat.completion")), "{body}");
    let (status, body) = call(&harness, &token, "/proxy/openai/stream").await;
    assert!(status == 200 && body.as_str().is_some_and(|text| text.ends_with("data: [DONE]\n\n")), "{body}");
    assert_eq!(harness.simulator.calls(SECRET, "/v1/chat/completions"), 2);
    let records = harness.records(2).await;
    assert!(records.iter().all(|record| record.virtual_key_id == key.id), "{records:?}");
    let tx = harness.store.tenant_read(harness.tenant).await.unwrap();
    assert!(services::find(&tx, row.id).await.unwrap().unwrap().last_used_at.is_some());

    let (_, idle, _) = service(&harness, None).await;
    let (status, body) = call(&harness, &idle, "/proxy/openai").await;
    assert!(status == 401 && body["error"]["message"].as_str().unwrap().contains("virtual_key_id"), "{body}");
    let wrong = ServiceToken::generate().unwrap();
    let (status, body) = call(&harness, wrong.plain(), "/proxy/openai").await;
    assert_eq!((status, &body["error"]["code"]), (401, &json!("invalid_virtual_key")), "{body}");
}

#[tokio::test]
async fn a_service_calls_no_longer_than_it_its_key_and_its_maker_may() {
    let (harness, key) = Harness::ready().await;
    let (revoked, of_revoked, _) = service(&harness, Some(&key)).await;
    let (_, of_demoted, maker) = service(&harness, Some(&key)).await;
    let (_, of_key, _) = service(&harness, Some(&key)).await;
    for token in [&of_revoked, &of_demoted, &of_key] {
        assert!(!is_refused(&harness, token).await);
    }
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    services::revoke(&tx, revoked.id, None, Timestamp::now()).await.unwrap();
    tx.commit().await.unwrap();
    harness.tell(Invalidation::Service { id: revoked.id }).await;
    until("the service is refused", async || is_refused(&harness, &of_revoked).await).await;

    let tx = harness.store.system().await.unwrap();
    let membership = memberships::of_user(&tx, maker).await.unwrap().remove(0);
    memberships::set_role(&tx, harness.tenant, membership.id, Role::Billing, None, None).await.unwrap();
    tx.commit().await.unwrap();
    harness.tell(Invalidation::User { id: maker }).await;
    until("its maker may not call", async || is_refused(&harness, &of_demoted).await).await;

    assert!(!is_refused(&harness, &of_key).await, "of others nothing is forgotten");
    harness.revoke(&key).await;
    harness.tell(Invalidation::VirtualKey { id: key.id }).await;
    until("the key is revoked", async || is_refused(&harness, &of_key).await).await;
}
