//! Wire types, problem+json and validation: what the API says, without how it is served.
//!
//! `…In` is what a client sends, `…Out` what it gets. Names and shapes are the public contract.

pub mod account;
pub mod api_keys;
pub mod audit;
pub mod config;
pub mod input;
pub mod notifications;
pub mod problem;
pub mod statements;
pub mod subscription;
pub mod team;
pub mod totp;
pub mod usage;

pub use input::{FieldError, Validate};
pub use problem::{Code, Problem};
