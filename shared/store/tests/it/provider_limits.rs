//! Limits of a provider in a tenant, and the headers that an integration's settings add to its calls.

use anyhow::{Context, Result};
use keyway_domain::Limits;
use keyway_store::{
    StoreError, credentials,
    integrations::{self, Binding, Change},
    provider_limits, providers,
};
use serde_json::json;

use crate::fixture::{Fixture, NOW, add_tenant, on_both};

on_both! {
    limits_are_set_by_version_and_are_a_tenants_own
    limits_go_with_their_provider
    settings_become_headers_and_outlive_a_secret
}

const SLOW: Limits = Limits {
    requests_per_minute: Some(10),
    tokens_per_minute: None,
    daily_budget_nano_usd: Some(5),
    monthly_budget_nano_usd: None,
};

async fn limits_are_set_by_version_and_are_a_tenants_own(fixture: Fixture) -> Result<()> {
    let tx = fixture.store.tenant(fixture.tenant).await?;
    assert_eq!(provider_limits::find(&tx, "openai").await?, None);
    let set = provider_limits::set(&tx, "openai", SLOW, 0).await?;
    assert_eq!((set.limits, set.version), (SLOW, 1));
    let late = provider_limits::set(&tx, "openai", Limits::default(), 0).await;
    assert!(matches!(late, Err(StoreError::Stale)), "{late:?}");
    let freed = provider_limits::set(&tx, "openai", Limits::default(), 1).await?;
    assert_eq!((freed.id, freed.version), (set.id, 2), "the scope that is leased from stays");
    provider_limits::set(&tx, "acme", SLOW, 0).await?;
    let all = provider_limits::of_tenant(&tx).await?;
    assert_eq!(
        all.iter().map(|it| (it.provider.as_str(), it.limits)).collect::<Vec<_>>(),
        [("acme", SLOW), ("openai", Limits::default())]
    );
    tx.commit().await?;
    let (other, ..) = add_tenant(&fixture.store, "second").await?;
    let tx = fixture.store.tenant(other).await?;
    assert!(provider_limits::of_tenant(&tx).await?.is_empty());
    assert_eq!(provider_limits::set(&tx, "openai", SLOW, 0).await?.version, 1);
    Ok(())
}

async fn limits_go_with_their_provider(fixture: Fixture) -> Result<()> {
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let acme = providers::insert(&tx, "acme", "Acme", "https://acme.example/v1", "bearer", NOW).await?;
    provider_limits::set(&tx, "acme", SLOW, 0).await?;
    providers::delete(&tx, acme.id, None).await?;
    assert_eq!(provider_limits::find(&tx, "acme").await?, None, "another provider of that name starts without");
    Ok(())
}

async fn settings_become_headers_and_outlive_a_secret(fixture: Fixture) -> Result<()> {
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let mut new = fixture.integration("prod", 1);
    new.provider = "openai".to_owned();
    new.config = json!({"organization": "org-1", "provider_key_id": "key_1"});
    new.meta = json!({"organization": "org-2", "project": "proj_2", "team": {"name": "search"}});
    let meta = new.meta.clone();
    let row = integrations::insert(&tx, new, NOW).await?;
    assert_eq!(row.meta, meta);
    let headers = |value: [&str; 2]| {
        let [organization, project] = value.map(str::to_owned);
        vec![("openai-organization", organization), ("openai-project", project)]
    };
    let found = credentials::of_project(&tx, fixture.project).await?;
    assert_eq!(found[0].forwarded_headers, headers(["org-1", "proj_2"]), "config comes before the note");

    let replaced = integrations::replace_secret(&tx, &row, 2, fixture.secret(2), None, NOW).await?;
    assert_eq!((&replaced.config, &replaced.meta), (&json!({"organization": "org-1"}), &meta));
    let binding = Binding { base_url: None, config: json!({"organization": "org-3"}) };
    integrations::replace_secret(&tx, &replaced, 3, fixture.secret(3), Some(binding), NOW).await?;
    let found = credentials::of_integration(&tx, row.id).await?.context("the credential")?;
    assert_eq!(found.forwarded_headers, headers(["org-3", "proj_2"]));

    let change = Change { meta: Some(json!({"organization": "a b", "project": 7})), ..Change::default() };
    let mut row = integrations::update(&tx, row.id, change, None, NOW).await?;
    assert_eq!(row.forwarded_headers(), headers(["org-3", ""])[..1], "what is no header is a note");
    row.provider = "groq".to_owned();
    assert!(row.forwarded_headers().is_empty());
    Ok(())
}
