//! Rules that every change of an entry, flow or scene keeps, whichever command makes it.

use std::collections::HashSet;

use keyway_content::{
    AllowedHosts, NodeTypes, SceneFormat, Schema, Subject, check_depth, check_flow, check_scene, is_locale, is_slug,
};
use keyway_domain::{DocumentAccess, DocumentId, DocumentKind};
use keyway_store::{
    TenantTx,
    content_types::{self, ContentTypeRow, Hold},
    documents::{self, Collection, DocumentRow, Position},
    modules, node_types,
};
use serde_json::{Value, value::RawValue};

use crate::{call::Call, code::Code, error::ApiError};

const METADATA_BYTES: usize = 16 << 10;
/// Levels of documents one above the other.
const MOST_ABOVE: usize = 32;
const DEFAULT_LOCALE: &str = "en";

/// Document that a path names.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) id: DocumentId,
    /// Type of an entry.
    pub(crate) type_name: Option<String>,
}

/// Set of documents that a command is about: a type's entries, all flows, or all scenes.
pub(crate) struct Set {
    pub(crate) collection: Collection,
    content_type: Option<ContentTypeRow>,
}

/// Fields of a draft as they were sent; `None`: left out.
pub(crate) struct Draft {
    pub(crate) slug: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) locale: Option<String>,
    pub(crate) parent_id: Option<Option<String>>,
    pub(crate) access: Option<Option<DocumentAccess>>,
    pub(crate) metadata: Option<Box<RawValue>>,
    /// Data, flow or scene.
    pub(crate) body: Box<RawValue>,
}

impl Target {
    /// Reads the path of a call.
    ///
    /// # Errors
    /// 404 for an id of no such document.
    pub(crate) fn of(call: &Call, kind: DocumentKind) -> Result<Self, ApiError> {
        let id = call.params.get(usize::from(kind == DocumentKind::Entry)).map_or("", String::as_str);
        let id = DocumentId::parse(kind, id).map_err(|_| ApiError::not_found(kind.name()))?;
        Ok(Self { id, type_name: type_name(call, kind) })
    }

    /// Returns the path at which the document is.
    pub(crate) fn path(&self) -> String {
        match (&self.type_name, self.id.kind()) {
            (Some(name), _) => format!("/api/v1/content/{name}/{}", self.id),
            (None, DocumentKind::Scene) => format!("/api/v1/scenes/{}", self.id),
            (None, _) => format!("/api/v1/flows/{}", self.id),
        }
    }

    /// Returns the document.
    ///
    /// # Errors
    /// 404 if there is none in the set that the path names.
    pub(crate) async fn find(&self, tx: &TenantTx) -> Result<DocumentRow, ApiError> {
        let set = Set::find(tx, self.id.kind(), self.type_name.as_deref(), Hold::Nothing).await?;
        self.within(&set, documents::find(tx, self.id).await?)
    }

    /// Returns the document, which nobody else changes until the transaction ends, and its set.
    ///
    /// # Errors
    /// 404 if there is none in the set that the path names.
    pub(crate) async fn hold(&self, tx: &TenantTx) -> Result<(DocumentRow, Set), ApiError> {
        let set = Set::find(tx, self.id.kind(), self.type_name.as_deref(), Hold::Unchanged).await?;
        Ok((self.within(&set, documents::hold(tx, self.id).await?)?, set))
    }

    fn within(&self, set: &Set, found: Option<DocumentRow>) -> Result<DocumentRow, ApiError> {
        let found = found.filter(|row| row.collection() == set.collection);
        found.ok_or_else(|| ApiError::not_found(self.id.kind().name()))
    }
}

/// Returns the name of the content type in the path of a call about entries.
pub(crate) fn type_name(call: &Call, kind: DocumentKind) -> Option<String> {
    (kind == DocumentKind::Entry).then(|| call.param().to_owned())
}

impl Set {
    /// Returns the set of documents of a kind; of entries, those of the named type.
    ///
    /// # Errors
    /// 404 if there is no such type.
    pub(crate) async fn find(
        tx: &TenantTx,
        kind: DocumentKind,
        type_name: Option<&str>,
        hold: Hold,
    ) -> Result<Self, ApiError> {
        let Some(name) = type_name else {
            return Ok(Self { collection: Collection { kind, type_id: None }, content_type: None });
        };
        let found = content_types::find_by_name(tx, name, hold).await?;
        let row = found.ok_or_else(|| ApiError::not_found("content type"))?;
        Ok(Self { collection: Collection { kind, type_id: Some(row.id) }, content_type: Some(row) })
    }

    /// Judges data, a flow or a scene.
    ///
    /// # Errors
    /// 422 that names each place that is wrong.
    pub(crate) async fn judge(&self, tx: &TenantTx, format: Option<&str>, body: &Value) -> Result<(), ApiError> {
        match self.collection.kind {
            DocumentKind::Entry => self.judge_entry(body),
            DocumentKind::Flow => {
                check_depth(body, Subject::Flow)?;
                Ok(check_flow(body, &types_of_nodes(tx, body).await?)?)
            }
            DocumentKind::Scene => {
                check_depth(body, Subject::Scene)?;
                let format = format.and_then(SceneFormat::parse);
                let format = format.ok_or_else(|| ApiError::new(Code::Internal, "a stored scene has no format"))?;
                let hosts = AllowedHosts::new(modules::find(tx).await?.scene_hosts);
                Ok(check_scene(body, format, &hosts)?)
            }
        }
    }

    /// Judges data by the schema of its type, and by the one that is to take its place.
    fn judge_entry(&self, data: &Value) -> Result<(), ApiError> {
        let Some(row) = &self.content_type else { return Ok(()) };
        let waiting = row.waiting_schema.as_ref().filter(|_| !row.is_forced);
        for schema in [Some(&row.schema), waiting].into_iter().flatten() {
            compiled(schema)?.check(data)?;
        }
        Ok(())
    }

    /// Returns the text that a slug is made of when none is given.
    pub(crate) fn slug_source<'v>(&self, body: &'v Value) -> Option<&'v str> {
        let field = self.content_type.as_ref()?.slug_field.as_deref()?;
        body.get(field)?.as_str()
    }

    /// Checks that a document may lie below another one of the set.
    ///
    /// # Errors
    /// 422 if there is no such one, or if it lies below the document itself.
    pub(crate) async fn parent(
        &self,
        tx: &TenantTx,
        own: Option<DocumentId>,
        parent: &str,
    ) -> Result<DocumentId, ApiError> {
        let refused = || ApiError::field("`parent_id` must be the id of another one, which does not lie below it");
        let parent = DocumentId::parse(self.collection.kind, parent).map_err(|_| refused())?;
        let mut above = Some(parent);
        for _ in 0..MOST_ABOVE {
            let Some(id) = above else { return Ok(parent) };
            let row = documents::find(tx, id).await?.filter(|row| row.collection() == self.collection);
            let row = row.filter(|row| Some(row.id) != own).ok_or_else(refused)?;
            above = row.position.parent_id;
        }
        Err(ApiError::field(format!("`parent_id`: there may be {MOST_ABOVE} levels at most")))
    }
}

/// Compiles a stored schema.
///
/// # Errors
/// 500: only one that compiles is stored.
fn compiled(schema: &str) -> Result<Schema, ApiError> {
    let schema = serde_json::from_str(schema).ok().and_then(|schema: Value| Schema::compile(&schema).ok());
    schema.ok_or_else(|| ApiError::new(Code::Internal, "a stored schema does not compile with this build"))
}

/// Returns the tenant's types of the nodes that a flow has.
async fn types_of_nodes(tx: &TenantTx, flow: &Value) -> Result<NodeTypes, ApiError> {
    let nodes = flow["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let used: HashSet<&str> = nodes.iter().filter_map(|node| node["type"].as_str()).collect();
    let mut types = NodeTypes::default();
    for row in node_types::hold(tx).await?.into_iter().filter(|row| used.contains(row.name.as_str())) {
        types.add(&row.name, compiled(&row.config_schema)?, row.is_acyclic);
    }
    Ok(types)
}

/// Returns the JSON that was sent, read.
///
/// # Errors
/// 422 if it is too deep.
pub(crate) fn value_of(raw: &RawValue) -> Result<Value, ApiError> {
    serde_json::from_str(raw.get()).map_err(|_| ApiError::field("the document may be 64 levels deep at most"))
}

/// Returns the owner's notes, which are a small object.
///
/// # Errors
/// 422 for anything else.
pub(crate) fn metadata(raw: Option<&RawValue>) -> Result<Option<String>, ApiError> {
    let Some(raw) = raw else { return Ok(None) };
    if raw.get().len() > METADATA_BYTES || !value_of(raw)?.is_object() {
        return Err(ApiError::field(format!("`metadata` must be an object of at most {METADATA_BYTES} bytes")));
    }
    Ok(Some(raw.get().to_owned()))
}

/// Returns where a document is to be: what is left out stays as it was.
///
/// # Errors
/// 422 for a slug or a locale that is none.
pub(crate) fn position(draft: &Draft, slug: String, before: Option<&Position>) -> Result<Position, ApiError> {
    if !is_slug(&slug) {
        return Err(ApiError::field("`slug` must have 1 to 96 characters of a-z, 0-9 and single hyphens within"));
    }
    let kept = before.map_or(DEFAULT_LOCALE, |before| &before.locale);
    let locale = draft.locale.as_deref().unwrap_or(kept).to_owned();
    if !is_locale(&locale) {
        return Err(ApiError::field("`locale` must be like en, pt-BR or zh-Hant"));
    }
    Ok(Position { slug, locale, parent_id: before.and_then(|before| before.parent_id) })
}
