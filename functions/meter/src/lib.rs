//! The `UsageMeter` Durable Object: exact metering for one user and product.
//!
//! | file | what enters there |
//! |---|---|
//! | `usage_meter_do.rs` | calls and alarms of the object |
//! | `memory.rs` | the object's state between calls: the pure machine, a cache of the ledger |
//! | `works.rs` | work that goes on under idempotency keys, and who waits for its answer |
//! | `ledger_store.rs` | its SQLite: the ledger, checkpoints, kept answers |
//!
//! The Worker itself has no public route; other functions reach the object through their own binding.

mod ledger_store;
mod memory;
#[expect(missing_docs, reason = "the macro writes methods without docs")]
mod usage_meter_do;
mod works;

pub use usage_meter_do::UsageMeter;

use axum::Router;

fn router() -> Router {
    Router::new()
}

tollgate_platform::fetch_entry!();
