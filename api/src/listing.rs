//! The query parameters `scope`, `search` and `sort`, which several lists share, and the cursor of a sorted list.

use keyway_store::{Page, Place, PlaceValue, Sort, SortBy};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    cursor::{self, Key, hex_of, text_of},
    error::ApiError,
};

const MAX_SEARCH_CHARS: usize = 100;

/// The query parameter `scope`: whose rows a list shows.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ListScope {
    /// The tenant's.
    #[default]
    Tenant,
    /// Those of every tenant and of none, for the operator.
    Installation,
}

/// Sort fields of a list, by their names in the API.
pub(crate) type Fields = &'static [(&'static str, SortBy)];

/// Returns the searched text, if it is valid.
///
/// # Errors
/// 400 for an invalid text.
pub(crate) fn search(text: Option<String>) -> Result<Option<String>, ApiError> {
    match text {
        Some(text) if text.is_empty() || text.chars().count() > MAX_SEARCH_CHARS => {
            Err(ApiError::parameter(format!("`search` must have 1 to {MAX_SEARCH_CHARS} characters")))
        }
        text => Ok(text),
    }
}

/// Returns the order: a field's name, with a leading `-` for the largest first; newest first if left out.
///
/// # Errors
/// 400, naming the valid fields.
pub(crate) fn sort(text: Option<&str>, fields: Fields) -> Result<Sort, ApiError> {
    let Some(text) = text else { return Ok(Sort::default()) };
    let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
    match fields.iter().find(|(field, _)| *field == name) {
        Some((_, by)) => Ok(Sort { by: *by, descending }),
        None => {
            let names = fields.iter().map(|(field, _)| *field).collect::<Vec<_>>().join(", ");
            Err(ApiError::parameter(format!("`sort` must be one of {names}, with - in front for the reverse order")))
        }
    }
}

/// Returns the page for `limit` and `cursor`, in an order.
///
/// # Errors
/// 400 if one of them is invalid, or the cursor is of another order.
pub(crate) fn page(limit: Option<u64>, cursor: Option<&str>, sort: Sort) -> Result<Page<Place>, ApiError> {
    let page: Page<Place> = cursor::page(limit, cursor)?;
    match &page.after {
        Some(place) if place.by != sort.by => {
            Err(ApiError::parameter("`cursor` is of a list that is sorted otherwise; begin again without it"))
        }
        _ => Ok(page),
    }
}

/// Letters that stand for the sort fields in a cursor.
const SIGNS: [(char, SortBy); 5] = [
    ('u', SortBy::UpdatedAt),
    ('l', SortBy::LastUsedAt),
    ('n', SortBy::Name),
    ('p', SortBy::Provider),
    ('s', SortBy::Status),
];

impl Key for Place {
    fn write(&self) -> String {
        let id = self.id.simple();
        let Some((sign, _)) = SIGNS.iter().find(|(_, by)| *by == self.by) else { return id.to_string() };
        match &self.value {
            PlaceValue::Id => id.to_string(),
            PlaceValue::Number(number) => format!("{id}{sign}{number}"),
            PlaceValue::Text(text) => format!("{id}{sign}{}", hex_of(text)),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let (id, rest) = text.split_at_checked(32)?;
        let id = Uuid::try_parse(id).ok()?;
        let Some(sign) = rest.chars().next() else { return Some(Self::of_id(id)) };
        let (_, by) = *SIGNS.iter().find(|(known, _)| *known == sign)?;
        let value = match by {
            SortBy::UpdatedAt | SortBy::LastUsedAt => PlaceValue::Number(rest.get(1..)?.parse().ok()?),
            // PostgreSQL takes no NUL, and no name has one.
            _ => PlaceValue::Text(text_of(rest.get(1..)?).filter(|text| !text.contains(char::is_control))?),
        };
        Some(Self { by, value, id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_and_anything_else_is_refused() {
        let id = Uuid::now_v7();
        for (by, value) in [
            (SortBy::CreatedAt, PlaceValue::Id),
            (SortBy::Name, PlaceValue::Text("Grün & Co. 100%".to_owned())),
            (SortBy::Name, PlaceValue::Text(String::new())),
            (SortBy::Status, PlaceValue::Text("connected".to_owned())),
            (SortBy::LastUsedAt, PlaceValue::Number(-5)),
        ] {
            let place = Place { by, value, id };
            assert_eq!(Place::read(&place.write()), Some(place));
        }
        let id = id.simple();
        for bad in [
            "",
            "x",
            &format!("{id}x00"),
            &format!("{id}n0"),
            &format!("{id}nff"),
            &format!("{id}n00"),
            &format!("{id}u"),
        ] {
            assert_eq!(Place::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_order_is_one_of_the_lists_own() {
        let fields: Fields = &[("name", SortBy::Name), ("created_at", SortBy::CreatedAt)];
        assert_eq!(sort(None, fields).unwrap(), Sort::default());
        assert_eq!(sort(Some("-name"), fields).unwrap(), Sort { by: SortBy::Name, descending: true });
        assert!(!sort(Some("created_at"), fields).unwrap().descending);
        for bad in ["", "-", "status", "--name", "Name", "name,-created_at"] {
            assert!(sort(Some(bad), fields).is_err(), "{bad}");
        }
        for bad in ["", &"x".repeat(101)] {
            assert!(search(Some(bad.to_owned())).is_err(), "{bad}");
        }
    }
}
