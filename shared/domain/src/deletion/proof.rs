//! What is left of a deletion: what was deleted, how much of it, when, and of whom only a hash.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Extent, Store};
use crate::{
    id::{DeletionId, UserId},
    secret_hash::SecretHash,
    time::Timestamp,
};

/// Who was deleted: whoever has the id can tell, and nobody finds the id from it.
pub fn subject(user: UserId) -> SecretHash {
    SecretHash::of("deletion subject", user.to_string().as_bytes())
}

/// How much was deleted, by store and what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Removed(BTreeMap<String, BTreeMap<String, u64>>);

impl Removed {
    /// Reads what was stored; nothing, where it cannot be read.
    pub fn read(json: &str) -> Self {
        Self(serde_json::from_str(json).unwrap_or_default())
    }

    /// As it is stored.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// Notes what a step has removed from a store. A step that was begun before, and broken off, counts what it found the last
    /// time.
    pub fn note(&mut self, store: Store, what: &str, count: u64) {
        self.0.entry(store.as_str().to_owned()).or_default().insert(what.to_owned(), count);
    }

    /// How much of that there was.
    pub fn count(&self, store: Store, what: &str) -> u64 {
        self.0.get(store.as_str()).and_then(|of| of.get(what)).copied().unwrap_or(0)
    }
}

/// The proof of a deletion in one tenant.
#[derive(Debug, Serialize)]
pub struct Proof<'a> {
    /// Which.
    #[serde(serialize_with = "text")]
    pub deletion: DeletionId,
    /// Who, as [`subject`] has it.
    #[serde(serialize_with = "text")]
    pub subject: SecretHash,
    /// How much of the tenant.
    #[serde(serialize_with = "name")]
    pub extent: Extent,
    /// When it was asked for.
    #[serde(serialize_with = "text")]
    pub requested_at: Timestamp,
    /// When it was done.
    #[serde(serialize_with = "text")]
    pub finished_at: Timestamp,
    /// What was removed.
    pub removed: &'a Removed,
    /// The hash of the last entry of the tenant's log, where the log went with the tenant.
    pub audit_head: Option<&'a str>,
}

impl Proof<'_> {
    /// The text that is stored, and its hash: `SHA-256("deletion proof" ‖ one zero byte ‖ text)`.
    pub fn written(&self) -> (String, SecretHash) {
        let body = serde_json::to_string(self).unwrap_or_default();
        let hash = SecretHash::of("deletion proof", body.as_bytes());
        (body, hash)
    }
}

fn text<S: serde::Serializer>(value: &impl core::fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn name<S: serde::Serializer>(extent: &Extent, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(extent.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_pinned_and_names_nobody() {
        let user = UserId::from_bytes([7; 16]);
        let mut removed = Removed::default();
        removed.note(Store::D1, "sessions", 3);
        removed.note(Store::Kv, "copies", 1);
        let proof = Proof {
            deletion: DeletionId::from_bytes([1; 16]),
            subject: subject(user),
            extent: Extent::Member,
            requested_at: Timestamp::from_millis(0),
            finished_at: Timestamp::from_millis(1_000),
            removed: &removed,
            audit_head: None,
        };
        let (body, hash) = proof.written();
        assert_eq!(
            body,
            format!(
                r#"{{"deletion":"del_01010101-0101-0101-0101-010101010101","subject":"{}","extent":"member","requested_at":"1970-01-01T00:00:00Z","finished_at":"1970-01-01T00:00:01Z","removed":{{"d1":{{"sessions":3}},"kv":{{"copies":1}}}},"audit_head":null}}"#,
                subject(user)
            )
        );
        assert!(!body.contains(&user.to_string()));
        assert_eq!(hash, SecretHash::of("deletion proof", body.as_bytes()));
        assert_ne!(subject(user), subject(UserId::from_bytes([8; 16])));
    }

    #[test]
    fn what_was_counted_is_kept_over_a_restart() {
        let mut removed = Removed::default();
        removed.note(Store::D1, "users", 1);
        removed.note(Store::D1, "users", 1);
        let again = Removed::read(&removed.to_json());
        assert_eq!((again.count(Store::D1, "users"), again.count(Store::Kv, "users")), (1, 0));
        assert_eq!(again, removed);
        assert_eq!(Removed::read("nonsense"), Removed::default());
    }
}
