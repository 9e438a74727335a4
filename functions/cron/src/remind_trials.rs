//! That a trial ends in three days, in one day, has ended. When a trial ends is the meter's to know, to the instant: here it is
//! only told.

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    catalogue::Product,
    id::Shard,
    mail::Letter,
    time::{DAY_MS, Timestamp},
    trial::{Reminder, Trial},
};
use tollgate_platform::{
    Problem, Scope, log, notifications,
    store::{
        self,
        directory_jobs::{self, TrialPlace, TrialRow},
        notifications::Recipient,
    },
};

use crate::jobs::{Next, Step};

/// Trials of one step.
const PAGE: u32 = 25;

/// Up to which instant was looked, and the look that goes on: what falls due in a span is told once, however time is cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Looked {
    /// Everything that fell due up to here was told.
    #[serde(with = "tollgate_domain::time::millis")]
    until: Timestamp,
    /// The span that is looked through now.
    now: Option<Look>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Look {
    #[serde(with = "tollgate_domain::time::millis")]
    until: Timestamp,
    shard: u32,
    /// Place in [`Reminder::ALL`].
    reminder: usize,
    behind: TrialPlace,
}

impl Look {
    fn beginning(until: Timestamp) -> Self {
        Self { until, shard: 0, reminder: 0, behind: (0, String::new(), String::new(), String::new()) }
    }

    /// The next reminder, or the next shard's first; `None` at the end.
    fn after(self, shards: u32) -> Option<Self> {
        let fresh = Self::beginning(self.until);
        if self.reminder + 1 < Reminder::ALL.len() {
            return Some(Self { shard: self.shard, reminder: self.reminder + 1, ..fresh });
        }
        (self.shard + 1 < shards).then(|| Self { shard: self.shard + 1, ..fresh })
    }
}

/// Tells what fell due since the last look.
///
/// # Errors
/// When a database or the queue cannot be reached. What was asked for is not sent twice.
pub async fn step(scope: &Scope, cursor: Option<&str>) -> Result<Step, Problem> {
    let now = scope.now();
    let looked: Option<Looked> = cursor.and_then(|text| serde_json::from_str(text).ok());
    // Before the first look nobody is told of what is long past. One on a clock that was ahead says nothing; nobody is told twice.
    let looked =
        looked.filter(|looked| looked.until <= now && looked.now.as_ref().is_none_or(|look| look.until <= now));
    let looked = looked.unwrap_or_else(|| Looked { until: now.plus_millis(-DAY_MS), now: None });
    let look = looked.now.clone().unwrap_or_else(|| Look::beginning(now));
    let shards: Vec<Shard> = store::shards(scope).collect();
    let reminder = Reminder::ALL.get(look.reminder).copied().ok_or_else(Problem::internal)?;
    let shard = usize::try_from(look.shard).ok().and_then(|at| shards.get(at)).ok_or_else(Problem::internal)?;
    let ahead = reminder.days_before();
    let span = (looked.until.plus_days(ahead), look.until.plus_days(ahead));
    let page = directory_jobs::trials_ending(scope, *shard, span, &look.behind, PAGE).await?;
    let mut done = 0;
    for row in &page {
        done += u32::from(remind(scope, row, reminder, (looked.until, look.until)).await?);
    }
    let count = u32::try_from(shards.len()).unwrap_or(u32::MAX);
    let next = match page.last().filter(|_| page.len() == PAGE as usize) {
        Some(last) => {
            let behind =
                (last.trial_ends_at, last.tenant_id.to_string(), last.user_id.to_string(), last.product.clone());
            Some(Look { behind, ..look.clone() })
        }
        None => look.clone().after(count),
    };
    let (is_over, state) = match next {
        Some(next) => (false, Looked { until: looked.until, now: Some(next) }),
        None => (true, Looked { until: look.until, now: None }),
    };
    let text = serde_json::to_string(&state).map_err(|_| Problem::internal())?;
    Ok(Step { done, next: if is_over { Next::Rest(Some(text)) } else { Next::From(text) } })
}

async fn remind(
    scope: &Scope,
    row: &TrialRow,
    reminder: Reminder,
    (after, until): (Timestamp, Timestamp),
) -> Result<bool, Problem> {
    let (start, end) = (Timestamp::from_millis(row.trial_started_at), Timestamp::from_millis(row.trial_ends_at));
    let trial = Trial { started_at: start, ends_at: end };
    // After a long pause several are due: the last is the one to send.
    if trial.reminders(after, until).last() != Some(reminder) {
        return Ok(false);
    }
    let Some(product) = Product::parse(&row.product) else {
        log::error("remind_trials", "a product that the catalogue does not know", Some(scope));
        return Ok(false);
    };
    let reader = Recipient {
        user_id: row.user_id,
        email: row.email.clone(),
        reminders: row.reminders,
        quota_warnings: 0,
        summary: 0,
        unsubscribe_key: row.unsubscribe_key.clone(),
    };
    let url = format!("{}/subscription/plans", scope.settings().public_url);
    let letter = match reminder {
        Reminder::Ended => Letter::TrialEnded { product, ended_at: end, upgrade_url: &url },
        Reminder::ThreeDays | Reminder::OneDay => {
            let days = trial.days_remaining(scope.now());
            Letter::TrialEnding { product, ends_at: end, days, upgrade_url: &url }
        }
    };
    let event = format!("trial {} {} {product}", reminder.as_str(), row.user_id);
    notifications::tell(scope, row.tenant_id, event, &reader, &letter).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_goes_through_every_reminder_of_every_shard() {
        let mut look = Look::beginning(Timestamp::from_millis(5));
        let mut seen = vec![(look.shard, look.reminder)];
        while let Some(next) = look.after(2) {
            seen.push((next.shard, next.reminder));
            look = next;
        }
        assert_eq!(seen, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
    }

    #[test]
    fn where_it_stands_is_read_as_it_was_written() {
        let until = Timestamp::from_millis(1_775_001_600_000);
        let state = Looked { until, now: Some(Look::beginning(until)) };
        assert_eq!(serde_json::from_str::<Looked>(&serde_json::to_string(&state).unwrap()).unwrap(), state);
    }
}
