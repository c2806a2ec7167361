//! What PostgreSQL reads for statements that come often: as many rows as they are about, whatever else a table holds.
//!
//! Counts rows, never time. The tables have not been analysed, as those of a new installation.

use anyhow::Result;
use keyway_domain::{IntegrationId, Lane, OperationId, Route, Timestamp};
use keyway_store::{
    Tx, integrations, key_usage, operations, outbox, raw,
    transitions::{self, Step},
};

use crate::fixture::{Fixture, NOW, fetch, integration, operation, plan};

const OTHERS: usize = 400;

/// Returns the number of rows of a table that the transaction has read so far.
async fn read_of(tx: &impl Tx, table: &str) -> Result<i64> {
    let text = format!(
        "SELECT COALESCE(seq_tup_read, 0) + COALESCE(idx_tup_fetch, 0) AS n FROM pg_stat_xact_user_tables \
         WHERE relname = '{table}'"
    );
    Ok(raw::number(tx, &text).await?)
}

#[tokio::test]
async fn keys_that_are_reported_by_an_id_are_found_among_many_without() -> Result<()> {
    let fixture = Fixture::postgres().await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    for number in 0..OTHERS {
        let mut new = integration(fixture.project, fixture.data_key, &format!("other {number}"), 0);
        new.secret.fingerprint[..8].copy_from_slice(&number.to_be_bytes());
        integrations::insert(&tx, new, NOW).await?;
    }
    let mut named = fixture.integration("named", 1);
    named.config = serde_json::json!({"provider_key_id": "key_1"});
    integrations::insert(&tx, named, NOW).await?;
    tx.commit().await?;

    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    assert_eq!(key_usage::keys_of(&tx, "openai").await?.len(), 1);
    let read = read_of(&tx, "integrations").await?;
    assert!(read <= 2, "{read} rows were read for one");
    Ok(())
}

#[tokio::test]
async fn a_step_reads_the_operations_that_it_is_about() -> Result<()> {
    let fixture = Fixture::postgres().await?;
    let parent = fixture.add_operation(plan(), None).await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let children: Vec<_> =
        (0..10 * OTHERS).map(|_| operation(fixture.tenant, fetch(IntegrationId::new()), Some(parent))).collect();
    operations::insert_children(&tx, &children, NOW).await?;
    tx.commit().await?;

    let steps = children[..3].iter().map(|child| Step { id: child.id, attempt: 1, at: NOW }).collect::<Vec<_>>();
    let ids: Vec<OperationId> = steps.iter().map(|step| step.id).collect();
    let tx = fixture.store.system().await?;
    transitions::lock(&tx, &ids).await?;
    let before = read_of(&tx, "operations").await?;
    assert_eq!(transitions::succeed(&tx, &steps).await?.len(), 3);
    let read = read_of(&tx, "operations").await? - before;
    assert!(read <= 9, "{read} rows were read for three");
    Ok(())
}

#[tokio::test]
async fn a_claim_that_was_planned_on_an_empty_outbox_reads_no_more_than_it_takes() -> Result<()> {
    const TAKEN: i64 = 8;
    let fixture = Fixture::postgres().await?;
    let far = Timestamp::from_ms(4_000_000_000_000);
    let tx = fixture.store.system().await?;
    // More often than a prepared statement is planned for its own values.
    for _ in 0..12 {
        assert!(outbox::claim(&tx, Route::Lane(Lane::Verify), TAKEN as u64, far).await?.is_empty());
    }
    let rows = format!(
        "INSERT INTO outbox (id, tenant_id, route, body, available_at_ms, created_at_ms) \
         SELECT gen_random_uuid(), '{}', 'verify', '', n, 1 FROM generate_series(1, 5000) AS n",
        fixture.tenant.uuid()
    );
    raw::execute(&tx, &rows).await?;
    let before = read_of(&tx, "outbox").await?;
    assert_eq!(outbox::claim(&tx, Route::Lane(Lane::Verify), TAKEN as u64, far).await?.len(), 8);
    let read = read_of(&tx, "outbox").await? - before;
    assert!(read <= 8 * TAKEN, "{read} rows were read for {TAKEN}");
    Ok(())
}
