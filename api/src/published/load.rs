//! Loads a collection of publications from the database.

use keyway_domain::{DocumentAccess, DocumentKind};
use keyway_store::{
    Store, StoreError,
    content_types::{self, Hold},
    documents::{self, Collection},
    modules, tenants,
};

use super::shelf::Shelf;

/// Names in the place of a content type that stand for something else; no content type has one of them.
pub(crate) const RESERVED: [(&str, DocumentKind); 2] = [("flows", DocumentKind::Flow), ("scenes", DocumentKind::Scene)];

/// Loads a collection; `None`: there is no such tenant or collection, or its module is switched off.
pub(super) async fn load(store: &Store, place: &str) -> Result<Option<Shelf>, StoreError> {
    let Some((tenant, name)) = place.split_once('/') else { return Ok(None) };
    let Some(tenant) = decoded(tenant) else { return Ok(None) };
    let Some(tenant) = tenants::find_by_name(&store.system_read().await?, &tenant).await? else { return Ok(None) };
    let tx = store.tenant_read(tenant.id).await?;
    let reserved = RESERVED.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
    let kind = reserved.unwrap_or(DocumentKind::Entry);
    if !modules::find(&tx).await?.has(kind.module()) {
        return Ok(None);
    }
    let (type_id, access) = match reserved {
        Some(_) => (None, DocumentAccess::Public),
        None => match content_types::find_by_name(&tx, name, Hold::Nothing).await? {
            Some(row) => (Some(row.id), row.access),
            None => return Ok(None),
        },
    };
    let rows = documents::published(&tx, Collection { kind, type_id }).await?;
    Ok(Some(Shelf::new(tenant.id, name, access, rows)))
}

/// Decodes what a path has for a tenant's name; `None`: no tenant has such a name.
fn decoded(text: &str) -> Option<String> {
    let pair = format!("x={}", text.replace('+', "%2B"));
    let (_, name) = url::form_urlencoded::parse(pair.as_bytes()).next()?;
    (!name.chars().any(char::is_control)).then(|| name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_s_name_is_read_as_paths_write_it() {
        for (text, expected) in
            [("default", Some("default")), ("a%20b", Some("a b")), ("a+b", Some("a+b")), ("%00", None)]
        {
            assert_eq!(decoded(text).as_deref(), expected, "{text}");
        }
    }
}
