//! A subscription as it is shown.

use tollgate_api::subscription::{LaterOut, SubscriptionOut};
use tollgate_domain::{
    subscription::{Access, Status, Subscription},
    time::Timestamp,
};
use tollgate_platform::billing::{Held, Later};

/// What is held, for people and programs.
pub fn shown(held: &Held, now: Timestamp) -> SubscriptionOut {
    let subscription = &held.subscription;
    if let Some((plan, seats)) = held.given {
        return SubscriptionOut {
            product: subscription.product.as_str(),
            plan: plan.as_str(),
            status: "active",
            interval: None,
            seats,
            current_period_start: None,
            current_period_end: None,
            cancel_at_period_end: false,
            trial_ends_at: None,
            access_ends_at: None,
            later: None,
            overage: Vec::new(),
        };
    }
    let paid = subscription.paid.as_ref().filter(|paid| !matches!(paid.status, Status::Incomplete | Status::NeverPaid));
    let access = subscription.access(now);
    let entitlement = subscription.entitlement(now);
    let status = match (access, paid) {
        (Access::Trial(trial), _) if trial.is_over(now) => "expired",
        (Access::Trial(_), _) => "trialing",
        (Access::Plan { until: None }, _) if subscription.card_trial().is_some() => "trialing",
        (Access::Free | Access::Plan { until: None }, _) => "active",
        (Access::Plan { until: Some(_) }, _) => "past_due",
        (Access::Ended { .. }, Some(paid)) => match paid.standing() {
            Status::PastDue => "unpaid",
            Status::Paused => "paused",
            _ => "cancelled",
        },
        (Access::Ended { .. }, None) => "expired",
    };
    let period = match (access, paid) {
        (Access::Trial(trial), _) => Some((trial.started_at, trial.ends_at)),
        (Access::Plan { .. } | Access::Ended { .. }, Some(paid)) => Some((paid.period.start, paid.period.end)),
        (Access::Free, _) => entitlement.map(|it| it.terms.period(now)).map(|period| (period.start, period.end)),
        _ => None,
    };
    let access_ends_at = match access {
        Access::Trial(trial) => Some(trial.ends_at),
        Access::Plan { until } => until.or_else(|| paid.and_then(|paid| paid.ends_at)),
        Access::Ended { at } => Some(at),
        Access::Free => None,
    };
    let trial_ends_at = match access {
        Access::Trial(trial) => Some(trial.ends_at),
        _ => subscription.card_trial_ends_at(now),
    };
    let ends = paid.is_some_and(|paid| paid.status == Status::Cancelling);
    SubscriptionOut {
        product: subscription.product.as_str(),
        plan: entitlement.map_or("none", |entitlement| entitlement.plan.as_str()),
        status,
        interval: paid.filter(|_| matches!(access, Access::Plan { .. })).map(|paid| paid.interval.as_str()),
        seats: subscription.seats(now),
        current_period_start: period.map(|(start, _)| start),
        current_period_end: period.map(|(_, end)| end),
        cancel_at_period_end: ends,
        trial_ends_at,
        access_ends_at,
        later: held.later.or_else(|| after_trial(subscription, now).filter(|_| !ends)).map(|later| LaterOut {
            plan: later.plan.as_str(),
            interval: later.interval.as_str(),
            seats: later.seats,
            at: later.at,
        }),
        overage: Vec::new(),
    }
}

/// What a trial with a card becomes.
fn after_trial(subscription: &Subscription, now: Timestamp) -> Option<Later> {
    let at = subscription.card_trial_ends_at(now)?;
    let paid = subscription.paid.as_ref()?;
    Some(Later { plan: paid.plan, interval: paid.interval, seats: paid.seats, at })
}
