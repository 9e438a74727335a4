//! What of Stripe's subscription matters here, in our words.

use serde::{Deserialize, Serialize};

use super::{
    arrears::{is_owed, owed_since},
    card_trial::{CardTrial, card_trial},
    setback::{Stopped, Why},
    stripe::{Item, LatestInvoice, StripePrice, StripeSubscription},
};
use crate::{
    catalogue::{Interval, Offer, Part, Plan, PriceKey, Product, offer},
    time::{Period, Timestamp, millis},
};

/// Where a subscription at Stripe stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The first payment is awaited, for 23 hours at most.
    Incomplete,
    /// It never came. Nothing was ever held.
    NeverPaid,
    /// A trial that Stripe keeps, with a card on file.
    Trialing,
    /// Paid.
    Active,
    /// A payment failed; Stripe tries again, or has given up (`unpaid`). See [`super::GRACE_DAYS`].
    PastDue,
    /// Nothing is delivered and nothing is paid.
    Paused,
    /// Paid, and ends with [`Paid::ends_at`].
    Cancelling,
    /// Over.
    Cancelled,
}

impl Status {
    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::NeverPaid => "never_paid",
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Paused => "paused",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it stays so for ever: Stripe never revives a subscription
    /// (<https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses>).
    pub const fn is_final(self) -> bool {
        matches!(self, Self::NeverPaid | Self::Cancelled)
    }
}

/// A subscription at Stripe as we keep it: a function of the fetched object, but for [`Paid::past_due_since`] where the
/// invoice was not expanded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// `sub_...`.
    pub id: String,
    /// When it was made.
    #[serde(with = "millis")]
    pub created_at: Timestamp,
    /// Where it stands.
    pub status: Status,
    /// The plan.
    pub plan: Plan,
    /// The version that was bought.
    pub plan_version: u32,
    /// How often it is paid.
    pub interval: Interval,
    /// How many seats; 1 where seats are not sold.
    pub seats: u32,
    /// What periods are counted from.
    #[serde(with = "millis")]
    pub anchor: Timestamp,
    /// What is paid for now.
    pub period: Period,
    /// When it ends or ended, where that is known.
    pub ends_at: Option<Timestamp>,
    /// Since when a payment is missing.
    pub past_due_since: Option<Timestamp>,
    /// The last invoice.
    pub invoice: Option<String>,
    /// The trial that it began with, as long as nothing was paid.
    #[serde(default)]
    pub card_trial: Option<CardTrial>,
    /// Why it may not be used although Stripe has it run: what was paid for it was given back, or is disputed.
    #[serde(default)]
    pub stopped: Option<Stopped>,
    /// That Stripe, asked with the key that is set, knows neither this subscription nor its customer: they are of another
    /// account, or of the other mode. Nothing is taken away for that (the key may be the mistake), but another one can be
    /// bought, and replaces it.
    #[serde(default)]
    pub orphan: bool,
}

/// Why an object of Stripe's says nothing here. The event goes where an operator sees it; nothing is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// No item has a price of the catalogue.
    #[error("no price of this subscription is in the catalogue")]
    UnknownPrice,
    /// It is of another product than the one it was asked for.
    #[error("the subscription is for another product")]
    OtherProduct,
    /// A status that Stripe did not have when this was written.
    #[error("the subscription has an unknown status")]
    UnknownStatus,
    /// Neither the subscription nor its item has a current period.
    #[error("the subscription has no current period")]
    NoPeriod,
}

impl Paid {
    /// Where it stands for whoever wants to use it: what was refunded, or lost to a dispute, is over, and what is disputed
    /// rests, whatever Stripe has run.
    pub const fn standing(&self) -> Status {
        match self.stopped {
            Some(Stopped { why: Why::Refunded | Why::Lost, .. }) => Status::Cancelled,
            Some(Stopped { why: Why::Disputed, .. }) if !self.status.is_final() => Status::Paused,
            _ => self.status,
        }
    }

    /// The entry of the catalogue that was bought.
    pub fn offer(&self, product: Product) -> Option<&'static Offer> {
        offer(product, self.plan, self.plan_version)
    }

    /// The product of an object, by the price of its plan.
    ///
    /// # Errors
    /// [`Unreadable::UnknownPrice`].
    pub fn product_of(object: &StripeSubscription) -> Result<Product, Unreadable> {
        base_item(object).map(|(key, _)| key.product).ok_or(Unreadable::UnknownPrice)
    }

    /// The items of an object that are the catalogue's: the key of each and the item's id.
    pub fn items_of(object: &StripeSubscription) -> Vec<(PriceKey, String)> {
        object.items.data.iter().filter_map(|item| Some((item_key(item)?, item.id.clone()))).collect()
    }

    /// The items of an object that are not: what the operator put beside it for a contract. The price of each, and its quantity
    /// unless it is metered.
    pub fn others_of(object: &StripeSubscription) -> Vec<(String, Option<u64>)> {
        let others = object.items.data.iter().filter(|item| item_key(item).is_none());
        others.filter_map(|item| Some((item.price.as_ref()?.id.clone(), item.quantity))).collect()
    }

    /// Reads an object. `before` is what was held; of it only the begin of a missing payment is kept, and only where the
    /// object cannot tell it.
    pub(super) fn observed(
        product: Product,
        object: &StripeSubscription,
        before: Option<&Self>,
        now: Timestamp,
    ) -> Result<Self, Unreadable> {
        let (key, base) = base_item(object).ok_or(Unreadable::UnknownPrice)?;
        if key.product != product {
            return Err(Unreadable::OtherProduct);
        }
        offer(key.product, key.plan, key.version)
            .filter(|offer| offer.price.is_some())
            .ok_or(Unreadable::UnknownPrice)?;
        let start = base.and_then(|item| item.current_period_start).or(object.current_period_start);
        let end = base.and_then(|item| item.current_period_end).or(object.current_period_end);
        let period = Period {
            start: Timestamp::from_seconds(start.ok_or(Unreadable::NoPeriod)?),
            end: Timestamp::from_seconds(end.ok_or(Unreadable::NoPeriod)?),
        };
        let status = status(object)?;
        let ends_at = match status {
            Status::Cancelling if object.cancel_at_period_end => {
                Some(object.cancel_at.map_or(period.end, Timestamp::from_seconds).min(period.end))
            }
            Status::Cancelling => object.cancel_at.map(Timestamp::from_seconds),
            Status::Cancelled | Status::NeverPaid => {
                Some(object.ended_at.or(object.canceled_at).map_or(period.end, Timestamp::from_seconds))
            }
            _ => None,
        };
        let past_due_since = (status == Status::PastDue).then(|| past_due_since(object, before, now));
        Ok(Self {
            id: object.id.clone(),
            created_at: Timestamp::from_seconds(object.created),
            status,
            plan: key.plan,
            plan_version: key.version,
            interval: key.interval,
            seats: seats(object, key),
            anchor: object.billing_cycle_anchor.map_or(period.start, Timestamp::from_seconds),
            period,
            ends_at,
            past_due_since,
            invoice: object.latest_invoice.as_ref().map(|invoice| invoice.id().to_owned()),
            card_trial: card_trial(object, period),
            stopped: None,
            orphan: false,
        })
    }
}

fn status(object: &StripeSubscription) -> Result<Status, Unreadable> {
    let ends = object.cancel_at_period_end || object.cancel_at.is_some();
    let is_void = object.pause_collection.as_ref().is_some_and(|pause| pause.behavior == "void");
    Ok(match object.status.as_str() {
        "incomplete" => Status::Incomplete,
        "incomplete_expired" => Status::NeverPaid,
        "trialing" | "active" if is_void => Status::Paused,
        "trialing" | "active" if ends => Status::Cancelling,
        "trialing" => Status::Trialing,
        "active" => Status::Active,
        "past_due" | "unpaid" => Status::PastDue,
        "paused" => Status::Paused,
        "canceled" => Status::Cancelled,
        _ => return Err(Unreadable::UnknownStatus),
    })
}

/// Since the oldest invoice that is owed. Where that is not known, or none is listed although Stripe says that a payment is
/// missing, the latest invoice may have begun it, unless it is a draft; what began earlier is not made to begin again.
fn past_due_since(object: &StripeSubscription, before: Option<&Paid>, now: Timestamp) -> Timestamp {
    if let Some(since) = object.unpaid.as_deref().and_then(owed_since) {
        return since;
    }
    let latest = match &object.latest_invoice {
        Some(LatestInvoice::Whole { created, status, .. }) if status.is_none() || is_owed(status.as_deref()) => {
            Some(Timestamp::from_seconds(*created))
        }
        _ => None,
    };
    let held = before
        .filter(|before| before.id == object.id && before.status == Status::PastDue)
        .and_then(|before| before.past_due_since);
    latest.into_iter().chain(held).min().unwrap_or(now)
}

fn key(price: &StripePrice) -> Option<PriceKey> {
    let named = price.metadata.get("tollgate_price").map(String::as_str);
    [named, price.lookup_key.as_deref(), Some(&price.id)].into_iter().flatten().find_map(PriceKey::parse)
}

fn item_key(item: &Item) -> Option<PriceKey> {
    item.price.as_ref().and_then(key).or_else(|| item.plan.as_ref().and_then(key))
}

/// The price of the plan itself, and its item; the old shape's only plan has none.
fn base_item(object: &StripeSubscription) -> Option<(PriceKey, Option<&Item>)> {
    let is_base = |key: &PriceKey| key.part == Part::Base;
    let of_items = object.items.data.iter().find_map(|item| Some((item_key(item).filter(is_base)?, Some(item))));
    of_items.or_else(|| Some((object.plan.as_ref().and_then(key).filter(is_base)?, None)))
}

fn seats(object: &StripeSubscription, base: PriceKey) -> u32 {
    let is_seat = |item: &&Item| item_key(item).is_some_and(|key| key.part == Part::Seat && key.plan == base.plan);
    let quantity = object.items.data.iter().find(is_seat).and_then(|item| item.quantity).unwrap_or(1);
    u32::try_from(quantity).unwrap_or(u32::MAX).max(1)
}
