//! Lists and their pages.

use serde::{Deserialize, Serialize};
use shopfloor_store::{Page, PageRequest};
use utoipa::ToSchema;

use crate::error::{ApiError, Result};

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PageOut<T> {
    /// The rows.
    pub(crate) items: Vec<T>,
    /// The `after` of the next page; `null` when this is the last one.
    pub(crate) next: Option<String>,
}

/// A list that is always whole.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListOut<T> {
    /// The rows.
    pub(crate) items: Vec<T>,
    /// Always `null`.
    pub(crate) next: Option<String>,
}

impl<T> PageOut<T> {
    pub(crate) fn of<R: Into<T>>(page: Page<R>) -> Self {
        Self { items: page.items.into_iter().map(Into::into).collect(), next: page.next }
    }
}

impl<T> ListOut<T> {
    pub(crate) fn of<R: Into<T>>(items: Vec<R>) -> Self {
        Self { items: items.into_iter().map(Into::into).collect(), next: None }
    }
}

/// Only a page: no filters.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// The `next` of the page before.
    #[serde(default)]
    after: Option<String>,
    /// Rows on the page, 1 to 500; 50 when absent.
    #[serde(default, deserialize_with = "crate::extract::number")]
    limit: Option<u64>,
}

impl PageQuery {
    pub(crate) fn page(&self) -> Result<PageRequest> {
        page(self.after.clone(), self.limit)
    }
}

/// A page request from its two parameters.
pub(crate) fn page(after: Option<String>, limit: Option<u64>) -> Result<PageRequest> {
    let limit = limit.unwrap_or(50);
    if (1..=PageRequest::MAX).contains(&limit) {
        return Ok(PageRequest { after, limit });
    }
    let detail = format!("query parameter `limit`: use 1 to {}", PageRequest::MAX);
    Err(ApiError::bad_request("invalid_query", detail).field("limit"))
}
