//! The state diagrams of ARCHITECTURE.md, held against what each statement that changes a state does from each of them.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result, ensure};
use keyway_domain::{
    Code, Evidence, IntegrationId, IntegrationStatus, OperationId, OperationState, Timestamp, Verdict, VerdictKind,
};
use keyway_store::{
    integrations::{self, IntegrationRow},
    operations, raw,
    transitions::{self, Deferral, Step},
    verdicts::{self, VerdictRecord},
};

use crate::fixture::{Fixture, NOW, on_both, verify};

type Edges = BTreeSet<(String, String)>;

on_both! {
    operations_move_as_drawn
    integrations_move_as_drawn
}

/// Reads the arrows of the diagram that begins behind `heading`.
fn drawn(heading: &str) -> Result<Edges> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ARCHITECTURE.md"))?;
    let behind = text.split_once(heading).context("the heading")?.1;
    let diagram =
        behind.split_once("stateDiagram-v2\n").and_then(|(_, rest)| rest.split_once("```")).context("a diagram")?;
    let arrows = diagram.0.lines().filter_map(|line| line.split_once("-->"));
    let names = |side: &str| side.split(':').next().unwrap_or_default().trim().to_owned();
    Ok(arrows.map(|(from, to)| (names(from), names(to))).filter(|(from, to)| from != "[*]" && to != "[*]").collect())
}

async fn operations_move_as_drawn(fixture: Fixture) -> Result<()> {
    let integration_id = fixture.add_integration("prod", 1).await?;
    let mut found = Edges::new();
    for from in OperationState::ALL {
        for act in ["start", "succeed", "fail", "defer", "cancel", "retry"] {
            let id = fixture.add_operation(verify(integration_id), None).await?;
            let tx = fixture.store.system().await?;
            let text = format!("UPDATE operations SET state = '{}' WHERE state = 'queued'", from.name());
            raw::execute(&tx, &text).await?;
            tx.commit().await?;
            move_operation(&fixture, id, integration_id, act).await?;
            let tx = fixture.store.tenant_read(fixture.tenant).await?;
            let to = operations::find(&tx, id).await?.context("the operation")?.state;
            if to != from {
                found.insert((from.name().to_owned(), to.name().to_owned()));
            }
            // The next one is the only one that waits.
            let tx = fixture.store.system().await?;
            raw::execute(&tx, "UPDATE operations SET state = 'succeeded'").await?;
            tx.commit().await?;
        }
    }
    let drawn = drawn("### An operation")?;
    ensure!(found == drawn, "moves: {found:?}\ndrawn: {drawn:?}");
    Ok(())
}

async fn move_operation(fixture: &Fixture, id: OperationId, integration_id: IntegrationId, act: &str) -> Result<()> {
    let step = Step { id, attempt: 1, at: NOW };
    if matches!(act, "cancel" | "retry") {
        let tx = fixture.store.tenant(fixture.tenant).await?;
        if act == "cancel" {
            operations::cancel(&tx, id, NOW).await?;
        } else {
            operations::retry(&tx, id, 1, &verify(integration_id), NOW).await?;
        }
        return Ok(tx.commit().await?);
    }
    let tx = fixture.store.system().await?;
    match act {
        "start" => drop(transitions::start(&tx, &[step]).await?),
        "succeed" => drop(transitions::succeed(&tx, &[step]).await?),
        "fail" => drop(transitions::fail(&tx, &[(step, Code::Refused)]).await?),
        _ => {
            let next = verify(integration_id);
            let deferral = Deferral { step, code: Code::Unreachable, due_at: NOW, next, keeps_attempt: false };
            transitions::defer(&tx, &[deferral]).await?;
        }
    }
    Ok(tx.commit().await?)
}

async fn integrations_move_as_drawn(fixture: Fixture) -> Result<()> {
    let mut found = Edges::new();
    let mut number = 0;
    let acts = ["disable", "enable", "test", "replace", "settle"];
    let kinds = VerdictKind::ALL.map(VerdictKind::name);
    for from in IntegrationStatus::ALL {
        for act in acts.into_iter().chain(kinds) {
            number += 1;
            let id = fixture.add_integration(&format!("key {number}"), number).await?;
            let tx = fixture.store.system().await?;
            raw::execute(
                &tx,
                &format!("UPDATE integrations SET status = '{}' WHERE name = 'key {number}'", from.name()),
            )
            .await?;
            tx.commit().await?;
            move_integration(&fixture, id, act, number).await?;
            let to = integration(&fixture, id).await?.status;
            if to != from {
                found.insert((from.name().to_owned(), to.name().to_owned()));
            }
        }
    }
    let drawn = drawn("### An integration")?;
    ensure!(found == drawn, "moves: {found:?}\ndrawn: {drawn:?}");
    Ok(())
}

async fn integration(fixture: &Fixture, id: IntegrationId) -> Result<IntegrationRow> {
    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    integrations::find(&tx, id).await?.context("the integration")
}

async fn move_integration(fixture: &Fixture, id: IntegrationId, act: &str, number: u8) -> Result<()> {
    let before = integration(fixture, id).await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    match act {
        "disable" => drop(integrations::set_enabled(&tx, id, false, None, NOW).await?),
        "enable" => drop(integrations::set_enabled(&tx, id, true, None, NOW).await?),
        "test" => integrations::begin_test(&tx, id).await?,
        "settle" => drop(integrations::settle(&tx, &[id], NOW).await?),
        "replace" => {
            let secret = fixture.secret(number + 100);
            drop(integrations::replace_secret(&tx, &before, before.secret_version + 1, secret, None, NOW).await?);
        }
        _ => {}
    }
    tx.commit().await?;
    let Some(kind) = VerdictKind::parse(act) else { return Ok(()) };
    let operation_id = fixture.add_operation(verify(id), None).await?;
    let verdict = Verdict { kind, evidence: Evidence::default(), checked_at: Timestamp::from_ms(NOW.ms() + 1) };
    let record = VerdictRecord {
        tenant_id: fixture.tenant,
        operation_id,
        attempt: 1,
        integration_id: id,
        secret_version: 1,
        verdict,
        next_check_at: None,
    };
    let tx = fixture.store.system().await?;
    verdicts::record(&tx, &[record]).await?;
    Ok(tx.commit().await?)
}
