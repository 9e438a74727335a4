//! The only crate that knows Cloudflare Workers.
//!
//! It turns the runtime's requests, bindings and clocks into what the pure crates take, and their answers into
//! what the runtime sends. Function crates use it and hold no JavaScript of their own.
//!
//! | module | what it is for |
//! |---|---|
//! | [`http`] | a request's [`Scope`], bodies, answers, streams, and the bridge to axum |
//! | [`identity`] | access tokens: issuing, verifying, the [`identity::Caller`] extractor |
//! | [`meter`] | the client of the `UsageMeter` object, with settles that ride on the next reserve |
//! | [`store`] | D1: [`store::TenantDb`] and every SQL statement |
//! | [`vault`] | third parties' credentials, sealed for their tenant, column and row |
//! | [`account`] | what happens to an account: sessions that end, mails, entries in the log |
//! | [`federation`] | signing in through other parties: the browser, the flow, `OpenID` Connect |
//! | [`sign_in`] | opening a session, and the pair of tokens that `auth` answers for it |
//! | [`password`] | hashing passwords |
//! | [`guard`] | guessing, made slow |
//! | [`credentials`] | asking `credentials` about codes and new passwords |
//! | [`audit`] | writing the audit log |
//! | [`mail`], [`notifications`] | asking for a mail; for one that its reader may have switched off |
//! | [`deletion`] | deleting a user, step by step |
//! | [`stripe`], [`billing`] | Stripe's API; what is bought, converging on what Stripe says |
//! | [`team`] | changing who is in a team, as what |
//! | [`once`] | `Idempotency-Key` on calls that change the database |
//! | [`outgoing`] | HTTP to other parties |
//! | [`outgoing`], [`exchange`] | HTTP to other parties; to those that are not trusted |
//! | [`service`] | calling another function |
//! | [`signature`] | signatures of other parties |
//! | [`settings`] | what comes from the environment |
//! | [`clock`], [`random`], [`log`], [`cost`] | time, entropy, structured logs, what a request cost |

pub mod account;
pub mod audit;
pub mod billing;
pub mod clock;
pub mod cost;
pub mod credentials;
pub mod deletion;
pub mod exchange;
pub mod federation;
pub mod guard;
pub mod http;
pub mod identity;
pub mod log;
pub mod mail;
pub mod mailbox;
pub mod meter;
pub mod notifications;
pub mod once;
pub mod outgoing;
pub mod password;
pub mod random;
pub mod service;
pub mod settings;
pub mod sign_in;
pub mod signature;
pub mod store;
pub mod stripe;
pub mod team;
pub mod trials;
pub mod vault;

pub use http::Scope;
pub use tollgate_api::{Code, Problem};
