//! Lists that can be searched by name and sorted: where a page begins, in whatever order the list is.
//!
//! The id decides between items that are otherwise equal, so pages follow each other without gap or repeat. What
//! changes its place while somebody pages through may be seen twice or not at all, as in every such list.

use uuid::Uuid;

use crate::{Page, page::beyond, sql::Sql};

/// What a list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// When an item was made, which its id tells.
    #[default]
    CreatedAt,
    /// When it was last changed.
    UpdatedAt,
    /// When it was last used; what never was counts as used long ago.
    LastUsedAt,
    /// Its name, without regard to case.
    Name,
    /// The name of its provider.
    Provider,
    /// Its status.
    Status,
}

/// How a list is sorted: newest first, where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub by: SortBy,
    /// Whether the largest comes first.
    pub descending: bool,
}

/// Where an item stands in a sorted list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What the list is sorted by.
    pub by: SortBy,
    /// What the item has there.
    pub value: PlaceValue,
    /// The item's id.
    pub id: Uuid,
}

/// What an item has of what its list is sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlaceValue {
    /// Nothing beside its id.
    Id,
    /// A number: a time in milliseconds.
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
    /// The place of an item in the usual order.
    #[must_use]
    pub const fn of_id(id: Uuid) -> Self {
        Self { by: SortBy::CreatedAt, value: PlaceValue::Id, id }
    }
}

/// Keeps what has the text in its name, whatever the case of its letters.
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

/// The rest of a statement: from where on, in which order, and how many.
pub(crate) fn page(sql: &mut Sql, sort: Sort, page: &Page<Place>) {
    let expression = sort.by.expression();
    let columns: Vec<&str> = expression.into_iter().chain(["id"]).collect();
    if let Some(after) = page.after.as_ref().filter(|after| after.by == sort.by) {
        match (expression, &after.value) {
            (Some(_), PlaceValue::Text(text)) => {
                beyond(sql, &columns, sort.descending);
                // The same function of both sides: what it makes of a letter is the database's business.
                let folds = sort.by == SortBy::Name;
                sql.push(if folds { "lower(" } else { "" }).bind(text.as_str()).push(if folds { ")" } else { "" });
                sql.push(", ").bind(after.id).push(")");
            }
            (Some(_), PlaceValue::Number(number)) => {
                beyond(sql, &columns, sort.descending);
                sql.bind(*number).push(", ").bind(after.id).push(")");
            }
            (Some(_) | None, _) => {
                beyond(sql, &["id"], sort.descending);
                sql.bind(after.id).push(")");
            }
        }
    }
    page.in_order(sql, &columns, sort.descending);
}
