//! Routes that entries, flows and scenes have alike: show, list, delete, publish, and their versions.

use keyway_content::{Query, diff};
use keyway_domain::{DocumentId, DocumentKind, Timestamp};
use keyway_store::{
    Page, Paged, SortBy,
    content_types::Hold,
    documents::{self, DocumentRow, Filter, VersionRow},
};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer::Answer,
    call::Call,
    commands::{
        publish_document::{ChangePublication, DeleteDocument, Publication},
        update_document::RestoreDocument,
    },
    cursor::{self, List},
    documents::{Set, Target, type_name},
    error::ApiError,
    listing,
    published::PAGE_BYTES,
    view::{DiffView, DocumentVersionView, DocumentView},
};

/// Documents that are read at once while a list is filtered.
const BATCH: u64 = 200;
/// Sort fields of lists.
const SORTED_BY: listing::Fields = &[("created_at", SortBy::CreatedAt), ("updated_at", SortBy::UpdatedAt)];

/// Filter of entries, flows or scenes; beside it `filter[field][comparison]`, where the comparison is one of eq, ne, lt, lte,
/// gt, gte, in, contains and exists.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only the document knows it: the parameters are read by `Asked`")]
pub(crate) struct DocumentQuery {
    /// `created_at` or `updated_at`, with a leading `-` for the reverse order; `-created_at` if left out.
    #[param(example = "-updated_at")]
    sort: Option<String>,
    /// Fields to show, like `id,title,data.topic`; all if left out.
    fields: Option<String>,
    /// Language.
    locale: Option<String>,
    /// The id of the document above them.
    parent: Option<String>,
    /// `true`: published ones only; `false`: others only.
    published: Option<bool>,
    /// Page size, 1 to 200; 50 if left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A time to publish at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScheduleInput {
    /// Time, which lies in the future.
    #[schema(value_type = String, format = DateTime)]
    publish_at: Timestamp,
}

/// A version to go back to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestoreInput {
    /// Number of the version.
    version: i32,
}

/// A page of versions.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VersionQuery {
    /// Page size, 1 to 200; 50 if left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Versions to compare.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DiffQuery {
    /// Number of the version to compare with.
    from: i32,
    /// Number of the other version; the latest if left out.
    to: Option<i32>,
}

/// What a list is asked for.
struct Asked {
    filter: Filter,
    sort: keyway_store::Sort,
    query: Query,
    page: Page<keyway_store::Place>,
}

impl Asked {
    fn of(call: &Call, kind: DocumentKind) -> Result<Self, ApiError> {
        let pairs: Vec<(String, String)> = call.query()?;
        let (own, others): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(name, _)| name == "sort");
        let sort = listing::sort(own.first().map(|(_, value)| value.as_str()), SORTED_BY)?;
        let query = Query::read(others.iter().map(|(name, value)| (name.as_str(), value.as_str())))?;
        let (mut filter, mut limit, mut after) = (Filter::default(), None, None);
        for (name, value) in &query.others {
            match name.as_str() {
                "limit" => limit = Some(value.parse().map_err(|_| ApiError::parameter("`limit` must be a number"))?),
                "cursor" => after = Some(value.as_str()),
                "locale" => filter.locale = Some(value.clone()),
                "parent" => {
                    let none = |_| ApiError::parameter("`parent` must be the id of one of them");
                    filter.parent_id = Some(DocumentId::parse(kind, value).map_err(none)?);
                }
                "published" => {
                    let none = |_| ApiError::parameter("`published` must be true or false");
                    filter.is_published = Some(value.parse().map_err(none)?);
                }
                _ => {
                    let known = "filter[field][comparison], sort, fields, locale, parent, published, limit and cursor";
                    return Err(ApiError::parameter(format!("the parameters are {known}")));
                }
            }
        }
        let page = listing::page(limit, after, sort)?;
        Ok(Self { filter, sort, query, page })
    }
}

/// Lists documents; those that conditions leave out are passed over.
pub(super) async fn list(call: Call, kind: DocumentKind) -> Result<Answer, ApiError> {
    let Asked { filter, sort, query, page } = Asked::of(&call, kind)?;
    let (tx, name) = (call.read().await?, type_name(&call, kind));
    let set = Set::find(&tx, kind, name.as_deref(), Hold::Nothing).await?;
    let (mut found, mut bytes, mut after): (Vec<(DocumentRow, Value)>, usize, _) = (Vec::new(), 0, page.after);
    let more = 'pages: loop {
        let batch = Page { after: after.take(), limit: if query.conditions.is_empty() { page.limit } else { BATCH } };
        let rows = documents::list(&tx, set.collection, &filter, sort, batch).await?;
        after = rows.items.last().map(|row| row.place(sort.by));
        for row in rows.items {
            let shown = DocumentView::listed(row.clone(), name.as_deref());
            if !query.holds(&shown) {
                continue;
            }
            let is_full = found.len() as u64 >= page.limit || bytes > PAGE_BYTES;
            if is_full {
                break 'pages true;
            }
            bytes += row.content.body.len();
            found.push((row, keyway_content::projected(&shown, &query.fields)));
        }
        if !rows.more {
            break false;
        }
        if query.conditions.is_empty() {
            break true;
        }
    };
    let page = Paged { items: found, more };
    Ok(Answer::ok(&List::of(page, |(row, _)| row.place(sort.by), |(_, shown)| shown)))
}

/// Shows a document.
pub(super) async fn detail(call: Call, kind: DocumentKind) -> Result<Answer, ApiError> {
    let target = Target::of(&call, kind)?;
    let row = target.find(&call.read().await?).await?;
    let version = row.version;
    Ok(Answer::ok(&DocumentView::of(row, target.type_name.as_deref())).tagged(version))
}

/// Deletes a document.
pub(super) async fn delete(call: Call, kind: DocumentKind) -> Result<Answer, ApiError> {
    let (target, expected) = (Target::of(&call, kind)?, call.expected_version()?);
    call.commit(DeleteDocument { target, expected }).await
}

/// Publishes a document.
pub(super) async fn publish(call: Call, kind: DocumentKind) -> Result<Answer, ApiError> {
    change(call, kind, Publication::Publish).await
}

/// Withdraws a document.
pub(super) async fn unpublish(call: Call, kind: DocumentKind) -> Result<Answer, ApiError> {
    change(call, kind, Publication::Unpublish).await
}

/// Has a document published at a time.
pub(super) async fn schedule(call: Call, kind: DocumentKind) -> Result<Answer, ApiError> {
    let ScheduleInput { publish_at } = call.json()?;
    if publish_at <= Timestamp::now() {
        return Err(ApiError::field("`publish_at` must lie in the future"));
    }
    change(call, kind, Publication::Schedule(publish_at)).await
}

async fn change(call: Call, kind: DocumentKind, to: Publication) -> Result<Answer, ApiError> {
    let (target, expected) = (Target::of(&call, kind)?, call.expected_version()?);
    call.commit(ChangePublication { target, to, expected }).await
}

/// Lists the versions of a document.
pub(super) async fn versions(call: Call, kind: DocumentKind) -> Result<Answer, ApiError> {
    let query: VersionQuery = call.query()?;
    let page = cursor::page::<i32>(query.limit, query.cursor.as_deref())?;
    let (target, tx) = (Target::of(&call, kind)?, call.read().await?);
    let row = target.find(&tx).await?;
    let versions = documents::versions(&tx, row.id, page).await?;
    Ok(Answer::ok(&List::of(versions, |row| row.version, DocumentVersionView::listed)))
}

/// Shows a version of a document.
pub(super) async fn version(call: Call, kind: DocumentKind) -> Result<Answer, ApiError> {
    let none = || ApiError::not_found("version");
    let number = call.params.last().and_then(|text| text.parse().ok()).ok_or_else(none)?;
    let (target, tx) = (Target::of(&call, kind)?, call.read().await?);
    let row = target.find(&tx).await?;
    let version = documents::find_version(&tx, row.id, number).await?.ok_or_else(none)?;
    Ok(Answer::ok(&DocumentVersionView::from(version)))
}

/// Compares two versions of a document.
pub(super) async fn compare(call: Call, kind: DocumentKind) -> Result<Answer, ApiError> {
    let DiffQuery { from, to } = call.query()?;
    let (target, tx) = (Target::of(&call, kind)?, call.read().await?);
    let row = target.find(&tx).await?;
    let to = to.unwrap_or(row.version);
    let mut both = Vec::new();
    for number in [from, to] {
        let found = documents::find_version(&tx, row.id, number).await?;
        both.push(found.ok_or_else(|| ApiError::not_found("version"))?);
    }
    let [one, other] = [&both[0], &both[1]].map(comparable);
    Ok(Answer::ok(&DiffView { from, to, changes: diff(&one, &other) }))
}

fn comparable(version: &VersionRow) -> Value {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    json!({
        "title": version.content.title,
        "access": version.content.access.map(keyway_domain::DocumentAccess::name),
        "metadata": read(&version.content.metadata),
        "content": read(&version.content.body),
    })
}

/// Makes an earlier version the draft again, as a new version.
pub(super) async fn restore(call: Call, kind: DocumentKind) -> Result<Answer, ApiError> {
    let (target, expected) = (Target::of(&call, kind)?, call.expected_version()?);
    let RestoreInput { version } = call.json()?;
    call.commit(RestoreDocument { target, version, expected }).await
}

/// Writes the handlers that all kinds have alike, each with its description.
macro_rules! handlers {
    ($kind:ident $tag:literal $(
        $(#[doc = $doc:literal])*
        $name:ident $method:ident $path:literal $id:literal $params:tt [$($more:tt)*];
    )*) => {$(
        $(#[doc = $doc])*
        #[utoipa::path($method, path = $path, operation_id = $id, tag = $tag, params $params, $($more)*)]
        pub(crate) async fn $name(call: Call) -> Result<Answer, ApiError> {
            super::documents::$name(call, DocumentKind::$kind).await
        }
    )*};
}
pub(super) use handlers;
