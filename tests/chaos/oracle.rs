//! One judgement for every scenario: everything accepted is there, once, and nothing else is left anywhere.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use sea_orm::DatabaseBackend;

use crate::{
    cluster::Cluster,
    harness::{Database, queues, until},
    ledger::Entry,
};

/// Violations; empty when all is well.
#[derive(Default)]
pub(crate) struct Findings {
    /// Accepted and not there, or not as promised.
    pub(crate) lost: Vec<String>,
    /// There more than once.
    pub(crate) doubled: Vec<String>,
    /// Any other violation.
    pub(crate) wrong: Vec<String>,
}

impl Findings {
    pub(crate) fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty() && self.wrong.is_empty()
    }

    /// A few of each, to be read.
    pub(crate) fn summary(&self) -> String {
        let few = |what: &str, list: &[String]| {
            list.iter().take(5).map(|line| format!("  {what}: {line}\n")).collect::<String>()
        };
        few("lost", &self.lost) + &few("doubled", &self.doubled) + &few("wrong", &self.wrong)
    }
}

/// Waits until nothing is under way, stops every process, judges, and starts the processes again.
pub(crate) async fn judge(cluster: &mut Cluster) -> Result<Findings> {
    let mut findings = Findings { wrong: cluster.ledger.take_wrong(), ..Findings::default() };
    let database = cluster.keyway.database().await?;
    let entries = cluster.ledger.entries();
    if let Err(error) = everything_has_ended(&database, &entries).await {
        findings.lost.push(format!("{error:#}"));
    }
    if let Err(error) = cluster.keyway.settle().await {
        findings.wrong.push(format!("{error:#}"));
    }
    look(&database, &entries, &mut findings).await?;
    let letters = database.dead_letters().await?;
    let seeded = cluster.ledger.poison.load(std::sync::atomic::Ordering::Relaxed);
    if letters.len() as u64 != seeded {
        findings.wrong.push(format!("{seeded} dead letters were seeded, these are there: {letters:?}"));
    }
    drop(database);
    cluster.keyway.stop().await?;
    if let Some(broker) = cluster.keyway.services.broker()
        && let Err(error) = queues::ensure_empty(&broker.amqp_url).await
    {
        findings.wrong.push(format!("{error:#}"));
    }
    for at in 0..cluster.keyway.members().len() {
        cluster.keyway.respawn(at)?;
    }
    cluster.ready().await?;
    Ok(findings)
}

async fn everything_has_ended(database: &Database, entries: &BTreeMap<String, Entry>) -> Result<()> {
    let accepted: BTreeSet<_> = entries.values().flat_map(|entry| &entry.operations).collect();
    until("every accepted operation has ended", async || {
        let sql = format!("SELECT {} FROM operations WHERE finished_at_ms IS NOT NULL", id(database, "id"));
        let ended: BTreeSet<_> = database.texts(&sql).await?.into_iter().collect();
        let missing: Vec<_> = accepted.iter().filter(|id| !ended.contains(**id)).collect();
        ensure!(missing.is_empty(), "{} are missing: {:?}", missing.len(), &missing[..missing.len().min(3)]);
        // Nobody was told their ids: a deletion is answered without a body.
        let open = "SELECT COUNT(*) FROM operations WHERE finished_at_ms IS NULL AND kind = 'revoke'";
        let open = database.number(open).await?;
        ensure!(open == 0, "{open} revocations are not acknowledged by all");
        Ok(true)
    })
    .await
}

async fn look(database: &Database, entries: &BTreeMap<String, Entry>, findings: &mut Findings) -> Result<()> {
    let integrations = integrations(database).await?;
    let audited = audited(database).await?;
    for (id, entry) in entries {
        let count = |action: &str| audited.get(&(format!("int_{id}"), action.to_owned())).copied().unwrap_or(0);
        let created = count("integration.created");
        once(findings, created, &format!("the creation of {id} in the audit log"));
        let rotated = count("integration.credentials_replaced");
        if rotated < entry.rotations {
            findings.lost.push(format!("{} replacements of {id} were accepted, {rotated} audited", entry.rotations));
        }
        match integrations.get(id) {
            Some(_) if entry.deleted => findings.lost.push(format!("the deletion of {id}")),
            None if !entry.deleted && !entry.uncertain => findings.lost.push(format!("integration {id}")),
            Some((status, verdict))
                if !entry.uncertain
                    && (status.as_str(), verdict.as_str()) != (entry.kind.status, entry.kind.verdict) =>
            {
                findings.lost.push(format!("{id} is {status}/{verdict}, its key is {:?}", entry.kind));
            }
            _ => {}
        }
        if entry.deleted {
            once(findings, count("integration.deleted"), &format!("the deletion of {id} in the audit log"));
        }
    }
    one_verdict_each(database, findings).await?;
    nothing_half_done(database, findings).await
}

fn once(findings: &mut Findings, count: i64, what: &str) {
    match count {
        1 => {}
        0 => findings.lost.push(what.to_owned()),
        more => findings.doubled.push(format!("{what}: {more} times")),
    }
}

/// Checks that each operation that ended well has at most one effective verdict, and exactly one if its key is still
/// there.
async fn one_verdict_each(database: &Database, findings: &mut Findings) -> Result<()> {
    let conclusive = "kind IN ('valid', 'invalid', 'no_credit', 'restricted', 'undecryptable')";
    let operation = id(database, "operation_id");
    let doubled =
        format!("SELECT {operation} FROM verdicts WHERE {conclusive} GROUP BY operation_id HAVING COUNT(*) > 1");
    findings.doubled.extend(database.texts(&doubled).await?.into_iter().map(|id| format!("verdict of operation {id}")));
    let without = format!(
        "SELECT {} FROM operations o JOIN integrations i ON i.id = o.integration_id WHERE o.kind = 'verify_key' \
         AND o.state = 'succeeded' AND NOT EXISTS (SELECT 1 FROM verdicts v WHERE v.operation_id = o.id AND v.{conclusive})",
        id(database, "o.id")
    );
    findings.lost.extend(database.texts(&without).await?.into_iter().map(|id| format!("verdict of operation {id}")));
    Ok(())
}

/// Checks that unanswered changes are complete, too: committed with their audit event, and brought to an end.
async fn nothing_half_done(database: &Database, findings: &mut Findings) -> Result<()> {
    let operation = id(database, "id");
    let open = format!("SELECT {operation} FROM operations WHERE finished_at_ms IS NULL AND origin = 'request'");
    findings.lost.extend(database.texts(&open).await?.into_iter().map(|id| format!("the end of operation {id}")));
    let twice = "SELECT action || ' ' || target FROM audit_events WHERE request_id IS NOT NULL \
                 GROUP BY request_id, action, target HAVING COUNT(*) > 1";
    findings.doubled.extend(database.texts(twice).await?.into_iter().map(|what| format!("audit event {what}")));
    let unaudited = format!(
        "SELECT {} FROM integrations i WHERE NOT EXISTS (SELECT 1 FROM audit_events a \
         WHERE a.action = 'integration.created' AND a.target = 'int_' || {})",
        id(database, "i.id"),
        id(database, "i.id")
    );
    findings.lost.extend(database.texts(&unaudited).await?.into_iter().map(|id| format!("audit event of {id}")));
    let fired = "SELECT schedule FROM schedule_fires GROUP BY schedule, fire_at_ms HAVING COUNT(*) > 1";
    findings.doubled.extend(database.texts(fired).await?.into_iter().map(|what| format!("fire of {what}")));
    Ok(())
}

/// Returns status and verdict of every integration.
async fn integrations(database: &Database) -> Result<BTreeMap<String, (String, String)>> {
    let sql = format!(
        "SELECT {} || ' ' || status || ' ' || COALESCE(verdict_kind, 'none') FROM integrations",
        id(database, "id")
    );
    let rows = database.texts(&sql).await?;
    let fields = |row: &String| {
        let mut words = row.split(' ').map(str::to_owned);
        Some((words.next()?, (words.next()?, words.next()?)))
    };
    rows.iter().map(|row| fields(row).context("three words")).collect()
}

/// Returns the number of audit events by action and target.
async fn audited(database: &Database) -> Result<BTreeMap<(String, String), i64>> {
    let sql = "SELECT target || ' ' || action || ' ' || COUNT(*) FROM audit_events GROUP BY target, action";
    let rows = database.texts(sql).await?;
    let fields = |row: &String| {
        let mut words = row.split(' ').map(str::to_owned);
        let (target, action) = (words.next()?, words.next()?);
        Some(((target, action), words.next()?.parse().ok()?))
    };
    rows.iter().map(|row| fields(row).with_context(|| row.clone())).collect()
}

/// An id column as its 32 hexadecimal digits.
pub(crate) fn id(database: &Database, column: &str) -> String {
    match database.0.get_database_backend() {
        DatabaseBackend::Postgres => format!("REPLACE(CAST({column} AS TEXT), '-', '')"),
        _ => format!("LOWER(HEX({column}))"),
    }
}
