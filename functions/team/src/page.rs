//! `limit` and `cursor` of lists in the order of ids.

use core::str::FromStr;

use serde::Deserialize;
use tollgate_platform::{Code, Problem};

/// The most rows of a page.
const MAX_LIMIT: u32 = 100;

/// How to page.
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
    /// 400 when it is not 1 to 100.
    pub fn limit(&self) -> Result<u32, Problem> {
        let limit = self.limit.unwrap_or(20);
        if (1..=MAX_LIMIT).contains(&limit) {
            Ok(limit)
        } else {
            Err(Problem::new(Code::BadRequest, format!("limit must be 1 to {MAX_LIMIT}.")))
        }
    }

    /// The id that the page before ended with.
    ///
    /// # Errors
    /// 400 when it is none.
    pub fn after<T: FromStr>(&self) -> Result<Option<T>, Problem> {
        let parsed = self.cursor.as_deref().map(str::parse).transpose();
        parsed.map_err(|_| Problem::new(Code::BadRequest, "cursor is not the next_cursor of a page."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_domain::id::UserId;

    #[test]
    fn limits_and_cursors_are_checked() {
        let page = |limit, cursor: Option<&str>| Page { limit, cursor: cursor.map(str::to_owned) };
        assert_eq!(Page::default().limit(), Ok(20));
        assert!(page(Some(0), None).limit().is_err() && page(Some(101), None).limit().is_err());
        assert_eq!(page(None, None).after::<UserId>(), Ok(None));
        assert!(page(None, Some("x")).after::<UserId>().is_err());
    }
}
