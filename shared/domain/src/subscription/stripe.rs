//! Stripe's subscription as JSON.
//!
//! Tolerant: fields that are not listed are ignored, `null` is nothing, and both shapes are read. Until API version
//! 2025-03-31 the current period stands on the subscription, since then on its items; old integrations and test servers
//! have a `plan` where new ones have a `price`.
//! Sources: <https://docs.stripe.com/api/subscriptions/object>,
//! <https://docs.stripe.com/changelog/basil/2025-03-31/deprecate-subscription-current-period-start-and-end>.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::arrears::Bill;

/// A subscription as fetched, best with `expand[]=latest_invoice`. Instants are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StripeSubscription {
    /// `sub_...`.
    pub id: String,
    /// Its status in Stripe's words.
    pub status: String,
    /// `cus_...`: whose it is.
    #[serde(default, deserialize_with = "or_default")]
    pub customer: String,
    /// `sub_sched_...`: what changes it later, where that was arranged.
    #[serde(default)]
    pub schedule: Option<String>,
    /// When it was made. Never changes; only told apart from another subscription by it, never ordered against events.
    #[serde(default)]
    pub created: i64,
    /// What periods are counted from.
    #[serde(default)]
    pub billing_cycle_anchor: Option<i64>,
    /// Whether it ends with the period.
    #[serde(default, deserialize_with = "or_default")]
    pub cancel_at_period_end: bool,
    /// When it is to end, where that was set.
    #[serde(default)]
    pub cancel_at: Option<i64>,
    /// When it ended.
    #[serde(default)]
    pub ended_at: Option<i64>,
    /// When it was cancelled: for one that ends later, when that was asked for.
    #[serde(default)]
    pub canceled_at: Option<i64>,
    /// Old shape.
    #[serde(default)]
    pub current_period_start: Option<i64>,
    /// Old shape.
    #[serde(default)]
    pub current_period_end: Option<i64>,
    /// What is paid for.
    #[serde(default, deserialize_with = "or_default")]
    pub items: Items,
    /// Old shape: the only item's plan.
    #[serde(default)]
    pub plan: Option<StripePrice>,
    /// Old shape: the only item's quantity.
    #[serde(default)]
    pub quantity: Option<u64>,
    /// The last invoice: whole where it was expanded, else its id.
    #[serde(default)]
    pub latest_invoice: Option<LatestInvoice>,
    /// Whether invoices are held back, and how.
    #[serde(default)]
    pub pause_collection: Option<PauseCollection>,
    /// When its trial ends or ended, where it has one.
    #[serde(default)]
    pub trial_end: Option<i64>,
    /// What we wrote on it: see [`super::TRIAL_MARK`].
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: BTreeMap<String, String>,
    /// No field of Stripe's object: its invoices that are `open` or `uncollectible`, where they were fetched beside it, as
    /// they are of one that is `past_due` or `unpaid`.
    #[serde(skip)]
    pub unpaid: Option<Vec<Bill>>,
}

impl StripeSubscription {
    /// Whether a payment is missing, by Stripe's word: then its unpaid invoices are looked at.
    pub fn is_in_arrears(&self) -> bool {
        matches!(self.status.as_str(), "past_due" | "unpaid")
    }
}

/// A list of items.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Items {
    /// They.
    #[serde(default, deserialize_with = "or_default")]
    pub data: Vec<Item>,
}

/// Something that is paid for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Item {
    /// `si_...`.
    #[serde(default, deserialize_with = "or_default")]
    pub id: String,
    /// Its price.
    #[serde(default)]
    pub price: Option<StripePrice>,
    /// Old shape.
    #[serde(default)]
    pub plan: Option<StripePrice>,
    /// How many.
    #[serde(default)]
    pub quantity: Option<u64>,
    /// New shape.
    #[serde(default)]
    pub current_period_start: Option<i64>,
    /// New shape.
    #[serde(default)]
    pub current_period_end: Option<i64>,
}

/// A price, or an old-style plan.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StripePrice {
    /// `price_...`, or of one's own choice for a plan.
    #[serde(default, deserialize_with = "or_default")]
    pub id: String,
    /// Our name for it; it may have been moved to another price since.
    #[serde(default)]
    pub lookup_key: Option<String>,
    /// What we wrote on it: `tollgate_price` is our name for it, for good.
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: BTreeMap<String, String>,
}

/// The last invoice.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum LatestInvoice {
    /// Its id alone.
    Id(String),
    /// Expanded.
    Whole {
        /// Its id.
        id: String,
        /// When it was made.
        created: i64,
        /// `draft`, `open`, `paid`, `uncollectible` or `void`.
        #[serde(default)]
        status: Option<String>,
    },
}

impl LatestInvoice {
    /// Its id.
    pub fn id(&self) -> &str {
        match self {
            Self::Id(id) | Self::Whole { id, .. } => id,
        }
    }

    /// Whether it is known that money is still to come for it.
    pub(super) fn is_awaited(&self) -> bool {
        let Self::Whole { status: Some(status), .. } = self else { return false };
        matches!(status.as_str(), "draft" | "open" | "uncollectible")
    }
}

/// How invoices are held back.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PauseCollection {
    /// `void`: no service and no invoices. `keep_as_draft`, `mark_uncollectible`: the service goes on
    /// (<https://docs.stripe.com/billing/subscriptions/pause-payment>).
    #[serde(default, deserialize_with = "or_default")]
    pub behavior: String,
}

/// `null` is the default.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
