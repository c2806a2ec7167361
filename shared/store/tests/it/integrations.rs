//! Integrations: duplicates, versions, secrets, and what is loaded to use them.

use anyhow::{Context, Result};
use keyway_domain::{IntegrationId, IntegrationStatus, Routing, Timestamp};
use keyway_store::{
    Page, SortBy, StoreError, credentials,
    integrations::{self, Change, Filter, SealedSecret, UsageNote},
};

use crate::fixture::{Fixture, NOW, on_both};

on_both! {
    a_duplicate_secret_names_the_integration_that_has_it
    a_change_needs_the_version_that_was_read
    replacing_a_secret_bumps_it_and_asks_for_a_verdict
    the_proxy_is_given_what_may_serve_first
    deleting_takes_the_secret_along
    lists_filter_and_page
    a_due_verification_is_taken_once
}

async fn a_duplicate_secret_names_the_integration_that_has_it(fixture: Fixture) -> Result<()> {
    let existing = fixture.add_integration("prod", 1).await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let error = integrations::insert(&tx, fixture.integration("other name", 1), NOW).await.err();
    assert!(matches!(error, Some(StoreError::Duplicate { existing: id }) if id == existing), "{error:?}");
    let error = integrations::insert(&tx, fixture.integration("prod", 2), NOW).await.err();
    assert!(matches!(error, Some(StoreError::NameTaken)), "{error:?}");
    Ok(())
}

async fn a_change_needs_the_version_that_was_read(fixture: Fixture) -> Result<()> {
    let id = fixture.add_integration("prod", 1).await?;
    fixture.add_integration("test", 2).await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let named = |name: &str| Change { name: Some(name.to_owned()), ..Change::default() };
    let expiring = Change { expires_at: Some(Some(NOW)), ..named("production") };
    let changed = integrations::update(&tx, id, expiring, Some(1), NOW).await?;
    assert_eq!((changed.name.as_str(), changed.version, changed.expires_at), ("production", 2, Some(NOW)));
    assert!(matches!(integrations::update(&tx, id, named("late"), Some(1), NOW).await, Err(StoreError::Stale)));
    let nobody = integrations::update(&tx, IntegrationId::new(), named("x"), None, NOW).await;
    assert!(matches!(nobody, Err(StoreError::NotFound)));
    let taken = integrations::update(&tx, id, named("test"), None, NOW).await;
    assert!(matches!(taken, Err(StoreError::NameTaken)));
    Ok(())
}

async fn replacing_a_secret_bumps_it_and_asks_for_a_verdict(fixture: Fixture) -> Result<()> {
    let id = fixture.add_integration("prod", 1).await?;
    let other = fixture.add_integration("other", 2).await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let before = integrations::find(&tx, id).await?.context("the integration")?;
    let replaced = integrations::replace_secret(&tx, &before, 2, fixture.secret(3), None, NOW).await?;
    assert_eq!((replaced.secret_version, replaced.status), (2, IntegrationStatus::Verifying));
    let credential = credentials::of_integration(&tx, id).await?.context("the credential")?;
    assert_eq!((credential.envelope, credential.integration.secret_version), (vec![3; 80], 2));
    let stale = integrations::replace_secret(&tx, &before, 3, fixture.secret(4), None, NOW).await;
    assert!(matches!(stale, Err(StoreError::Stale)));
    let duplicate = integrations::replace_secret(&tx, &replaced, 3, fixture.secret(2), None, NOW).await;
    assert!(matches!(duplicate, Err(StoreError::Duplicate { existing }) if existing == other));
    Ok(())
}

async fn the_proxy_is_given_what_may_serve_first(fixture: Fixture) -> Result<()> {
    let serving = fixture.add_integration("on", 1).await?;
    let disabled = fixture.add_integration("off", 2).await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let off = integrations::set_enabled(&tx, disabled, false, None, NOW).await?;
    assert_eq!((off.status, off.version), (IntegrationStatus::Disabled, 2));
    let found = credentials::of_project(&tx, fixture.project).await?;
    assert_eq!(found.iter().map(|it| it.integration.id).collect::<Vec<_>>(), [serving, disabled]);
    assert_eq!((found[0].data_key.id, found[0].envelope.len()), (fixture.data_key, 80));
    assert_eq!(integrations::count_active(&tx, None).await?, 1);
    let on = integrations::set_enabled(&tx, disabled, true, None, NOW).await?;
    assert_eq!(on.status, IntegrationStatus::Verifying);
    assert_eq!(integrations::set_enabled(&tx, disabled, true, None, NOW).await?, on, "nothing to change");
    let admins = SealedSecret { key_family: keyway_domain::KeyFamily::Admin, ..fixture.secret(3) };
    let before = integrations::find(&tx, serving).await?.context("the integration")?;
    integrations::replace_secret(&tx, &before, 2, admins, None, NOW).await?;
    let found = credentials::of_project(&tx, fixture.project).await?;
    let order = found.iter().map(|it| it.integration.id).collect::<Vec<_>>();
    assert_eq!(order, [disabled, serving], "an admin key cannot call");
    let third = integrations::insert(&tx, fixture.integration("third", 4), NOW).await?.id;
    let later = integrations::Change { priority: Some(7), weight: Some(3), ..Default::default() };
    let changed = integrations::update(&tx, disabled, later, None, NOW).await?;
    assert_eq!(changed.routing, Routing { priority: 7, weight: 3 });
    let found = credentials::of_project(&tx, fixture.project).await?;
    let order = found.iter().map(|it| it.integration.id).collect::<Vec<_>>();
    assert_eq!(order, [third, disabled, serving], "the lowest priority first");
    Ok(())
}

async fn deleting_takes_the_secret_along(fixture: Fixture) -> Result<()> {
    let id = fixture.add_integration("prod", 1).await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    assert!(matches!(integrations::delete(&tx, id, Some(9)).await, Err(StoreError::Stale)));
    integrations::delete(&tx, id, Some(1)).await?;
    assert!(credentials::of_integration(&tx, id).await?.is_none());
    assert_eq!(keyway_store::raw::number(&tx, "SELECT count(*) AS n FROM secrets").await?, 0);
    integrations::insert(&tx, fixture.integration("prod", 1), NOW).await?;
    Ok(())
}

async fn lists_filter_and_page(fixture: Fixture) -> Result<()> {
    let mut ids = Vec::new();
    for seed in 1..=5 {
        ids.push(fixture.add_integration(&format!("i{seed}"), seed).await?);
    }
    let tx = fixture.store.tenant(fixture.tenant).await?;
    integrations::set_enabled(&tx, ids[2], false, None, NOW).await?;
    let filter = Filter {
        project_id: Some(fixture.project),
        provider: Some("openai".to_owned()),
        status: Some(IntegrationStatus::Verifying),
        ..Filter::default()
    };
    let first = integrations::list(&tx, &filter, Page::first(3)).await?;
    assert!(first.more);
    let after = first.items.last().map(|it| it.place(SortBy::CreatedAt));
    let second = integrations::list(&tx, &filter, Page { after, limit: 3 }).await?;
    let listed: Vec<_> = first.items.iter().chain(&second.items).map(|it| it.id).collect();
    assert_eq!(listed, [ids[4], ids[3], ids[1], ids[0]]);
    assert!(!second.more);
    let page = integrations::active_page(&tx, false, None, Some(ids[0]), 2).await?;
    assert_eq!(page.iter().map(|it| it.id).collect::<Vec<_>>(), [ids[1], ids[3]]);
    assert_eq!(integrations::providers_with_keys(&tx).await?, ["openai"]);
    tx.commit().await?;
    let tx = fixture.store.system().await?;
    assert_eq!(integrations::tenants_with_reportable(&tx, None, 10).await?, [fixture.tenant]);
    assert!(integrations::tenants_with_reportable(&tx, Some(fixture.tenant), 10).await?.is_empty());
    let silent = |id: &IntegrationId| UsageNote { id: *id, secret_version: 1, why: Some("silent".to_owned()) };
    integrations::set_usage_not_reportable(&tx, &ids.iter().map(silent).collect::<Vec<_>>()).await?;
    assert!(integrations::tenants_with_reportable(&tx, None, 10).await?.is_empty());
    tx.commit().await?;
    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    assert!(integrations::active_page(&tx, true, None, None, 10).await?.is_empty());
    assert_eq!(integrations::active_page(&tx, false, None, None, 10).await?.len(), 4);
    assert_eq!(integrations::active_page(&tx, false, Some("openai"), None, 10).await?.len(), 4);
    assert!(integrations::active_page(&tx, false, Some("groq"), None, 10).await?.is_empty());
    assert_eq!(integrations::count_active(&tx, Some("groq")).await?, 0);
    Ok(())
}

async fn a_due_verification_is_taken_once(fixture: Fixture) -> Result<()> {
    let (a, b) = (fixture.add_integration("a", 1).await?, fixture.add_integration("b", 2).await?);
    let later = Timestamp::from_ms(NOW.ms() + 1000);
    let tx = fixture.store.system().await?;
    let early = integrations::due_for_verification(&tx, Timestamp::from_ms(NOW.ms() - 1), later, 10).await?;
    assert!(early.is_empty());
    let mut due: Vec<_> =
        integrations::due_for_verification(&tx, NOW, later, 10).await?.into_iter().map(|it| it.id).collect();
    due.sort_unstable();
    assert_eq!(due, [a, b]);
    assert!(integrations::due_for_verification(&tx, NOW, later, 10).await?.is_empty());
    integrations::set_next_check(&tx, &[(a, NOW)]).await?;
    let again = integrations::due_for_verification(&tx, NOW, later, 10).await?;
    assert_eq!(again.iter().map(|it| (it.id, it.tenant_id)).collect::<Vec<_>>(), [(a, fixture.tenant)]);
    integrations::touch_last_used(&tx, &[(a, NOW), (b, NOW)]).await?;
    let note = |id, secret_version, why: Option<&str>| UsageNote { id, secret_version, why: why.map(str::to_owned) };
    let notes = [note(a, 1, Some("an admin key is needed")), note(a, 2, None), note(b, 0, Some("late"))];
    integrations::set_usage_not_reportable(&tx, &notes).await?;
    tx.commit().await?;
    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    let row = integrations::find(&tx, a).await?.context("a")?;
    assert_eq!((row.last_used_at, row.usage_not_reportable.as_deref()), (Some(NOW), Some("an admin key is needed")));
    let other = integrations::find(&tx, b).await?.context("b")?;
    assert_eq!(other.usage_not_reportable, None, "what an earlier secret could not does not mark this one");
    Ok(())
}
