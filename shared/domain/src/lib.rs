//! The rules of the business: pure, without I/O, clock or randomness.
//!
//! Everything here is `(state, command, now) -> (decision, events)`: the time, the ids and the random bytes
//! come in as arguments, so that the same code is property-tested natively in milliseconds and runs inside a
//! Durable Object.
//!
//! | module | what it decides |
//! |---|---|
//! | [`id`] | prefixed, time-ordered identifiers; the shard a tenant lives on |
//! | [`month`] | calendar months |
//! | [`time`] | instants and periods anchored to a subscription's billing day |
//! | [`catalogue`] | products, plans, meters, limits, features, prices, moves |
//! | [`currency`] | how amounts are written, by currency |
//! | [`trial`] | where a trial stands at an instant; one for each person; its reminders |
//! | [`subscription`] | what is held of a product, converging on Stripe; grace, seats, proration |
//! | [`overage`] | what goes beyond a soft limit: told to Stripe, exactly and once |
//! | [`stripe_signature`] | whether a webhook is Stripe's |
//! | [`meter`] | reserve, settle, release, expire: admission that never exceeds a limit |
//! | [`pool`] | a team's quota: leases to its members, exact under lost and doubled messages |
//! | [`federation`] | signing in through other parties: flows, ID tokens, whose account it is |
//! | [`ledger`] | the append-only, hash-chained record of those decisions |
//! | [`account`] | e-mail addresses, passwords, roles |
//! | [`audit`] | who did what, hash-chained for each tenant |
//! | [`mail`] | what mails say |
//! | [`team`] | members, roles, invitations, seats |
//! | [`api_key`] | API keys: text form, scopes, expiry, rotation |
//! | [`deletion`] | the order in which a user is deleted, and the proof |
//! | [`shards`] | which database a new tenant is placed in, and changes of two databases |
//! | [`sign_in_guard`] | who may try a password, and how long the others wait |
//! | [`totp`] | second factor: one-time passwords, recovery codes |
//! | [`stripe_api`] | speaking with Stripe: bodies, retries, events |
//! | [`page`] | how many rows of a list, and where the page before ended |
//! | [`secret_hash`] | how secrets of our own making are stored |

pub mod account;
pub mod api_key;
pub mod audit;
mod base62;
pub mod breached;
pub mod catalogue;
pub mod clock_leap;
pub mod currency;
pub mod deletion;
pub mod federation;
pub mod id;
pub mod json_shape;
pub mod ledger;
pub mod mail;
pub mod meter;
pub mod month;
pub mod outgoing_rates;
pub mod overage;
pub mod page;
pub mod pool;
pub mod secret_hash;
pub mod shards;
pub mod sign_in_guard;
pub mod stripe_api;
pub mod stripe_signature;
pub mod subscription;
pub mod team;
pub mod time;
pub mod totp;
pub mod trial;
