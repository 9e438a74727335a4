//! What products and plans are called.

use core::fmt;

use serde::{Deserialize, Serialize};

/// A product a person can register for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Product {
    /// Notion agent, agent workflows and the completions endpoint: the default.
    #[default]
    Agent,
    /// The AI chat platform.
    Chat,
    /// The Gmail clean-up service.
    Gmail,
}

impl Product {
    /// Every product, in the order of the catalogue.
    pub const ALL: [Self; 3] = [Self::Agent, Self::Chat, Self::Gmail];

    /// Its name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Chat => "chat",
            Self::Gmail => "gmail",
        }
    }

    /// The product of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|product| product.as_str() == name)
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A plan of some product. Not every product sells every plan, see [`super::PRODUCTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// The time after registration, before anything is paid.
    Trial,
    /// Free for ever, small.
    Free,
    /// The first paid plan of `gmail`.
    Basic,
    /// The first paid plan of `agent` and `chat`.
    Pro,
    /// More of the same.
    Plus,
    /// A team with a pooled quota.
    Teams,
    /// The largest.
    Enterprise,
    /// No limits at all: what `npm run bench` measures with. Never sold, refused outside `ENVIRONMENT=bench`.
    Bench,
}

impl Plan {
    /// Every plan that is sold or given.
    pub const ALL: [Self; 8] =
        [Self::Trial, Self::Free, Self::Basic, Self::Pro, Self::Plus, Self::Teams, Self::Enterprise, Self::Bench];

    /// Its name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Free => "free",
            Self::Basic => "basic",
            Self::Pro => "pro",
            Self::Plus => "plus",
            Self::Teams => "teams",
            Self::Enterprise => "enterprise",
            Self::Bench => "bench",
        }
    }

    /// The plan of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plan| plan.as_str() == name)
    }

    /// Whether its limits are shared by all members of the tenant.
    pub const fn is_pooled(self) -> bool {
        matches!(self, Self::Teams)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for product in Product::ALL {
            assert_eq!(Product::parse(product.as_str()), Some(product));
        }
        for plan in Plan::ALL {
            assert_eq!(Plan::parse(plan.as_str()), Some(plan));
        }
    }
}
