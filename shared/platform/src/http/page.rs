//! `limit` and `cursor` in query parameters.

use core::str::FromStr;

use serde::Deserialize;
use tollgate_api::{Code, Problem};
use tollgate_domain::page;
pub use tollgate_domain::page::cut;

/// How to page a list that takes nothing else.
#[derive(Debug, Default, Deserialize)]
pub struct Page {
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    cursor: Option<String>,
}

impl Page {
    /// How many rows.
    ///
    /// # Errors
    /// As [`limit`].
    pub fn limit(&self) -> Result<u32, Problem> {
        limit(self.limit)
    }

    /// What the page before ended with.
    ///
    /// # Errors
    /// As [`cursor`].
    pub fn after<T: FromStr>(&self) -> Result<Option<T>, Problem> {
        cursor(self.cursor.as_deref())
    }
}

/// How many rows.
///
/// # Errors
/// 400 when it is out of range.
pub fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    page::limit(asked).map_err(|error| Problem::new(Code::BadRequest, format!("{error}.")))
}

/// Where the page before ended.
///
/// # Errors
/// 400 when it is no cursor of this list.
pub fn cursor<T: FromStr>(text: Option<&str>) -> Result<Option<T>, Problem> {
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|_| Problem::new(Code::BadRequest, format!("{}.", page::InvalidCursor)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_domain::id::UserId;

    #[test]
    fn limits_and_cursors_are_checked() {
        let page = |limit, cursor: Option<&str>| Page { limit, cursor: cursor.map(str::to_owned) };
        assert_eq!(Page::default().limit(), Ok(20));
        let refused = page(Some(0), None).limit().unwrap_err();
        assert_eq!((refused.status, refused.detail.as_str()), (400, "limit must be 1 to 100."));
        assert_eq!(page(None, None).after::<UserId>(), Ok(None));
        let refused = page(None, Some("x")).after::<UserId>().unwrap_err();
        assert_eq!((refused.status, refused.detail.as_str()), (400, "cursor is not the next_cursor of a page."));
    }
}
