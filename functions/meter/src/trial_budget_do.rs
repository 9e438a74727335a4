//! The object that leases shares of what all trials may cost in a day: one for the whole installation.

use tollgate_domain::trial::budget::{Budget, Lease};
use tollgate_platform::{clock, log, meter::LeaseOfTrials, settings::Settings};
use wasm_bindgen::prelude::*;
use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

/// Under which the budget is stored.
const KEY: &str = "budget";

/// Leases; see `shared/domain/src/trial/budget.rs`.
#[durable_object(fetch)]
pub struct TrialBudget {
    state: State,
    env: Env,
}

impl DurableObject for TrialBudget {
    fn new(state: State, env: Env) -> Self {
        Self { state, env }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let asked: LeaseOfTrials = serde_json::from_slice(&request.bytes().await?)?;
        Response::from_json(&self.lease(asked).await?)
    }
}

impl TrialBudget {
    /// What is leased is stored before it is answered: an object that ends in between gives nothing out twice.
    async fn lease(&self, asked: LeaseOfTrials) -> Result<Lease> {
        let now = clock::now(&Settings::of(&self.env));
        let before: Budget = self.state.storage().get(KEY).await?.unwrap_or_default();
        let (lease, after) = before.lease(asked.need_microusd, asked.ceiling_microusd, now);
        if after != before {
            self.state.storage().put(KEY, after).await?;
        }
        match lease.mark_percent {
            Some(100) => log::error(
                "trial_budget",
                &format!(
                    "all trials together have reached what they may cost today, {} micro-dollars: paid models are refused to trials until the next UTC day (TRIALS_MICROUSD_PER_DAY)",
                    asked.ceiling_microusd
                ),
                None,
            ),
            Some(percent) => log::warn(
                "trial_budget",
                &format!(
                    "{percent}% of what all trials together may cost today are given out, of {} micro-dollars",
                    asked.ceiling_microusd
                ),
                None,
            ),
            None => {}
        }
        Ok(lease)
    }
}
