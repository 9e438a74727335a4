//! What is said to a `SignInGuard`, and what it says.

use serde::{Deserialize, Serialize};
use tollgate_domain::sign_in_guard::Device;

/// One object keeps one kind of counter, by its name.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardRequest {
    /// An attempt at the account from a device that may be known to it. A device that is not known counts for nothing.
    Known(Device),
    /// An attempt at the account from a device it does not know.
    Stranger,
    /// An attempt at the account was a success.
    Succeeded {
        /// What the request brought.
        brought: Option<Device>,
        /// What the answer names.
        device: Device,
    },
    /// An attempt from the address.
    Address,
    /// The latest attempt from the address was none.
    AddressGivenBack,
    /// Something that has a rate, a mail for example: a few at once, then one whenever one is forgotten.
    Rated {
        /// How many at once.
        free: u32,
        /// One is forgotten after each of these.
        forget_one_ms: i64,
    },
    /// A try at a secret that is free a few times and then slowed down, more with each.
    Counted {
        /// How often.
        free: u32,
        /// One is forgotten after each of these.
        forget_one_ms: i64,
    },
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardReply {
    /// Go on.
    Allow,
    /// Not before that many milliseconds have passed.
    Wait(i64),
    /// The device is not known to the account.
    NotKnown,
    /// It could not be stored or read.
    Failed,
}
