//! `(ours, Stripe's object, now) -> (ours', effects)`.

use super::{
    card_trial::CardTrial,
    effect::{Effect, Notice, NoticeKind, Recorded},
    observed::{Paid, Status, Unreadable},
    setback::{KEPT, Setback, Stopped, Why, stopped},
    state::{Access, DUNNING_DAYS, GRACE_DAYS, Subscription},
    stripe::StripeSubscription,
};
use crate::{catalogue::plan_without_payment, time::Timestamp};

impl Subscription {
    /// Takes in one subscription as it was just fetched, for an event that named it.
    ///
    /// Of two that belong to the same product the one that is alive counts; of two alive ones the later made, and an
    /// operator is told ([`Effect::Duplicate`]).
    ///
    /// # Errors
    /// [`Unreadable`]: nothing changes.
    pub fn converge(&self, object: &StripeSubscription, now: Timestamp) -> Result<(Self, Vec<Effect>), Unreadable> {
        let seen = self.observe(object, now)?;
        let mut duplicates = Vec::new();
        let next = match &self.paid {
            // A fetch that was overtaken by a later one: what is over stays over.
            Some(held) if held.id == seen.id && held.status.is_final() && !seen.status.is_final() => held.clone(),
            Some(held) if held.id != seen.id => {
                let (kept, other) = if rank(&seen) > rank(held) { (seen, held.clone()) } else { (held.clone(), seen) };
                if is_alive(&kept) && is_alive(&other) {
                    duplicates.push((kept.id.clone(), other.id));
                }
                kept
            }
            _ => seen,
        };
        Ok(self.settled_on(Some(next), now, duplicates))
    }

    /// Takes in all subscriptions of the customer, those that are over too (`status=all`): the whole truth, whatever was
    /// missed. Those to other products are passed over. With none of this product nothing changes but what time brings:
    /// Stripe forgets no subscription, so an empty list is a mistake and no reason to lock somebody out.
    ///
    /// # Errors
    /// [`Unreadable`]: nothing changes.
    pub fn reconcile(&self, objects: &[StripeSubscription], now: Timestamp) -> Result<(Self, Vec<Effect>), Unreadable> {
        let mut best: Option<Paid> = None;
        let mut others = Vec::new();
        for object in objects {
            let seen = match self.observe(object, now) {
                Ok(seen) => seen,
                Err(Unreadable::OtherProduct) => continue,
                Err(unreadable) => return Err(unreadable),
            };
            let lesser = match best.take() {
                Some(held) if rank(&held) >= rank(&seen) => {
                    best = Some(held);
                    Some(seen)
                }
                held => {
                    best = Some(seen);
                    held
                }
            };
            others.extend(lesser);
        }
        let mut duplicates = Vec::new();
        if let Some(kept) = best.as_ref().filter(|kept| is_alive(kept)) {
            let alive = others.into_iter().filter(|other| is_alive(other) && other.id != kept.id);
            duplicates.extend(alive.map(|other| (kept.id.clone(), other.id)));
        }
        Ok(self.settled_on(best.or_else(|| self.paid.clone()), now, duplicates))
    }

    /// Chooses the plan without payment; `None` where the product has none, or another plan is held.
    pub fn take_free(&self, now: Timestamp) -> Option<(Self, Vec<Effect>)> {
        plan_without_payment(self.product)?;
        if self.free_since.is_some() || matches!(self.access(now), Access::Plan { .. }) {
            return None;
        }
        let next = Self { free_since: Some(now), ..self.clone() };
        Some(next.settled_on(self.paid.clone(), now, Vec::new()))
    }

    /// What time alone brings: a reminder that is due, a grace or a paid period that is over.
    pub fn tick(&self, now: Timestamp) -> (Self, Vec<Effect>) {
        self.settled_on(self.paid.clone(), now, Vec::new())
    }

    /// Takes in a payment that was given back or is disputed, as it was just fetched with all its refunds and disputes.
    pub fn set_back(&self, setback: Setback, now: Timestamp) -> (Self, Vec<Effect>) {
        let mut next = self.clone();
        let known = next.setbacks.iter().position(|one| one.charge == setback.charge);
        let mut effects = setback.told(known.and_then(|at| next.setbacks.get(at)));
        match known.and_then(|at| next.setbacks.get_mut(at)) {
            Some(known) => *known = setback,
            None if setback.is_nothing() => {}
            None => next.setbacks.push(setback),
        }
        let surplus = next.setbacks.len().saturating_sub(KEPT);
        next.setbacks.drain(..surplus);
        let (next, more) = next.settled_on(self.paid.clone(), now, Vec::new());
        effects.extend(more);
        (next, effects)
    }

    /// Whether something was given back of a payment, or disputed, that is remembered here.
    pub fn knows_payment(&self, charge: &str) -> bool {
        self.setbacks.iter().any(|one| one.charge == charge)
    }

    /// Notes that Stripe knows neither the subscription that is held nor its customer, see [`Paid::orphan`].
    pub fn orphaned(&self, now: Timestamp) -> (Self, Vec<Effect>) {
        let paid = self.paid.clone().map(|paid| Paid { orphan: true, ..paid });
        self.settled_on(paid, now, Vec::new())
    }

    fn observe(&self, object: &StripeSubscription, now: Timestamp) -> Result<Paid, Unreadable> {
        let seen = Paid::observed(self.product, object, self.paid.as_ref(), now)?;
        Ok(self.weighed(seen, now))
    }

    /// With what is known of its payments. Since when something is stopped is kept as long as it is for the same reason.
    fn weighed(&self, paid: Paid, now: Timestamp) -> Paid {
        let before = self.paid.as_ref().filter(|before| before.id == paid.id).and_then(|before| before.stopped);
        let stopped = stopped(&self.setbacks, &paid)
            .map(|why| before.filter(|before| before.why == why).unwrap_or(Stopped { why, since: now }));
        Paid { stopped, ..paid }
    }

    fn settled_on(&self, paid: Option<Paid>, now: Timestamp, duplicates: Vec<(String, String)>) -> (Self, Vec<Effect>) {
        let mut next = Self { paid: paid.map(|paid| self.weighed(paid, now)), ..self.clone() };
        let mut effects = Vec::new();
        for pair in duplicates {
            if !next.told.duplicates.contains(&pair) {
                next.told.duplicates.push(pair.clone());
                effects.push(Effect::Duplicate { kept: pair.0, other: pair.1 });
            }
        }
        if let Some(paid) = &next.paid {
            effects.extend(recorded(self.paid.as_ref(), paid).map(Effect::Audit));
            effects.extend(transition(self.paid.as_ref(), paid).map(Effect::Mail));
            effects.extend(renewal(self.paid.as_ref(), paid));
            if is_alive(paid) && !next.told.claimed.contains(&paid.id) {
                next.told.claimed.push(paid.id.clone());
                effects.push(Effect::ClaimTrial { subscription: paid.id.clone() });
            }
        }
        effects.extend(next.remind(now).map(Effect::Mail));
        let seats = next.seats(now);
        if seats != next.told.seats {
            next.told.seats = seats;
            effects.push(Effect::Seats(seats));
        }
        if let Some(mut entitlement) = next.entitlement(now).filter(|it| Some(*it) != next.told.entitlement) {
            next.told.version = next.told.version.saturating_add(1);
            entitlement.version = next.told.version;
            next.told.entitlement = Some(entitlement);
            effects.push(Effect::Push(entitlement));
        }
        (next, effects)
    }

    /// The reminder that is due. Of several that were missed only the last is sent, and none once access has ended.
    fn remind(&mut self, now: Timestamp) -> Option<Notice> {
        let due = self.dunning(now);
        let (since, count) = due?;
        let before = self.told.dunning.filter(|(of, _)| *of == since).map_or(0, |(_, count)| count);
        if count <= before {
            return None;
        }
        self.told.dunning = due;
        let access_ends_at = since.plus_days(GRACE_DAYS);
        let day = DUNNING_DAYS.get(count.checked_sub(1)?).copied()?;
        let id = self.paid.as_ref().map(|paid| paid.id.as_str()).unwrap_or_default();
        let key = format!("{id}:payment_failed:{}:{day}", since.as_seconds());
        (now < access_ends_at).then_some(Notice { kind: NoticeKind::PaymentFailed { day, access_ends_at }, key })
    }
}

/// Whether somebody pays for it, or is to.
const fn is_alive(paid: &Paid) -> bool {
    !paid.orphan && !paid.standing().is_final() && !matches!(paid.status, Status::Incomplete)
}

/// Which of two subscriptions counts: an alive one before one that waits for its first payment, before one that was paid
/// and is over, before one that never was; then the later made. An order over what never changes about them but their
/// status.
fn rank(paid: &Paid) -> (u8, Timestamp, &str) {
    let life = match paid.standing() {
        _ if paid.orphan => 2,
        Status::NeverPaid => 0,
        Status::Incomplete => 1,
        Status::Cancelled => 2,
        _ => 3,
    };
    (life, paid.created_at, &paid.id)
}

/// Whether Stripe is to be told that what was ended here is not renewed, or that this was taken back.
fn renewal(before: Option<&Paid>, after: &Paid) -> Option<Effect> {
    let is_ended = |paid: &Paid| matches!(paid.stopped, Some(Stopped { why: Why::Refunded | Why::Lost, .. }));
    let was_ended = before.is_some_and(|before| before.id == after.id && is_ended(before));
    let is_wanted = !is_ended(after);
    (was_ended == is_wanted && !after.status.is_final())
        .then(|| Effect::Renewal { subscription: after.id.clone(), is_wanted })
}

fn recorded(before: Option<&Paid>, after: &Paid) -> Option<Recorded> {
    let mut details = Vec::new();
    let mut compare = |name: &str, of: &dyn Fn(&Paid) -> String| {
        let (old, new) = (before.map_or_else(|| "none".to_owned(), of), of(after));
        if old != new {
            details.push((name.to_owned(), format!("{old} -> {new}")));
        }
    };
    compare("subscription", &|paid| paid.id.clone());
    compare("status", &|paid| paid.standing().as_str().to_owned());
    let stopped = |paid: &Paid| match paid.stopped.map(|stopped| stopped.why) {
        None => "no",
        Some(Why::Refunded) => "refunded",
        Some(Why::Disputed) => "disputed",
        Some(Why::Lost) => "dispute_lost",
    };
    if before.is_some_and(|before| before.stopped.is_some()) || after.stopped.is_some() {
        compare("stopped", &|paid| stopped(paid).to_owned());
    }
    if before.is_some_and(|before| before.orphan) || after.orphan {
        compare("unknown_at_stripe", &|paid| paid.orphan.to_string());
    }
    compare("plan", &|paid| format!("{} v{}", paid.plan, paid.plan_version));
    compare("interval", &|paid| paid.interval.as_str().to_owned());
    compare("seats", &|paid| paid.seats.to_string());
    let trial = |paid: &Paid| match paid.card_trial {
        None => "none".to_owned(),
        Some(CardTrial::Until(ends_at)) => format!("until {ends_at}"),
        Some(CardTrial::Refused) => "refused".to_owned(),
    };
    compare("trial", &trial);
    (!details.is_empty()).then(|| Recorded { subscription: after.id.clone(), details })
}

/// The mail for a change of status, if there is one. A missing payment has its reminders instead.
fn transition(before: Option<&Paid>, after: &Paid) -> Option<Notice> {
    let held = before.filter(|before| before.id == after.id);
    // What was stopped and is back goes on where it was: nobody did anything that a mail would confirm.
    if after.stopped.is_none() && held.is_some_and(|held| held.stopped.is_some()) && !after.status.is_final() {
        return None;
    }
    let before = held.map(Paid::standing);
    let started = (NoticeKind::Started { plan: after.plan }, "started".to_owned());
    let (kind, occasion) = match (before, after.standing()) {
        // The first payment after a trial with a card.
        (Some(_), Status::Active)
            if after.card_trial.is_none() && held.is_some_and(|held| held.card_trial.is_some()) =>
        {
            started
        }
        (Some(before), after) if before == after => return None,
        (None | Some(Status::Incomplete), Status::Trialing | Status::Active) if let Some(trial) = after.card_trial => {
            let CardTrial::Until(ends_at) = trial else { return None };
            (NoticeKind::TrialStarted { plan: after.plan, ends_at }, "trial_started".to_owned())
        }
        (_, Status::Cancelled) if after.card_trial == Some(CardTrial::Refused) => {
            (NoticeKind::TrialRefused { plan: after.plan }, "trial_refused".to_owned())
        }
        (None | Some(Status::Incomplete), Status::Trialing | Status::Active) => started,
        (_, Status::Cancelling) => {
            let ends_at = after.ends_at.unwrap_or(after.period.end);
            (NoticeKind::Cancelling { ends_at }, format!("cancelling:{}", ends_at.as_seconds()))
        }
        (_, Status::Cancelled) => (NoticeKind::Ended, "ended".to_owned()),
        _ => return None,
    };
    Some(Notice { kind, key: format!("{}:{occasion}", after.id) })
}
