//! Work and verdicts that the world has moved past.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use keyway_domain::{
    Code, Event, Evidence, IntegrationStatus, Message, OperationState, Timestamp, Verdict, VerdictKind,
};
use keyway_store::integrations;

use crate::{
    observe::until,
    seed::{Submitted, verify},
    world::{World, in_both},
};

in_both! {
    what_is_gone_meanwhile_fails_and_is_not_probed
    a_stale_verdict_changes_nothing
}

async fn what_is_gone_meanwhile_fails_and_is_not_probed(world: &mut World) -> Result<()> {
    let disabled = world.place(world.tenant, "sk-sim-good-disabled").await?;
    let deleted = world.place(world.tenant, "sk-sim-good-deleted").await?;
    let rotated = world.place(world.tenant, "sk-sim-good-rotated").await?;
    let now = Timestamp::now();
    let tx = world.store.tenant(world.tenant.id).await?;
    integrations::set_enabled(&tx, disabled.id, false, None, now).await?;
    integrations::delete(&tx, deleted.id, None).await?;
    let secret_id = integrations::find(&tx, rotated.id).await?.context("rotated")?.secret_id;
    let secret = world.seal(&tx, secret_id, 2, "sk-sim-good-new").await?;
    let before = integrations::find(&tx, rotated.id).await?.context("rotated")?;
    integrations::replace_secret(&tx, &before, 2, secret, None, now).await?;
    tx.commit().await?;
    let current = world.open(world.tenant, verify(rotated.id, 2), None).await?;
    world.start()?;
    for submitted in [&disabled, &deleted, &rotated] {
        world.send(&submitted.message).await?;
        let operation = world.ended(&submitted.message).await?;
        ensure!(operation.state == OperationState::Failed && operation.error == Some(Code::Gone), "{operation:?}");
    }
    ensure!(world.simulator.all_calls().is_empty(), "a key was used that its owner took away");
    ensure!(world.integration(&disabled).await?.status == IntegrationStatus::Disabled);
    ensure!(world.integration(&rotated).await?.status == IntegrationStatus::Verifying);
    world.send(&current).await?;
    world.ended(&current).await?;
    ensure!(world.integration(&rotated).await?.status == IntegrationStatus::Connected);
    ensure!(world.simulator.calls("sk-sim-good-new", crate::observe::MODELS) == 1);
    world.settle().await?;
    for submitted in [&disabled, &rotated] {
        let changes = world.status_changes(submitted).await?;
        ensure!(changes.len() == usize::from(submitted.id == rotated.id), "{changes:?}");
    }
    Ok(())
}

async fn a_stale_verdict_changes_nothing(world: &mut World) -> Result<()> {
    world.start()?;
    let submitted = world.submit("sk-sim-good-1").await?;
    world.ended(&submitted.message).await?;
    let before = world.integration(&submitted).await?;
    let checked_at = before.verdict.as_ref().context("no verdict")?.checked_at;
    let hour = Duration::from_secs(3600);
    for (secret_version, checked_at) in
        [(1, checked_at.before(hour)), (0, checked_at.after(hour)), (2, checked_at.after(hour))]
    {
        let late = world.open(submitted.tenant, verify(submitted.id, secret_version), None).await?;
        world.publish(&[found_invalid(&late, &submitted, secret_version, checked_at)]).await?;
        world.ended(&late).await?;
        ensure!(world.integration(&submitted).await? == before, "a stale verdict changed the integration");
    }
    until("all are on record", async || Ok(world.history(&submitted).await?.len() == 4)).await?;
    world.settle().await?;
    let changes = world.status_changes(&submitted).await?;
    ensure!(changes == ["verifying>connected"], "{changes:?}");
    Ok(())
}

fn found_invalid(message: &Message, of: &Submitted, secret_version: i32, checked_at: Timestamp) -> Message {
    let evidence = Evidence { http_status: Some(401), reason: "late".to_owned(), ..Evidence::default() };
    let verdict = Verdict { kind: VerdictKind::Invalid, evidence, checked_at };
    message.event(Event::KeyVerified { integration_id: of.id, secret_version, verdict, provider_key_id: None })
}
