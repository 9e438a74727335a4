//! The metering engine: reserve, settle, release, expire.
//!
//! A **meter** is a named quantity. A **reservation** holds amounts on several meters at once, all or nothing,
//! before the work starts; **settle** replaces the estimate by the actual; **release** returns it; a reservation
//! that is never settled **expires** and counts at its estimate, so that a crash is never free.
//!
//! ```text
//!            reserve ok                settle
//!   (none) ─────────────▶ held ──────────────────▶ settled
//!      │                   │ │   release
//!      │ reserve refused   │ └───────────────────▶ released
//!      ▼                   ▼ expire                  late settle
//!   refused             expired ──────────────────▶ settled (late)
//! ```
//!
//! Invariants, each with a property test in `tests.rs`:
//! 1. Admission never exceeds a hard limit: after a reserve is admitted, `settled + reserved <= limit + grants` holds
//!    on every meter it asked for; under a team's pool, `settled + reserved <= leased`.
//! 2. The same idempotency key gets the same decision and is charged once.
//! 3. Replaying the entries from nothing gives the state; the sum of the entries is the state's counters.
//! 4. A reservation ends once: settling or releasing it again changes nothing.
//!
//! 5. A mark (80, 90, 100 %) is reached once in a period.
//! 6. No more requests are admitted than the rate limit's burst and pace allow.
//! 7. With an API key nothing is admitted unless the meter knows the key, the secret fits, the scope is among its scopes,
//!    its end is not reached, and it was not revoked; whatever order it was told in.
//!
//! 8. A clock that leaps and comes back within a day leaves what one that never leapt would have left
//!    ([`crate::clock_leap`]).
//!
//! [`State::decide`] is `(state, command, now) -> (decision, events)` and changes nothing; [`State::apply`] takes an
//! event that has been made durable. So a failed write leaves the state as it was.

mod amounts;
mod answer_room;
mod command;
mod decide;
mod event;
mod grant;
mod key;
mod leap;
mod lease;
mod plan;
mod rate;
mod standing;
mod state;

#[cfg(test)]
mod tests;

pub use amounts::{Amounts, Limit, Limits, MOST_AMOUNT, MeterName};
pub use answer_room::AnswerRoom;
pub use command::{Admitted, Command, Decision, Prior, Refusal, Reserve, Settle, UsageDetail};
pub use event::Event;
pub use grant::{Grant, GrantReason, Grants, HeldGrant};
pub use key::{Credential, Keys, MeterKey, REVOKED_KEY_MS};
pub use lease::{Lease, LeaseGrant};
pub use plan::{Entitlement, Terms};
pub use rate::{Bucket, RateLimit};
pub use standing::{MARKS_PERCENT, Standing};
pub use state::{Hold, State};

use crate::time::DAY_MS;

/// How long the same idempotency key is sure to get the same decision: 24 hours.
pub const IDEMPOTENCY_WINDOW_MS: i64 = DAY_MS;

/// How long an expired reservation can still be corrected by a late settle: 24 hours.
pub const LATE_SETTLE_WINDOW_MS: i64 = DAY_MS;
