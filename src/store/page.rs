//! Cursors of lists: a number and an id, which together say where a page ended.

use uuid::Uuid;

use super::{Page, PageAsk, StoreError};

const LIMIT_MAX: u32 = 100;

/// How many rows to ask for: one more than wanted tells whether there is another page.
pub(super) fn rows_wanted(ask: &PageAsk) -> i64 {
    i64::from(ask.limit.clamp(1, LIMIT_MAX)) + 1
}

/// Where the last page ended: `number.id`.
///
/// # Errors
/// [`StoreError::Refused`]: not a cursor of such a list.
pub(super) fn place(ask: &PageAsk) -> Result<Option<(i64, String)>, StoreError> {
    let Some(cursor) = &ask.cursor else { return Ok(None) };
    let parsed = cursor.split_once('.').and_then(|(number, id)| Some((number.parse().ok()?, id.to_owned())));
    parsed
        .filter(|(_, id)| !id.contains('\0'))
        .map(Some)
        .ok_or_else(|| StoreError::Refused("cursor is not valid".into()))
}

/// As [`place`], where the id is a UUID.
///
/// # Errors
/// [`StoreError::Refused`]: not a cursor of such a list.
pub(super) fn uuid_place(ask: &PageAsk) -> Result<Option<(i64, Uuid)>, StoreError> {
    let Some((number, id)) = place(ask)? else { return Ok(None) };
    let id = Uuid::try_parse(&id).map_err(|_| StoreError::Refused("cursor is not valid".into()))?;
    Ok(Some((number, id)))
}

/// The page, of items that come with the place of each; there is another one if more came than were wanted.
pub(super) fn page<T>(ask: &PageAsk, mut items: Vec<(String, T)>) -> Page<T> {
    let limit = usize::try_from(rows_wanted(ask) - 1).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| more).map(|(place, _)| place.clone());
    Page { items: items.into_iter().map(|(_, item)| item).collect(), next_cursor }
}
