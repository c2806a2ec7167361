//! Keyset paging: a request for a page names the last key of the page before it.

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

    /// Returns one more than the page's size, to learn whether another page follows.
    pub(crate) fn probe(&self) -> u64 {
        self.size() + 1
    }
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
