//! Keys whose verification ends without a verdict: none stays `verifying` without an operation, and each is verified as
//! soon as possible.

use std::{collections::HashMap, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use keyway_domain::{IntegrationStatus, Message, MessageId, OperationState, RetryPolicy, VerdictKind};
use keyway_testkit::simulator::{Fault, Script};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{
    observe::until,
    seed::Submitted,
    world::{World, in_both},
};

in_both! {
    keys_that_waited_out_an_outage_are_verified_when_the_provider_is_back
    wrong_addresses_are_told_apart_from_a_provider_that_is_away
    what_nobody_verifies_is_verified
    a_breaker_that_is_open_uses_up_no_attempt
}

/// Has the provider answer a key with this from now on.
fn answer(world: &World, key: &str, fault: Fault) {
    world.simulator.script(Script { key: key.to_owned(), fault, times: None, latency_ms: 0 });
}

/// A key whose verification has only its last attempt left.
async fn at_its_last_attempt(world: &World, key: &str) -> Result<(Submitted, Message)> {
    let submitted = world.place(world.tenant, key).await?;
    let last = RetryPolicy::of(keyway_domain::OperationKind::VerifyKey).attempts;
    let id = submitted.message.operation_id.context("an operation")?;
    world.execute(&format!("UPDATE operations SET attempt = {last} WHERE id = {}", world.uuid(id.uuid()))).await?;
    let message = Message { id: MessageId::of_attempt(id, last), attempt: last, ..submitted.message.clone() };
    Ok((submitted, message))
}

async fn keys_that_waited_out_an_outage_are_verified_when_the_provider_is_back(world: &mut World) -> Result<()> {
    world.settings.recheck_after = Duration::from_millis(100);
    let (mut waiting, keys) = (Vec::new(), ["sk-sim-500-1", "sk-sim-500-2", "sk-sim-500-3"]);
    for key in keys {
        let (submitted, message) = at_its_last_attempt(world, key).await?;
        world.send(&message).await?;
        waiting.push(submitted);
    }
    world.start()?;
    for submitted in &waiting {
        let operation = world.ended(&submitted.message).await?;
        ensure!(operation.state == OperationState::Failed, "{operation:?}");
        let given_up = world.integration(submitted).await?;
        let kind = given_up.verdict.as_ref().map(|verdict| verdict.kind);
        ensure!((given_up.status, kind) == (IntegrationStatus::Error, Some(VerdictKind::Unreachable)), "{given_up:?}");
    }
    keys.iter().for_each(|key| answer(world, key, Fault::None));
    for submitted in &waiting {
        let connected = async || Ok(world.integration(submitted).await?.status == IntegrationStatus::Connected);
        until("the key is verified", connected).await?;
    }
    world.stop().await?;
    // One was asked for all of them, and nothing is left to be replayed but what its owners had started themselves.
    let letters = world.dead_letters().await?;
    ensure!(letters.len() == keys.len(), "{letters:?}");
    world.execute("DELETE FROM dead_letters").await?;
    Ok(())
}

/// A host that answers by the first word of the path.
async fn odd_host() -> Result<String> {
    let answers: HashMap<&str, &str> = HashMap::from([
        (
            "nothing",
            "404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 23\r\n\r\n{\"detail\":\"Not Found\"}\n",
        ),
        ("page", "200 OK\r\ncontent-type: text/html\r\ncontent-length: 22\r\n\r\n<!doctype html><html/>"),
        ("elsewhere", "302 Found\r\nlocation: https://example.com/\r\ncontent-length: 0\r\n\r\n"),
        ("other", "200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{\"status\":\"ok\"}"),
        ("login", "403 Forbidden\r\ncontent-type: text/html\r\ncontent-length: 7\r\n\r\n<html/>"),
        ("method", "405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n"),
        ("away", "503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"),
    ]);
    let (listener, answers) = (TcpListener::bind("127.0.0.1:0").await?, Arc::new(answers));
    let host = listener.local_addr()?.to_string();
    keyway_telemetry::spawn("odd host", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut read = vec![0; 4096];
            let Ok(length) = stream.read(&mut read).await else { continue };
            let request = String::from_utf8_lossy(&read[..length]).into_owned();
            let word = request.split('/').nth(1).unwrap_or_default();
            let rest = answers.get(word).copied().unwrap_or("500 Unknown\r\ncontent-length: 0\r\n\r\n");
            let _ = stream
                .write_all(format!("HTTP/1.1 {}", rest.replacen("\r\n", "\r\nconnection: close\r\n", 1)).as_bytes())
                .await;
        }
    });
    Ok(host)
}

async fn wrong_addresses_are_told_apart_from_a_provider_that_is_away(world: &mut World) -> Result<()> {
    let host = odd_host().await?;
    world.guard.trusted.push(host.clone());
    world.start()?;
    let mut reasons = Vec::new();
    for word in ["nothing", "page", "elsewhere", "other", "login", "method"] {
        let submitted =
            world.place_at("openai", &format!("http://{host}/{word}/v1"), &format!("sk-sim-good-{word}")).await?;
        world.send(&submitted.message).await?;
        let operation = world.ended(&submitted.message).await?;
        ensure!(operation.state == OperationState::Succeeded && operation.attempt == 2, "{word}: {operation:?}");
        let found = world.integration(&submitted).await?;
        let verdict = found.verdict.context("no verdict")?;
        ensure!((found.status, verdict.kind) == (IntegrationStatus::Error, VerdictKind::Misconfigured), "{word}");
        ensure!(verdict.evidence.reason.contains("check the base URL"), "{word}: {verdict:?}");
        reasons.push(verdict.evidence.reason);
    }
    reasons.sort();
    reasons.dedup();
    ensure!(reasons.len() >= 5, "they are not told apart: {reasons:?}");
    let away = world.place_at("openai", &format!("http://{host}/away/v1"), "sk-sim-good-away").await?;
    world.send(&away.message).await?;
    world.deferred(&away.message, 2).await?;
    let waiting = world.integration(&away).await?;
    ensure!(waiting.status == IntegrationStatus::Verifying, "{waiting:?}");
    // A key that works is not given up for what stands before its host.
    let working = world.submit("sk-sim-good-1").await?;
    world.ended(&working.message).await?;
    answer(world, "sk-sim-good-1", Fault::Html);
    world.ended(&world.verify(&working).await?).await?;
    let still = world.integration(&working).await?;
    let kind = still.verdict.map(|verdict| verdict.kind);
    ensure!((still.status, kind) == (IntegrationStatus::Connected, Some(VerdictKind::Misconfigured)));
    let gone = format!("DELETE FROM integrations WHERE id = {}", world.uuid(away.id.uuid()));
    world.execute(&gone).await?;
    let operation = world.hastened(&away.message).await?;
    ensure!(operation.state == OperationState::Failed, "{operation:?}");
    Ok(())
}

async fn what_nobody_verifies_is_verified(world: &mut World) -> Result<()> {
    world.settings.recheck_after = Duration::from_millis(100);
    let submitted = world.place(world.tenant, "sk-sim-good-1").await?;
    world.execute("UPDATE operations SET state = 'failed', finished_at_ms = 1").await?;
    world.start()?;
    let connected = async || Ok(world.integration(&submitted).await?.status == IntegrationStatus::Connected);
    until("the key is verified", connected).await
}

async fn a_breaker_that_is_open_uses_up_no_attempt(world: &mut World) -> Result<()> {
    world.start()?;
    let mut all = Vec::new();
    for number in 0..12 {
        all.push(world.submit(&format!("sk-sim-500-{number}")).await?);
    }
    for submitted in &all {
        let deferred = async || {
            Ok(world.operation(&submitted.message).await?.due_at.is_some_and(|at| at.ms() > 0)
                && world.operation(&submitted.message).await?.error.is_some())
        };
        until("it is put off", deferred).await?;
    }
    let attempts = async || {
        let mut attempts = 0;
        for submitted in &all {
            attempts += u64::from(world.operation(&submitted.message).await?.attempt - 1);
        }
        Ok::<_, anyhow::Error>(attempts)
    };
    let asked: u64 = all.iter().map(|submitted| world.probes(submitted)).sum();
    ensure!(attempts().await? <= asked, "attempts were used up without a call");
    for submitted in &all {
        answer(world, &submitted.key, Fault::None);
    }
    for submitted in &all {
        let connected = async || Ok(world.integration(submitted).await?.status == IntegrationStatus::Connected);
        until("the key is verified", connected).await?;
    }
    Ok(())
}
