//! `keyway dead-letters`: every tenant's letters, at the terminal, beside a running process.

use anyhow::{Context as _, Result, ensure};
use keyway_domain::{Body, Command, Message, MessageId, TenantId, Timestamp};
use keyway_store::{
    DatabaseLimits, Page, Store,
    dead_letters::{self, DeadLetterRow},
    tenants,
};
use serde_json::Value;

use crate::harness::{Keyway, until};

fn letter(message: &Message, tenant_id: Option<TenantId>, body: Vec<u8>) -> DeadLetterRow {
    DeadLetterRow {
        id: message.id,
        tenant_id,
        lane: "meter".to_owned(),
        reason: "crashed".to_owned(),
        error: "put back 15 times".to_owned(),
        body,
        attempts: 15,
        created_at: Timestamp::now(),
        replayed_at: None,
    }
}

#[tokio::test]
async fn an_operator_replays_and_discards_dead_letters_at_the_terminal() -> Result<()> {
    let keyway = Keyway::embedded().await?;
    let data_dir = keyway.dir.join(&keyway.members()[0].process.name);
    let url = format!("sqlite://{}", data_dir.join("keyway.db").display());
    let store = Store::connect(&url, DatabaseLimits::default()).await?;
    let tx = store.system().await?;
    let tenant = tenants::list(&tx, Page::first(1)).await?.items.first().context("a tenant")?.id;
    let new = || Message::new(MessageId::new(), tenant, Body::Command(Command::MeterCalls { calls: Vec::new() }));
    let (good, rubbish) = (new(), new());
    dead_letters::insert(&tx, letter(&good, Some(tenant), good.encode()?)).await?;
    dead_letters::insert(&tx, letter(&rubbish, None, b"rubbish".to_vec())).await?;
    tx.commit().await?;

    let listed = keyway.run(&["dead-letters", "list"])?;
    ensure!(listed.lines().count() == 3 && listed.starts_with("ID "), "{listed}");
    ensure!(listed.contains(&good.id.to_string()) && listed.contains("put back 15 times"), "{listed}");
    let listed: Value = serde_json::from_str(&keyway.run(&["dead-letters", "list", "--json"])?)?;
    ensure!(listed["items"].as_array().map(Vec::len) == Some(2), "{listed}");
    let (good_id, rubbish_id) = (good.id.to_string(), rubbish.id.to_string());
    let shown: Value = serde_json::from_str(&keyway.run(&["dead-letters", "show", &good_id, "--json"])?)?;
    ensure!(shown["envelope"]["kind"] == "meter_calls" && shown["attempts"] == 15, "{shown}");
    ensure!(keyway.run(&["dead-letters", "show", &rubbish_id])?.contains("rubbish"));

    ensure!(keyway.run(&["dead-letters", "replay", &rubbish_id]).is_err(), "it cannot be read");
    let replayed: Value = serde_json::from_str(&keyway.run(&["dead-letters", "replay", &good_id, "--json"])?)?;
    ensure!(replayed["replayed_at"].is_string(), "{replayed}");
    let database = keyway.database().await?;
    until("the running process has handled it", async || Ok(database.outbox_rows().await? == 0)).await?;
    let audited = "SELECT COUNT(*) FROM audit_events WHERE action = 'dead_letter.replayed'";
    until("the replay is in the audit log", async || Ok(database.number(audited).await? == 1)).await?;
    for id in [&good_id, &rubbish_id] {
        keyway.run(&["dead-letters", "discard", id])?;
        ensure!(keyway.run(&["dead-letters", "discard", id]).is_err(), "it is gone");
    }
    store.close().await;
    keyway.finish().await
}
