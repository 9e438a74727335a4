//! API keys that this isolate has seen proven, for a minute: whoever sends large bodies all day is not looked at each time.
//! Nothing is admitted on this: the reserve verifies the key itself. It only says that a body is worth reading.

use std::cell::RefCell;

use tollgate_domain::{meter::Credential, secret_hash::SecretHash, time::Timestamp};

/// How long a proof counts.
const REMEMBERED_MS: i64 = 60_000;

/// How many are remembered.
const REMEMBERED: usize = 256;

thread_local! {
    static PROVEN: RefCell<Vec<(SecretHash, i64)>> = const { RefCell::new(Vec::new()) };
}

/// Whether a key was proven a moment ago.
pub(super) fn is_known(credential: &Credential, now: Timestamp) -> bool {
    PROVEN.with_borrow(|proven| proven.iter().any(|(hash, until)| *hash == credential.hash && *until > now.as_millis()))
}

/// A key was proven.
pub(super) fn remember(credential: &Credential, now: Timestamp) {
    PROVEN.with_borrow_mut(|proven| {
        proven.retain(|(hash, until)| *until > now.as_millis() && *hash != credential.hash);
        if proven.len() >= REMEMBERED {
            proven.remove(0);
        }
        proven.push((credential.hash, now.plus_millis(REMEMBERED_MS).as_millis()));
    });
}
