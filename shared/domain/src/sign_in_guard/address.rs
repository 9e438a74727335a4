//! What an address has tried, at any account.

use serde::{Deserialize, Serialize};

use super::backoff::{Backoff, Decision, Policy};
use crate::time::Timestamp;

/// The counter of one address: an IPv4 address, or the /64 of an IPv6 one, which is what a customer is given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AddressGuard(Backoff);

impl AddressGuard {
    /// Ten failures are free. One is forgotten every half hour: with the longest wait that is six attempts an hour in the
    /// long run, no more than an account forgets in the same time.
    pub const POLICY: Policy = Policy { free: 10, forget_one_ms: 30 * 60 * 1000 };

    /// Judges an attempt; see [`Backoff::attempt`].
    pub fn attempt(&self, now: Timestamp) -> (Decision, Self) {
        let (decision, after) = self.0.attempt(Self::POLICY, now);
        (decision, Self(after))
    }

    /// The attempt was a success, or never came to the password. What failed before stands: behind one address there may
    /// be an attacker with an account of their own.
    #[must_use]
    pub fn given_back(&self) -> Self {
        Self(self.0.given_back())
    }

    /// Whether it need not be stored any more.
    pub fn is_forgotten(&self, now: Timestamp) -> bool {
        self.0.is_forgotten(Self::POLICY, now)
    }
}
