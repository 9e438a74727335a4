//! What this instance may still spend on trials today; the rule is `shared/domain/src/trial/budget.rs`.

use std::cell::RefCell;

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    time::Timestamp,
    trial::budget::{Lease, Share, next_day},
};

use super::call_for;
use crate::{Code, Problem, Scope, log};

thread_local! {
    static SHARE: RefCell<Share> = RefCell::default();
}

/// Asks for a share.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct LeaseOfTrials {
    /// The least that is of use.
    pub need_microusd: u64,
    /// What all trials may cost in a day.
    pub ceiling_microusd: u64,
}

/// What was held of the day for one request.
#[derive(Debug, Clone, Copy)]
pub struct TrialHold {
    day: i64,
    microusd: u64,
}

/// Holds what a request of a trial may cost; mostly without asking anybody.
///
/// # Errors
/// 429 `trial_budget_spent` until the next UTC day; 503 when the object cannot be reached.
pub async fn hold(scope: &Scope, microusd: u64, ceiling_microusd: u64) -> Result<TrialHold, Problem> {
    let now = scope.now();
    let held = |share: &RefCell<Share>| share.borrow_mut().hold(microusd, now);
    // Others of this instance may spend the lease while this one waits for it: then there is another.
    for _ in 0..4 {
        let need_microusd = match SHARE.with(held) {
            Ok(day) => return Ok(TrialHold { day, microusd }),
            Err(missing) => missing,
        };
        let request = LeaseOfTrials { need_microusd, ceiling_microusd };
        let lease: Lease = call_for(scope, "TRIAL_BUDGET", "all", &request).await.map_err(|error| {
            log::error("trial_budget", &format!("{error:?}"), Some(scope));
            Problem::dependency("trial budget")
        })?;
        if lease.microusd == 0 {
            return Err(spent(scope, now));
        }
        SHARE.with(|share| share.borrow_mut().take(lease));
    }
    Err(spent(scope, now))
}

impl TrialHold {
    /// The request is over, and cost so much; all that was held where nobody knows what it cost.
    pub fn end(self, cost_microusd: Option<u64>) {
        SHARE.with(|share| share.borrow_mut().end(self.day, self.microusd, cost_microusd.unwrap_or(self.microusd)));
    }
}

fn spent(scope: &Scope, now: Timestamp) -> Problem {
    let wait_ms = next_day(now).as_millis() - now.as_millis();
    Problem {
        retry_after_seconds: Some(wait_ms.unsigned_abs().div_ceil(1_000)),
        upgrade_url: Some(format!("{}/subscription/plans", scope.settings().public_url)),
        ..Problem::new(
            Code::TrialBudgetSpent,
            format!(
                "Today's trials of this installation have used up what they may cost together. It begins anew at {}; with a \
                 plan you can go on now. Nothing was charged.",
                next_day(now)
            ),
        )
    }
}
