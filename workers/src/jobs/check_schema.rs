//! `CheckSchema` (lane `usage.plan`): checks every entry of a content type against the schema that waits at it. The schema
//! comes into use if all fit, or if it is forced; the report names those that do not fit, and holds none of their data.
//!
//! Whoever writes an entry meanwhile has to fit both schemas, so that none is overlooked.

use keyway_content::Schema;
use keyway_domain::{
    AuditEvent, Code, ContentTypeId, DocumentKind, Event, Message, OperationId, Outcome, TenantId, Timestamp,
};
use keyway_store::{
    Page, Sort, StoreError,
    content_types::{self, ContentTypeRow},
    documents::{self, Collection, DocumentRow, Filter},
};
use serde_json::{Value, json};

use crate::{Ctx, HandlerError};

const PAGE: u64 = 50;
/// Most entries that a report names.
const MOST_NAMED: usize = 100;
/// Most faults that a report names of one entry.
const MOST_FAULTS: usize = 3;

/// Entries found so far.
#[derive(Default)]
struct Found {
    checked: u64,
    misfits: u64,
    named: Vec<Value>,
}

/// Checks the entries of one type.
pub(super) async fn run(ctx: &Ctx, message: &Message, id: ContentTypeId) -> Result<Outcome, HandlerError> {
    let tenant_id = message.tenant_id;
    let found = content_types::find(&ctx.store.tenant_read(tenant_id).await?, id).await?;
    // It is gone with its entries.
    let Some(row) = found else { return Ok(Outcome::Done(Vec::new())) };
    let Some(waiting) = &row.waiting_schema else { return Ok(earlier(&row, message.operation_id)) };
    let schema = serde_json::from_str(waiting).ok().and_then(|schema: Value| Schema::compile(&schema).ok());
    let schema = schema.ok_or_else(|| HandlerError::Defect("a stored schema does not compile".to_owned()))?;
    let found = check(ctx, tenant_id, &row, &schema).await?;
    let (is_used, now) = (found.misfits == 0 || row.is_forced, Timestamp::now());
    let report = json!({
        "operation_id": message.operation_id,
        "checked_at": now,
        "is_used": is_used,
        "checked": found.checked,
        "misfits": found.misfits,
        "entries": found.named,
    });
    let tx = ctx.store.tenant(tenant_id).await?;
    match content_types::settle(&tx, &row, is_used, &report.to_string(), now).await {
        Ok(_) => tx.commit().await?,
        // It was changed while its entries were checked: they are checked again.
        Err(StoreError::Stale) => return Err(HandlerError::Unavailable("the content type has changed".to_owned())),
        Err(error) => return Err(error.into()),
    }
    let action = if is_used { "content_type.schema_changed" } else { "content_type.schema_refused" };
    let changes = json!({ "name": row.name, "checked": found.checked, "misfits": found.misfits });
    Ok(outcome(is_used, vec![Event::Audited(AuditEvent::by_system("check_schema", action, id, now, changes))]))
}

async fn check(ctx: &Ctx, tenant_id: TenantId, row: &ContentTypeRow, schema: &Schema) -> Result<Found, HandlerError> {
    let collection = Collection { kind: DocumentKind::Entry, type_id: Some(row.id) };
    let (mut found, mut page) = (Found::default(), Page::first(PAGE));
    loop {
        let tx = ctx.store.tenant_read(tenant_id).await?;
        let entries = documents::list(&tx, collection, &Filter::default(), Sort::default(), page).await?;
        drop(tx);
        for entry in &entries.items {
            found.note(entry, schema);
        }
        match entries.items.last().filter(|_| entries.more) {
            Some(last) => page = Page { after: Some(last.place(Sort::default().by)), limit: PAGE },
            None => return Ok(found),
        }
    }
}

impl Found {
    fn note(&mut self, entry: &DocumentRow, schema: &Schema) {
        self.checked += 1;
        let data: Value = serde_json::from_str(&entry.content.body).unwrap_or_default();
        let Err(error) = schema.check(&data) else { return };
        self.misfits += 1;
        if self.named.len() < MOST_NAMED {
            let faults = error.faults().iter().take(MOST_FAULTS);
            let faults: Vec<_> =
                faults.map(|fault| json!({ "pointer": fault.pointer, "message": fault.message })).collect();
            self.named.push(json!({ "id": entry.id, "slug": entry.position.slug, "faults": faults }));
        }
    }
}

/// Returns the outcome of a check whose end was not heard of.
fn earlier(row: &ContentTypeRow, operation_id: Option<OperationId>) -> Outcome {
    let report: Value = row.report.as_deref().and_then(|report| serde_json::from_str(report).ok()).unwrap_or_default();
    let is_own = operation_id.is_some_and(|id| report["operation_id"] == json!(id));
    outcome(!is_own || report["is_used"] != json!(false), Vec::new())
}

fn outcome(is_used: bool, events: Vec<Event>) -> Outcome {
    if !is_used {
        return Outcome::Failed { code: Code::EntriesMisfit, events };
    }
    // None of the events here ends the operation by itself.
    let succeeded = Event::OperationSucceeded { observed_at: Timestamp::now() };
    Outcome::Done(events.into_iter().chain([succeeded]).collect())
}
