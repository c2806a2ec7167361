//! Two versions at once: processes of the previous one and of this one on the same database and the same broker,
//! while one is rolled out and back under load, and messages are parked all along that only one of them reads.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, Result, ensure};
use keyway_domain::{Actor, AuditEvent, AuditOutcome, Body, Event, Message, MessageId, TenantId, Timestamp};
use lapin::{
    BasicProperties, Channel,
    options::BasicPublishOptions,
    types::{AMQPValue, FieldTable},
};

use super::messages;
use crate::{
    cluster::Cluster,
    harness::{text, until},
};

/// The revision that stands for the previous version, when one was asked for.
pub(crate) static PREVIOUS: OnceLock<String> = OnceLock::new();

/// Number of requests accepted beside each mixture of versions.
const REQUESTS: u64 = 15;
/// Number of messages parked beside each mixture: as many as one process files before the other one comes.
const PARKED: i64 = 4;
const ACTION: &str = "chaos.parked";

/// Every process is replaced four times: by the previous version, as after a rollback, for the schema is this
/// one's already; then rolled out, back and out again, listeners and workers by turns.
pub(crate) async fn rolled_out_and_back(cluster: &mut Cluster) -> Result<u64> {
    let previous = previous()?;
    let by_turns = cluster.listeners().into_iter().zip(cluster.workers());
    let mut members: Vec<_> = by_turns.flat_map(|(listener, worker)| [listener, worker]).collect();
    // One process is both.
    members.dedup();
    ensure!(members.len() == cluster.keyway.members().len(), "as many listeners as workers");
    let broker = match cluster.links {
        Some(_) => Some((messages::channel(cluster).await?, tenant(cluster).await?)),
        None => None,
    };
    let load = cluster.load();
    let (mut replaced, mut parked) = (0, 0);
    for version in [Some(previous.clone()), None, Some(previous), None] {
        for at in &members {
            cluster.keyway.member(*at).program = version.clone();
            cluster.restart(*at).await?;
            cluster.keyway.ready(*at).await?;
            if let Some((channel, tenant)) = &broker {
                for _ in 0..PARKED {
                    park(channel, *tenant).await?;
                    parked += 1;
                }
            }
            load.more(REQUESTS).await?;
            replaced += 1;
        }
    }
    load.stop().await?;
    are_handled_once(cluster, parked).await?;
    cluster.note = format!("{parked} messages were parked, and replayed by this version");
    Ok(replaced)
}

async fn are_handled_once(cluster: &Cluster, parked: i64) -> Result<()> {
    let database = cluster.keyway.database().await?;
    let audited = format!("SELECT COUNT(*) FROM audit_events WHERE action = '{ACTION}'");
    until("every parked message was handled once", async || {
        let audited = database.number(&audited).await?;
        ensure!(audited == parked, "{audited} of {parked}");
        Ok(true)
    })
    .await
}

async fn tenant(cluster: &Cluster) -> Result<TenantId> {
    let tenants = cluster.keyway.api()?.get("/tenants").await?;
    Ok(text(&tenants, "/items/0/id")?.parse()?)
}

/// Parks a message like a process that cannot read it. The process that takes it from there files it, or hands it back.
async fn park(channel: &Channel, tenant: TenantId) -> Result<()> {
    let audited = AuditEvent {
        action: ACTION.to_owned(),
        actor: Actor::System { part: "chaos".to_owned() },
        target: String::new(),
        outcome: AuditOutcome::Success,
        occurred_at: Timestamp::now(),
        request_id: None,
        changes: serde_json::json!({}),
    };
    let message = Message::new(MessageId::new(), tenant, Body::Event(Event::Audited(audited)));
    let mut headers = FieldTable::default();
    headers.insert("keyway-reason".into(), AMQPValue::LongString("version".into()));
    let properties = BasicProperties::default().with_message_id(message.id.to_string().into()).with_headers(headers);
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let body = message.encode()?;
    let confirm = channel.basic_publish("keyway.dead".into(), "audit".into(), options, &body, properties).await?;
    ensure!(confirm.await?.is_ack(), "the broker did not take it");
    Ok(())
}

/// The previous version's binary, built now if it is not there.
fn previous() -> Result<PathBuf> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut build = Command::new(home.join("scripts/previous_version.sh"));
    build.args(PREVIOUS.get()).current_dir(home).stderr(Stdio::inherit());
    let built = build.output().context("scripts/previous_version.sh")?;
    ensure!(built.status.success(), "the previous version could not be built: {}", built.status);
    Ok(PathBuf::from(String::from_utf8(built.stdout)?.trim()))
}
