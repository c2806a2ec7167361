//! Content: a schema comes into use when the entries fit it, and what is scheduled is published once.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use keyway_domain::{Code, Command, DocumentAccess, DocumentKind, Message, OperationState, Timestamp};
use keyway_store::{
    content_types::{self, ContentTypeRow, Fields, Hold},
    documents::{self, Collection, Content, DocumentRow, Position},
    operations::{self, NewOperation, Origin},
    outbox, raw,
};
use serde_json::{Value, json};

use crate::{
    observe::until,
    world::{World, in_both},
};

in_both! {
    a_schema_is_used_only_if_all_entries_fit_or_it_is_forced
    what_is_due_is_published_once_by_whichever_worker
}

async fn add_type(world: &World) -> Result<ContentTypeRow> {
    let tx = world.store.tenant(world.tenant.id).await?;
    let fields = Fields { title: "Article", access: DocumentAccess::Public, slug_field: None };
    let row = content_types::insert(&tx, "article", "{}", fields, Timestamp::now()).await?;
    tx.commit().await?;
    Ok(row)
}

async fn add_entry(world: &World, of: &ContentTypeRow, slug: &str, data: Value) -> Result<DocumentRow> {
    let tx = world.store.tenant(world.tenant.id).await?;
    let position = Position { slug: slug.to_owned(), locale: "en".to_owned(), parent_id: None };
    let [title, author, metadata] = ["x", "usr_1", "{}"].map(str::to_owned);
    let content = Content { title, access: None, author, body: data.to_string(), metadata };
    let collection = Collection { kind: DocumentKind::Entry, type_id: Some(of.id) };
    let row = documents::insert(&tx, collection, (&position, None), &content, Timestamp::now()).await?;
    tx.commit().await?;
    Ok(row)
}

/// Puts a schema up to be checked, as the API does, and returns the message of its check.
async fn submit(world: &World, schema: &Value, is_forced: bool) -> Result<Message> {
    let (tenant_id, now) = (world.tenant.id, Timestamp::now());
    let tx = world.store.tenant(tenant_id).await?;
    let row = content_types::find_by_name(&tx, "article", Hold::Change).await?.context("the type")?;
    content_types::await_schema(&tx, &row, &schema.to_string(), is_forced, now).await?;
    let command = Command::CheckSchema { content_type_id: row.id };
    let new = NewOperation::of(tenant_id, Origin::Request, command.clone(), now);
    let message = Message::command(tenant_id, new.id, command);
    operations::insert(&tx, new, now).await?;
    outbox::insert(&tx, std::slice::from_ref(&message), now).await?;
    tx.commit().await?;
    Ok(message)
}

async fn shown(world: &World) -> Result<(ContentTypeRow, Value)> {
    let tx = world.store.tenant_read(world.tenant.id).await?;
    let row = content_types::find_by_name(&tx, "article", Hold::Nothing).await?.context("the type")?;
    let report = serde_json::from_str(row.report.as_deref().unwrap_or("null"))?;
    Ok((row, report))
}

async fn a_schema_is_used_only_if_all_entries_fit_or_it_is_forced(world: &mut World) -> Result<()> {
    let of = add_type(world).await?;
    for number in 0..60 {
        add_entry(world, &of, &format!("n{number}"), json!({ "n": number })).await?;
    }
    let bad = add_entry(world, &of, "bad", json!({ "n": "sk-secret" })).await?;
    world.start()?;
    let schema = json!({ "properties": { "n": { "type": "number" } } });
    let refused = submit(world, &schema, false).await?;
    let ended = world.ended(&refused).await?;
    ensure!(ended.state == OperationState::Failed && ended.error == Some(Code::EntriesMisfit), "{ended:?}");
    let (row, report) = shown(world).await?;
    ensure!(row.schema == "{}" && row.waiting_schema.is_none() && report["is_used"] == false, "{report}");
    ensure!(report["checked"] == 61 && report["misfits"] == 1, "{report}");
    let named = &report["entries"][0];
    ensure!(named["id"] == json!(bad.id) && named["faults"][0]["pointer"] == "/n", "{report}");
    ensure!(!report.to_string().contains("sk-secret"), "{report}");

    let forced = submit(world, &schema, true).await?;
    ensure!(world.ended(&forced).await?.state == OperationState::Succeeded);
    let (row, report) = shown(world).await?;
    ensure!(schema == row.schema.parse::<Value>()? && report["misfits"] == 1 && report["is_used"] == true, "{report}");

    let wider = json!({ "properties": { "n": { "type": ["number", "string"] } } });
    let fits = submit(world, &wider, false).await?;
    ensure!(world.ended(&fits).await?.state == OperationState::Succeeded);
    // A check that is delivered twice changes nothing.
    world.publish(&[fits]).await?;
    world.settle().await?;
    ensure!(wider == shown(world).await?.0.schema.parse::<Value>()?);
    Ok(())
}

async fn what_is_due_is_published_once_by_whichever_worker(world: &mut World) -> Result<()> {
    let of = add_type(world).await?;
    let due = add_entry(world, &of, "a", json!({ "n": 1 })).await?;
    let later = add_entry(world, &of, "b", json!({ "n": 1 })).await?;
    let tx = world.store.tenant(world.tenant.id).await?;
    documents::schedule(&tx, &due, Timestamp::now().before(Duration::from_secs(1))).await?;
    documents::schedule(&tx, &later, Timestamp::now().after(Duration::from_secs(3600))).await?;
    tx.commit().await?;
    world.start()?;
    if world.broker.is_some() {
        world.start()?;
    }
    let find = async |id| -> Result<DocumentRow> {
        let tx = world.store.tenant_read(world.tenant.id).await?;
        documents::find(&tx, id).await?.context("the entry")
    };
    until("it is published", async || Ok(find(due.id).await?.published_version == Some(1))).await?;
    ensure!(find(later.id).await?.published_version.is_none());
    world.settle().await?;
    let audited = "SELECT count(*) AS n FROM audit_events WHERE action = 'document.published'";
    ensure!(raw::number(&world.store.system_read().await?, audited).await? == 1);
    Ok(())
}
