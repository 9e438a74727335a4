//! The mails that somebody may not want.

use serde::{Deserialize, Serialize};

/// A kind of mails that can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// That a trial ends, and that it has ended.
    Reminders,
    /// That 80, 90 or 100 % of a limit are used.
    QuotaWarnings,
    /// What a month was used for.
    Summary,
}

impl Category {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Reminders, Self::QuotaWarnings, Self::Summary];

    /// Its name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reminders => "reminders",
            Self::QuotaWarnings => "quota_warnings",
            Self::Summary => "summary",
        }
    }

    /// The category of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::Category;

    #[test]
    fn names_round_trip() {
        for category in Category::ALL {
            assert_eq!(Category::parse(category.as_str()), Some(category));
        }
        assert_eq!(Category::parse("security"), None);
    }
}
