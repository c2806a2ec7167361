//! Tenants, projects, virtual keys, providers and their models.

use anyhow::{Context, Result};
use keyway_domain::{Limits, Timestamp};
use keyway_store::{
    Page, Place, Sort, StoreError, projects,
    provider_models::{self, NewModel},
    providers, tenants,
    virtual_keys::{self, Filter, NewVirtualKey},
};

use crate::fixture::{Fixture, NOW, add_tenant, on_both};

on_both! {
    the_default_tenant_and_project_are_made_once
    projects_page_by_key_and_names_are_unique
    a_project_changes_only_from_the_version_that_was_read
    a_virtual_key_is_found_by_its_hash_until_revoked_for_good
    what_is_still_used_is_not_deleted
    a_tenant_has_no_more_models_than_are_read
    a_provider_that_a_submission_holds_keeps_its_base_url
    another_tenants_rows_are_not_found
}

async fn the_default_tenant_and_project_are_made_once(fixture: Fixture) -> Result<()> {
    let tx = fixture.store.system().await?;
    let first = tenants::ensure_default(&tx, NOW).await?;
    assert_eq!(tenants::ensure_default(&tx, NOW).await?, first);
    assert!(matches!(tenants::insert(&tx, "default", NOW).await, Err(StoreError::NameTaken)));
    assert!(matches!(tenants::delete(&tx, first.id).await, Err(StoreError::Conflict)));
    tx.commit().await?;
    let tx = fixture.store.tenant_read(first.id).await?;
    assert!(projects::find_by_name(&tx, projects::DEFAULT_NAME).await?.is_some());
    Ok(())
}

async fn projects_page_by_key_and_names_are_unique(fixture: Fixture) -> Result<()> {
    let tx = fixture.store.tenant(fixture.tenant).await?;
    for name in ["a", "b", "c", "d"] {
        projects::insert(&tx, name, Limits::default(), None, NOW).await?;
    }
    assert!(matches!(projects::insert(&tx, "a", Limits::default(), None, NOW).await, Err(StoreError::NameTaken)));
    tx.commit().await?;
    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    let (mut names, mut page) = (Vec::new(), Page::first(2));
    loop {
        let found = projects::list(&tx, (None, None), Sort::default(), page.clone()).await?;
        assert!(found.items.len() <= 2);
        page.after = found.items.last().map(|project| Place::of_id(project.id.uuid()));
        names.extend(found.items.into_iter().map(|project| project.name));
        if !found.more {
            break;
        }
    }
    assert_eq!(names, ["d", "c", "b", "a", "default"]);
    Ok(())
}

async fn a_project_changes_only_from_the_version_that_was_read(fixture: Fixture) -> Result<()> {
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let shop = projects::insert(&tx, "shop", Limits::default(), None, NOW).await?;
    let limits = Limits { requests_per_minute: Some(60), daily_budget_nano_usd: Some(5), ..Limits::default() };
    let changed = projects::update(&tx, shop.id, "store", &limits, Some(9), shop.version).await?;
    assert_eq!(projects::find(&tx, shop.id).await?.context("changed")?, changed);
    assert_eq!((changed.name.as_str(), changed.limits, changed.fallback_budget_nano_usd), ("store", limits, Some(9)));
    assert!(matches!(
        projects::update(&tx, shop.id, "late", &limits, None, shop.version).await,
        Err(StoreError::Stale)
    ));
    let taken = projects::update(&tx, shop.id, "default", &limits, None, changed.version).await;
    assert!(matches!(taken, Err(StoreError::NameTaken)));
    Ok(())
}

async fn a_virtual_key_is_found_by_its_hash_until_revoked_for_good(fixture: Fixture) -> Result<()> {
    let new = NewVirtualKey {
        project_id: fixture.project,
        name: "app".to_owned(),
        token_sha256: [7; 32],
        hint: "kw_live_...abcd".to_owned(),
        expires_at: Some(Timestamp::from_ms(NOW.ms() + 10)),
        limits: Limits { tokens_per_minute: Some(7), ..Limits::default() },
        cache_ttl_seconds: None,
    };
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let key = virtual_keys::insert(&tx, new, NOW).await?;
    tx.commit().await?;

    let tx = fixture.store.system().await?;
    let found = virtual_keys::find_by_token_hash(&tx, &[7; 32]).await?.context("by hash")?;
    assert_eq!((found.tenant_id, found.project_id), (fixture.tenant, fixture.project));
    assert_eq!(found.limits, Limits { tokens_per_minute: Some(7), ..Limits::default() });
    assert_eq!((found.expires_at, found.revoked_at), (Some(Timestamp::from_ms(NOW.ms() + 10)), None));
    assert!(virtual_keys::find_by_token_hash(&tx, &[8; 32]).await?.is_none());
    let earlier = Timestamp::from_ms(NOW.ms() - 1);
    virtual_keys::touch_last_used(&tx, &[(key.id, NOW)]).await?;
    virtual_keys::touch_last_used(&tx, &[(key.id, earlier)]).await?;
    tx.commit().await?;

    let tx = fixture.store.tenant(fixture.tenant).await?;
    let stale = virtual_keys::revoke(&tx, key.id, Some(key.version + 1), NOW).await;
    assert!(matches!(stale, Err(StoreError::Stale)));
    let revoked = virtual_keys::revoke(&tx, key.id, Some(key.version), NOW).await?;
    assert_eq!(revoked.last_used_at, Some(NOW), "an older use does not move it back");
    let again = virtual_keys::revoke(&tx, key.id, None, Timestamp::from_ms(NOW.ms() + 5)).await?;
    assert_eq!(again.revoked_at, Some(NOW));
    let of_project = Filter { project_id: Some(fixture.project), ..Filter::default() };
    assert_eq!(virtual_keys::list(&tx, &of_project, Page::first(10)).await?.items, [again]);
    Ok(())
}

const EVIL: providers::Change<'static> =
    providers::Change { display_name: "Acme", base_url: "https://evil.dev", auth: "bearer" };

async fn what_is_still_used_is_not_deleted(fixture: Fixture) -> Result<()> {
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let provider = providers::insert(&tx, "acme", "Acme", "https://api.acme.dev/v1", "bearer", NOW).await?;
    provider_models::insert(&tx, "acme", &["acme-1".to_owned().into(), "acme-1".to_owned().into()], NOW).await?;
    assert_eq!(provider_models::list(&tx, Some("acme")).await?.len(), 1);
    assert_eq!(provider_models::providers_of(&tx, "acme-1").await?, ["acme"]);
    let shop = projects::insert(&tx, "shop", Limits::default(), None, NOW).await?;
    let mut new = fixture.integration("prod", 1);
    (new.provider, new.project_id) = ("acme".to_owned(), shop.id);
    let integration = keyway_store::integrations::insert(&tx, new, NOW).await?;
    tx.commit().await?;

    let tx = fixture.store.tenant(fixture.tenant).await?;
    assert!(matches!(projects::delete(&tx, shop.id, None).await, Err(StoreError::Conflict)));
    drop(tx);
    let tx = fixture.store.tenant(fixture.tenant).await?;
    assert!(matches!(providers::delete(&tx, provider.id, None).await, Err(StoreError::Conflict)));
    let moved = providers::update(&tx, provider.id, EVIL, None, None).await;
    assert!(matches!(moved, Err(StoreError::Conflict)), "secrets are bound to the host");
    keyway_store::integrations::delete(&tx, integration.id, None).await?;
    let stale = providers::delete(&tx, provider.id, Some(provider.version + 1)).await;
    assert!(matches!(stale, Err(StoreError::Stale)));
    providers::delete(&tx, provider.id, Some(provider.version)).await?;
    assert!(matches!(projects::delete(&tx, shop.id, Some(shop.version + 1)).await, Err(StoreError::Stale)));
    projects::delete(&tx, shop.id, Some(shop.version)).await?;
    assert!(provider_models::list(&tx, None).await?.is_empty());
    Ok(())
}

async fn a_tenant_has_no_more_models_than_are_read(fixture: Fixture) -> Result<()> {
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let models: Vec<NewModel> = (0..provider_models::MAX).map(|n| format!("m{n}").into()).collect();
    provider_models::insert(&tx, "openai", &models, NOW).await?;
    provider_models::insert(&tx, "openai", &models[..1], NOW).await?;
    assert_eq!(provider_models::list(&tx, None).await?, provider_models::list(&tx, Some("openai")).await?);
    assert_eq!(provider_models::list(&tx, None).await?.len(), models.len());
    let more = provider_models::insert(&tx, "xai", &["one".to_owned().into()], NOW).await;
    assert!(matches!(more, Err(StoreError::Full { most: provider_models::MAX })), "{more:?}");
    Ok(())
}

async fn a_provider_that_a_submission_holds_keeps_its_base_url(fixture: Fixture) -> Result<()> {
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let provider = providers::insert(&tx, "acme", "Acme", "https://api.acme.dev/v1", "bearer", NOW).await?;
    tx.commit().await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let held = providers::hold_by_name(&tx, "acme").await?.context("the provider")?;
    let mut new = fixture.integration("prod", 1);
    new.provider = held.name;
    let submit = async {
        keyway_store::integrations::insert(&tx, new, NOW).await?;
        tx.commit().await
    };
    let change = async {
        let tx = fixture.store.tenant(fixture.tenant).await?;
        providers::update(&tx, provider.id, EVIL, None, None).await
    };
    let (changed, submitted) = tokio::join!(change, submit);
    submitted?;
    assert!(matches!(changed, Err(StoreError::Conflict)), "{changed:?}");
    Ok(())
}

async fn another_tenants_rows_are_not_found(fixture: Fixture) -> Result<()> {
    let id = fixture.add_integration("prod", 1).await?;
    let (other, ..) = add_tenant(&fixture.store, "second").await?;
    let tx = fixture.store.tenant(other).await?;
    assert!(keyway_store::integrations::find(&tx, id).await?.is_none());
    assert!(matches!(keyway_store::integrations::delete(&tx, id, None).await, Err(StoreError::NotFound)));
    assert!(projects::find(&tx, fixture.project).await?.is_none());
    // The same name, and the same secret under a key of its own, are free in another tenant.
    let stolen = keyway_store::integrations::insert(&tx, fixture.integration("prod", 2), NOW).await;
    assert!(matches!(stolen, Err(StoreError::Conflict)), "a project of another tenant cannot be referred to");
    Ok(())
}
