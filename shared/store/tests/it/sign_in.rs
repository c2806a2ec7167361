//! The door: delays, tokens of links, second factors and the setup token, each used once however many try.

use std::time::Duration;

use anyhow::{Context, Result};
use keyway_domain::{PasskeyId, Role, Timestamp, UserId};
use keyway_store::{
    StoreError,
    factors::{self, Factors},
    link_tokens,
    link_tokens::Purpose,
    passkeys::{self, PasskeyRow},
    raw, recovery_codes, retention, setup_token,
    sign_in_attempts::{self, Subject},
    totp_factors, users,
};

use crate::{
    fixture::{Fixture, NOW, on_both},
    members::invite,
    people::{add_session, add_user, holds},
};

on_both! {
    waits_double_up_to_a_quarter_of_an_hour_and_end
    of_many_attempts_at_once_one_is_judged
    a_right_password_gives_back_its_attempt_only
    a_link_is_used_once_for_its_purpose
    of_many_who_follow_a_link_one_succeeds
    an_authenticator_is_used_once_it_is_confirmed
    of_many_who_show_a_code_one_is_accepted
    a_passkey_counts_forwards_and_goes_with_its_person_s_last_codes
    a_recovery_code_burns_once
    the_setup_token_is_taken_once_and_only_while_there_is_nobody
    what_has_ended_is_deleted_in_slices
}

fn later(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

fn account(email: &str) -> Result<Subject> {
    Ok(Subject::Account(email.parse()?))
}

fn network(address: &str) -> Result<Subject> {
    Ok(Subject::Network(address.parse()?))
}

async fn begin(fixture: &Fixture, subjects: &[Subject], now: Timestamp) -> Result<Option<Duration>> {
    let tx = fixture.store.system().await?;
    let wait = sign_in_attempts::begin(&tx, subjects, now).await?;
    tx.commit().await?;
    Ok(wait)
}

async fn waits_double_up_to_a_quarter_of_an_hour_and_end(fixture: Fixture) -> Result<()> {
    let (ana, mut at) = ([account("ana@example.org")?], 0);
    for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
        assert_eq!(begin(&fixture, &ana, later(at)).await?, None, "after the wait it is judged");
        assert_eq!(begin(&fixture, &ana, later(at)).await?, Some(Duration::from_secs(seconds)));
        let almost = begin(&fixture, &[account("ANA@example.org")?], later(at + seconds - 1)).await?;
        assert_eq!(almost, Some(Duration::from_secs(1)), "asking too early makes it no longer");
        at += seconds;
    }
    assert_eq!(begin(&fixture, &[account("ben@example.org")?], later(0)).await?, None, "nobody else waits");
    at += 86_400;
    assert_eq!(begin(&fixture, &ana, later(at)).await?, None);
    let tx = fixture.store.system().await?;
    let wait = sign_in_attempts::wait_of(&tx, &ana[0], later(at)).await?;
    assert_eq!(wait, Some(Duration::from_secs(1)), "a day later it begins anew");
    sign_in_attempts::reset(&tx, &ana[0]).await?;
    assert_eq!(sign_in_attempts::wait_of(&tx, &ana[0], later(at)).await?, None);
    Ok(())
}

async fn of_many_attempts_at_once_one_is_judged(fixture: Fixture) -> Result<()> {
    let (ana, here) = (account("ana@example.org")?, network("203.0.113.7")?);
    // Named in either order: nobody waits for who waits for it.
    let (one, other) = ([ana.clone(), here.clone()], [here, ana]);
    let ends = tokio::join!(
        begin(&fixture, &one, NOW),
        begin(&fixture, &other, NOW),
        begin(&fixture, &one, NOW),
        begin(&fixture, &other, NOW),
    );
    let judged = [ends.0?, ends.1?, ends.2?, ends.3?].into_iter().filter(Option::is_none).count();
    assert_eq!(judged, 1);
    Ok(())
}

async fn a_right_password_gives_back_its_attempt_only(fixture: Fixture) -> Result<()> {
    let here = network("2001:db8:1:2::7")?;
    for n in 0..20 {
        let subjects = [account(&format!("user{n}@example.org"))?, here.clone()];
        assert_eq!(begin(&fixture, &subjects, NOW).await?, None, "many people sit behind one address");
    }
    let eve = [account("eve@example.org")?, network("2001:db8:1:2::ffff")?];
    assert_eq!(begin(&fixture, &eve, NOW).await?, None, "the last one before they wait");
    let ana = [account("ana@example.org")?, here.clone()];
    assert_eq!(begin(&fixture, &ana, NOW).await?, Some(Duration::from_secs(1)));
    let tx = fixture.store.system().await?;
    assert_eq!(sign_in_attempts::wait_of(&tx, &ana[0], NOW).await?, None, "her account was not counted meanwhile");
    sign_in_attempts::succeeded(&tx, &eve, NOW).await?;
    tx.commit().await?;
    assert_eq!(begin(&fixture, &ana, NOW).await?, None, "one attempt was given back");
    assert_eq!(begin(&fixture, &[here], NOW).await?, Some(Duration::from_secs(1)), "and no more than one");
    assert_eq!(begin(&fixture, &eve[..1], NOW).await?, None, "the account began anew");
    for seconds in [120, 121, 122] {
        assert_eq!(begin(&fixture, &eve[1..], later(seconds)).await?, None, "two minutes forgive two attempts");
    }
    assert_eq!(begin(&fixture, &eve[1..], later(122)).await?, Some(Duration::from_secs(2)));

    // A right password in between does not begin the second factor anew.
    let factor = [Subject::SecondFactor(UserId::new())];
    assert_eq!(begin(&fixture, &factor, NOW).await?, None);
    let tx = fixture.store.system().await?;
    sign_in_attempts::succeeded(&tx, &eve, NOW).await?;
    tx.commit().await?;
    assert_eq!(begin(&fixture, &factor, NOW).await?, Some(Duration::from_secs(1)));
    Ok(())
}

async fn a_link_is_used_once_for_its_purpose(fixture: Fixture) -> Result<()> {
    let ana = add_user(&fixture.store, "ana@example.org").await?;
    let (reset, factor) = (Purpose::PasswordReset, Purpose::SecondFactor);
    let tx = fixture.store.system().await?;
    link_tokens::insert(&tx, reset, ana.id, &[1; 32], (NOW, later(1800))).await?;
    assert_eq!(link_tokens::find(&tx, reset, &[1; 32], NOW).await?, Some(ana.id));
    for (purpose, seed, at) in [(factor, 1, NOW), (reset, 2, NOW), (reset, 1, later(1800))] {
        assert_eq!(link_tokens::find(&tx, purpose, &[seed; 32], at).await?, None);
        assert_eq!(link_tokens::take(&tx, purpose, &[seed; 32], at).await?, None);
    }
    assert_eq!(link_tokens::take(&tx, reset, &[1; 32], later(1799)).await?, Some(ana.id));
    assert_eq!(link_tokens::take(&tx, reset, &[1; 32], later(1799)).await?, None, "once");
    link_tokens::insert(&tx, factor, ana.id, &[3; 32], (NOW, later(300))).await?;
    link_tokens::delete_of_user(&tx, ana.id).await?;
    assert_eq!(link_tokens::find(&tx, factor, &[3; 32], NOW).await?, None);
    let nobody = link_tokens::insert(&tx, reset, UserId::new(), &[4; 32], (NOW, later(1))).await;
    assert!(matches!(nobody, Err(StoreError::Conflict)));
    Ok(())
}

async fn of_many_who_follow_a_link_one_succeeds(fixture: Fixture) -> Result<()> {
    let ana = add_user(&fixture.store, "ana@example.org").await?;
    let tx = fixture.store.system().await?;
    link_tokens::insert(&tx, Purpose::PasswordReset, ana.id, &[1; 32], (NOW, later(1800))).await?;
    tx.commit().await?;
    let take = || async {
        let tx = fixture.store.system().await?;
        let taken = link_tokens::take(&tx, Purpose::PasswordReset, &[1; 32], NOW).await?;
        tx.commit().await?;
        anyhow::Ok(taken.is_some())
    };
    let (a, b, c) = tokio::join!(take(), take(), take());
    assert_eq!([a?, b?, c?].into_iter().filter(|taken| *taken).count(), 1);
    Ok(())
}

async fn an_authenticator_is_used_once_it_is_confirmed(fixture: Fixture) -> Result<()> {
    let ana = add_user(&fixture.store, "ana@example.org").await?;
    let kept = add_session(&fixture.store, ana.id, 1).await?;
    add_session(&fixture.store, ana.id, 2).await?;
    let tx = fixture.store.system().await?;
    totp_factors::put(&tx, ana.id, (&[1; 40], fixture.data_key, 1), NOW).await?;
    totp_factors::put(&tx, ana.id, (&[2; 40], fixture.data_key, 2), NOW).await?;
    assert!(!totp_factors::accept_step(&tx, ana.id, 100).await?, "not before it is confirmed");
    let replaced = totp_factors::confirm(&tx, ana.id, (1, 100), Some(kept.id), NOW).await;
    assert!(matches!(replaced, Err(StoreError::Conflict)), "the first secret gave way");
    totp_factors::confirm(&tx, ana.id, (2, 100), Some(kept.id), later(5)).await?;
    let found = totp_factors::find(&tx, ana.id).await?.context("her app")?;
    assert_eq!(
        (found.envelope.as_slice(), found.version, found.data_key_id),
        ([2; 40].as_slice(), 2, fixture.data_key)
    );
    assert_eq!((found.confirmed_at, found.last_step), (Some(later(5)), Some(100)));
    let again = totp_factors::put(&tx, ana.id, (&[3; 40], fixture.data_key, 3), NOW).await;
    assert!(matches!(again, Err(StoreError::Conflict)), "a confirmed one does not give way");
    for (step, expected) in [(100, false), (99, false), (101, true), (101, false), (103, true), (102, false)] {
        assert_eq!(totp_factors::accept_step(&tx, ana.id, step).await?, expected, "step {step}");
    }
    assert_ne!(users::find(&tx, ana.id).await?.context("Ana")?.version, ana.version, "no old sign-in goes on");
    tx.commit().await?;
    assert!(holds(&fixture.store, 1, NOW).await? && !holds(&fixture.store, 2, NOW).await?);

    let tx = fixture.store.system().await?;
    recovery_codes::replace(&tx, ana.id, &[[1; 32]]).await?;
    assert_eq!(totp_factors::delete(&tx, ana.id, None).await?, Some(Factors::default()));
    assert_eq!(totp_factors::delete(&tx, ana.id, None).await?, None);
    assert_eq!(totp_factors::find(&tx, ana.id).await?, None);
    assert_eq!(recovery_codes::count_left(&tx, ana.id).await?, 0, "they go with it");
    tx.commit().await?;
    assert!(!holds(&fixture.store, 1, NOW).await?);
    Ok(())
}

async fn a_passkey_counts_forwards_and_goes_with_its_person_s_last_codes(fixture: Fixture) -> Result<()> {
    let ana = add_user(&fixture.store, "ana@example.org").await?;
    let ben = add_user(&fixture.store, "ben@example.org").await?;
    let passkey = |user_id: UserId, credential_id: &[u8], sign_count| PasskeyRow {
        id: PasskeyId::new(),
        user_id,
        credential_id: credential_id.to_vec(),
        public_key: vec![1; 77],
        user_handle: vec![2; 32],
        sign_count,
        may_be_backed_up: false,
        is_backed_up: false,
        name: "laptop".to_owned(),
        created_at: NOW,
        last_used_at: None,
    };
    let (laptop, phone) = (passkey(ana.id, b"laptop", 5), passkey(ana.id, b"phone", 0));
    let tx = fixture.store.system().await?;
    passkeys::insert(&tx, &laptop, None).await?;
    passkeys::insert(&tx, &phone, None).await?;
    recovery_codes::replace(&tx, ana.id, &[[1; 32]]).await?;
    tx.commit().await?;
    let tx = fixture.store.system().await?;
    let taken = passkeys::insert(&tx, &passkey(ben.id, b"laptop", 0), None).await;
    assert!(matches!(taken, Err(StoreError::Conflict)), "a credential is one person's: {taken:?}");
    drop(tx);

    let tx = fixture.store.system().await?;
    assert_eq!(passkeys::of_user(&tx, ana.id).await?, [laptop.clone(), phone.clone()]);
    for (row, count, expected) in [
        (&laptop, 5, false),
        (&laptop, 0, false),
        (&laptop, 6, true),
        (&laptop, 6, false),
        (&phone, 0, true),
        (&phone, 0, true),
        (&phone, 1, true),
        (&phone, 0, false),
    ] {
        assert_eq!(passkeys::accept(&tx, row.id, (count, false), NOW).await?, expected, "{count}");
    }
    assert_eq!(passkeys::find_by_credential(&tx, b"laptop").await?.map(|row| row.sign_count), Some(6));
    let not_hers = passkeys::rename(&tx, ben.id, laptop.id, "mine").await;
    assert!(matches!(not_hers, Err(StoreError::NotFound)));
    assert!(matches!(passkeys::delete(&tx, ben.id, laptop.id, None).await, Err(StoreError::NotFound)));

    let ends_at = later(300);
    assert!(link_tokens::spend(&tx, ana.id, &[9; 32], (NOW, ends_at)).await?);
    assert!(!link_tokens::spend(&tx, ana.id, &[9; 32], (NOW, ends_at)).await?);
    let left = passkeys::delete(&tx, ana.id, laptop.id, None).await?;
    assert_eq!(left, Factors { totp: false, passkeys: 1, recovery_codes_left: 1 });
    assert!(!link_tokens::spend(&tx, ana.id, &[9; 32], (NOW, ends_at)).await?, "what is spent stays spent");
    assert_eq!(passkeys::delete(&tx, ana.id, phone.id, None).await?, Factors::default());
    assert_eq!(recovery_codes::count_left(&tx, ana.id).await?, 0, "they stand in for nothing");
    passkeys::insert(&tx, &phone, None).await?;
    assert_eq!(factors::remove_all(&tx, ana.id).await?, Factors { totp: false, passkeys: 1, recovery_codes_left: 0 });
    assert_eq!(factors::of(&tx, ana.id).await?, Factors::default());
    tx.commit().await?;
    Ok(())
}

async fn of_many_who_show_a_code_one_is_accepted(fixture: Fixture) -> Result<()> {
    let ana = add_user(&fixture.store, "ana@example.org").await?;
    let tx = fixture.store.system().await?;
    totp_factors::put(&tx, ana.id, (&[1; 40], fixture.data_key, 1), NOW).await?;
    totp_factors::confirm(&tx, ana.id, (1, 100), None, NOW).await?;
    tx.commit().await?;
    let show = || async {
        let tx = fixture.store.system().await?;
        let accepted = totp_factors::accept_step(&tx, ana.id, 101).await?;
        tx.commit().await?;
        anyhow::Ok(accepted)
    };
    let (a, b, c) = tokio::join!(show(), show(), show());
    assert_eq!([a?, b?, c?].into_iter().filter(|accepted| *accepted).count(), 1);
    Ok(())
}

async fn a_recovery_code_burns_once(fixture: Fixture) -> Result<()> {
    let (ana, ben) = (add_user(&fixture.store, "ana@example.org").await?, add_user(&fixture.store, "b@x.org").await?);
    let tx = fixture.store.system().await?;
    recovery_codes::replace(&tx, ana.id, &[[1; 32], [2; 32], [3; 32]]).await?;
    recovery_codes::replace(&tx, ana.id, &[[4; 32], [5; 32]]).await?;
    recovery_codes::replace(&tx, ben.id, &[]).await?;
    assert!(!recovery_codes::burn(&tx, ana.id, &[1; 32], NOW).await?, "the first ones are gone");
    assert!(!recovery_codes::burn(&tx, ben.id, &[4; 32], NOW).await?, "it is not his");
    tx.commit().await?;
    let burn = || async {
        let tx = fixture.store.system().await?;
        let burned = recovery_codes::burn(&tx, ana.id, &[4; 32], NOW).await?;
        tx.commit().await?;
        anyhow::Ok(burned)
    };
    let (a, b, c) = tokio::join!(burn(), burn(), burn());
    assert_eq!([a?, b?, c?].into_iter().filter(|burned| *burned).count(), 1);
    let tx = fixture.store.system_read().await?;
    assert_eq!(recovery_codes::count_left(&tx, ana.id).await?, 1);
    Ok(())
}

async fn the_setup_token_is_taken_once_and_only_while_there_is_nobody(fixture: Fixture) -> Result<()> {
    let tx = fixture.store.system().await?;
    assert!(setup_token::offer(&tx, &[1; 32]).await?);
    assert!(!setup_token::offer(&tx, &[2; 32]).await?, "another replica's is offered already");
    assert!(setup_token::offer_anew(&tx, &[3; 32]).await?);
    assert!(!setup_token::take(&tx, &[1; 32]).await?);
    tx.commit().await?;
    let take = || async {
        let tx = fixture.store.system().await?;
        let taken = setup_token::take(&tx, &[3; 32]).await?;
        tx.commit().await?;
        anyhow::Ok(taken)
    };
    let (a, b) = tokio::join!(take(), take());
    assert_eq!([a?, b?].into_iter().filter(|taken| *taken).count(), 1);

    let tx = fixture.store.system().await?;
    assert!(setup_token::offer(&tx, &[4; 32]).await?);
    tx.commit().await?;
    add_user(&fixture.store, "ana@example.org").await?;
    let tx = fixture.store.system().await?;
    assert!(!setup_token::take(&tx, &[4; 32]).await?);
    assert!(!setup_token::offer(&tx, &[5; 32]).await? && !setup_token::offer_anew(&tx, &[5; 32]).await?);
    Ok(())
}

async fn what_has_ended_is_deleted_in_slices(fixture: Fixture) -> Result<()> {
    let ana = add_user(&fixture.store, "ana@example.org").await?;
    for seed in 1..=3 {
        add_session(&fixture.store, ana.id, seed).await?;
        begin(&fixture, &[account(&format!("user{seed}@example.org"))?], NOW).await?;
        let tx = fixture.store.system().await?;
        link_tokens::insert(&tx, Purpose::PasswordReset, ana.id, &[seed; 32], (NOW, later(1800))).await?;
        tx.commit().await?;
        invite(&fixture, &format!("user{seed}@example.org"), Role::Auditor, seed).await?;
    }
    let tx = fixture.store.system().await?;
    let (hours, week) = (later(8 * 3600 + 1), later(7 * 86_400));
    for before in [later(0), later(60)] {
        assert_eq!(retention::delete_ended_sessions(&tx, before, 2).await?, 0);
        assert_eq!(retention::delete_expired_link_tokens(&tx, before, 2).await?, 0);
        assert_eq!(retention::delete_old_invitations(&tx, before, 2).await?, 0);
    }
    assert_eq!(retention::delete_sign_in_attempts(&tx, NOW, 2).await?, 0);
    for expected in [2, 1, 0] {
        assert_eq!(retention::delete_ended_sessions(&tx, hours, 2).await?, expected);
        assert_eq!(retention::delete_expired_link_tokens(&tx, hours, 2).await?, expected);
        assert_eq!(retention::delete_sign_in_attempts(&tx, hours, 2).await?, expected);
        assert_eq!(retention::delete_old_invitations(&tx, week, 2).await?, expected);
    }
    for table in ["sessions", "link_tokens", "sign_in_attempts", "invitations"] {
        assert_eq!(raw::number(&tx, &format!("SELECT count(*) AS n FROM {table}")).await?, 0, "{table}");
    }
    Ok(())
}
