//! What is sold: products, their plans, and how much of each meter a plan includes.
//!
//! One readable table, the single source for limits everywhere. Amounts are per billing month, or for the whole
//! of a trial.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::meter::{Amounts, Limit, Limits};

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

    /// How long its trial lasts, in days of 24 hours from registration.
    pub const fn trial_days(self) -> i64 {
        match self {
            Self::Agent | Self::Chat => 7,
            Self::Gmail => 14,
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A plan of some product. Not every product sells every plan, see [`limits`].
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

const fn requests_and_tokens(requests: u64, tokens: u64) -> Limits {
    Limits { requests: Limit::Hard(requests), tokens: Limit::Hard(tokens), emails: Limit::NotIncluded }
}

const fn emails(emails: u64) -> Limits {
    Limits { requests: Limit::NotIncluded, tokens: Limit::NotIncluded, emails: Limit::Hard(emails) }
}

/// What a plan of a product includes; `None` when that product does not sell that plan.
pub const fn limits(product: Product, plan: Plan) -> Option<Limits> {
    Some(match (product, plan) {
        (Product::Agent | Product::Chat, Plan::Trial) => requests_and_tokens(120, 50_000),
        (Product::Agent, Plan::Pro) => requests_and_tokens(1_000, 1_000_000),
        (Product::Agent, Plan::Plus) => requests_and_tokens(2_500, 2_500_000),
        (Product::Agent, Plan::Teams) => requests_and_tokens(5_000, 5_000_000),
        (Product::Chat, Plan::Free) => requests_and_tokens(50, 25_000),
        (Product::Chat, Plan::Pro) => requests_and_tokens(2_000, 2_000_000),
        (Product::Chat, Plan::Enterprise) => requests_and_tokens(20_000, 20_000_000),
        (Product::Gmail, Plan::Free) => emails(500),
        (Product::Gmail, Plan::Basic) => emails(5_000),
        // The Gmail trial is a trial of its pro plan.
        (Product::Gmail, Plan::Trial | Plan::Pro) => emails(50_000),
        (Product::Gmail, Plan::Enterprise) => emails(500_000),
        (_, Plan::Bench) => Limits { requests: Limit::Unlimited, tokens: Limit::Unlimited, emails: Limit::Unlimited },
        _ => return None,
    })
}

/// What one chat request holds before the model is asked: one request, and its prompt plus its answer in tokens.
///
/// `answer_tokens` is what the client asked for at most; without it the typical answer of
/// [`TYPICAL_ANSWER_TOKENS`] is held, per choice.
pub fn chat_estimate(prompt_tokens: u64, answer_tokens: Option<u64>, choices: u64) -> Amounts {
    let answer = answer_tokens.unwrap_or(TYPICAL_ANSWER_TOKENS).saturating_mul(choices.max(1));
    Amounts { requests: 1, tokens: prompt_tokens.saturating_add(answer), emails: 0 }
}

/// What an answer is reckoned at when the request does not say (`max_tokens`): a few paragraphs.
pub const TYPICAL_ANSWER_TOKENS: u64 = 256;

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

    #[test]
    fn every_product_has_a_trial_and_plans_grow() {
        for product in Product::ALL {
            assert!(limits(product, Plan::Trial).is_some(), "{product}");
        }
        let agent: Vec<u64> = [Plan::Trial, Plan::Pro, Plan::Plus, Plan::Teams]
            .into_iter()
            .map(|plan| match limits(Product::Agent, plan).unwrap().requests {
                Limit::Hard(limit) => limit,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(agent, [120, 1_000, 2_500, 5_000]);
    }

    #[test]
    fn a_chat_request_holds_its_prompt_and_its_answer() {
        assert_eq!(chat_estimate(10, None, 1), Amounts { requests: 1, tokens: 266, emails: 0 });
        assert_eq!(chat_estimate(10, Some(5), 2), Amounts { requests: 1, tokens: 20, emails: 0 });
        assert_eq!(chat_estimate(u64::MAX, Some(u64::MAX), 8).tokens, u64::MAX);
    }
}
