//! Answers that say nothing about the key: they keep the status, are recorded, and are asked again.

use anyhow::{Context as _, Result, bail, ensure};
use keyway_domain::{
    Code, Event, IntegrationStatus, Message, MessageId, OperationKind, OperationState, RetryPolicy, Timestamp,
    VerdictKind,
};
use keyway_testkit::simulator::{Fault, Script};

use crate::{
    observe::until,
    world::{World, in_both},
};

in_both! {
    an_absurd_wait_is_clamped_and_keeps_the_status
    broken_answers_are_asked_again_and_delay_no_other_key
    the_last_attempt_ends_the_operation
}

fn answer(world: &World, key: &str, fault: Fault) {
    world.simulator.script(Script { key: key.to_owned(), fault, times: None, latency_ms: 0 });
}

async fn an_absurd_wait_is_clamped_and_keeps_the_status(world: &mut World) -> Result<()> {
    world.start()?;
    let submitted = world.submit("sk-sim-good-1").await?;
    world.ended(&submitted.message).await?;
    answer(world, &submitted.key, Fault::AbsurdRetryAfter);
    let again = world.verify(&submitted).await?;
    let operation = world.deferred(&again, 2).await?;
    ensure!(operation.error == Some(Code::RateLimited), "{operation:?}");
    let wait = operation.due_at.context("no due time")?.since(Timestamp::now());
    let cap = RetryPolicy::of(OperationKind::VerifyKey).cap;
    ensure!(wait <= cap && wait > cap / 2, "asked for 31 years, waits {wait:?}");
    let recorded = async || Ok(world.history(&submitted).await?.len() == 2);
    until("the inconclusive verdict is recorded", recorded).await?;
    let integration = world.integration(&submitted).await?;
    ensure!(integration.status == IntegrationStatus::Connected, "{integration:?}");
    let verdict = integration.verdict.context("no verdict")?;
    ensure!(verdict.kind == VerdictKind::RateLimited && verdict.evidence.http_status == Some(429), "{verdict:?}");
    answer(world, &submitted.key, Fault::None);
    let operation = world.hastened(&again).await?;
    ensure!(operation.state == OperationState::Succeeded && operation.attempt == 2, "{operation:?}");
    ensure!(operation.error.is_none(), "an error of an earlier attempt is still shown: {operation:?}");
    ensure!(world.probes(&submitted) == 3);
    Ok(())
}

async fn broken_answers_are_asked_again_and_delay_no_other_key(world: &mut World) -> Result<()> {
    world.start()?;
    let hanging = world.submit("sk-sim-hang-1").await?;
    let mut broken = Vec::new();
    for word in ["truncated", "cut", "500"] {
        broken.push(world.submit(&format!("sk-sim-{word}-1")).await?);
    }
    until("the hanging call is under way", async || Ok(world.probes(&hanging) == 1)).await?;
    let mut good = Vec::new();
    for number in 0..20 {
        good.push(world.submit(&format!("sk-sim-good-{number}")).await?);
    }
    for submitted in &good {
        world.ended(&submitted.message).await?;
        ensure!(world.integration(submitted).await?.status == IntegrationStatus::Connected);
    }
    ensure!(
        world.probes(&hanging) == 1 && world.history(&hanging).await?.is_empty(),
        "the others waited for the hanging key"
    );
    broken.push(hanging);
    for submitted in &broken {
        let deferred = async || Ok(world.operation(&submitted.message).await?.attempt >= 2);
        until("another attempt is due", deferred).await.with_context(|| submitted.key.clone())?;
        let integration = world.integration(submitted).await?;
        ensure!(integration.status == IntegrationStatus::Verifying, "{}: {integration:?}", submitted.key);
    }
    for submitted in &broken {
        answer(world, &submitted.key, Fault::None);
        let operation = world.hastened(&submitted.message).await?;
        ensure!(operation.state == OperationState::Succeeded, "{}: {operation:?}", submitted.key);
    }
    world.settle().await?;
    for submitted in &broken {
        let history = world.history(submitted).await?;
        let (last, before) = history.split_first().context("no history")?;
        ensure!(last.verdict.kind == VerdictKind::Valid && !before.is_empty(), "{}: {history:?}", submitted.key);
        ensure!(
            before.iter().all(|row| row.verdict.kind == VerdictKind::Unreachable),
            "{}: {history:?}",
            submitted.key
        );
        ensure!(history.len() as u64 == world.probes(submitted), "{}: a verdict for each probe", submitted.key);
    }
    Ok(())
}

async fn the_last_attempt_ends_the_operation(world: &mut World) -> Result<()> {
    let submitted = world.place(world.tenant, "sk-sim-500-1").await?;
    let last = RetryPolicy::of(OperationKind::VerifyKey).attempts;
    let id = submitted.message.operation_id.context("an operation")?;
    let late = format!("UPDATE operations SET attempt = {last} WHERE id = {}", world.uuid(id.uuid()));
    ensure!(world.execute(&late).await? == 1);
    let message = Message { id: MessageId::of_attempt(id, last), attempt: last, ..submitted.message.clone() };
    world.start()?;
    world.send(&message).await?;
    let operation = world.ended(&message).await?;
    ensure!(
        operation.state == OperationState::Failed && operation.error == Some(Code::AttemptsExhausted),
        "{operation:?}"
    );
    world.settle().await?;
    let integration = world.integration(&submitted).await?;
    ensure!(integration.status == IntegrationStatus::Error, "nobody verifies it any more: {integration:?}");
    let reason = integration.verdict.map(|verdict| (verdict.kind, verdict.evidence.reason));
    ensure!(reason.is_some_and(|(kind, reason)| kind == VerdictKind::Unreachable && !reason.is_empty()));
    ensure!(world.history(&submitted).await?.len() == 1, "the last attempt's finding is recorded too");
    ensure!(world.probes(&submitted) == 1);
    // Said twice, it is one letter, and that one is the message of the last attempt.
    let failed = Event::OperationFailed {
        code: Code::AttemptsExhausted,
        cause: Some(Code::Unreachable),
        observed_at: Timestamp::now(),
    };
    world.publish(&[message.event(failed)]).await?;
    world.settle().await?;
    let letters = world.dead_letters().await?;
    let [letter] = &letters[..] else { bail!("one dead letter is expected: {letters:?}") };
    ensure!(letter.id == message.id && letter.tenant_id == Some(world.tenant.id), "{letter:?}");
    ensure!(letter.reason == "exhausted" && letter.lane == "verify" && letter.attempts == last, "{letter:?}");
    ensure!(letter.error.starts_with("unreachable: "), "{letter:?}");
    let envelope = Message::decode(&letter.body)?;
    ensure!((envelope.operation_id, envelope.body) == (Some(id), message.body), "{letter:?}");
    world.execute("DELETE FROM dead_letters").await?;
    Ok(())
}
