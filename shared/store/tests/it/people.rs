//! People and their sessions: who is found, what ends, and what a session that began too late may not do.

use std::time::Duration;

use anyhow::{Context, Result};
use keyway_domain::{Timestamp, UserId};
use keyway_store::{
    Page, Store, StoreError, link_tokens,
    link_tokens::Purpose,
    sessions::{self, NewSession, Proof},
    users::{self, NewUser, UserRow},
};
use keyway_vault::SecretString;

use crate::fixture::{Fixture, NOW, on_both};

on_both! {
    an_address_belongs_to_one_person_whatever_its_capitals
    a_person_changes_only_from_the_version_that_was_read
    a_session_holds_until_its_idle_or_its_absolute_end
    a_session_is_touched_once_a_minute
    a_session_ends_alone_or_with_all_others
    another_password_ends_what_began_with_the_old_one
    a_session_that_began_with_an_old_password_is_never_added
    who_is_shut_out_has_no_session
    a_step_up_changes_the_token
}

const IDLE: Duration = Duration::from_secs(8 * 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Adds a person with a password.
pub(crate) async fn add_user(store: &Store, email: &str) -> Result<UserRow> {
    let tx = store.system().await?;
    let password_hash = Some(SecretString::from("$argon2id$first".to_owned()));
    let new = NewUser { email: email.parse()?, name: "Ana".to_owned(), locale: "en".to_owned(), password_hash };
    let user = users::insert(&tx, new, NOW).await?;
    tx.commit().await?;
    Ok(user)
}

fn session(seed: u8) -> NewSession {
    NewSession {
        token_sha256: [seed; 32],
        idle: IDLE,
        absolute: DAY,
        address: Some("203.0.113.7".to_owned()),
        device: Some("Firefox".to_owned()),
        proved_by: Proof::Password,
    }
}

/// Adds a session whose token's hash is made of `seed`.
pub(crate) async fn add_session(store: &Store, user: UserId, seed: u8) -> Result<sessions::SessionRow> {
    let tx = store.system().await?;
    let user = users::find(&tx, user).await?.context("the person")?;
    let row = sessions::insert(&tx, &user, session(seed), NOW).await?;
    tx.commit().await?;
    Ok(row)
}

/// Whether the session whose token's hash is made of `seed` holds.
pub(crate) async fn holds(store: &Store, seed: u8, now: Timestamp) -> Result<bool> {
    let tx = store.system_read().await?;
    Ok(sessions::find_by_token_hash(&tx, &[seed; 32], now).await?.is_some())
}

fn later(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

async fn an_address_belongs_to_one_person_whatever_its_capitals(fixture: Fixture) -> Result<()> {
    let tx = fixture.store.system_read().await?;
    assert!(!users::has_any(&tx).await?);
    drop(tx);
    let ana = add_user(&fixture.store, "Ana@Example.org").await?;
    let taken = add_user(&fixture.store, "ana@EXAMPLE.org").await.err().context("it is taken")?;
    assert!(matches!(taken.downcast_ref(), Some(StoreError::NameTaken)), "{taken:#}");
    let tx = fixture.store.system_read().await?;
    assert!(users::has_any(&tx).await?);
    let found = users::find_for_sign_in(&tx, &"aNA@example.ORG".parse()?).await?.context("by her address")?;
    assert_eq!(found.user, ana);
    assert_eq!(found.user.email.as_given(), "Ana@Example.org");
    assert_eq!(found.password_hash.as_ref().context("a hash")?.plain(), "$argon2id$first");
    assert!(!format!("{found:?}").contains("$argon2id"), "no hash is printed");
    assert!(users::find_for_sign_in(&tx, &"ben@example.org".parse()?).await?.is_none());
    assert_eq!(users::find_for_proof(&tx, ana.id).await?.context("by id")?.user, ana);
    assert_eq!(users::list(&tx, Page::first(10)).await?.items, [ana]);
    assert!(users::of_ids(&tx, &[]).await?.is_empty());
    Ok(())
}

async fn a_person_changes_only_from_the_version_that_was_read(fixture: Fixture) -> Result<()> {
    let ana = add_user(&fixture.store, "ana@example.org").await?;
    let tx = fixture.store.system().await?;
    let changed = users::update(&tx, ana.id, "Ana Ruiz", "es", ana.version).await?;
    assert_eq!((changed.name.as_str(), changed.locale.as_str()), ("Ana Ruiz", "es"));
    assert!(matches!(users::update(&tx, ana.id, "x", "en", ana.version).await, Err(StoreError::Stale)));
    assert!(matches!(users::update(&tx, UserId::new(), "x", "en", 1).await, Err(StoreError::NotFound)));
    Ok(())
}

async fn a_session_holds_until_its_idle_or_its_absolute_end(fixture: Fixture) -> Result<()> {
    let ana = add_user(&fixture.store, "ana@example.org").await?;
    let row = add_session(&fixture.store, ana.id, 1).await?;
    assert_eq!((row.idle_ends_at, row.ends_at, row.proof_at), (NOW.after(IDLE), NOW.after(DAY), NOW));
    let tx = fixture.store.system_read().await?;
    let (found, user) = sessions::find_by_token_hash(&tx, &[1; 32], NOW).await?.context("it holds")?;
    assert_eq!((&found, user.id), (&row, ana.id));
    assert!(sessions::find_by_token_hash(&tx, &[2; 32], NOW).await?.is_none());
    assert!(sessions::find_by_token_hash(&tx, &[1; 32], row.idle_ends_at).await?.is_none(), "idle for too long");
    drop(tx);
    // Used every few hours it goes on, but not past its absolute end.
    let tx = fixture.store.system().await?;
    for (hours, ends) in [(7, 15), (14, 22), (21, 24)] {
        let end = sessions::touch(&tx, row.id, later(hours * 3600)).await?;
        assert_eq!(end, Some(later(ends * 3600)), "after {hours} hours");
    }
    assert_eq!(sessions::touch(&tx, row.id, later(24 * 3600)).await?, None);
    tx.commit().await?;
    assert!(holds(&fixture.store, 1, later(24 * 3600 - 1)).await?);
    assert!(!holds(&fixture.store, 1, later(24 * 3600)).await?);
    Ok(())
}

async fn a_session_is_touched_once_a_minute(fixture: Fixture) -> Result<()> {
    let ana = add_user(&fixture.store, "ana@example.org").await?;
    let row = add_session(&fixture.store, ana.id, 1).await?;
    let tx = fixture.store.system().await?;
    for (seconds, seen) in [(59, 0), (60, 60), (100, 60), (119, 60), (120, 120)] {
        let end = sessions::touch(&tx, row.id, later(seconds)).await?;
        let listed = sessions::list_of_user(&tx, ana.id, later(seconds)).await?;
        assert_eq!(listed.first().context("listed")?.seen_at, later(seen), "after {seconds} s");
        assert_eq!(end, Some(later(seen).after(IDLE)));
    }
    Ok(())
}

async fn a_session_ends_alone_or_with_all_others(fixture: Fixture) -> Result<()> {
    let (ana, ben) = (add_user(&fixture.store, "ana@example.org").await?, add_user(&fixture.store, "b@x.org").await?);
    let mut ids = Vec::new();
    for seed in 1..=3 {
        ids.push(add_session(&fixture.store, ana.id, seed).await?.id);
    }
    add_session(&fixture.store, ben.id, 4).await?;
    let tx = fixture.store.system().await?;
    assert!(matches!(sessions::end(&tx, ben.id, ids[0]).await, Err(StoreError::NotFound)), "not his");
    sessions::end(&tx, ana.id, ids[0]).await?;
    assert!(matches!(sessions::end(&tx, ana.id, ids[0]).await, Err(StoreError::NotFound)));
    assert_eq!(sessions::end_all_of(&tx, ana.id, Some(ids[1])).await?, 1);
    let left: Vec<_> = sessions::list_of_user(&tx, ana.id, NOW).await?.iter().map(|row| row.id).collect();
    assert_eq!(left, [ids[1]]);
    tx.commit().await?;
    for (seed, expected) in [(1, false), (2, true), (3, false), (4, true)] {
        assert_eq!(holds(&fixture.store, seed, NOW).await?, expected, "session {seed}");
    }
    Ok(())
}

async fn another_password_ends_what_began_with_the_old_one(fixture: Fixture) -> Result<()> {
    let ana = add_user(&fixture.store, "ana@example.org").await?;
    let kept = add_session(&fixture.store, ana.id, 1).await?;
    add_session(&fixture.store, ana.id, 2).await?;
    let [first, second, third] =
        ["$argon2id$first", "$argon2id$second", "$argon2id$third"].map(|hash| hash.to_owned().into());
    let tx = fixture.store.system().await?;
    link_tokens::insert(&tx, Purpose::PasswordReset, ana.id, &[9; 32], (NOW, later(1800))).await?;
    users::replace_hash(&tx, ana.id, &first, &second).await?;
    users::replace_hash(&tx, ana.id, &first, &third).await?;
    let sign_in = users::find_for_proof(&tx, ana.id).await?.context("Ana")?;
    assert_eq!(sign_in.password_hash.context("a hash")?.plain(), "$argon2id$second", "only in the old one's place");
    assert_eq!(sign_in.user.version, ana.version, "it is the same password");
    users::set_password(&tx, ana.id, &third, Some(kept.id), later(5)).await?;
    assert!(link_tokens::take(&tx, Purpose::PasswordReset, &[9; 32], NOW).await?.is_none());
    let changed = users::find(&tx, ana.id).await?.context("Ana")?;
    assert_eq!(changed.password_changed_at, Some(later(5)));
    assert!(matches!(users::set_password(&tx, UserId::new(), &third, None, NOW).await, Err(StoreError::NotFound)));
    tx.commit().await?;
    assert!(holds(&fixture.store, 1, NOW).await? && !holds(&fixture.store, 2, NOW).await?);
    Ok(())
}

/// A sign-in that was judged by the old password, and whose session comes while, or after, the password is changed.
async fn a_session_that_began_with_an_old_password_is_never_added(fixture: Fixture) -> Result<()> {
    let ana = add_user(&fixture.store, "ana@example.org").await?;
    let hash = SecretString::from("$argon2id$second".to_owned());
    let changing = async {
        let tx = fixture.store.system().await?;
        users::set_password(&tx, ana.id, &hash, None, NOW).await?;
        tx.commit().await
    };
    let signing_in = async {
        let tx = fixture.store.system().await?;
        sessions::insert(&tx, &ana, session(1), NOW).await?;
        tx.commit().await
    };
    let (changed, signed_in) = tokio::join!(changing, signing_in);
    changed?;
    assert!(signed_in.is_ok() || matches!(signed_in, Err(StoreError::Stale)), "{signed_in:?}");
    assert!(!holds(&fixture.store, 1, NOW).await?, "whichever came first");
    let tx = fixture.store.system().await?;
    assert!(matches!(sessions::insert(&tx, &ana, session(2), NOW).await, Err(StoreError::Stale)));
    Ok(())
}

async fn who_is_shut_out_has_no_session(fixture: Fixture) -> Result<()> {
    let ana = add_user(&fixture.store, "ana@example.org").await?;
    add_session(&fixture.store, ana.id, 1).await?;
    let tx = fixture.store.system().await?;
    users::disable(&tx, ana.id, later(1)).await?;
    users::disable(&tx, ana.id, later(2)).await?;
    let disabled = users::find(&tx, ana.id).await?.context("Ana")?;
    assert_eq!(disabled.disabled_at, Some(later(1)), "the first time counts");
    assert!(matches!(sessions::insert(&tx, &disabled, session(2), NOW).await, Err(StoreError::Stale)));
    assert!(matches!(users::disable(&tx, UserId::new(), NOW).await, Err(StoreError::NotFound)));
    tx.commit().await?;
    assert!(!holds(&fixture.store, 1, NOW).await?);
    let tx = fixture.store.system().await?;
    users::enable(&tx, ana.id).await?;
    tx.commit().await?;
    assert!(!holds(&fixture.store, 1, NOW).await?, "what has ended does not come back");
    add_session(&fixture.store, ana.id, 3).await?;
    assert!(holds(&fixture.store, 3, NOW).await?);
    Ok(())
}

async fn a_step_up_changes_the_token(fixture: Fixture) -> Result<()> {
    let ana = add_user(&fixture.store, "ana@example.org").await?;
    let row = add_session(&fixture.store, ana.id, 1).await?;
    let tx = fixture.store.system().await?;
    assert!(sessions::prove(&tx, row.id, Proof::Totp, &[2; 32], later(60)).await?);
    let (proved, _) = sessions::find_by_token_hash(&tx, &[2; 32], later(60)).await?.context("by the new token")?;
    assert_eq!((proved.id, proved.proof_at, proved.proved_by), (row.id, later(60), Proof::Totp));
    assert!(sessions::replace_token(&tx, row.id, &[3; 32], later(61)).await?);
    let ended = row.idle_ends_at;
    assert!(!sessions::prove(&tx, row.id, Proof::Totp, &[4; 32], ended).await?);
    assert!(!sessions::replace_token(&tx, row.id, &[4; 32], ended).await?);
    tx.commit().await?;
    for (seed, expected) in [(1, false), (2, false), (3, true), (4, false)] {
        assert_eq!(holds(&fixture.store, seed, later(61)).await?, expected, "token {seed}");
    }
    Ok(())
}
