//! A key that is to replace one that works: verified beside it, and swapped in or refused.

use anyhow::{Context as _, Result, ensure};
use keyway_domain::{Code, IntegrationStatus, Message, OperationState, VerdictKind};
use keyway_store::{
    credentials, integrations, outbox,
    replacements::{self, NewReplacement, ReplacementState},
};
use keyway_testkit::simulator::{Fault, Script};

use crate::{
    observe::{MODELS, until},
    seed::{Submitted, verify},
    world::{World, in_both},
};

in_both! {
    a_valid_key_takes_the_place_of_the_one_before
    a_refused_key_leaves_the_one_before_as_it_was
    a_key_that_cannot_be_judged_waits_and_is_not_forgotten
    only_the_last_key_that_was_handed_in_counts
    a_key_that_another_integration_has_got_meanwhile_is_refused
}

/// Hands in a key as the API does.
async fn hand_in(world: &World, of: &Submitted, key: &str) -> Result<Message> {
    let before = world.integration(of).await?;
    ensure!(before.is_proven(), "{before:?}");
    let tx = world.store.tenant(of.tenant.id).await?;
    let version = replacements::next_version(&tx, &before).await?;
    let secret = world.seal(&tx, before.secret_id, version, key).await?;
    tx.commit().await?;
    let message = world.open(of.tenant, verify(of.id, version), None).await?;
    let tx = world.store.tenant(of.tenant.id).await?;
    let operation_id = message.operation_id.context("an operation")?;
    let new = NewReplacement { version, secret, binding: None, operation_id };
    replacements::put(&tx, &before, new, message.created_at).await?;
    outbox::insert(&tx, std::slice::from_ref(&message), message.created_at).await?;
    tx.commit().await?;
    Ok(message)
}

async fn serving(world: &World, of: &Submitted) -> Result<Vec<u8>> {
    let tx = world.store.tenant_read(of.tenant.id).await?;
    Ok(credentials::of_integration(&tx, of.id).await?.context("nothing serves")?.envelope)
}

async fn waiting(world: &World, of: &Submitted) -> Result<Option<(ReplacementState, Option<VerdictKind>)>> {
    let tx = world.store.tenant_read(of.tenant.id).await?;
    let found = replacements::find(&tx, of.id).await?;
    Ok(found.map(|it| (it.state, it.verdict.map(|verdict| verdict.kind))))
}

async fn connected(world: &mut World, key: &str) -> Result<Submitted> {
    let submitted = world.submit(key).await?;
    world.ended(&submitted.message).await?;
    ensure!(world.integration(&submitted).await?.status == IntegrationStatus::Connected);
    Ok(submitted)
}

async fn a_valid_key_takes_the_place_of_the_one_before(world: &mut World) -> Result<()> {
    world.start()?;
    let submitted = connected(world, "sk-sim-good-old").await?;
    let old = serving(world, &submitted).await?;
    let message = hand_in(world, &submitted, "sk-sim-good-new").await?;
    ensure!(world.ended(&message).await?.state == OperationState::Succeeded);
    let after = world.integration(&submitted).await?;
    ensure!((after.status, after.secret_version) == (IntegrationStatus::Connected, 2), "{after:?}");
    ensure!(after.verdict.is_some_and(|verdict| verdict.kind == VerdictKind::Valid));
    ensure!(serving(world, &submitted).await? != old && waiting(world, &submitted).await?.is_none());
    // Said again, it changes nothing; and the new secret opens.
    world.send(&message).await?;
    let again = world.ended(&world.command(world.tenant, verify(submitted.id, 2)).await?).await?;
    ensure!(again.state == OperationState::Succeeded, "{again:?}");
    world.settle().await?;
    ensure!(world.integration(&submitted).await?.secret_version == 2);
    let audited = world.audited(&submitted, "integration.credentials_replaced").await?;
    ensure!(audited.len() == 1, "{audited:?}");
    Ok(())
}

async fn a_refused_key_leaves_the_one_before_as_it_was(world: &mut World) -> Result<()> {
    world.start()?;
    let submitted = connected(world, "sk-sim-good-old").await?;
    let (before, old) = (world.integration(&submitted).await?, serving(world, &submitted).await?);
    for (number, (key, kind)) in
        [("sk-sim-revoked-new", VerdictKind::Invalid), ("sk-sim-nocredit-new", VerdictKind::NoCredit)]
            .into_iter()
            .enumerate()
    {
        let message = hand_in(world, &submitted, key).await?;
        let operation = world.ended(&message).await?;
        ensure!(operation.state == OperationState::Failed, "{operation:?}");
        ensure!(operation.error == Some(Code::NewKeyRefused), "{operation:?}");
        ensure!(world.simulator.calls(key, MODELS) == if number == 0 { 2 } else { 1 }, "a refusal is confirmed");
        ensure!(waiting(world, &submitted).await? == Some((ReplacementState::Refused, Some(kind))));
        ensure!(serving(world, &submitted).await? == old && world.integration(&submitted).await? == before);
    }
    let kept = "SELECT count(*) AS n FROM replacements WHERE length(envelope) > 0";
    ensure!(world.number(kept).await? == 0, "a refused secret is kept");
    world.settle().await?;
    ensure!(world.audited(&submitted, "integration.credentials_refused").await?.len() == 2);
    // The integration goes, and so does what was handed in for it.
    let tx = world.store.tenant(world.tenant.id).await?;
    integrations::delete(&tx, submitted.id, None).await?;
    tx.commit().await?;
    ensure!(world.number("SELECT count(*) AS n FROM replacements").await? == 0);
    Ok(())
}

async fn a_key_that_cannot_be_judged_waits_and_is_not_forgotten(world: &mut World) -> Result<()> {
    world.settings.recheck_after = std::time::Duration::from_millis(100);
    world.start()?;
    let submitted = connected(world, "sk-sim-good-old").await?;
    let key = "sk-sim-500-new".to_owned();
    let message = hand_in(world, &submitted, &key).await?;
    let noted = async || {
        Ok(waiting(world, &submitted).await? == Some((ReplacementState::Verifying, Some(VerdictKind::Unreachable))))
    };
    until("the inconclusive verdict is noted", noted).await?;
    ensure!(world.integration(&submitted).await?.secret_version == 1);
    world.deferred(&message, 2).await?;
    // Its operation comes to nothing; the key is verified all the same.
    let id = world.uuid(message.operation_id.context("an operation")?.uuid());
    world.execute(&format!("UPDATE operations SET state = 'failed', finished_at_ms = 1 WHERE id = {id}")).await?;
    world.execute(&format!("DELETE FROM outbox WHERE operation_id = {id}")).await?;
    world.simulator.script(Script { key, fault: Fault::None, times: None, latency_ms: 0 });
    let swapped = async || Ok(world.integration(&submitted).await?.secret_version == 2);
    until("the key is swapped in", swapped).await
}

async fn only_the_last_key_that_was_handed_in_counts(world: &mut World) -> Result<()> {
    world.start()?;
    let submitted = connected(world, "sk-sim-good-old").await?;
    world.stop().await?;
    let first = hand_in(world, &submitted, "sk-sim-good-first").await?;
    let second = hand_in(world, &submitted, "sk-sim-good-second").await?;
    world.start()?;
    let gone = world.ended(&first).await?;
    ensure!((gone.state, gone.error) == (OperationState::Failed, Some(Code::Gone)), "{gone:?}");
    ensure!(world.ended(&second).await?.state == OperationState::Succeeded);
    ensure!(world.integration(&submitted).await?.secret_version == 3);
    ensure!(world.simulator.calls("sk-sim-good-first", MODELS) == 0, "a key was used that its owner took back");
    Ok(())
}

async fn a_key_that_another_integration_has_got_meanwhile_is_refused(world: &mut World) -> Result<()> {
    world.start()?;
    let submitted = connected(world, "sk-sim-good-old").await?;
    world.stop().await?;
    let message = hand_in(world, &submitted, "sk-sim-good-new").await?;
    world.place(world.tenant, "sk-sim-good-new").await?;
    world.execute("UPDATE operations SET state = 'cancelled' WHERE state = 'queued' AND integration_id NOT IN (SELECT integration_id FROM replacements)").await?;
    world.start()?;
    world.ended(&message).await?;
    ensure!(world.integration(&submitted).await?.secret_version == 1);
    ensure!(waiting(world, &submitted).await?.is_some_and(|(state, _)| state == ReplacementState::Refused));
    Ok(())
}
