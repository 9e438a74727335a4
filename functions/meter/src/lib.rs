//! The Durable Objects that meter: `UsageMeter`, one user's meter for one product, and `TeamPool`, a team's quota.
//!
//! | file | what is in it |
//! |---|---|
//! | `usage_meter_do.rs` | calls and alarms of a user's meter |
//! | `team_pool_do.rs` | calls and alarms of a team's pool |
//! | `work.rs` | the hot path: what ended is taken in, what begins is decided |
//! | `trial_budget_do.rs` | what all trials may cost in a day |
//! | `pool_link.rs` | a member's way to its pool: asking for a lease, giving it back |
//! | `works.rs`, `answers.rs` | idempotency keys: work that goes on, answers that are kept |
//! | `object.rs` | what both objects share: the machine with its ledger, its copies elsewhere, its alarm |
//! | `memory.rs`, `ledger_store.rs`, `columns.rs` | the state between calls, and the SQLite it is a cache of |
//! | `row_count.rs` | rows that SQLite reads and writes for a call, counted locally |
//! | `exports.rs`, `upkeep.rs` | how far the ledger was copied; when the alarm is due and for what |
//! | `machine.rs` | what the above need of a pure machine |
//!
//! The Worker itself has no public route; other functions reach the object through their own binding.

mod answers;
mod columns;
mod exports;
mod ledger_store;
mod machine;
mod memory;
mod object;
mod pool_link;
mod row_count;
#[expect(missing_docs, reason = "the macro writes methods without docs")]
mod team_pool_do;
#[expect(missing_docs, reason = "the macro writes methods without docs")]
mod trial_budget_do;
mod upkeep;
#[expect(missing_docs, reason = "the macro writes methods without docs")]
mod usage_meter_do;
mod work;
mod works;

pub use team_pool_do::TeamPool;
pub use trial_budget_do::TrialBudget;
pub use usage_meter_do::UsageMeter;

use axum::Router;

fn router() -> Router {
    Router::new()
}

tollgate_platform::fetch_entry!();
