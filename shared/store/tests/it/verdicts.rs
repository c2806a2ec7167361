//! Verdicts: only a newer one about the current secret moves the status.

use anyhow::{Context, Result};
use keyway_domain::{
    Evidence, IntegrationId, IntegrationStatus, OperationId, TenantId, Timestamp, Verdict, VerdictKind,
};
use keyway_store::{
    integrations::{self, KeyIdNote},
    raw,
    verdicts::{self, VerdictRecord},
};

use crate::fixture::{Fixture, NOW, on_both};

on_both! {
    only_a_newer_verdict_about_the_current_secret_counts
    one_that_is_to_be_verified_anew_takes_a_verdict_by_any_clock
    a_verdict_about_a_deleted_integration_is_passed_over
    an_attempt_that_ran_twice_keeps_what_says_something_about_the_key
    a_providers_id_of_a_key_is_noted_once_and_never_over_the_owners_word
}

fn record(fixture: &Fixture, integration_id: IntegrationId, kind: VerdictKind, at_ms: i64) -> VerdictRecord {
    let evidence = Evidence {
        http_status: Some(200),
        provider_request_id: Some("req_abc".to_owned()),
        provider_code: None,
        reason: "it works".to_owned(),
    };
    let checked_at = Timestamp::from_ms(NOW.ms() + at_ms);
    VerdictRecord {
        tenant_id: fixture.tenant,
        operation_id: OperationId::new(),
        attempt: 1,
        integration_id,
        secret_version: 1,
        verdict: Verdict { kind, evidence, checked_at },
        next_check_at: Some(checked_at),
    }
}

async fn apply(fixture: &Fixture, records: &[VerdictRecord]) -> Result<Vec<verdicts::Applied>> {
    let tx = fixture.store.system().await?;
    let applied = verdicts::record(&tx, records).await?;
    tx.commit().await?;
    Ok(applied)
}

async fn status(fixture: &Fixture, id: IntegrationId) -> Result<IntegrationStatus> {
    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    Ok(integrations::find(&tx, id).await?.context("the integration")?.status)
}

async fn only_a_newer_verdict_about_the_current_secret_counts(fixture: Fixture) -> Result<()> {
    use IntegrationStatus::{Connected, Error};
    let id = fixture.add_integration("prod", 1).await?;
    let valid = record(&fixture, id, VerdictKind::Valid, 10);
    let applied = apply(&fixture, std::slice::from_ref(&valid)).await?;
    assert_eq!(
        applied.iter().map(|it| (it.from, it.to)).collect::<Vec<_>>(),
        [(IntegrationStatus::Verifying, Connected)]
    );
    assert!(apply(&fixture, std::slice::from_ref(&valid)).await?.is_empty(), "the same verdict again");
    let older = record(&fixture, id, VerdictKind::Invalid, 5);
    assert!(apply(&fixture, &[older]).await?.is_empty());
    let replaced = VerdictRecord { secret_version: 2, ..record(&fixture, id, VerdictKind::Invalid, 20) };
    assert!(apply(&fixture, &[replaced]).await?.is_empty(), "about a secret that is not current");
    assert_eq!(status(&fixture, id).await?, Connected);

    let batch = [record(&fixture, id, VerdictKind::Unreachable, 30), record(&fixture, id, VerdictKind::Invalid, 40)];
    let applied = apply(&fixture, &batch).await?;
    assert_eq!(applied.iter().map(|it| (it.from, it.to)).collect::<Vec<_>>(), [(Connected, Error)]);

    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    let row = integrations::find(&tx, id).await?.context("the integration")?;
    assert_eq!(row.verdict.as_ref(), Some(&batch[1].verdict));
    assert_eq!(row.next_check_at, batch[1].next_check_at);
    let history = verdicts::history(&tx, id, 10).await?;
    let kinds: Vec<_> = history.iter().map(|line| line.verdict.kind).collect();
    use VerdictKind::{Invalid, Unreachable, Valid};
    assert_eq!(kinds, [Invalid, Unreachable, Invalid, Valid, Invalid], "every one is on file, newest first");
    Ok(())
}

async fn one_that_is_to_be_verified_anew_takes_a_verdict_by_any_clock(fixture: Fixture) -> Result<()> {
    let id = fixture.add_integration("prod", 1).await?;
    apply(&fixture, &[record(&fixture, id, VerdictKind::Valid, 86_400_000)]).await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    for enabled in [false, true] {
        integrations::set_enabled(&tx, id, enabled, None, NOW).await?;
    }
    tx.commit().await?;
    let behind = record(&fixture, id, VerdictKind::Invalid, -3_600_000);
    assert_eq!(apply(&fixture, &[behind]).await?.len(), 1);
    assert_eq!(status(&fixture, id).await?, IntegrationStatus::Error);
    Ok(())
}

async fn a_verdict_about_a_deleted_integration_is_passed_over(fixture: Fixture) -> Result<()> {
    let (gone, id) = (fixture.add_integration("a", 1).await?, fixture.add_integration("b", 2).await?);
    let tx = fixture.store.tenant(fixture.tenant).await?;
    integrations::delete(&tx, gone, None).await?;
    tx.commit().await?;
    let records = [record(&fixture, gone, VerdictKind::Valid, 1), record(&fixture, id, VerdictKind::Valid, 1)];
    let applied = apply(&fixture, &records).await?;
    assert_eq!(applied.iter().map(|it| it.integration_id).collect::<Vec<_>>(), [id]);
    Ok(())
}

async fn an_attempt_that_ran_twice_keeps_what_says_something_about_the_key(fixture: Fixture) -> Result<()> {
    for (name, together) in [("apart", false), ("together", true)] {
        let id = fixture.add_integration(name, if together { 2 } else { 1 }).await?;
        let vague = record(&fixture, id, VerdictKind::Unreachable, 10);
        let clear = VerdictRecord { operation_id: vague.operation_id, ..record(&fixture, id, VerdictKind::Valid, 20) };
        let orders = if together {
            vec![vec![vague.clone(), clear.clone(), vague.clone()]]
        } else {
            vec![vec![vague.clone()], vec![clear]]
        };
        for records in &orders {
            apply(&fixture, records).await?;
        }
        assert_eq!(status(&fixture, id).await?, IntegrationStatus::Connected, "{name}");
        // What is clear is not overwritten by what is not.
        assert!(apply(&fixture, &[vague]).await?.is_empty(), "{name}");
        let tx = fixture.store.tenant_read(fixture.tenant).await?;
        let history = verdicts::history(&tx, id, 10).await?;
        assert_eq!(history.iter().map(|line| line.verdict.kind).collect::<Vec<_>>(), [VerdictKind::Valid], "{name}");
    }
    Ok(())
}

async fn a_providers_id_of_a_key_is_noted_once_and_never_over_the_owners_word(fixture: Fixture) -> Result<()> {
    let (named, other) = (fixture.add_integration("named", 1).await?, fixture.add_integration("other", 2).await?);
    let note = |id, provider_key_id: &str| {
        let (tenant_id, provider_key_id) = (fixture.tenant, provider_key_id.to_owned());
        KeyIdNote { id, tenant_id, secret_version: 1, provider_key_id }
    };
    let key_id = async |id| {
        let tx = fixture.store.tenant_read(fixture.tenant).await?;
        let config = integrations::find(&tx, id).await?.context("the integration")?.config;
        anyhow::Ok(config["provider_key_id"].as_str().unwrap_or_default().to_owned())
    };
    for (notes, expected) in [
        (vec![KeyIdNote { secret_version: 2, ..note(named, "k0") }], ["", ""]),
        (vec![KeyIdNote { tenant_id: TenantId::new(), ..note(named, "k0") }], ["", ""]),
        (vec![note(named, "k1"), note(named, "k1")], ["k1", ""]),
        (vec![note(named, "k2"), note(other, "k1")], ["k1", ""]),
        (vec![note(other, "k3")], ["k1", "k3"]),
    ] {
        let tx = fixture.store.system().await?;
        integrations::set_provider_key_ids(&tx, &notes).await?;
        tx.commit().await?;
        assert_eq!([key_id(named).await?, key_id(other).await?], expected, "{notes:?}");
    }
    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    assert_eq!(raw::number(&tx, "SELECT count(*) AS n FROM integrations WHERE version = 1").await?, 2);
    Ok(())
}
