//! The two writers beside their limit: from a handler's hand-in to the commit of its group, against the same rows
//! written by hand in batches of the same size on the same PostgreSQL. Rounds alternate in one run.
//!
//! `cargo bench -p keyway-workers --bench writers [-- KEYS]`

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
mod by_hand;
#[path = "../fan_out/ground.rs"]
mod ground;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use keyway_bus::{Bus, EmbeddedBus};
use keyway_domain::{
    Actor, AuditEvent, AuditOutcome, Command, Event, Evidence, IntegrationId, Message, MessageId, OperationId,
    Timestamp, Verdict, VerdictKind,
};
use keyway_store::{
    audit::AuditRecord,
    mails::Outgoing,
    operations::{self, NewOperation, Origin},
    raw,
};
use keyway_telemetry::metrics;
use keyway_testkit::figures::{Effort, Figure, Meter, Wanted, count, median};
use keyway_vault::Keyring;
use keyway_workers::{HandlerError, OutboxJournal, Writers};

use ground::Ground;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const KEYS: usize = 8_000;
const ROUNDS: usize = 5;
/// Concurrent handlers in a writer's lane, and so the rows of a batch.
const AT_ONCE: usize = 128;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    // Cargo adds `--bench`.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let keys = arguments.next().map_or(Ok(KEYS), |text| text.parse())?;
    let mut ground = Ground::new(Keyring::generate()?).await?;
    ground.add(keys, "http://127.0.0.1:9/v1").await?;
    let mut by_hand = by_hand::connect(&ground.database.url).await?;
    let journal = Arc::new(OutboxJournal::new(ground.store.clone()));
    let bus: Arc<dyn Bus> = Arc::new(EmbeddedBus::new(journal, AT_ONCE));
    let writers = Writers::start(&ground.store, &bus, Duration::from_secs(86_400), Outgoing::unset());
    let (mut status_limit, mut status_own, mut audit_limit, mut audit_own) = (vec![], vec![], vec![], vec![]);
    for round in 1..=ROUNDS {
        let events = verifications(&ground).await?;
        let meter = Meter::start()?;
        for batch in events.chunks(AT_ONCE) {
            by_hand::status(&mut by_hand, batch).await?;
        }
        status_limit.push(meter.stop(events.len())?);
        let events = verifications(&ground).await?;
        status_own.push(written(events, |event| writers.status(event)).await?);
        let events = audited(&ground);
        let meter = Meter::start()?;
        for batch in events.chunks(AT_ONCE) {
            by_hand::audit(&mut by_hand, batch).await?;
        }
        audit_limit.push(meter.stop(events.len())?);
        audit_own.push(written(audited(&ground), |event| writers.audit(event)).await?);
        println!(
            "round {round}: status by hand {}, keyway {}; audit by hand {}, keyway {}",
            shown(status_limit[round - 1]),
            shown(status_own[round - 1]),
            shown(audit_limit[round - 1]),
            shown(audit_own[round - 1])
        );
    }
    for writer in ["status", "audit"] {
        let groups = metrics().group_rows.with_label_values(&[writer]);
        println!(
            "{writer}: {:.0} events a group",
            groups.get_sample_sum() / count(usize::try_from(groups.get_sample_count())?)
        );
    }
    report("status writer, verified keys, groups of 128", &status_own, &status_limit);
    report("audit writer, groups of 128", &audit_own, &audit_limit);
    Ok(())
}

fn report(name: &'static str, own: &[Effort], limit: &[Effort]) {
    let (own, limit) = (median(own), median(limit));
    let ratio = own.per_second / limit.per_second;
    println!("{}", Figure { name, found: shown(own), limit: shown(limit), ratio, wanted: Wanted::AtLeast(0.50) });
}

fn shown(effort: Effort) -> String {
    format!("{:.0} events/s, CPU {:.1} us", effort.per_second, effort.cpu_us)
}

async fn written<T, F>(rows: Vec<T>, write: impl Fn(T) -> F) -> Result<Effort>
where
    F: Future<Output = Result<(), HandlerError>>,
{
    let (meter, count) = (Meter::start()?, rows.len());
    let mut written = futures::stream::iter(rows.into_iter().map(write)).buffer_unordered(AT_ONCE);
    while let Some(committed) = written.next().await {
        committed?;
    }
    meter.stop(count)
}

/// Prepares every integration for its first verification, with its operation; returns two events for each.
async fn verifications(ground: &Ground) -> Result<Vec<Message>> {
    let tx = ground.store.system().await?;
    raw::execute(&tx, "UPDATE integrations SET status = 'verifying', checked_at_ms = NULL").await?;
    raw::execute(&tx, "DELETE FROM verdicts").await?;
    raw::execute(&tx, "DELETE FROM operations").await?;
    raw::execute(&tx, "DELETE FROM outbox").await?;
    tx.commit().await?;
    by_hand::tidy(&ground.database.url).await?;
    let mut events = Vec::new();
    for ids in ground.integrations.chunks(1_000) {
        let verify =
            |id: &IntegrationId| Command::VerifyKey { integration_id: *id, secret_version: 1, confirming: false };
        let commands: Vec<_> = ids.iter().map(verify).collect();
        let of = |command: &Command| Message::command(ground.tenant, OperationId::new(), command.clone());
        let messages: Vec<_> = commands.iter().map(of).collect();
        operations(ground, &messages, &commands).await?;
        for (id, message) in ids.iter().zip(messages) {
            events.push(message.event(Event::OperationStarted { observed_at: Timestamp::now() }));
            let evidence = Evidence {
                http_status: Some(200),
                provider_request_id: Some(format!("req_{}", message.id)),
                provider_code: None,
                reason: "the provider accepts it".to_owned(),
            };
            let verdict = Verdict { kind: VerdictKind::Valid, evidence, checked_at: Timestamp::now() };
            events.push(message.event(Event::KeyVerified {
                integration_id: *id,
                secret_version: 1,
                verdict,
                provider_key_id: None,
            }));
        }
    }
    Ok(events)
}

/// Inserts operations; sends no message.
async fn operations(ground: &Ground, messages: &[Message], commands: &[Command]) -> Result<()> {
    let now = Timestamp::now();
    let new = messages.iter().zip(commands).map(|(message, command)| {
        let id = message.operation_id.context("a command of no operation")?;
        anyhow::Ok(NewOperation { id, ..NewOperation::of(ground.tenant, Origin::Request, command.clone(), now) })
    });
    let new = new.collect::<Result<Vec<_>>>()?;
    let tx = ground.store.tenant(ground.tenant).await?;
    operations::insert_children(&tx, &new, now).await?;
    Ok(tx.commit().await?)
}

fn audited(ground: &Ground) -> Vec<AuditRecord> {
    let record = |id: &IntegrationId| AuditRecord {
        event_id: MessageId::new(),
        tenant_id: ground.tenant,
        event: AuditEvent {
            action: "integration.status_changed".to_owned(),
            actor: Actor::System { part: "status".to_owned() },
            target: id.to_string(),
            outcome: AuditOutcome::Success,
            occurred_at: Timestamp::now(),
            request_id: None,
            changes: serde_json::json!({ "from": "verifying", "to": "connected", "verdict": "valid" }),
        },
    };
    // As many as there are status events.
    ground.integrations.iter().chain(&ground.integrations).map(record).collect()
}
