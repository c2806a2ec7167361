//! Publishes an entry, a flow or a scene, now or at a time, withdraws it, or deletes it.

use keyway_domain::{Invalidation, Timestamp};
use keyway_store::documents;
use serde_json::json;

use crate::{
    answer::Answer,
    code::Code,
    documents::Target,
    error::ApiError,
    etag,
    view::DocumentView,
    work::{Command, Work},
};

/// Bytes that the publications of one collection may have together: replicas have them in memory, several times.
const MOST_BYTES: i64 = 32 << 20;

/// Change of what readers get.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Publication {
    /// They get the draft as it is.
    Publish,
    /// They get nothing.
    Unpublish,
    /// They get the draft, as it is now, from a time on.
    Schedule(Timestamp),
}

/// Document and what readers are to get of it.
pub(crate) struct ChangePublication {
    pub(crate) target: Target,
    pub(crate) to: Publication,
    pub(crate) expected: Option<i32>,
}

/// Document to delete.
pub(crate) struct DeleteDocument {
    pub(crate) target: Target,
    pub(crate) expected: Option<i32>,
}

impl Command for ChangePublication {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let Self { target, to, expected } = self;
        let (before, _) = target.hold(&work.tx).await?;
        etag::check(expected, before.version)?;
        if !matches!(to, Publication::Unpublish) {
            let own = before.content.body.len() + before.content.metadata.len();
            let others = documents::published_bytes(&work.tx, &before).await?;
            if others.saturating_add(i64::try_from(own).unwrap_or(i64::MAX)) > MOST_BYTES {
                let message = format!("the publications of one collection may have {MOST_BYTES} bytes together");
                return Err(ApiError::new(Code::LimitReached, message));
            }
        }
        let how = match to {
            Publication::Publish => {
                documents::publish(&work.tx, &before, work.now).await?;
                "published"
            }
            Publication::Unpublish => {
                documents::unpublish(&work.tx, &before).await?;
                "unpublished"
            }
            Publication::Schedule(at) => {
                documents::schedule(&work.tx, &before, at).await?;
                "scheduled"
            }
        };
        let row = documents::find(&work.tx, before.id).await?.ok_or_else(|| ApiError::not_found("document"))?;
        let changes = json!({ "version": row.version, "publish_at": row.publish_at });
        work.audit(&format!("{}.{how}", row.id.kind().name()), row.id, changes);
        if !matches!(to, Publication::Schedule(_)) {
            work.invalidate(Invalidation::Published);
        }
        let version = row.version;
        Ok(Answer::ok(&DocumentView::of(row, target.type_name.as_deref())).tagged(version))
    }
}

impl Command for DeleteDocument {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let (row, _) = self.target.hold(&work.tx).await?;
        etag::check(self.expected, row.version)?;
        if row.published_version.is_some() || row.scheduled_version.is_some() {
            return Err(ApiError::conflict("it is published or scheduled: unpublish it first"));
        }
        let deleted = documents::delete(&work.tx, row.id).await;
        deleted.map_err(|error| ApiError::or_conflict(error, "others lie below it; delete or move them first"))?;
        work.audit(&format!("{}.deleted", row.id.kind().name()), row.id, json!({ "slug": row.position.slug }));
        Ok(Answer::no_content())
    }
}
