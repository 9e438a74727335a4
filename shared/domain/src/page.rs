//! Lists in pages: how many rows, and where the page before ended.

use core::{fmt, str::FromStr};

use crate::{id::ReservationId, time::Timestamp};

/// The most rows of a page.
pub const MAX_LIMIT: u32 = 100;

/// The rows of a page when nobody says how many.
pub const DEFAULT_LIMIT: u32 = 20;

/// `limit` is not 1 to [`MAX_LIMIT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("limit must be 1 to {MAX_LIMIT}")]
pub struct LimitOutOfRange;

/// How many rows are asked for.
///
/// # Errors
/// [`LimitOutOfRange`].
pub fn limit(asked: Option<u32>) -> Result<u32, LimitOutOfRange> {
    let limit = asked.unwrap_or(DEFAULT_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) { Ok(limit) } else { Err(LimitOutOfRange) }
}

/// A page of rows of which one more was asked for than fits, and the cursor of the next page: that of the page's last row,
/// where there is more.
pub fn cut<R>(
    rows: impl IntoIterator<Item = R>,
    limit: u32,
    cursor: impl FnOnce(&R) -> String,
) -> (Vec<R>, Option<String>) {
    let mut rows = rows.into_iter();
    let page: Vec<R> = rows.by_ref().take(limit as usize).collect();
    let next = if rows.next().is_some() { page.last().map(cursor) } else { None };
    (page, next)
}

/// A text that is no `next_cursor` of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cursor is not the next_cursor of a page")]
pub struct InvalidCursor;

/// Where a page of the usage log ended: the row's instant and its reservation, `<milliseconds>.<id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageCursor {
    /// The row's instant.
    pub at: Timestamp,
    /// The row's reservation.
    pub reservation: ReservationId,
}

/// Later than any row.
const LATEST_MS: i64 = 9_000_000_000_000_000;

impl fmt::Display for UsageCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at.as_millis(), self.reservation)
    }
}

impl FromStr for UsageCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (at, reservation) = text.split_once('.').ok_or(InvalidCursor)?;
        let millis = at.parse().ok().filter(|at| (0..=LATEST_MS).contains(at)).ok_or(InvalidCursor)?;
        let cursor =
            Self { at: Timestamp::from_millis(millis), reservation: reservation.parse().map_err(|_| InvalidCursor)? };
        one_spelling(cursor, text)
    }
}

/// Where a page of a numbered list ended: the row's number, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberCursor(pub u32);

impl fmt::Display for NumberCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for NumberCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let number = text.parse().ok().filter(|number| *number > 0).ok_or(InvalidCursor)?;
        one_spelling(Self(number), text)
    }
}

/// A cursor is taken as it was given out, and in no other spelling.
fn one_spelling<T: fmt::Display>(cursor: T, text: &str) -> Result<T, InvalidCursor> {
    if cursor.to_string() == text { Ok(cursor) } else { Err(InvalidCursor) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_next_one_when_there_is_more() {
        let page = |rows: u32| cut(1..=rows, 3, u32::to_string);
        assert_eq!(page(0), (vec![], None));
        assert_eq!(page(3), (vec![1, 2, 3], None));
        assert_eq!(page(4), (vec![1, 2, 3], Some("3".to_owned())));
    }

    #[test]
    fn a_page_has_1_to_100_rows() {
        assert_eq!(limit(None), Ok(20));
        assert_eq!((limit(Some(1)), limit(Some(100))), (Ok(1), Ok(100)));
        assert_eq!((limit(Some(0)), limit(Some(101))), (Err(LimitOutOfRange), Err(LimitOutOfRange)));
    }

    #[test]
    fn only_our_own_cursors_are_taken() {
        let id = "res_018bcfe5-6800-7707-8707-070707070707";
        let cursor: UsageCursor = format!("12.{id}").parse().unwrap();
        assert_eq!((cursor.at.as_millis(), cursor.reservation.to_string().as_str()), (12, id));
        for text in [
            "",
            "12",
            "12.",
            "-1.x",
            &format!("-1.{id}"),
            &format!("+1.{id}"),
            &format!("012.{id}"),
            &format!("12.{}", id.to_uppercase()),
            &format!("99999999999999999999.{id}"),
            "1.' OR 1=1",
        ] {
            assert_eq!(text.parse::<UsageCursor>(), Err(InvalidCursor), "{text}");
        }
        assert_eq!("12".parse(), Ok(NumberCursor(12)));
        for text in ["", "0", "-1", "012", "+1", "1.0", "99999999999999999999", "1' OR 1=1"] {
            assert_eq!(text.parse::<NumberCursor>(), Err(InvalidCursor), "{text}");
        }
    }
}
