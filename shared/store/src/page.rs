//! Pages by cursor.

use serde::Serialize;

/// Which page: rows after `after` (opaque; from the previous page's `next`), at most `limit` of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// The previous page's `next`, or `None` for the first page.
    pub after: Option<String>,
    /// How many rows at most; clamped to `1..=`[`PageRequest::MAX`].
    pub limit: u64,
}

impl PageRequest {
    /// The most rows on one page.
    pub const MAX: u64 = 500;
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { after: None, limit: 50 }
    }
}

/// One page of rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The cursor of the next page; `None` when this is the last one.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The same page with every row changed by `f`.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}
