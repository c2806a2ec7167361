//! Creates an entry, a flow or a scene, as a draft.

use keyway_content::slug_of;
use keyway_domain::DocumentKind;
use keyway_store::{
    content_types::Hold,
    documents::{self, Content},
};
use serde_json::{Value, json};

use crate::{
    answer::Answer,
    documents::{Draft, Set, Target, metadata, position, value_of},
    error::ApiError,
    view::DocumentView,
    work::{Command, Work},
};

/// Message for a slug that is in use.
pub(super) const SLUG_TAKEN: &str = "another one has this slug in this locale; choose another slug";
const MAX_TITLE_CHARS: usize = 100;

/// Draft to create.
pub(crate) struct CreateDocument {
    pub(crate) kind: DocumentKind,
    pub(crate) type_name: Option<String>,
    pub(crate) format: Option<&'static str>,
    pub(crate) draft: Draft,
}

impl Command for CreateDocument {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let Self { kind, type_name, format, draft } = self;
        let set = Set::find(&work.tx, kind, type_name.as_deref(), Hold::Unchanged).await?;
        let body = value_of(&draft.body)?;
        set.judge(&work.tx, format, &body).await?;
        let source = set.slug_source(&body).or(draft.title.as_deref()).or_else(|| body["title"].as_str());
        let slug = draft.slug.clone().or_else(|| source.and_then(slug_of));
        let slug = slug.ok_or_else(|| ApiError::field("give a `slug`: none can be made from what is there"))?;
        let mut place = position(&draft, slug, None)?;
        if let Some(Some(parent)) = &draft.parent_id {
            place.parent_id = Some(set.parent(&work.tx, None, parent).await?);
        }
        let content = Content {
            title: draft.title.clone().unwrap_or_else(|| title_of(&body, &place.slug)),
            access: draft.access.flatten(),
            author: author(work),
            metadata: metadata(draft.metadata.as_deref())?.unwrap_or_else(|| "{}".to_owned()),
            body: draft.body.get().to_owned(),
        };
        let made = documents::insert(&work.tx, set.collection, (&place, format), &content, work.now).await;
        let row = made.map_err(|error| ApiError::or_taken(error, SLUG_TAKEN))?;
        let changes = json!({ "slug": place.slug, "locale": place.locale, "type": type_name });
        work.audit(&format!("{}.created", kind.name()), row.id, changes);
        let target = Target { id: row.id, type_name };
        let view = DocumentView::of(row, target.type_name.as_deref());
        Ok(Answer::created(&view, &target.path()).tagged(1))
    }
}

/// Returns the id of who writes.
pub(super) fn author(work: &Work<'_>) -> String {
    work.by.principal.id().unwrap_or_else(|| "operator".to_owned())
}

/// Returns the title that data has itself, else the slug.
fn title_of(body: &Value, slug: &str) -> String {
    let own: String = body["title"].as_str().unwrap_or_default().chars().filter(|it| !it.is_control()).collect();
    let own: String = own.trim().chars().take(MAX_TITLE_CHARS).collect();
    if own.is_empty() { slug.to_owned() } else { own }
}
