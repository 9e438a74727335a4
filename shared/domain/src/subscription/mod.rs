//! Subscriptions: what a tenant holds of a product, converging on what Stripe says.
//!
//! | file | its job |
//! |---|---|
//! | `stripe` | Stripe's subscription as JSON, both API shapes |
//! | `observed` | what of it matters here, in our words |
//! | `state` | ours: the trial, what Stripe said last, what others were told; who has access when |
//! | `converge` | `(ours, Stripe's object, now) -> (ours', effects)` |
//! | `effect` | what is to be done: plan to the meters, seats to the team, mails, audit, claims of a trial |
//! | `card_trial` | the trial that a checkout begins with: whose it may be, what it allows, until when |
//! | `arrears` | since when a payment is missing: since the oldest invoice that is owed |
//! | `setback` | payments that were given back or are disputed, and what that takes away |
//! | `proration` | what a change in mid-period costs |
//! | `change` | a change of plan before it is made: when, and for how much |
//! | `purchase` | the way to a plan: a checkout, a change of what runs, or none |
//!
//! ```text
//!                    paid in time                     payment fails
//!   incomplete ───────────────────▶ active ◀─────────────────────────▶ past due ── 7 days ──▶ (no access)
//!       │                            │  ▲  ◀── trialing (Stripe's)        │
//!       ▼ 23 hours                   │  │ undone in the portal            │
//!   never paid                       ▼  │                                 ▼
//!   (our trial goes on)        cancels at period end ──────────────▶  cancelled
//!                                paused ◀──▶ active
//! ```
//!
//! The arrows are Stripe's to walk. An event says only that something changed: its content is never applied and its
//! `created` never compared, because events come late, twice and out of order. The subscription is fetched again and this
//! machine converges on what was fetched, so any order ends in the same state; what an event that never came would have
//! told is told by the next fetch, at the latest by the daily reconciliation
//! (<https://docs.stripe.com/webhooks#event-ordering>).
//!
//! What always holds, each a property of `tests.rs`:
//! 1. After one reconciliation the state is that of Stripe's objects, whatever came before it, in any order, twice or not.
//! 2. The same object at the same instant has no effects the second time.
//! 3. The version pushed to the meters rises, and the last push is the entitlement of the state.
//! 4. Of a failed payment, each reminder is asked for once.
//! 5. Of a trial with a card nothing but the trial's limits comes before something was paid, and it is claimed once.

mod arrears;
mod card_trial;
mod change;
mod converge;
mod effect;
mod observed;
mod proration;
mod purchase;
mod setback;
#[cfg(test)]
mod setback_tests;
mod state;
mod stripe;
#[cfg(test)]
mod tests;

pub use arrears::{Bill, owed_since};
pub use card_trial::{CardTrial, Payer, TRIAL_CARD, TRIAL_MARK, TRIAL_REFUSED};
pub use change::{Change, NoSuchChange, change};
pub use effect::{Effect, Notice, NoticeKind, Recorded};
pub use observed::{Paid, Status, Unreadable};
pub use proration::{Proration, prorated};
pub use purchase::{NoWay, Purchase, bill, wanted_offer};
pub use setback::{Dispute, ENDED_HERE, Setback, Stopped, Why};
pub use state::{Access, DUNNING_DAYS, GRACE_DAYS, Subscription};
pub use stripe::StripeSubscription;
