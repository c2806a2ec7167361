//! Audit log, schedules, idempotency, settings and data keys.

use anyhow::{Context, Result};
use keyway_domain::{Actor, AuditEvent, AuditOutcome, DataKeyId, MessageId, Timestamp};
use keyway_store::{
    Page, StoreError,
    audit::{self, AuditKey, AuditRecord},
    data_keys::{self, DataKeyRow},
    idempotency::{self, StoredAnswer},
    retention, schedules, settings,
};

use crate::fixture::{Fixture, NOW, on_both};

on_both! {
    an_audit_line_is_appended_once_and_listed_newest_first
    a_schedule_fires_once
    an_idempotency_key_is_answered_once
    a_fact_is_decided_by_the_first
    a_tenant_has_one_active_data_key
}

fn line(fixture: &Fixture, action: &str, at_ms: i64) -> AuditRecord {
    let event = AuditEvent {
        action: action.to_owned(),
        actor: Actor::System { part: "status".to_owned() },
        target: "int_1".to_owned(),
        outcome: AuditOutcome::Success,
        occurred_at: Timestamp::from_ms(at_ms),
        request_id: None,
        changes: serde_json::json!({"status": "connected"}),
    };
    AuditRecord { event_id: MessageId::new(), tenant_id: fixture.tenant, event }
}

async fn an_audit_line_is_appended_once_and_listed_newest_first(fixture: Fixture) -> Result<()> {
    let lines = [line(&fixture, "a", 1), line(&fixture, "b", 3), line(&fixture, "a", 2), line(&fixture, "a", 2)];
    let tx = fixture.store.system().await?;
    assert_eq!(audit::append(&tx, &lines).await?, 4);
    assert_eq!(audit::append(&tx, &lines).await?, 0);
    tx.commit().await?;
    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    let (mut times, mut page) = (Vec::new(), Page::first(2));
    loop {
        let found = audit::list(&tx, &audit::Filter::default(), page).await?;
        let last = found.items.last().context("a line")?;
        page.after = Some(AuditKey { occurred_at: last.event.occurred_at, event_id: last.event_id });
        times.extend(found.items.iter().map(|it| it.event.occurred_at.ms()));
        if !found.more {
            break;
        }
    }
    assert_eq!(times, [3, 2, 2, 1]);
    let filter = audit::Filter {
        action: Some("a".to_owned()),
        actor_type: Some("system".to_owned()),
        to: Some(Timestamp::from_ms(2)),
        ..audit::Filter::default()
    };
    let found = audit::list(&tx, &filter, Page::first(9)).await?;
    assert_eq!(found.items.iter().map(|it| &it.event).collect::<Vec<_>>(), [&lines[0].event]);
    Ok(())
}

async fn a_schedule_fires_once(fixture: Fixture) -> Result<()> {
    let fire = async || -> Result<bool> {
        let tx = fixture.store.system().await?;
        let fired = schedules::fire(&tx, "usage", NOW, NOW).await?;
        tx.commit().await?;
        Ok(fired)
    };
    let (a, b, c) = tokio::join!(fire(), fire(), fire());
    assert_eq!([a?, b?, c?].into_iter().filter(|fired| *fired).count(), 1);
    let tx = fixture.store.system().await?;
    assert_eq!(schedules::last(&tx, "usage").await?, Some(NOW));
    assert_eq!(schedules::last(&tx, "verify").await?, None);
    assert_eq!(retention::delete_schedule_fires(&tx, Timestamp::from_ms(NOW.ms() + 1), 10).await?, 1);
    Ok(())
}

async fn an_idempotency_key_is_answered_once(fixture: Fixture) -> Result<()> {
    let answer = StoredAnswer { request_sha256: [9; 32], status: 202, response: b"{}".to_vec() };
    let tx = fixture.store.tenant(fixture.tenant).await?;
    idempotency::insert(&tx, fixture.tenant, "POST /integrations", "k", answer.clone(), NOW).await?;
    let again = idempotency::insert(&tx, fixture.tenant, "POST /integrations", "k", answer.clone(), NOW).await;
    assert!(matches!(again, Err(StoreError::Conflict)));
    assert_eq!(idempotency::find(&tx, fixture.tenant, "POST /integrations", "k").await?, Some(answer));
    assert_eq!(idempotency::find(&tx, fixture.tenant, "POST /projects", "k").await?, None);
    tx.commit().await?;
    let tx = fixture.store.system().await?;
    assert_eq!(retention::delete_idempotency_keys(&tx, Timestamp::from_ms(NOW.ms() + 1), 10).await?, 1);
    assert_eq!(retention::delete_verdicts(&tx, NOW, 10).await?, 0);
    assert_eq!(retention::delete_metered_calls(&tx, NOW, 10).await?, 0);
    Ok(())
}

async fn a_fact_is_decided_by_the_first(fixture: Fixture) -> Result<()> {
    let tx = fixture.store.system().await?;
    assert_eq!(settings::put_if_absent(&tx, "admin", "first").await?, "first");
    assert_eq!(settings::put_if_absent(&tx, "admin", "second").await?, "first");
    settings::put(&tx, "admin", "third").await?;
    assert_eq!(settings::find(&tx, "admin").await?.as_deref(), Some("third"));
    Ok(())
}

async fn a_tenant_has_one_active_data_key(fixture: Fixture) -> Result<()> {
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let late = DataKeyRow {
        id: DataKeyId::new(),
        tenant_id: fixture.tenant,
        root_version: 2,
        wrapped_enc: vec![3],
        wrapped_fp: vec![4],
    };
    let kept = data_keys::insert_if_absent(&tx, &late, NOW).await?;
    assert_eq!(kept.id, fixture.data_key);
    assert_eq!(data_keys::find(&tx, late.id).await?, None);
    tx.commit().await?;
    let tx = fixture.store.system().await?;
    assert_eq!(data_keys::page_of_all(&tx, None, 10).await?, std::slice::from_ref(&kept));
    assert!(data_keys::page_of_all(&tx, Some(kept.id), 10).await?.is_empty());
    Ok(())
}
