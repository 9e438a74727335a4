//! What was tried at one account.

use serde::{Deserialize, Serialize};

use super::{
    Attempt,
    backoff::{Backoff, Decision, Policy},
};
use crate::time::{DAY_MS, Timestamp, millis};

/// How many devices an account remembers; the one whose last sign-in is longest ago is forgotten first.
pub const MAX_KNOWN_DEVICES: usize = 16;

/// The most guesses that strangers get at one account within 24 hours, from however many addresses.
pub const MAX_GUESSES_PER_DAY: u64 = AccountGuard::STRANGERS.most_within(DAY_MS);

/// A device, by the hash of something only it has: the secret in a cookie that an earlier sign-in has set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Device([u8; 16]);

impl Device {
    /// The device of that hash: the first 16 bytes of a SHA-256.
    pub const fn new(hash: [u8; 16]) -> Self {
        Self(hash)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    device: Device,
    backoff: Backoff,
    #[serde(with = "millis")]
    signed_in_at: Timestamp,
}

/// The counters of one account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AccountGuard {
    strangers: Backoff,
    known: Vec<Known>,
}

impl AccountGuard {
    /// Thirty failures of strangers are free, more than one address gets before it waits; one is forgotten every ten
    /// minutes.
    pub const STRANGERS: Policy = Policy { free: 30, forget_one_ms: 10 * 60 * 1000 };

    /// Ten failures of a known device are free; one is forgotten every ten minutes.
    pub const KNOWN: Policy = Policy { free: 10, forget_one_ms: 10 * 60 * 1000 };

    fn place(&self, device: Option<Device>) -> Option<usize> {
        self.known.iter().position(|known| Some(known.device) == device)
    }

    /// Whether the attempt comes from a device that has signed in to this account.
    pub fn knows(&self, attempt: Attempt) -> bool {
        self.place(attempt.device).is_some()
    }

    /// Judges an attempt; when it is let through, it counts as a failure until it succeeds.
    pub fn attempt(&self, attempt: Attempt, now: Timestamp) -> (Decision, Self) {
        let mut after = self.clone();
        let known = self.place(attempt.device).and_then(|place| after.known.get_mut(place));
        let decision = if let Some(known) = known {
            let (decision, backoff) = known.backoff.attempt(Self::KNOWN, now);
            known.backoff = backoff;
            decision
        } else {
            let (decision, backoff) = self.strangers.attempt(Self::STRANGERS, now);
            after.strangers = backoff;
            decision
        };
        (decision, after)
    }

    /// An attempt was a success: the device it came from has a clean counter from now on. `device` is the one that the
    /// answer's cookie names; it may be new.
    #[must_use]
    pub fn succeeded(&self, attempt: Attempt, device: Device, now: Timestamp) -> Self {
        let mut after = self.clone();
        if !self.knows(attempt) {
            after.strangers = self.strangers.given_back();
        }
        after.known.retain(|known| known.device != device && Some(known.device) != attempt.device);
        after.known.push(Known { device, backoff: Backoff::default(), signed_in_at: now });
        if after.known.len() > MAX_KNOWN_DEVICES {
            let oldest = after.known.iter().enumerate().min_by_key(|(_, known)| known.signed_in_at);
            if let Some((place, _)) = oldest {
                after.known.remove(place);
            }
        }
        after
    }

    /// A device is no longer known: its session was revoked, or the password was changed elsewhere.
    #[must_use]
    pub fn without(&self, device: Device) -> Self {
        let mut after = self.clone();
        after.known.retain(|known| known.device != device);
        after
    }

    /// Whether nothing will change by waiting: what strangers tried is forgotten.
    pub fn is_quiet(&self, now: Timestamp) -> bool {
        self.strangers.is_forgotten(Self::STRANGERS, now)
    }

    /// Whether it need not be stored any more.
    pub fn is_forgotten(&self, now: Timestamp) -> bool {
        self.known.is_empty() && self.is_quiet(now)
    }
}
