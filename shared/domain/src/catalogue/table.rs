//! The catalogue. The single source of every limit and price.
//!
//! Limits are per billing month, also where a year is paid at once; a trial's are for the whole of it. Prices are US
//! cents before tax. Annual prices are ten months (docs/BILLING.md); overage costs the same either way.

use super::{
    names::{Plan, Product},
    offer::{Feature, Offer, ProductEntry},
    price::{Overage, Price},
};
use crate::meter::{Limit, Limits, MeterName};

use Feature::{Agent, Completions, Conversations, InboxCleanUp, ScheduledCleanUp, Team, Workflows};

/// Every product, in the order of [`Product::ALL`].
pub const PRODUCTS: &[ProductEntry] = &[
    ProductEntry {
        product: Product::Agent,
        trial_days: 7,
        offers: &[
            Offer {
                plan: Plan::Trial,
                version: 1,
                limits: requests_and_tokens(120, 50_000),
                price: None,
                overage: &[],
                features: &[Completions, Conversations, Agent, Workflows],
                upgrades: &[Plan::Pro, Plan::Plus, Plan::Teams],
                downgrades: &[],
            },
            Offer {
                plan: Plan::Pro,
                version: 1,
                limits: requests_and_tokens(1_000, 1_000_000),
                price: Some(Price::monthly(10_00)),
                overage: &[],
                features: &[Completions, Conversations, Agent, Workflows],
                upgrades: &[Plan::Plus, Plan::Teams],
                downgrades: &[],
            },
            Offer {
                plan: Plan::Plus,
                version: 1,
                limits: requests_and_tokens(2_500, 2_500_000),
                price: Some(Price::monthly(19_00)),
                overage: &[],
                features: &[Completions, Conversations, Agent, Workflows],
                upgrades: &[Plan::Teams],
                downgrades: &[Plan::Pro],
            },
            // Pooled. Every seat is paid, the first one too: a team of three costs $49 + 3 x $12.
            Offer {
                plan: Plan::Teams,
                version: 1,
                limits: requests_and_tokens(5_000, 5_000_000),
                price: Some(Price::monthly(49_00).and_per_seat(12_00)),
                overage: &[],
                features: &[Completions, Conversations, Agent, Workflows, Team],
                upgrades: &[],
                downgrades: &[Plan::Plus, Plan::Pro],
            },
        ],
    },
    ProductEntry {
        product: Product::Chat,
        trial_days: 7,
        offers: &[
            Offer {
                plan: Plan::Trial,
                version: 1,
                limits: requests_and_tokens(120, 50_000),
                price: None,
                overage: &[],
                features: &[Completions, Conversations],
                upgrades: &[Plan::Free, Plan::Pro, Plan::Enterprise],
                downgrades: &[],
            },
            Offer {
                plan: Plan::Free,
                version: 1,
                limits: requests_and_tokens(50, 25_000),
                price: None,
                overage: &[],
                features: &[Completions, Conversations],
                upgrades: &[Plan::Pro, Plan::Enterprise],
                downgrades: &[],
            },
            // $7.50 for a million tokens, where agent's pro is $10: the chat has no workflows.
            Offer {
                plan: Plan::Pro,
                version: 1,
                limits: requests_and_tokens(2_000, 2_000_000),
                price: Some(Price::monthly(15_00)),
                overage: &[],
                features: &[Completions, Conversations],
                upgrades: &[Plan::Enterprise],
                downgrades: &[Plan::Free],
            },
            // $4.95 for a million, and more beyond them: who needs that every month asks for a contract.
            Offer {
                plan: Plan::Enterprise,
                version: 1,
                limits: Limits {
                    requests: Limit::Soft { included: 20_000, ceiling: Some(200_000) },
                    tokens: Limit::Soft { included: 20_000_000, ceiling: Some(200_000_000) },
                    emails: Limit::NotIncluded,
                },
                price: Some(Price::monthly(99_00)),
                overage: &[
                    Overage { meter: MeterName::Requests, per_units: 1_000, cents: 1_00 },
                    Overage { meter: MeterName::Tokens, per_units: 1_000_000, cents: 6_00 },
                ],
                features: &[Completions, Conversations],
                upgrades: &[],
                downgrades: &[Plan::Pro, Plan::Free],
            },
        ],
    },
    ProductEntry {
        product: Product::Gmail,
        trial_days: 14,
        offers: &[
            // The trial is one of pro.
            Offer {
                plan: Plan::Trial,
                version: 1,
                limits: emails(50_000),
                price: None,
                overage: &[],
                features: &[InboxCleanUp, ScheduledCleanUp],
                upgrades: &[Plan::Free, Plan::Basic, Plan::Pro, Plan::Enterprise],
                downgrades: &[],
            },
            Offer {
                plan: Plan::Free,
                version: 1,
                limits: emails(500),
                price: None,
                overage: &[],
                features: &[InboxCleanUp],
                upgrades: &[Plan::Basic, Plan::Pro, Plan::Enterprise],
                downgrades: &[],
            },
            Offer {
                plan: Plan::Basic,
                version: 1,
                limits: emails(5_000),
                price: Some(Price::monthly(9_00)),
                overage: &[],
                features: &[InboxCleanUp],
                upgrades: &[Plan::Pro, Plan::Enterprise],
                downgrades: &[Plan::Free],
            },
            Offer {
                plan: Plan::Pro,
                version: 1,
                limits: emails(50_000),
                price: Some(Price::monthly(29_00)),
                overage: &[],
                features: &[InboxCleanUp, ScheduledCleanUp],
                upgrades: &[Plan::Enterprise],
                downgrades: &[Plan::Basic, Plan::Free],
            },
            Offer {
                plan: Plan::Enterprise,
                version: 1,
                limits: emails(500_000),
                price: Some(Price::monthly(99_00)),
                overage: &[],
                features: &[InboxCleanUp, ScheduledCleanUp],
                upgrades: &[],
                downgrades: &[Plan::Pro, Plan::Basic, Plan::Free],
            },
        ],
    },
];

const fn requests_and_tokens(requests: u64, tokens: u64) -> Limits {
    Limits { requests: Limit::Hard(requests), tokens: Limit::Hard(tokens), emails: Limit::NotIncluded }
}

const fn emails(emails: u64) -> Limits {
    Limits { requests: Limit::NotIncluded, tokens: Limit::NotIncluded, emails: Limit::Hard(emails) }
}
