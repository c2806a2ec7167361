//! A collection of publications as it is in memory: each publication ready to be sent, and what lists need of it.

use std::collections::HashMap;

use bytes::Bytes;
use http::HeaderValue;
use keyway_content::{Query, projected};
use keyway_domain::{DocumentAccess, DocumentKind, TenantId};
use keyway_store::{Page, Paged, documents::PublishedRow};
use quick_cache::{Weighter, sync::Cache};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    cursor::{Key, List},
    cursor::{hex_of, text_of},
    etag,
};

/// Lists of a collection that are expected to be kept ready, and their memory in bytes.
const LISTS: usize = 32;
const LISTS_BYTES: u64 = 512 << 10;
/// Largest list that is kept ready, in bytes.
const MOST_LIST_BYTES: usize = 64 << 10;
/// Memory of a value in relation to its text.
const VALUE_FACTOR: u64 = 5;
/// Bytes of a list's items, above which it ends with fewer of them.
pub(crate) const PAGE_BYTES: usize = 4 << 20;

/// The publications of one collection.
pub(crate) struct Shelf {
    tenant_id: TenantId,
    items: Vec<Item>,
    by_slug: HashMap<String, Vec<usize>>,
    lists: Cache<String, Leaf, ByBytes>,
    bytes: u64,
}

struct Item {
    id: Uuid,
    locale: String,
    parent_id: Option<String>,
    /// What lists show and compare.
    entry: Value,
    text_bytes: usize,
    leaf: Leaf,
}

/// Something to send as it is.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) body: Bytes,
    pub(crate) etag: HeaderValue,
    pub(crate) content_type: &'static str,
    /// `true` if anybody may read it; else those who may read content in the tenant.
    pub(crate) is_open: bool,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<String, Leaf> for ByBytes {
    fn weight(&self, key: &String, leaf: &Leaf) -> u64 {
        (key.len() + leaf.body.len()) as u64 + 128
    }
}

/// A list that is asked for.
pub(crate) struct Wanted<'a> {
    pub(crate) query: &'a Query,
    pub(crate) locales: &'a [String],
    pub(crate) parent: Option<&'a str>,
    pub(crate) page: Page<PublishedKey>,
    /// `true` if what only members read belongs to it.
    pub(crate) is_member: bool,
}

/// Place of a publication in an ordered list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PublishedKey {
    value: Value,
    id: Uuid,
}

impl Key for PublishedKey {
    fn write(&self) -> String {
        format!("{}{}", self.id.simple(), hex_of(&self.value.to_string()))
    }

    fn read(text: &str) -> Option<Self> {
        let (id, value) = text.split_at_checked(32)?;
        Some(Self { id: Uuid::try_parse(id).ok()?, value: serde_json::from_str(&text_of(value)?).ok()? })
    }
}

impl Shelf {
    /// Puts the publications of a collection in memory, but for those that nobody reads here.
    pub(crate) fn new(tenant_id: TenantId, name: &str, access: DocumentAccess, rows: Vec<PublishedRow>) -> Self {
        let mut shelf = Self {
            tenant_id,
            items: Vec::new(),
            by_slug: HashMap::new(),
            lists: Cache::with_weighter(LISTS, LISTS_BYTES, ByBytes),
            bytes: LISTS_BYTES,
        };
        for row in rows {
            let access = row.content.access.unwrap_or(access);
            if access == DocumentAccess::Private {
                continue;
            }
            let item = item(name, &row, access == DocumentAccess::Public);
            shelf.bytes += item.leaf.body.len() as u64 + VALUE_FACTOR * item.text_bytes as u64;
            shelf.by_slug.entry(row.position.slug).or_default().push(shelf.items.len());
            shelf.items.push(item);
        }
        shelf
    }

    /// Returns the tenant that has published it.
    pub(crate) const fn tenant_id(&self) -> TenantId {
        self.tenant_id
    }

    /// Returns the memory that it takes, about.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns `true` if some of it is for members alone.
    pub(crate) fn has_closed(&self) -> bool {
        self.items.iter().any(|item| !item.leaf.is_open)
    }

    /// Returns the publication with this slug in the first of these locales that it has, else in the one it had first.
    pub(crate) fn find(&self, slug: &str, locales: &[String]) -> Option<&Leaf> {
        let places = self.by_slug.get(slug)?;
        self.best(places, locales).map(|item| &item.leaf)
    }

    /// Returns a list that is ready.
    pub(crate) fn ready(&self, key: &str) -> Option<Leaf> {
        self.lists.get(key)
    }

    /// Makes a list, and keeps it ready under `key` if it is not large.
    pub(crate) fn list(&self, key: Option<String>, wanted: &Wanted<'_>) -> Leaf {
        let order = &wanted.query.order;
        let mut found: Vec<(Value, &Item)> = self
            .by_slug
            .values()
            .filter_map(|places| self.best(places, wanted.locales))
            .filter(|item| item.leaf.is_open || wanted.is_member)
            .filter(|item| wanted.parent.is_none_or(|parent| item.parent_id.as_deref() == Some(parent)))
            .filter(|item| wanted.query.holds(&item.entry))
            .map(|item| (order.key(&item.entry), item))
            .collect();
        let compare = |one: (&Value, Uuid), other: (&Value, Uuid)| {
            let [first, second] = [one.1, other.1].map(|id| id.simple().to_string());
            order.compare((one.0, &first), (other.0, &second))
        };
        if let Some(after) = &wanted.page.after {
            found.retain(|(value, item)| compare((value, item.id), (&after.value, after.id)).is_gt());
        }
        found.sort_by(|one, other| compare((&one.0, one.1.id), (&other.0, other.1.id)));
        let (mut items, mut bytes) = (Vec::new(), 0);
        let total = found.len();
        for (value, item) in found {
            bytes += item.text_bytes;
            if !items.is_empty() && (items.len() as u64 >= wanted.page.limit || bytes > PAGE_BYTES) {
                break;
            }
            items.push((value, item));
        }
        let is_open = items.iter().all(|(_, item)| item.leaf.is_open) && !wanted.is_member;
        let page = Paged { more: items.len() < total, items };
        let place = |(value, item): &(Value, &Item)| PublishedKey { value: value.clone(), id: item.id };
        let list = List::of(page, place, |(_, item)| projected(&item.entry, &wanted.query.fields));
        let leaf = Leaf::of(serde_json::to_vec(&list).unwrap_or_default().into(), "application/json", is_open);
        if let Some(key) = key.filter(|_| is_open && leaf.body.len() <= MOST_LIST_BYTES) {
            self.lists.insert(key, leaf.clone());
        }
        leaf
    }

    fn best(&self, places: &[usize], locales: &[String]) -> Option<&Item> {
        let of = |locale: &String| places.iter().find(|at| self.items[**at].locale.eq_ignore_ascii_case(locale));
        locales.iter().find_map(of).or_else(|| places.first()).map(|at| &self.items[*at])
    }
}

impl Leaf {
    fn of(body: Bytes, content_type: &'static str, is_open: bool) -> Self {
        let etag = etag::of_answer(None, &body);
        Self { body, etag, content_type, is_open }
    }
}

fn item(name: &str, row: &PublishedRow, is_open: bool) -> Item {
    let mut entry = json!({
        "id": row.id,
        "slug": row.position.slug,
        "title": row.content.title,
        "locale": row.position.locale,
        "author": row.content.author,
        "parent_id": row.position.parent_id,
        "version": row.version,
        "published_at": row.published_at,
        "updated_at": row.updated_at,
    });
    let is_entry = row.id.kind() == DocumentKind::Entry;
    let stored = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    entry["metadata"] = stored(&row.content.metadata);
    if is_entry {
        entry["type"] = json!(name);
        entry["data"] = stored(&row.content.body);
    }
    let text_bytes = row.content.metadata.len() + if is_entry { row.content.body.len() } else { 0 } + 256;
    let leaf = if is_entry {
        Leaf::of(serde_json::to_vec(&entry).unwrap_or_default().into(), "application/json", is_open)
    } else {
        let content_type = if row.format.as_deref() == Some("gltf") { "model/gltf+json" } else { "application/json" };
        Leaf::of(row.content.body.clone().into(), content_type, is_open)
    };
    let parent_id = row.position.parent_id.map(|id| id.to_string());
    Item { id: row.id.uuid(), locale: row.position.locale.clone(), parent_id, entry, text_bytes, leaf }
}

#[cfg(test)]
impl Shelf {
    /// Returns an empty one that takes this much memory.
    pub(super) fn weighing(tenant_id: TenantId, bytes: u64) -> Self {
        Self { bytes, ..Self::new(tenant_id, "x", DocumentAccess::Public, Vec::new()) }
    }
}
