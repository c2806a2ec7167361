//! Lists that can be searched by name and sorted: the place at which a page begins, for each order.
//!
//! The id orders items that are otherwise equal, so pages follow each other without gap or repeat. An item that changes
//! its place while a client pages through may be seen twice or not at all.

use uuid::Uuid;

use crate::{
    Page,
    sql::{Sql, limit},
};

/// Field that a list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// Time of creation, which an item's id holds.
    #[default]
    CreatedAt,
    /// Time of the last change.
    UpdatedAt,
    /// Time of the last use; an item that was never used counts as used at time 0.
    LastUsedAt,
    /// Name, ignoring case.
    Name,
    /// The name of its provider.
    Provider,
    /// Its status.
    Status,
}

/// Order of a list: newest first by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// Sort field.
    pub by: SortBy,
    /// `true` for the largest value first.
    pub descending: bool,
}

/// Place of an item in a sorted list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Sort field of the list.
    pub by: SortBy,
    /// The item's value of the sort field.
    pub value: PlaceValue,
    /// The item's id.
    pub id: Uuid,
}

/// An item's value of the sort field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlaceValue {
    /// The id alone.
    Id,
    /// A number; times are in milliseconds.
    Number(i64),
    /// A text.
    Text(String),
}

impl Default for Sort {
    fn default() -> Self {
        Self { by: SortBy::CreatedAt, descending: true }
    }
}

impl SortBy {
    const fn expression(self) -> Option<&'static str> {
        match self {
            Self::CreatedAt => None,
            Self::UpdatedAt => Some("updated_at_ms"),
            Self::LastUsedAt => Some("COALESCE(last_used_at_ms, 0)"),
            Self::Name => Some("lower(name)"),
            Self::Provider => Some("provider"),
            Self::Status => Some("status"),
        }
    }
}

impl Place {
    /// Returns the place of an item in the usual order.
    #[must_use]
    pub const fn of_id(id: Uuid) -> Self {
        Self { by: SortBy::CreatedAt, value: PlaceValue::Id, id }
    }
}

/// Narrows a statement to rows whose name contains the text, ignoring case.
pub(crate) fn search(sql: &mut Sql, text: Option<&str>) {
    if let Some(text) = text {
        let mut pattern = String::from("%");
        for sign in text.chars() {
            if matches!(sign, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(sign);
        }
        pattern.push('%');
        sql.push(" AND lower(name) LIKE lower(").bind(pattern).push(") ESCAPE '\\'");
    }
}

/// Completes a statement with the page's start, order and size.
pub(crate) fn page(sql: &mut Sql, sort: Sort, page: &Page<Place>) {
    let expression = sort.by.expression();
    if let Some(after) = page.after.as_ref().filter(|after| after.by == sort.by) {
        let before = if sort.descending { " < " } else { " > " };
        match (expression, &after.value) {
            (Some(expression), PlaceValue::Text(text)) => {
                sql.push(" AND (").push(expression).push(", id)").push(before).push("(");
                // The same function of both sides: what it makes of a letter is the database's business.
                let folds = sort.by == SortBy::Name;
                sql.push(if folds { "lower(" } else { "" }).bind(text.as_str()).push(if folds { ")" } else { "" });
                sql.push(", ").bind(after.id).push(")");
            }
            (Some(expression), PlaceValue::Number(number)) => {
                sql.push(" AND (").push(expression).push(", id)").push(before).push("(");
                sql.bind(*number).push(", ").bind(after.id).push(")");
            }
            (Some(_) | None, _) => {
                sql.push(" AND id").push(before).bind(after.id);
            }
        }
    }
    let direction = if sort.descending { " DESC" } else { "" };
    sql.push(" ORDER BY ");
    if let Some(expression) = expression {
        sql.push(expression).push(direction).push(", ");
    }
    sql.push("id").push(direction).push(" LIMIT ").bind(limit(page.probe()));
}
