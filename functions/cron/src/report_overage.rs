//! What goes beyond soft limits, to Stripe: `stripe-webhook` does it, page by page.

use serde::{Deserialize, Serialize};
use tollgate_platform::{
    Problem, Scope,
    billing::{self, Place},
};

use crate::jobs::{Next, Step};

/// Where a pass stands, and what failed in it so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Pass {
    from: Place,
    failed: u32,
}

/// Reports a page. A pass in which something failed has gone through all the same; the run that ends it says so, and the next
/// begins anew.
///
/// # Errors
/// When the database or Stripe cannot be reached: the next run goes on from this page.
pub async fn step(scope: &Scope, cursor: Option<&str>) -> Result<Step, Problem> {
    let pass: Pass = cursor.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let reported = billing::have_overage_reported(scope, pass.from).await?;
    let failed = pass.failed.saturating_add(reported.failed);
    let next = match reported.next {
        Some(from) => Next::From(serde_json::to_string(&Pass { from, failed }).map_err(|_| Problem::internal())?),
        None if failed > 0 => Next::Failed(format!(
            "Stripe did not take {failed} reports of overage: the log of stripe-webhook has why. They come again."
        )),
        None => Next::Rest(None),
    };
    Ok(Step { done: reported.done, next })
}
