//! Claims are shared: a tenant with very many due rows does not hold up another's few.

use std::collections::HashMap;

use anyhow::Result;
use keyway_domain::{Body, Event, Invalidation, Message, MessageId, Route, TenantId, Timestamp};
use keyway_store::{outbox, raw};

use crate::fixture::{Fixture, add_tenant, on_both};

on_both! {
    a_tenant_s_single_row_is_in_the_next_claim_behind_50_000_of_another
    tenants_share_a_claim_and_no_place_is_left_empty
}

const FAR: Timestamp = Timestamp::from_ms(4_000_000_000_000);
const ROUTE: Route = Route::Invalidate;

fn message(tenant: TenantId) -> Message {
    Message::new(MessageId::new(), tenant, Body::Event(Event::Invalidated(Invalidation::Providers)))
}

async fn insert(fixture: &Fixture, tenant: TenantId, count: usize, due_ms: i64) -> Result<Vec<Message>> {
    let messages: Vec<_> = (0..count).map(|_| message(tenant)).collect();
    let tx = fixture.store.system().await?;
    let due: Vec<_> = messages.iter().map(|message| (message, Timestamp::from_ms(due_ms))).collect();
    outbox::insert_due(&tx, &due).await?;
    tx.commit().await?;
    Ok(messages)
}

/// Returns the number of rows that each tenant got.
async fn claim(fixture: &Fixture, rows: u64) -> Result<HashMap<TenantId, usize>> {
    let tx = fixture.store.system().await?;
    let claimed = outbox::claim(&tx, ROUTE, rows, FAR).await?;
    tx.commit().await?;
    let mut of_each = HashMap::new();
    for row in claimed {
        *of_each.entry(Message::decode(&row.body)?.tenant_id).or_default() += 1;
    }
    Ok(of_each)
}

async fn a_tenant_s_single_row_is_in_the_next_claim_behind_50_000_of_another(fixture: Fixture) -> Result<()> {
    let (a, (b, ..)) = (fixture.tenant, add_tenant(&fixture.store, "second").await?);
    insert(&fixture, a, 1, 1).await?;
    let tx = fixture.store.system().await?;
    let sqlite = raw::number(&tx, "SELECT count(*) AS n FROM sqlite_master").await.is_ok();
    drop(tx);
    let id = if sqlite { "randomblob(16)" } else { "gen_random_uuid()" };
    let tx = fixture.store.system().await?;
    let copies = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 49999) INSERT INTO outbox (id, \
         tenant_id, route, body, available_at_ms, created_at_ms) SELECT {id}, tenant_id, route, body, 1, 1 FROM outbox, n"
    );
    assert_eq!(raw::execute(&tx, &copies).await?, 49_999);
    tx.commit().await?;
    assert_eq!(claim(&fixture, 256).await?, HashMap::from([(a, 256)]));
    insert(&fixture, b, 1, 1000).await?;
    assert_eq!(claim(&fixture, 256).await?, HashMap::from([(a, 255), (b, 1)]));
    // Where only two fit, each has one.
    insert(&fixture, b, 1, 2000).await?;
    let tx = fixture.store.system().await?;
    assert_eq!(raw::number(&tx, "SELECT count(*) AS n FROM outbox WHERE claimed_until_ms IS NULL").await?, 49_490);
    drop(tx);
    let mut claims = 0;
    while !claim(&fixture, 2).await?.contains_key(&b) {
        claims += 1;
        assert!(claims < 64, "a fair coin would have had to fall 64 times on one side");
    }
    Ok(())
}

async fn tenants_share_a_claim_and_no_place_is_left_empty(fixture: Fixture) -> Result<()> {
    let mut others = Vec::new();
    for name in ["second", "third", "fourth"] {
        others.push(add_tenant(&fixture.store, name).await?.0);
    }
    insert(&fixture, fixture.tenant, 1000, 1).await?;
    for (tenant, count) in others.iter().zip([100, 10, 1]) {
        insert(&fixture, *tenant, count, 1000).await?;
    }
    // Rows that are not due yet are nobody's share.
    insert(&fixture, others[2], 50, FAR.ms()).await?;
    let shared = claim(&fixture, 80).await?;
    assert_eq!(shared.values().sum::<usize>(), 80);
    assert_eq!([shared[&others[0]], shared[&others[1]], shared[&others[2]]], [10, 10, 1], "{shared:?}");
    let mut all = 80;
    loop {
        let claimed: usize = claim(&fixture, 80).await?.values().sum();
        all += claimed;
        if claimed == 0 {
            break;
        }
    }
    assert_eq!(all, 1111, "every due row is claimed once");
    Ok(())
}
