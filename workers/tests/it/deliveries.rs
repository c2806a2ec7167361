//! The same message more than once, at the same time and long after.

use anyhow::{Context as _, Result, ensure};
use keyway_domain::{Code, Event, IntegrationStatus, OperationState, Timestamp, Verdict, VerdictKind};

use crate::{
    observe::until,
    seed::verify,
    world::{World, in_both},
};

in_both! {
    invariant_3_a_command_delivered_again_and_again_is_one_effect
    invariant_3_events_delivered_again_and_again_are_one_effect
    a_retry_reported_twice_is_one_attempt
    invariant_3_what_an_attempt_found_that_had_been_put_off_is_no_second_effect
}

async fn invariant_3_a_command_delivered_again_and_again_is_one_effect(world: &mut World) -> Result<()> {
    world.start()?;
    let submitted = world.place(world.tenant, "sk-sim-good-1").await?;
    let twice = [submitted.message.clone(), submitted.message.clone()];
    world.publish(&twice).await?;
    world.ended(&submitted.message).await?;
    let before = world.probes(&submitted);
    world.publish(&twice).await?;
    until("it was delivered again", async || Ok(world.probes(&submitted) > before)).await?;
    world.settle().await?;
    let operation = world.operation(&submitted.message).await?;
    ensure!(operation.state == OperationState::Succeeded && operation.attempt == 1, "{operation:?}");
    let history = world.history(&submitted).await?;
    let integration = world.integration(&submitted).await?;
    ensure!(history.len() == 1, "one verdict for one attempt: {history:?}");
    ensure!(integration.verdict.as_ref() == history.first().map(|row| &row.verdict), "{integration:?} {history:?}");
    let changes = world.status_changes(&submitted).await?;
    ensure!(changes == ["verifying>connected"], "{changes:?}");
    Ok(())
}

/// The second delivery even found something else: what is on record for the attempt stands.
async fn invariant_3_events_delivered_again_and_again_are_one_effect(world: &mut World) -> Result<()> {
    world.start()?;
    let submitted = world.submit("sk-sim-good-1").await?;
    world.ended(&submitted.message).await?;
    let found = world.integration(&submitted).await?.verdict.context("no verdict")?;
    let other = Verdict { kind: VerdictKind::Invalid, checked_at: Timestamp::now(), ..found.clone() };
    for verdict in [other, found.clone()] {
        let event =
            Event::KeyVerified { integration_id: submitted.id, secret_version: 1, verdict, provider_key_id: None };
        world.publish(&[submitted.message.event(event.clone()), submitted.message.event(event)]).await?;
    }
    // An event of the same lane, published later, shows when the ones before it have been applied.
    let later = world.verify(&submitted).await?;
    world.ended(&later).await?;
    world.settle().await?;
    ensure!(world.integration(&submitted).await?.status == IntegrationStatus::Connected);
    let history = world.history(&submitted).await?;
    ensure!(history.len() == 2 && history.iter().all(|row| row.verdict.kind == VerdictKind::Valid), "{history:?}");
    let changes = world.status_changes(&submitted).await?;
    ensure!(changes == ["verifying>connected"], "{changes:?}");
    Ok(())
}

async fn a_retry_reported_twice_is_one_attempt(world: &mut World) -> Result<()> {
    world.start()?;
    let submitted = world.place(world.tenant, "sk-sim-good-1").await?;
    let deferred = |code| {
        let (due_at, observed_at) = (Timestamp::now(), Timestamp::now());
        let next = verify(submitted.id, 1);
        submitted.message.event(Event::OperationDeferred { code, due_at, next, keeps_attempt: false, observed_at })
    };
    world.publish(&[deferred(Code::RateLimited), deferred(Code::Unreachable)]).await?;
    let operation = world.ended(&submitted.message).await?;
    ensure!(operation.attempt == 2 && operation.state == OperationState::Succeeded, "{operation:?}");
    // Long after, when the attempt it asks for is over.
    world.publish(&[deferred(Code::Unreachable)]).await?;
    let later = world.verify(&submitted).await?;
    world.ended(&later).await?;
    world.settle().await?;
    let operation = world.operation(&submitted.message).await?;
    ensure!(operation.attempt == 2 && operation.state == OperationState::Succeeded, "{operation:?}");
    ensure!(world.probes(&submitted) == 2, "one for the one retry, one for the later verification");
    Ok(())
}

async fn invariant_3_what_an_attempt_found_that_had_been_put_off_is_no_second_effect(world: &mut World) -> Result<()> {
    world.start()?;
    let submitted = world.place(world.tenant, "sk-sim-good-1").await?;
    let (due_at, code) = (Timestamp::now(), Code::Unreachable);
    let next = verify(submitted.id, 1);
    let deferred = Event::OperationDeferred { code, due_at, next, keeps_attempt: false, observed_at: due_at };
    world.publish(&[submitted.message.event(deferred)]).await?;
    world.ended(&submitted.message).await?;
    // Its message comes again, to a worker that knows nothing of that, and now the provider answers.
    world.publish(std::slice::from_ref(&submitted.message)).await?;
    until("it was delivered again", async || Ok(world.probes(&submitted) == 2)).await?;
    world.settle().await?;
    let history = world.history(&submitted).await?;
    ensure!(history.len() == 1 && history[0].attempt == 2, "one verdict for one operation: {history:?}");
    Ok(())
}
