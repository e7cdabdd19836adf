//! Pages by cursor.
//!
//! A cursor holds the sort key of the last row shown, so that rows which come or go meanwhile neither repeat nor hide
//! others. To callers it is opaque text.

use serde::{Serialize, de::DeserializeOwned};

use crate::{Result, StoreError};

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

    /// The key of the last row of the previous page: an id, or a tuple that ends in one.
    ///
    /// # Errors
    /// `Invalid` when `after` is not a cursor of this list.
    pub(crate) fn key<K: DeserializeOwned>(&self) -> Result<Option<K>> {
        let invalid = || StoreError::Invalid { field: "after", problem: "not a cursor of this list".to_owned() };
        let Some(after) = &self.after else { return Ok(None) };
        let json = hex::decode(after).map_err(|_| invalid())?;
        serde_json::from_slice(&json).map(Some).map_err(|_| invalid())
    }

    /// How many rows to read: one more than to show, which tells whether there is a next page.
    pub(crate) fn fetch(&self) -> u64 {
        self.size() + 1
    }

    fn size(&self) -> u64 {
        self.limit.clamp(1, Self::MAX)
    }

    /// The page of `rows`, of which [`Self::fetch`] were asked for; `key` gives a row's sort key.
    pub(crate) fn page<T, K: Serialize>(&self, mut rows: Vec<T>, key: impl Fn(&T) -> K) -> Page<T> {
        let size = usize::try_from(self.size()).unwrap_or(usize::MAX);
        let more = rows.len() > size;
        rows.truncate(size);
        let last = rows.last().filter(|_| more);
        // Sort keys are numbers, texts and ids, which always have a JSON form.
        let next = last.and_then(|row| serde_json::to_vec(&key(row)).ok()).map(hex::encode);
        Page { items: rows, next }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_gap() {
        let rows = |after: i64, fetch: u64| (after + 1..=5).take(usize::try_from(fetch).unwrap()).collect::<Vec<i64>>();
        let mut request = PageRequest { after: None, limit: 2 };
        let mut seen = Vec::new();
        loop {
            let after = request.key::<i64>().unwrap().unwrap_or(0);
            let page = request.page(rows(after, request.fetch()), |row| *row);
            seen.extend(page.items);
            request.after = page.next;
            if request.after.is_none() {
                break;
            }
        }
        assert_eq!(seen, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn limits_are_clamped() {
        assert_eq!(PageRequest { after: None, limit: 0 }.fetch(), 2);
        assert_eq!(PageRequest { after: None, limit: u64::MAX }.fetch(), PageRequest::MAX + 1);
    }

    #[test]
    fn a_foreign_cursor_is_refused() {
        for after in ["", "zz", "5b", "é", "00"] {
            let request = PageRequest { after: Some(after.to_owned()), limit: 1 };
            assert!(request.key::<uuid::Uuid>().is_err(), "{after:?}");
        }
    }
}
