//! Keyset paging: a request for a page names the last key of the page before it.

use sea_orm::Value;

use crate::sql::{Sql, limit};

/// Part of a list to read, newest first.
#[derive(Clone, Copy, Debug)]
pub struct Page<K> {
    /// The key of the last item of the page before; `None` for the first page.
    pub after: Option<K>,
    /// Largest number of items to return; capped at [`Page::MAX`].
    pub limit: u64,
}

impl<K> Page<K> {
    /// Largest page.
    pub const MAX: u64 = 1000;

    /// Returns the first page.
    #[must_use]
    pub const fn first(limit: u64) -> Self {
        Self { after: None, limit }
    }

    pub(crate) fn size(&self) -> u64 {
        self.limit.clamp(1, Self::MAX)
    }

    /// The rest of a statement: from where on, newest first by these columns, and how many. `key` gives what the last
    /// item of the page before has in each of them.
    pub(crate) fn newest_first<const N: usize>(
        &self,
        sql: &mut Sql,
        columns: [&str; N],
        key: impl FnOnce(&K) -> [Value; N],
    ) {
        if let Some(after) = &self.after {
            beyond(sql, &columns, true);
            sql.list(key(after)).push(")");
        }
        self.in_order(sql, &columns, true);
    }

    /// The end of a statement: in the order of these columns, one item more than the page holds, so that the caller
    /// learns whether another page follows.
    pub(crate) fn in_order(&self, sql: &mut Sql, columns: &[&str], descending: bool) {
        let direction = if descending { " DESC" } else { "" };
        let columns: Vec<_> = columns.iter().map(|column| format!("{column}{direction}")).collect();
        sql.push(" ORDER BY ").push(&columns.join(", ")).push(" LIMIT ").bind(limit(self.size() + 1));
    }
}

/// Begins the condition on what comes after an item in the order of these columns: its values follow, and a parenthesis.
pub(crate) fn beyond(sql: &mut Sql, columns: &[&str], descending: bool) {
    let comparison = if descending { " < (" } else { " > (" };
    sql.push(" AND (").push(&columns.join(", ")).push(")").push(comparison);
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Paged<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// `true` if another page follows; its cursor is the key of the last item.
    pub more: bool,
}

impl<T> Paged<T> {
    pub(crate) fn of<K>(page: &Page<K>, mut items: Vec<T>) -> Self {
        let size = usize::try_from(page.size()).unwrap_or(usize::MAX);
        let more = items.len() > size;
        items.truncate(size);
        Self { items, more }
    }
}
