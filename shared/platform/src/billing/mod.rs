//! What a tenant holds of a product: the shell around [`tollgate_domain::subscription`].
//!
//! | file | its job |
//! |---|---|
//! | `held` | a state, loaded and stored; of two changes at once one is decided again |
//! | `converge` | Stripe is asked, and the state follows |
//! | `carry_out` | others are told: meters, pool, mails |
//! | `claims` | a trial is claimed, or ended because there was one before |
//! | `customer` | a tenant's one customer at Stripe |
//! | `jobs` | what the clock does, asked by `cron`, done by `stripe-webhook` |
//! | `overage` | what goes beyond soft limits, told to Stripe |
//! | `payments` | refunds and disputes, fetched, and the state follows |
//! | `prices` | the catalogue's prices at Stripe |
//! | `renewal` | whether Stripe renews what was ended here |
//! | `waiting` | stored events on their way to the queue |

mod carry_out;
mod claims;
mod converge;
mod customer;
mod held;
mod jobs;
mod overage;
mod payments;
mod prices;
mod renewal;
mod waiting;

pub use carry_out::{carry_out, tell};
pub use converge::{Converged, Failure, arrange, catch_up, converge_on, reconcile, subscription_at_stripe, tick};
pub use customer::{all_customers, customer, known_customer, lost_customer};
pub use held::{Held, Later, load, load_all};
pub use jobs::{JOBS_PATH, Job, Place, Reported, Worked, have_done, have_overage_reported, have_told};
pub use overage::{Told, tell_overage};
pub use payments::{compare_payments, follow_payment};
pub use prices::{forget_prices, price_ids};
pub use waiting::hand_over_events;
