//! Members, invitations and services: roles, the last owner, and what happens once however many try.

use std::time::Duration;

use anyhow::{Context, Result};
use keyway_domain::{Grant, Permission, Permissions, Role, Timestamp};
use keyway_store::{
    Page, Store, StoreError,
    invitations::{self, InvitationRow, NewInvitation},
    memberships::{self, MembershipRow},
    reveal_allowances,
    services::{self, NewService},
    users::{self, UserRow},
};

use crate::{
    fixture::{Fixture, NOW, add_tenant, on_both},
    people::{add_session, add_user, holds},
};

on_both! {
    a_person_is_a_member_of_a_place_once
    another_role_ends_sessions_and_what_was_allowed
    the_last_owner_stays
    two_admins_cannot_remove_the_last_two_owners_at_once
    two_admins_cannot_demote_the_last_two_owners_at_once
    an_invitation_is_taken_up_once_by_whom_it_is_for
    of_many_who_take_up_an_invitation_one_succeeds
    a_newer_invitation_takes_the_place_of_an_older_one
    a_service_is_found_by_its_public_part
    a_tenant_reveals_only_while_it_is_allowed
}

fn later(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

async fn add_member(fixture: &Fixture, user: &UserRow, role: Role) -> Result<MembershipRow> {
    let tx = fixture.store.system().await?;
    let row = memberships::insert(&tx, fixture.tenant, user.id, (role, None), NOW).await?.context("a new member")?;
    tx.commit().await?;
    Ok(row)
}

async fn a_person_is_a_member_of_a_place_once(fixture: Fixture) -> Result<()> {
    let ana = add_user(&fixture.store, "ana@example.org").await?;
    let owner = add_member(&fixture, &ana, Role::Owner).await?;
    let (other, other_project, _) = add_tenant(&fixture.store, "second").await?;
    let tx = fixture.store.system().await?;
    assert_eq!(memberships::insert(&tx, fixture.tenant, ana.id, (Role::Auditor, None), NOW).await?, None);
    let place = (Role::Developer, Some(fixture.project));
    let developer = memberships::insert(&tx, fixture.tenant, ana.id, place, NOW).await?.context("another place")?;
    assert_eq!(
        memberships::insert(&tx, fixture.tenant, ana.id, (Role::Admin, Some(fixture.project)), NOW).await?,
        None
    );
    assert_eq!(memberships::of_user(&tx, ana.id).await?, [owner.clone(), developer.clone()]);
    let rights = memberships::rights_of(&tx, fixture.tenant, ana.id).await?;
    assert_eq!(rights, [owner.grant, developer.grant].into_iter().collect());
    assert!(memberships::rights_of(&tx, other, ana.id).await?.is_empty());
    assert!(memberships::find(&tx, other, owner.id).await?.is_none(), "another tenant's");
    let no_owner = memberships::insert(&tx, fixture.tenant, ana.id, (Role::Owner, Some(fixture.project)), NOW).await;
    assert!(matches!(no_owner, Err(StoreError::Conflict)));
    tx.commit().await?;
    let tx = fixture.store.system().await?;
    let foreign = memberships::insert(&tx, fixture.tenant, ana.id, (Role::Admin, Some(other_project)), NOW).await;
    assert!(matches!(foreign, Err(StoreError::Conflict)), "a project of another tenant");
    drop(tx);
    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    assert_eq!(memberships::list(&tx, Page::first(10)).await?.items, [developer, owner]);
    drop(tx);
    let tx = fixture.store.system().await?;
    users::disable(&tx, ana.id, NOW).await?;
    assert!(memberships::rights_of(&tx, fixture.tenant, ana.id).await?.is_empty(), "who is shut out may nothing");
    Ok(())
}

async fn another_role_ends_sessions_and_what_was_allowed(fixture: Fixture) -> Result<()> {
    let ana = add_user(&fixture.store, "ana@example.org").await?;
    let member = add_member(&fixture, &ana, Role::Admin).await?;
    let kept = add_session(&fixture.store, ana.id, 1).await?;
    add_session(&fixture.store, ana.id, 2).await?;
    let tx = fixture.store.system().await?;
    let tenant = fixture.tenant;
    let same = memberships::set_role(&tx, tenant, member.id, Role::Admin, Some(member.version), None).await?;
    assert_eq!(same, member, "nothing changes");
    let allowed = memberships::set_may_reveal(&tx, tenant, member.id, true, Some(1), Some(kept.id)).await?;
    assert_eq!(allowed.grant, Grant { may_reveal: true, ..member.grant });
    assert!(memberships::rights_of(&tx, tenant, ana.id).await?.allow(Permission::REVEAL, None));
    let stale = memberships::set_role(&tx, tenant, member.id, Role::Operator, Some(1), None).await;
    assert!(matches!(stale, Err(StoreError::Stale)));
    tx.commit().await?;
    assert!(holds(&fixture.store, 1, NOW).await? && !holds(&fixture.store, 2, NOW).await?);

    let tx = fixture.store.system().await?;
    let changed = memberships::set_role(&tx, tenant, member.id, Role::Operator, Some(2), None).await?;
    assert_eq!(changed.grant, Grant { role: Role::Operator, project_id: None, may_reveal: false });
    tx.commit().await?;
    assert!(!holds(&fixture.store, 1, NOW).await?);

    add_session(&fixture.store, ana.id, 3).await?;
    let tx = fixture.store.system().await?;
    assert_eq!(memberships::remove(&tx, tenant, member.id, None, None).await?, changed);
    assert!(matches!(memberships::remove(&tx, tenant, member.id, None, None).await, Err(StoreError::NotFound)));
    tx.commit().await?;
    assert!(!holds(&fixture.store, 3, NOW).await?);
    Ok(())
}

async fn the_last_owner_stays(fixture: Fixture) -> Result<()> {
    let (ana, ben) = (add_user(&fixture.store, "ana@example.org").await?, add_user(&fixture.store, "b@x.org").await?);
    let (owner, admin) =
        (add_member(&fixture, &ana, Role::Owner).await?, add_member(&fixture, &ben, Role::Admin).await?);
    // An owner of another tenant is none here.
    let (other, ..) = add_tenant(&fixture.store, "second").await?;
    let tx = fixture.store.system().await?;
    memberships::insert(&tx, other, ben.id, (Role::Owner, None), NOW).await?;
    let removed = memberships::remove(&tx, fixture.tenant, owner.id, None, None).await;
    assert!(matches!(removed, Err(StoreError::LastOwner)), "{removed:?}");
    let demoted = memberships::set_role(&tx, fixture.tenant, owner.id, Role::Admin, None, None).await;
    assert!(matches!(demoted, Err(StoreError::LastOwner)), "{demoted:?}");
    memberships::set_role(&tx, fixture.tenant, admin.id, Role::Owner, None, None).await?;
    memberships::remove(&tx, fixture.tenant, owner.id, None, None).await?;
    let left = memberships::remove(&tx, fixture.tenant, admin.id, None, None).await;
    assert!(matches!(left, Err(StoreError::LastOwner)), "{left:?}");
    Ok(())
}

/// What two admins do to the last two owners at the same moment, each in a transaction of its own.
async fn at_once<F>(fixture: &Fixture, take: impl Fn(Store, MembershipRow) -> F) -> Result<()>
where
    F: Future<Output = Result<(), StoreError>>,
{
    for round in 0..8 {
        let (ana, ben) = (format!("a{round}@example.org"), format!("b{round}@example.org"));
        let (ana, ben) = (add_user(&fixture.store, &ana).await?, add_user(&fixture.store, &ben).await?);
        let (other, ..) = add_tenant(&fixture.store, &format!("round {round}")).await?;
        let tx = fixture.store.system().await?;
        let mut owners = Vec::new();
        for user in [&ana, &ben] {
            let owner = memberships::insert(&tx, other, user.id, (Role::Owner, None), NOW).await?;
            owners.push(owner.context("a new owner")?);
        }
        tx.commit().await?;
        let [first, second] = [owners[0].clone(), owners[1].clone()];
        let (first, second) = tokio::join!(take(fixture.store.clone(), first), take(fixture.store.clone(), second));
        let refused = [&first, &second].into_iter().filter(|end| matches!(end, Err(StoreError::LastOwner))).count();
        let done = [&first, &second].into_iter().filter(|end| end.is_ok()).count();
        assert_eq!((done, refused), (1, 1), "{first:?} {second:?}");
        let tx = fixture.store.tenant_read(other).await?;
        let members = memberships::list(&tx, Page::first(10)).await?.items;
        assert_eq!(members.iter().filter(|member| member.grant.role == Role::Owner).count(), 1);
    }
    Ok(())
}

async fn two_admins_cannot_remove_the_last_two_owners_at_once(fixture: Fixture) -> Result<()> {
    at_once(&fixture, |store, owner| async move {
        let tx = store.system().await?;
        memberships::remove(&tx, owner.tenant_id, owner.id, None, None).await?;
        tx.commit().await
    })
    .await
}

async fn two_admins_cannot_demote_the_last_two_owners_at_once(fixture: Fixture) -> Result<()> {
    at_once(&fixture, |store, owner| async move {
        let tx = store.system().await?;
        memberships::set_role(&tx, owner.tenant_id, owner.id, Role::Auditor, None, None).await?;
        tx.commit().await
    })
    .await
}

fn invitation(email: &str, role: Role, seed: u8) -> Result<NewInvitation> {
    Ok(NewInvitation {
        email: email.parse()?,
        role,
        project_id: None,
        token_sha256: [seed; 32],
        invited_by: None,
        expires_at: later(72 * 3600),
    })
}

/// Invites somebody with a token whose hash is made of `seed`.
pub(crate) async fn invite(fixture: &Fixture, email: &str, role: Role, seed: u8) -> Result<InvitationRow> {
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let row = invitations::insert(&tx, invitation(email, role, seed)?, NOW).await?;
    tx.commit().await?;
    Ok(row)
}

async fn an_invitation_is_taken_up_once_by_whom_it_is_for(fixture: Fixture) -> Result<()> {
    let offered = invite(&fixture, "Ana@example.org", Role::Operator, 1).await?;
    let (ana, eve) = (add_user(&fixture.store, "ana@example.org").await?, add_user(&fixture.store, "eve@x.org").await?);
    let tx = fixture.store.system().await?;
    assert_eq!(invitations::find_open_by_token_hash(&tx, &[1; 32], NOW).await?, Some(offered.clone()));
    assert_eq!(invitations::find_open_by_token_hash(&tx, &[2; 32], NOW).await?, None);
    assert_eq!(invitations::find_open_by_token_hash(&tx, &[1; 32], offered.expires_at).await?, None);
    assert_eq!(invitations::accept(&tx, &[1; 32], &eve, NOW).await?, None, "it is not hers");
    assert_eq!(invitations::accept(&tx, &[1; 32], &ana, offered.expires_at).await?, None, "too late");
    let accepted = invitations::accept(&tx, &[1; 32], &ana, later(5)).await?.context("in time")?;
    assert_eq!((accepted.accepted_at, accepted.accepted_by), (Some(later(5)), Some(ana.id)));
    assert_eq!(invitations::accept(&tx, &[1; 32], &ana, later(6)).await?, None, "once");
    let grants: Vec<_> = memberships::of_user(&tx, ana.id).await?.iter().map(|row| row.grant).collect();
    assert_eq!(grants, [Grant { role: Role::Operator, project_id: None, may_reveal: false }]);
    assert!(memberships::of_user(&tx, eve.id).await?.is_empty());
    tx.commit().await?;

    // Who is a member already stays what it is.
    invite(&fixture, "ana@example.org", Role::Admin, 3).await?;
    let tx = fixture.store.system().await?;
    invitations::accept(&tx, &[3; 32], &ana, later(7)).await?.context("it is open")?;
    let roles: Vec<_> = memberships::of_user(&tx, ana.id).await?.iter().map(|row| row.grant.role).collect();
    assert_eq!(roles, [Role::Operator]);
    Ok(())
}

async fn of_many_who_take_up_an_invitation_one_succeeds(fixture: Fixture) -> Result<()> {
    invite(&fixture, "ana@example.org", Role::Developer, 1).await?;
    let ana = add_user(&fixture.store, "ana@example.org").await?;
    let take = || async {
        let tx = fixture.store.system().await?;
        let taken = invitations::accept(&tx, &[1; 32], &ana, NOW).await?.is_some();
        tx.commit().await?;
        anyhow::Ok(taken)
    };
    let (a, b, c) = tokio::join!(take(), take(), take());
    assert_eq!([a?, b?, c?].into_iter().filter(|taken| *taken).count(), 1);
    Ok(())
}

async fn a_newer_invitation_takes_the_place_of_an_older_one(fixture: Fixture) -> Result<()> {
    let older = invite(&fixture, "ana@example.org", Role::Owner, 1).await?;
    let ben = invite(&fixture, "ben@example.org", Role::Auditor, 2).await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let in_project =
        NewInvitation { project_id: Some(fixture.project), ..invitation("ana@example.org", Role::Developer, 3)? };
    let in_project = invitations::insert(&tx, in_project, NOW).await?;
    let newer = invitations::insert(&tx, invitation("ANA@example.org", Role::Auditor, 4)?, later(9)).await?;
    let owner_of_project =
        NewInvitation { project_id: Some(fixture.project), ..invitation("c@x.org", Role::Owner, 5)? };
    assert!(matches!(invitations::insert(&tx, owner_of_project, NOW).await, Err(StoreError::Conflict)));
    let open = |row: &InvitationRow| row.is_open(later(10));
    for (id, expected) in [(older.id, false), (ben.id, true), (in_project.id, true), (newer.id, true)] {
        assert_eq!(open(&invitations::find(&tx, id).await?.context("listed")?), expected, "{id}");
    }
    assert_eq!(invitations::find(&tx, older.id).await?.context("the older one")?.revoked_at, Some(later(9)));
    let revoked = invitations::revoke(&tx, newer.id, later(10)).await?;
    assert_eq!(invitations::revoke(&tx, newer.id, later(11)).await?, revoked, "once is enough");
    assert_eq!(invitations::list(&tx, Page::first(10)).await?.items.len(), 4);
    tx.commit().await?;
    let ana = add_user(&fixture.store, "ana@example.org").await?;
    let tx = fixture.store.system().await?;
    for seed in [1, 4] {
        assert_eq!(invitations::accept(&tx, &[seed; 32], &ana, later(12)).await?, None, "invitation {seed}");
    }
    assert!(invitations::accept(&tx, &[3; 32], &ana, later(12)).await?.is_some());
    tx.commit().await?;
    let (other, ..) = add_tenant(&fixture.store, "second").await?;
    let tx = fixture.store.tenant(other).await?;
    assert!(matches!(invitations::revoke(&tx, ben.id, NOW).await, Err(StoreError::NotFound)), "another tenant's");
    Ok(())
}

async fn a_service_is_found_by_its_public_part(fixture: Fixture) -> Result<()> {
    let ana = add_user(&fixture.store, "ana@example.org").await?;
    let permissions: Permissions = [Permission::REVEAL, "usage.read".parse()?].into_iter().collect();
    let new = |public_id: &str| NewService {
        name: "billing".to_owned(),
        public_id: public_id.to_owned(),
        token_sha256: [7; 32],
        permissions,
        made_by: Some(ana.id),
        virtual_key_id: None,
        expires_at: later(3600),
    };
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let service = services::insert(&tx, new("a1"), NOW).await?;
    tx.commit().await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    assert!(matches!(services::insert(&tx, new("a2"), NOW).await, Err(StoreError::NameTaken)));
    drop(tx);

    let tx = fixture.store.system().await?;
    assert_eq!(services::find_by_public_id(&tx, "a1").await?, Some(service.clone()));
    assert_eq!(services::find_by_public_id(&tx, "a2").await?, None);
    assert_eq!(services::find_by_token_hash(&tx, &[7; 32]).await?, Some(service.clone()));
    assert_eq!(services::find_by_token_hash(&tx, &[8; 32]).await?, None);
    for (seconds, used) in [(10, 10), (69, 10), (70, 70)] {
        services::touch(&tx, service.id, later(seconds)).await?;
        let found = services::find_by_public_id(&tx, "a1").await?.context("it is there")?;
        assert_eq!(found.last_used_at, Some(later(used)));
    }
    tx.commit().await?;
    assert!(service.is_valid(later(3599)) && !service.is_valid(later(3600)));

    let tx = fixture.store.tenant(fixture.tenant).await?;
    let rotated = services::rotate(&tx, service.id, "b1", &[8; 32], later(7200)).await?;
    assert_eq!((rotated.token_sha256, rotated.expires_at, rotated.version), ([8; 32], later(7200), 2));
    assert!(matches!(services::revoke(&tx, service.id, Some(1), NOW).await, Err(StoreError::Stale)));
    let revoked = services::revoke(&tx, service.id, Some(2), later(80)).await?;
    assert!(!revoked.is_valid(later(80)));
    assert_eq!(services::revoke(&tx, service.id, None, later(90)).await?, revoked, "for good");
    let late = services::rotate(&tx, service.id, "b2", &[9; 32], later(7200)).await;
    assert!(matches!(late, Err(StoreError::NotFound)));
    services::insert(&tx, new("c1"), NOW).await?;
    assert_eq!(services::list(&tx, Page::first(10)).await?.items.len(), 2, "the name of a revoked one is free");
    tx.commit().await?;
    let tx = fixture.store.system_read().await?;
    assert_eq!(services::find_by_public_id(&tx, "a1").await?, None, "the old token is gone");
    Ok(())
}

async fn a_tenant_reveals_only_while_it_is_allowed(fixture: Fixture) -> Result<()> {
    let ana = add_user(&fixture.store, "ana@example.org").await?;
    let (other, ..) = add_tenant(&fixture.store, "second").await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    assert_eq!(reveal_allowances::find(&tx).await?, None);
    reveal_allowances::allow(&tx, Some(ana.id), NOW).await?;
    reveal_allowances::allow(&tx, None, later(5)).await?;
    let allowed = reveal_allowances::find(&tx).await?.context("allowed")?;
    assert_eq!((allowed.allowed_by, allowed.allowed_at), (Some(ana.id), NOW), "the first word counts");
    tx.commit().await?;
    let tx = fixture.store.tenant(other).await?;
    assert_eq!(reveal_allowances::find(&tx).await?, None);
    reveal_allowances::forbid(&tx).await?;
    drop(tx);
    let tx = fixture.store.tenant(fixture.tenant).await?;
    assert!(reveal_allowances::find(&tx).await?.is_some());
    reveal_allowances::forbid(&tx).await?;
    assert_eq!(reveal_allowances::find(&tx).await?, None);
    Ok(())
}
