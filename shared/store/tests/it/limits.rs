//! Leases on limits: the total that several processes take, and windows that move on.

use anyhow::{Context, Result};
use keyway_domain::{Measure, Timestamp};
use keyway_store::{
    Store,
    limits::{Ask, Lease, Told, lease},
    raw, retention,
};
use uuid::Uuid;

use crate::fixture::{Fixture, on_both};

on_both! {
    processes_that_lease_at_once_never_get_more_than_the_limit
    what_is_handed_back_is_there_for_others_and_what_is_owed_is_not
    a_window_moves_forward_only_and_begins_empty
}

fn ask(limit: i64, need: i64) -> Ask {
    Ask { measure: Measure::MonthlyBudget, limit, need, partial: true, told: Told::default() }
}

async fn leased(store: &Store, fixture: &Fixture, scope: Uuid, asks: &[Ask]) -> Result<Vec<Lease>> {
    let tx = store.tenant(fixture.tenant).await?;
    let leases = lease(&tx, scope, asks).await?;
    tx.commit().await?;
    Ok(leases)
}

async fn one(fixture: &Fixture, scope: Uuid, ask: Ask) -> Result<Lease> {
    leased(&fixture.store, fixture, scope, &[ask]).await?.pop().context("one lease for one ask")
}

async fn processes_that_lease_at_once_never_get_more_than_the_limit(fixture: Fixture) -> Result<()> {
    let scope = Uuid::now_v7();
    let asks = [ask(1000, 3), Ask { measure: Measure::DailyBudget, ..ask(500, 7) }];
    let process = async || {
        let mut got = [0, 0];
        loop {
            let leases = leased(&fixture.store, &fixture, scope, &asks).await?;
            if leases.iter().all(|lease| lease.granted == 0) {
                return Ok::<_, anyhow::Error>(got);
            }
            got = [got[0] + leases[0].granted, got[1] + leases[1].granted];
        }
    };
    let (a, b, c) = tokio::try_join!(process(), process(), process())?;
    let together = [a, b, c].into_iter().fold([0, 0], |sum, got| [sum[0] + got[0], sum[1] + got[1]]);
    assert_eq!(together, [1000, 500]);
    Ok(())
}

#[tokio::test]
async fn who_waits_for_a_row_that_is_being_added_holds_no_other() -> Result<()> {
    let fixture = Fixture::postgres().await?;
    let scope = Uuid::now_v7();
    let daily = Ask { measure: Measure::DailyBudget, ..ask(500, 7) };
    one(&fixture, scope, daily).await?;
    let adding = fixture.store.tenant(fixture.tenant).await?;
    lease(&adding, scope, &[ask(1000, 3)]).await?;
    let both = [daily, ask(1000, 3)];
    let waiting = leased(&fixture.store, &fixture, scope, &both);
    let meanwhile = async {
        let waits = "SELECT count(*) AS n FROM pg_locks JOIN pg_stat_activity AS a USING (pid) WHERE NOT granted \
                     AND a.datname = current_database()";
        let tx = fixture.store.system_read().await?;
        while raw::number(&tx, waits).await? == 0 {
            tokio::task::yield_now().await;
        }
        drop(tx);
        // It would wait for the one that waits for it.
        lease(&adding, scope, &[daily]).await?;
        Ok(adding.commit().await?)
    };
    let (waited, done) = tokio::join!(waiting, meanwhile);
    done.and(waited.map(drop))
}

async fn what_is_handed_back_is_there_for_others_and_what_is_owed_is_not(fixture: Fixture) -> Result<()> {
    let scope = Uuid::now_v7();
    let first = one(&fixture, scope, ask(160, 1)).await?;
    assert_eq!((first.granted, first.left, first.used), (10, 150, 0));
    let told = |returned, used| Told { window_start: first.window.start, returned, used };
    let back = one(&fixture, scope, Ask { told: told(6, 4), ..ask(160, 0) }).await?;
    assert_eq!((back.granted, back.left, back.used), (0, 156, 4));
    let owed = one(&fixture, scope, Ask { told: told(-150, 150), ..ask(160, 0) }).await?;
    assert_eq!((owed.left, owed.used), (6, 154));
    let all_or_nothing = Ask { partial: false, ..ask(160, 7) };
    assert_eq!(one(&fixture, scope, all_or_nothing).await?.granted, 0);
    assert_eq!(one(&fixture, scope, ask(160, 7)).await?.granted, 6, "the rest, where less is of use");
    let lowered = one(&fixture, scope, ask(100, 1)).await?;
    assert_eq!((lowered.granted, lowered.left), (0, -60));
    let elsewhere = Told { window_start: Timestamp::from_ms(5), returned: 100, used: 1 };
    let after = one(&fixture, scope, Ask { told: elsewhere, ..ask(160, 0) }).await?;
    assert_eq!((after.left, after.used), (0, 154), "another window's figures count no more");
    Ok(())
}

async fn a_window_moves_forward_only_and_begins_empty(fixture: Fixture) -> Result<()> {
    let scope = Uuid::now_v7();
    let first = one(&fixture, scope, ask(10, 10)).await?;
    assert_eq!(first.granted, 10);
    assert!(first.window.start <= first.now && first.now < first.window.end);
    let moved = async |to: i64| {
        let tx = fixture.store.system().await?;
        let text = format!("UPDATE limit_windows SET window_start_ms = {to}");
        assert_eq!(raw::execute(&tx, &text).await?, 1);
        Ok::<_, anyhow::Error>(tx.commit().await?)
    };
    // A month ago: the present one begins.
    moved(first.window.start.ms() - 1).await?;
    assert_eq!(one(&fixture, scope, ask(10, 10)).await?.granted, 10);
    // A month ahead, as by a clock that was wrong: it goes on there.
    moved(first.window.end.ms()).await?;
    let ahead = one(&fixture, scope, ask(10, 1)).await?;
    assert_eq!((ahead.granted, ahead.window.start), (0, first.window.end));
    let tx = fixture.store.system().await?;
    assert_eq!(retention::delete_limit_windows(&tx, first.window.end, 10).await?, 0);
    assert_eq!(retention::delete_limit_windows(&tx, ahead.window.end, 10).await?, 1);
    Ok(())
}
