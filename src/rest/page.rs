//! Lists in pages.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::domain::ChatError;
use crate::store::{Page, PageAsk};

const LIMIT_MAX: u32 = 100;
const LIMIT_DEFAULT: u32 = 50;

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// How many items, 1-100
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<u32>,
    /// `nextCursor` of the page before
    cursor: Option<String>,
}

impl ListQuery {
    /// The page that is asked for.
    ///
    /// # Errors
    /// `invalid` when the limit is out of its bounds.
    pub fn page(self) -> Result<PageAsk, ChatError> {
        Ok(PageAsk { cursor: self.cursor, limit: limit(self.limit)? })
    }
}

/// The asked limit, or the usual one.
///
/// # Errors
/// `invalid` when it is not 1–100.
pub fn limit(asked: Option<u32>) -> Result<u32, ChatError> {
    match asked.unwrap_or(LIMIT_DEFAULT) {
        limit @ 1..=LIMIT_MAX => Ok(limit),
        _ => Err(ChatError::invalid("limit is 1-100")),
    }
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct List<T> {
    /// What was found
    pub items: Vec<T>,
    /// Where the next page starts; null at the end
    pub next_cursor: Option<String>,
}

impl<T> From<Page<T>> for List<T> {
    fn from(page: Page<T>) -> Self {
        Self { items: page.items, next_cursor: page.next_cursor }
    }
}
