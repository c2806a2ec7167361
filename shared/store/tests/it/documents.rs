//! Documents: drafts, versions, publishing, schedules, and the types and modules that they depend on.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use keyway_domain::{DocumentAccess, DocumentKind, Module};
use keyway_store::{
    Page, Sort, StoreError,
    content_types::{self, Fields, Hold},
    documents::{self, Collection, Content, DocumentRow, Filter, Position},
    modules, node_types,
};

use crate::fixture::{Fixture, NOW, on_both};

on_both! {
    a_tenant_has_the_modules_that_it_switched_on
    a_type_changes_its_schema_only_by_a_check
    a_slug_is_one_document_s_in_each_collection_and_locale
    fifty_versions_are_kept_and_the_published_one
    what_is_due_is_published_once_as_it_was_scheduled
    types_of_nodes_are_put_and_held
}

const FLOWS: Collection = Collection { kind: DocumentKind::Flow, type_id: None };

fn content(body: &str) -> Content {
    let [title, author, metadata] = ["Title", "usr_1", "{}"].map(str::to_owned);
    Content { title, access: None, author, body: body.to_owned(), metadata }
}

fn at(slug: &str, locale: &str) -> Position {
    Position { slug: slug.to_owned(), locale: locale.to_owned(), parent_id: None }
}

async fn add(fixture: &Fixture, collection: Collection, slug: &str) -> Result<DocumentRow> {
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let row = documents::insert(&tx, collection, (&at(slug, "en"), None), &content("{}"), NOW).await?;
    tx.commit().await?;
    Ok(row)
}

async fn a_tenant_has_the_modules_that_it_switched_on(fixture: Fixture) -> Result<()> {
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let none = modules::find(&tx).await?;
    ensure!(none.version == 0 && !none.has(Module::Flows));
    let hosts = ["cdn.example.com".to_owned()];
    ensure!(matches!(modules::put(&tx, &[], &[], Some(1)).await, Err(StoreError::Stale)));
    let some = modules::put(&tx, &[Module::Flows], &hosts, Some(0)).await?;
    ensure!(some.has(Module::Flows) && !some.has(Module::Content) && some.scene_hosts == hosts && some.version == 1);
    ensure!(matches!(modules::put(&tx, &[], &[], Some(0)).await, Err(StoreError::Stale)));
    ensure!(modules::put(&tx, &[], &[], None).await?.version == 2);
    Ok(())
}

async fn a_type_changes_its_schema_only_by_a_check(fixture: Fixture) -> Result<()> {
    let fields = Fields { title: "Article", access: DocumentAccess::Public, slug_field: Some("slug") };
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let made = content_types::insert(&tx, "article", "{}", fields, NOW).await?;
    ensure!(matches!(content_types::insert(&tx, "article", "{}", fields, NOW).await, Err(StoreError::NameTaken)));
    let waiting = content_types::await_schema(&tx, &made, "{\"a\":1}", false, NOW).await?;
    ensure!(waiting.schema == "{}" && waiting.waiting_schema.as_deref() == Some("{\"a\":1}"));
    let stale = content_types::settle(&tx, &made, true, "{}", NOW).await;
    ensure!(matches!(stale, Err(StoreError::Stale)));
    let dropped = content_types::settle(&tx, &waiting, false, "{\"n\":1}", NOW).await?;
    ensure!(dropped.schema == "{}" && dropped.waiting_schema.is_none() && dropped.report.is_some());
    let again = content_types::await_schema(&tx, &dropped, "{\"b\":2}", true, NOW).await?;
    let used = content_types::settle(&tx, &again, true, "{}", NOW).await?;
    ensure!(used.schema == "{\"b\":2}" && used.version == 5);
    tx.commit().await?;

    let entries = Collection { kind: DocumentKind::Entry, type_id: Some(made.id) };
    let entry = add(&fixture, entries, "a").await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    ensure!(matches!(content_types::delete(&tx, &used).await, Err(StoreError::Conflict)));
    documents::delete(&tx, entry.id).await?;
    content_types::delete(&tx, &used).await?;
    ensure!(content_types::find_by_name(&tx, "article", Hold::Unchanged).await?.is_none());
    Ok(())
}

async fn a_slug_is_one_document_s_in_each_collection_and_locale(fixture: Fixture) -> Result<()> {
    let first = add(&fixture, FLOWS, "a").await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let put = async |collection, position: Position| {
        documents::insert(&tx, collection, (&position, None), &content("{}"), NOW).await
    };
    ensure!(matches!(put(FLOWS, at("a", "en")).await, Err(StoreError::NameTaken)));
    put(FLOWS, at("a", "es")).await?;
    put(Collection { kind: DocumentKind::Scene, type_id: None }, at("a", "en")).await?;
    let below = Position { parent_id: Some(first.id), ..at("b", "en") };
    let below = put(FLOWS, below).await?;
    let filter = Filter { locale: Some("en".to_owned()), parent_id: Some(first.id), is_published: Some(false) };
    let listed = documents::list(&tx, FLOWS, &filter, Sort::default(), Page::first(10)).await?;
    ensure!(listed.items == std::slice::from_ref(&below) && !listed.more);
    ensure!(matches!(documents::delete(&tx, first.id).await, Err(StoreError::Conflict)));
    documents::delete(&tx, below.id).await?;
    documents::delete(&tx, first.id).await?;
    ensure!(documents::find(&tx, first.id).await?.is_none());
    tx.commit().await?;
    let second = add(&fixture, FLOWS, "c").await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let taken = documents::update(&tx, &second, &at("a", "es"), &content("{}"), NOW).await;
    ensure!(matches!(taken, Err(StoreError::NameTaken)));
    Ok(())
}

async fn fifty_versions_are_kept_and_the_published_one(fixture: Fixture) -> Result<()> {
    let mut row = add(&fixture, FLOWS, "a").await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    documents::publish(&tx, &row, NOW).await?;
    for version in 2..=60 {
        let before = documents::hold(&tx, row.id).await?.context("the flow")?;
        row = documents::update(&tx, &before, &at("a", "en"), &content(&version.to_string()), NOW).await?;
    }
    ensure!(row.version == 60 && row.published_version == Some(1));
    let kept = documents::versions(&tx, row.id, Page::first(100)).await?;
    let kept: Vec<_> = kept.items.iter().map(|version| version.version).collect();
    let expected: Vec<_> = (11..=60).rev().chain([1]).collect();
    ensure!(kept == expected, "{kept:?}");
    let published = documents::published(&tx, FLOWS).await?;
    ensure!(published.len() == 1 && published[0].version == 1 && published[0].content.body == "{}");
    ensure!(documents::published_bytes(&tx, &row).await? == 0);
    let other = documents::insert(&tx, FLOWS, (&at("b", "en"), None), &content("\"ñ\""), NOW).await?;
    documents::publish(&tx, &other, NOW).await?;
    ensure!(documents::published_bytes(&tx, &row).await? == 4 + 2);
    documents::unpublish(&tx, &other).await?;
    let stale = DocumentRow { version: 1, ..row.clone() };
    ensure!(matches!(
        documents::touch(&tx, &stale, (&at("a", "en"), &content("x")), NOW).await,
        Err(StoreError::Stale)
    ));
    let touched = documents::touch(&tx, &row, (&at("a", "en"), &content("x")), NOW).await?;
    ensure!(touched.version == 60 && touched.content.body == "x");
    let version = documents::find_version(&tx, row.id, 60).await?.context("the version")?;
    ensure!(version.content.body == "60");
    documents::unpublish(&tx, &row).await?;
    ensure!(documents::published(&tx, FLOWS).await?.is_empty());
    Ok(())
}

async fn what_is_due_is_published_once_as_it_was_scheduled(fixture: Fixture) -> Result<()> {
    let row = add(&fixture, FLOWS, "a").await?;
    let later = NOW.after(Duration::from_secs(60));
    let tx = fixture.store.tenant(fixture.tenant).await?;
    documents::schedule(&tx, &row, later).await?;
    let scheduled = documents::find(&tx, row.id).await?.context("the flow")?;
    documents::update(&tx, &scheduled, &at("a", "en"), &content("2"), NOW).await?;
    tx.commit().await?;
    let tx = fixture.store.system().await?;
    ensure!(!documents::is_due(&tx, NOW).await? && documents::is_due(&tx, later).await?);
    ensure!(documents::publish_due(&tx, NOW, 10).await?.is_empty());
    let due = documents::publish_due(&tx, later, 10).await?;
    ensure!(due.len() == 1 && due[0].id == row.id && due[0].version == 1 && due[0].tenant_id == fixture.tenant);
    ensure!(documents::publish_due(&tx, later, 10).await?.is_empty());
    tx.commit().await?;
    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    let shown = documents::find(&tx, row.id).await?.context("the flow")?;
    ensure!(shown.published_version == Some(1) && shown.version == 2 && shown.publish_at.is_none());
    Ok(())
}

async fn types_of_nodes_are_put_and_held(fixture: Fixture) -> Result<()> {
    let tx = fixture.store.tenant(fixture.tenant).await?;
    ensure!(matches!(node_types::put(&tx, "step", ("{}", true), Some(1), NOW).await, Err(StoreError::Stale)));
    ensure!(node_types::put(&tx, "step", ("{}", true), None, NOW).await?.version == 1);
    let changed = node_types::put(&tx, "step", ("{\"a\":1}", false), Some(1), NOW).await?;
    ensure!(changed.version == 2 && !changed.is_acyclic);
    ensure!(node_types::list(&tx).await? == std::slice::from_ref(&changed));
    ensure!(node_types::hold(&tx).await? == [changed]);
    ensure!(matches!(node_types::delete(&tx, "step", Some(1)).await, Err(StoreError::Stale)));
    node_types::delete(&tx, "step", Some(2)).await?;
    ensure!(matches!(node_types::delete(&tx, "step", None).await, Err(StoreError::NotFound)));
    Ok(())
}
