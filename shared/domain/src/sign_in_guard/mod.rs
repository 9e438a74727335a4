//! Guessing passwords, made slow: who may try, and how long the others wait.
//!
//! Three counters, each a [`Backoff`]: some free attempts, then a delay that doubles with each one up to 15 minutes, and
//! forgetting over time.
//!
//! | counter | whose attempts | what it stops |
//! |---|---|---|
//! | the address's | all from one address, to any account | trying one password on many accounts |
//! | the account's, for strangers | all to one account from devices it does not know | trying many passwords from many addresses |
//! | a known device's | those from a device that has signed in to the account | guessing with a stolen laptop |
//!
//! A device that has signed in before is judged by its own counter and nothing else: whatever an attacker does, the owner's
//! own devices are let in at once. An owner at a new device waits 15 minutes at most between attempts, and only while many
//! addresses attack together: one address is stopped by its own counter before it can use up the account's. Nothing is
//! ever locked; a password reset by mail stays open, and the device that makes it becomes a known one.
//!
//! An attempt counts as a failure when it is admitted, before the password is looked at: a thousand at once get no more
//! than one after the other. A success then takes it back. It does not clear what strangers have used up: else each
//! sign-in of the owner would hand an attacker a fresh set of guesses.

mod account;
mod address;
mod backoff;
#[cfg(test)]
mod tests;

pub use account::{AccountGuard, Device, MAX_GUESSES_PER_DAY, MAX_KNOWN_DEVICES};
pub use address::AddressGuard;
pub use backoff::{Backoff, Decision, MAX_WAIT_MS, Policy};

use crate::time::Timestamp;

/// An attempt to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The device it comes from, when it brought something that tells: a cookie of an earlier session. `None`: a stranger.
    pub device: Option<Device>,
}

/// A decision with the counters after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Whether the password is to be looked at.
    pub decision: Decision,
    /// To be stored.
    pub account: AccountGuard,
    /// To be stored.
    pub address: AddressGuard,
}

/// Judges an attempt by all that counts for it. Only an attempt that is let through changes anything.
///
/// Where account and address are kept apart, ask the address first and give its attempt back when the account says wait;
/// for a known device ask the account alone.
pub fn judge(account: &AccountGuard, address: &AddressGuard, attempt: Attempt, now: Timestamp) -> Judged {
    let (by_account, account_after) = account.attempt(attempt, now);
    let (by_address, address_after) =
        if account.knows(attempt) { (Decision::Allow, address.clone()) } else { address.attempt(now) };
    match (by_account, by_address) {
        (Decision::Allow, Decision::Allow) => {
            Judged { decision: Decision::Allow, account: account_after, address: address_after }
        }
        (one, other) => Judged { decision: one.max(other), account: account.clone(), address: address.clone() },
    }
}
