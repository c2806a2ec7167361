//! Creates, changes and deletes content types, and puts another schema of one up to be checked.

use keyway_content::Schema;
use keyway_domain::{Command as Job, DocumentAccess, Invalidation};
use keyway_store::content_types::{self, ContentTypeRow, Fields, Hold};
use serde_json::{Value, json, value::RawValue};

use crate::{
    answer::Answer,
    documents::value_of,
    error::ApiError,
    etag,
    view::{ContentTypeView, SchemaAccepted},
    work::{Command, Work},
};

const NAME_TAKEN: &str = "a content type of this tenant has this name; choose another one";

/// Content type to create.
pub(crate) struct CreateContentType {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) schema: Box<RawValue>,
    pub(crate) access: DocumentAccess,
    pub(crate) slug_field: Option<String>,
}

/// Content type and its new values.
pub(crate) struct UpdateContentType {
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    pub(crate) access: Option<DocumentAccess>,
    pub(crate) slug_field: Option<Option<String>>,
    pub(crate) expected: Option<i32>,
}

/// Content type and the schema that it is to have.
pub(crate) struct ChangeSchema {
    pub(crate) name: String,
    pub(crate) schema: Box<RawValue>,
    /// `true`: even if entries do not fit.
    pub(crate) is_forced: bool,
    pub(crate) expected: Option<i32>,
}

/// Content type to delete.
pub(crate) struct DeleteContentType {
    pub(crate) name: String,
    pub(crate) expected: Option<i32>,
}

impl Command for CreateContentType {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        Schema::compile(&value_of(&self.schema)?)?;
        let fields = Fields { title: &self.title, access: self.access, slug_field: self.slug_field.as_deref() };
        let made = content_types::insert(&work.tx, &self.name, self.schema.get(), fields, work.now).await;
        let row = made.map_err(|error| ApiError::or_taken(error, NAME_TAKEN))?;
        work.audit("content_type.created", row.id, changes(&row));
        // Readers may have asked for it already.
        work.invalidate(Invalidation::Published);
        let location = format!("/api/v1/content-types/{}", row.name);
        Ok(Answer::created(&ContentTypeView::from(row), &location).tagged(1))
    }
}

impl Command for UpdateContentType {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let before = held(work, &self.name, self.expected).await?;
        let slug_field = self.slug_field.unwrap_or_else(|| before.slug_field.clone());
        let fields = Fields {
            title: self.title.as_deref().unwrap_or(&before.title),
            access: self.access.unwrap_or(before.access),
            slug_field: slug_field.as_deref(),
        };
        let row = content_types::update(&work.tx, &before, fields, work.now).await?;
        work.audit("content_type.updated", row.id, changes(&row));
        work.invalidate(Invalidation::Published);
        let version = row.version;
        Ok(Answer::ok(&ContentTypeView::from(row)).tagged(version))
    }
}

impl Command for ChangeSchema {
    const STARTS_WORK: bool = true;

    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        Schema::compile(&value_of(&self.schema)?)?;
        let before = held(work, &self.name, self.expected).await?;
        let (schema, is_forced) = (self.schema.get(), self.is_forced);
        let row = content_types::await_schema(&work.tx, &before, schema, is_forced, work.now).await?;
        let operation = work.start(Job::CheckSchema { content_type_id: row.id }, None).await?;
        let noted = json!({ "name": row.name, "force": is_forced, "operation_id": operation.id });
        work.audit("content_type.schema_submitted", row.id, noted);
        let (location, version) = (format!("/api/v1/operations/{}", operation.id), row.version);
        let accepted = SchemaAccepted { content_type: row.into(), operation: operation.into() };
        Ok(Answer::accepted(&accepted, &location).tagged(version))
    }
}

impl Command for DeleteContentType {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let row = held(work, &self.name, self.expected).await?;
        let deleted = content_types::delete(&work.tx, &row).await;
        deleted.map_err(|error| {
            ApiError::or_conflict(error, "a content type that has entries is kept; delete its entries first")
        })?;
        work.audit("content_type.deleted", row.id, json!({ "name": row.name }));
        work.invalidate(Invalidation::Published);
        Ok(Answer::no_content())
    }
}

async fn held(work: &Work<'_>, name: &str, expected: Option<i32>) -> Result<ContentTypeRow, ApiError> {
    let found = content_types::find_by_name(&work.tx, name, Hold::Change).await?;
    let row = found.ok_or_else(|| ApiError::not_found("content type"))?;
    etag::check(expected, row.version)?;
    Ok(row)
}

fn changes(row: &ContentTypeRow) -> Value {
    json!({ "name": row.name, "access": row.access.name(), "slug_field": row.slug_field })
}
