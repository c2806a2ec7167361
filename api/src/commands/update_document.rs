//! Writes the draft of an entry, a flow or a scene anew, from what was sent, from an earlier version, or by single changes.

use keyway_content::{FlowOperation, apply, same_but_for_looks};
use keyway_domain::DocumentKind;
use keyway_store::documents::{self, Content, DocumentRow, Position};
use serde_json::{Value, json};

use super::create_document::{SLUG_TAKEN, author};
use crate::{
    answer::Answer,
    code::Code,
    documents::{Draft, Set, Target, metadata, position, value_of},
    error::ApiError,
    etag,
    view::DocumentView,
    work::{Command, Work},
};

/// Document and its new draft.
pub(crate) struct UpdateDocument {
    pub(crate) target: Target,
    pub(crate) draft: Draft,
    pub(crate) expected: Option<i32>,
}

/// Document, and the version that its draft is to be again.
pub(crate) struct RestoreDocument {
    pub(crate) target: Target,
    pub(crate) version: i32,
    pub(crate) expected: Option<i32>,
}

/// Flow and the changes to make to it, all or none.
pub(crate) struct MutateFlow {
    pub(crate) target: Target,
    /// Version that the changes were made for.
    pub(crate) base_version: i32,
    pub(crate) operations: Vec<FlowOperation>,
    pub(crate) expected: Option<i32>,
}

impl Command for UpdateDocument {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let Self { target, draft, expected } = self;
        let (before, set) = target.hold(&work.tx).await?;
        etag::check(expected, before.version)?;
        let slug = draft.slug.clone().unwrap_or_else(|| before.position.slug.clone());
        let mut place = position(&draft, slug, Some(&before.position))?;
        if let Some(parent) = &draft.parent_id {
            place.parent_id = match parent {
                Some(parent) => Some(set.parent(&work.tx, Some(before.id), parent).await?),
                None => None,
            };
        }
        let content = Content {
            title: draft.title.unwrap_or_else(|| before.content.title.clone()),
            access: draft.access.unwrap_or(before.content.access),
            author: author(work),
            metadata: metadata(draft.metadata.as_deref())?.unwrap_or_else(|| before.content.metadata.clone()),
            body: draft.body.get().to_owned(),
        };
        let body = value_of(&draft.body)?;
        write(work, (&target, &set, &before), (place, content), &body, "updated").await
    }
}

impl Command for RestoreDocument {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let (before, set) = self.target.hold(&work.tx).await?;
        etag::check(self.expected, before.version)?;
        let found = documents::find_version(&work.tx, before.id, self.version).await?;
        let found = found.ok_or_else(|| ApiError::not_found("version"))?;
        let content = Content { author: author(work), ..found.content };
        let body: Value = serde_json::from_str(&content.body).unwrap_or_default();
        let place = before.position.clone();
        write(work, (&self.target, &set, &before), (place, content), &body, "restored").await
    }
}

impl Command for MutateFlow {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let (before, set) = self.target.hold(&work.tx).await?;
        etag::check(self.expected, before.version)?;
        if before.version != self.base_version {
            let newer = before.version;
            let message = format!("the flow is at version {newer}: read it, and make the changes for that one");
            return Err(ApiError::conflict(message).with_header(http::header::ETAG, etag::of(newer)));
        }
        let body = apply(&serde_json::from_str(&before.content.body).unwrap_or_default(), &self.operations)?;
        let content = Content { author: author(work), body: body.to_string(), ..before.content.clone() };
        let place = before.position.clone();
        write(work, (&self.target, &set, &before), (place, content), &body, "updated").await
    }
}

/// Writes a draft, judged by the rules of today.
async fn write(
    work: &mut Work<'_>,
    (target, set, before): (&Target, &Set, &DocumentRow),
    (place, content): (Position, Content),
    body: &Value,
    how: &str,
) -> Result<Answer, ApiError> {
    let is_moved = (&place.slug, &place.locale) != (&before.position.slug, &before.position.locale);
    if is_moved && (before.published_version.is_some() || before.scheduled_version.is_some()) {
        let message = "readers know it by its slug and locale, which stay while it is published or scheduled: unpublish \
                       it first";
        return Err(ApiError::new(Code::Conflict, message));
    }
    set.judge(&work.tx, before.format.as_deref(), body).await?;
    let written = if is_same(before, (&place, &content), body) {
        documents::touch(&work.tx, before, (&place, &content), work.now).await
    } else {
        documents::update(&work.tx, before, &place, &content, work.now).await
    };
    let row = written.map_err(|error| ApiError::or_taken(error, SLUG_TAKEN))?;
    if row.version != before.version {
        let changes = json!({ "version": row.version, "slug": row.position.slug });
        work.audit(&format!("{}.{how}", row.id.kind().name()), row.id, changes);
    }
    let version = row.version;
    Ok(Answer::ok(&DocumentView::of(row, target.type_name.as_deref())).tagged(version))
}

/// Returns `true` for a flow that differs at most in what one person sees of it at the moment.
fn is_same(before: &DocumentRow, (place, content): (&Position, &Content), body: &Value) -> bool {
    let own = &before.content;
    let is_plain = (&own.title, own.access, &own.metadata) == (&content.title, content.access, &content.metadata);
    let earlier = || serde_json::from_str(&own.body).unwrap_or_default();
    before.id.kind() == DocumentKind::Flow
        && is_plain
        && before.position == *place
        && same_but_for_looks(&earlier(), body)
}
