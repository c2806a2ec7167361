//! Messages that no handler can process are filed with their reason, and hold no others up.

use anyhow::{Context as _, Result, ensure};
use keyway_domain::{IntegrationStatus, Lane, MessageId};
use keyway_store::dead_letters::DeadLetterRow;

use crate::{
    observe::until,
    world::{World, in_both},
};

in_both! {
    poison_on_any_lane_is_filed_and_its_neighbours_run
}

const RUBBISH: &[u8] = b"{\"v\":1,\"kind\":\"verify_key\"}";
const FROM_THE_FUTURE: &[u8] = b"{\"v\":2,\"new\":true}";
const UNKNOWN: &[u8] = b"{\"v\":1,\"kind\":\"no_such_kind\"}";

/// Writes a row that Keyway itself never writes.
async fn poison(world: &World, lane: Lane, body: &[u8]) -> Result<MessageId> {
    let id = MessageId::new();
    let insert = format!(
        "INSERT INTO outbox (id, tenant_id, route, body, available_at_ms, created_at_ms) VALUES ({}, {}, '{lane}', {}, 0, 0)",
        world.uuid(id.uuid()),
        world.uuid(world.tenant.id.uuid()),
        world.bytes(body)
    );
    ensure!(world.execute(&insert).await? == 1);
    Ok(id)
}

async fn poison_on_any_lane_is_filed_and_its_neighbours_run(world: &mut World) -> Result<()> {
    let mut expected = Vec::new();
    for lane in Lane::ALL {
        expected.push((poison(world, lane, RUBBISH).await?, lane, "malformed", RUBBISH.to_vec()));
        expected.push((poison(world, lane, FROM_THE_FUTURE).await?, lane, "version", FROM_THE_FUTURE.to_vec()));
        expected.push((poison(world, lane, UNKNOWN).await?, lane, "unknown_kind", UNKNOWN.to_vec()));
    }
    // One that can be read, but that its lane's handler fails on again and again.
    let misled = world.place(world.tenant, "sk-sim-good-misled").await?.message.encode()?;
    let id = poison(world, Lane::Audit, &misled).await?;
    expected.push((id, Lane::Audit, "crashed", misled));
    world.start()?;
    let good = world.submit("sk-sim-good-1").await?;
    world.ended(&good.message).await?;
    ensure!(world.integration(&good).await?.status == IntegrationStatus::Connected);
    let filed = async || Ok(world.dead_letters().await?.len() == expected.len());
    until("all are filed", filed).await.with_context(|| format!("{} expected", expected.len()))?;
    world.settle().await?;
    let letters = world.dead_letters().await?;
    for (id, lane, reason, body) in &expected {
        let of_id = |letter: &&DeadLetterRow| letter.id == *id;
        let letter = letters.iter().find(of_id).with_context(|| format!("{reason} on {lane} is missing"))?;
        ensure!(letter.lane == lane.name() && letter.reason == *reason && letter.body == *body, "{letter:?}");
        ensure!(!letter.error.is_empty(), "{letter:?}");
        ensure!((letter.tenant_id == Some(world.tenant.id)) == (*reason == "crashed"), "{letter:?}");
    }
    ensure!(world.audited(&good, "integration.created").await?.len() == 1);
    world.execute("DELETE FROM dead_letters").await?;
    Ok(())
}
