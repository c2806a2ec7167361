//! A provider's clear answers about a key, and their effect on the integration.

use anyhow::{Result, ensure};
use keyway_domain::{Code, IntegrationStatus, OperationState, Timestamp, VerdictKind};
use keyway_store::{providers, raw};
use keyway_testkit::simulator::{Fault, Script};

use crate::{
    observe::MODELS,
    seed::Tenant,
    world::{World, in_both},
};

in_both! {
    the_providers_own_signal_decides
    one_refusal_disables_nothing
    what_cannot_be_opened_is_never_sent
    a_tenants_own_provider_keeps_its_name_and_its_secrets
    an_operation_seen_succeeded_has_its_effect
    a_provider_that_only_the_next_build_knows_is_waited_for
}

async fn the_providers_own_signal_decides(world: &mut World) -> Result<()> {
    use {IntegrationStatus as S, VerdictKind as V};
    world.start()?;
    for (key, status, kind, http_status, probes) in [
        ("sk-sim-good-1", S::Connected, V::Valid, 200, 1),
        ("sk-sim-revoked-1", S::Error, V::Invalid, 401, 2),
        ("sk-sim-restricted-1", S::Connected, V::Restricted, 403, 1),
        ("sk-sim-nocredit-1", S::Error, V::NoCredit, 429, 1),
    ] {
        let submitted = world.submit(key).await?;
        let operation = world.ended(&submitted.message).await?;
        ensure!(operation.state == OperationState::Succeeded, "{key}: {operation:?}");
        ensure!(u64::from(operation.attempt) == probes && world.probes(&submitted) == probes, "{key}: {operation:?}");
        let integration = world.integration(&submitted).await?;
        ensure!(integration.status == status, "{key}: {integration:?}");
        ensure!(integration.next_check_at.is_some(), "{key} is never verified again");
        let history = world.history(&submitted).await?;
        let [only] = &history[..] else { anyhow::bail!("{key}: {history:?}") };
        ensure!(integration.verdict.as_ref() == Some(&only.verdict), "{key}: {history:?}");
        ensure!(only.verdict.kind == kind && only.verdict.evidence.http_status == Some(http_status), "{key}: {only:?}");
        ensure!(!only.verdict.evidence.reason.is_empty() || kind == V::Valid, "{key} has no reason");
        ensure!(!only.verdict.evidence.reason.contains(key), "{key} is in the reason");
    }
    Ok(())
}

async fn one_refusal_disables_nothing(world: &mut World) -> Result<()> {
    world.start()?;
    let submitted = world.submit("sk-sim-good-1").await?;
    world.ended(&submitted.message).await?;
    let key = submitted.key.clone();
    world.simulator.script(Script { key, fault: Fault::Revoked, times: Some(1), latency_ms: 0 });
    let again = world.verify(&submitted).await?;
    let operation = world.ended(&again).await?;
    ensure!(operation.state == OperationState::Succeeded && operation.attempt == 2, "{operation:?}");
    ensure!(world.probes(&submitted) == 3, "the second probe is a probe of its own");
    ensure!(world.integration(&submitted).await?.status == IntegrationStatus::Connected);
    world.settle().await?;
    let kinds: Vec<_> = world.history(&submitted).await?.iter().map(|row| row.verdict.kind).collect();
    ensure!(kinds == [VerdictKind::Valid, VerdictKind::Valid], "{kinds:?}");
    let changes = world.status_changes(&submitted).await?;
    ensure!(changes == ["verifying>connected"], "{changes:?}");
    ensure!(world.audited(&submitted, "integration.created").await?.len() == 1);
    Ok(())
}

/// The catalog got a provider of that name later: the secret still goes to the tenant's own.
async fn a_tenants_own_provider_keeps_its_name_and_its_secrets(world: &mut World) -> Result<()> {
    let submitted = world.place(world.tenant, "sk-sim-good-own").await?;
    let tx = world.store.tenant(world.tenant.id).await?;
    providers::insert(&tx, "openai", "Own", &world.simulator.base_url, "bearer", Timestamp::now()).await?;
    raw::execute(&tx, "UPDATE integrations SET base_url = NULL").await?;
    tx.commit().await?;
    world.start()?;
    let verified = world.ended(&world.verify(&submitted).await?).await?;
    ensure!(verified.state == OperationState::Succeeded && world.probes(&submitted) == 1, "{verified:?}");
    Ok(())
}

async fn a_provider_that_only_the_next_build_knows_is_waited_for(world: &mut World) -> Result<()> {
    let submitted = world.place(world.tenant, "sk-sim-good-next").await?;
    world.execute("UPDATE integrations SET provider = 'next'").await?;
    world.start()?;
    let message = world.verify(&submitted).await?;
    world.deferred(&message, 2).await?;
    ensure!(world.probes(&submitted) == 0, "a key went to a provider that is not known");
    world.execute("UPDATE integrations SET provider = 'openai'").await?;
    let verified = world.hastened(&message).await?;
    ensure!(verified.state == OperationState::Succeeded && world.probes(&submitted) == 1, "{verified:?}");
    Ok(())
}

async fn what_cannot_be_opened_is_never_sent(world: &mut World) -> Result<()> {
    let other = Tenant::add(&world.store, "second").await?;
    let mine = world.place(world.tenant, "sk-sim-good-mine").await?;
    let theirs = world.place(other, "sk-sim-good-theirs").await?;
    let tx = world.store.system().await?;
    let secret = |it: &crate::seed::Submitted| {
        format!("SELECT secret_id FROM integrations WHERE id = {}", world.uuid(it.id.uuid()))
    };
    let swap = format!(
        "UPDATE secrets SET envelope = (SELECT envelope FROM secrets WHERE id IN ({})) WHERE id IN ({})",
        secret(&theirs),
        secret(&mine)
    );
    ensure!(raw::execute(&tx, &swap).await? == 1);
    tx.commit().await?;
    world.start()?;
    world.send(&mine.message).await?;
    world.ended(&mine.message).await?;
    let integration = world.integration(&mine).await?;
    ensure!(integration.status == IntegrationStatus::Error, "{integration:?}");
    let verdict = integration.verdict.map(|verdict| (verdict.kind, verdict.evidence.reason));
    ensure!(verdict == Some((VerdictKind::Undecryptable, Code::Undecryptable.message().to_owned())), "{verdict:?}");
    ensure!(world.simulator.all_calls().is_empty(), "a secret that is not the integration's was sent");
    Ok(())
}

/// Operation and integration change in one transaction, whatever the lanes' order.
async fn an_operation_seen_succeeded_has_its_effect(world: &mut World) -> Result<()> {
    world.start()?;
    world.start()?;
    let mut all = Vec::new();
    for number in 0..40 {
        all.push(world.submit(&format!("sk-sim-good-{number}")).await?);
    }
    for submitted in &all {
        let operation = world.ended(&submitted.message).await?;
        let integration = world.integration(submitted).await?;
        ensure!(operation.state == OperationState::Succeeded, "{operation:?}");
        ensure!(integration.status == IntegrationStatus::Connected, "seen succeeded, but {integration:?}");
        ensure!(world.simulator.calls(&submitted.key, MODELS) == 1);
    }
    Ok(())
}
