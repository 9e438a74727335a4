//! API keys, as the meter of their user knows them.
//!
//! A metered call with a key looks nothing up: the meter verifies the key in the call that reserves. It is told of a key
//! when one is made, rotated or revoked; one that it was not told of, or has forgotten, is looked up by whoever asks, and
//! told then. So what it is told may come late, twice, or out of order, and must not bring a dead key back:
//!
//! - Id, hash, scopes and rate of a key never change, and its end never moves back: of two ends the earlier one counts.
//! - A revoked key is remembered as revoked for [`REVOKED_KEY_MS`], far longer than a late push can be on its way.
//!
//! A key whose time is over is forgotten, and then looked up like one that was never heard of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Bucket, RateLimit, Refusal};
use crate::{
    api_key::{Scope, Scopes},
    id::ApiKeyId,
    secret_hash::SecretHash,
    time::Timestamp,
};

/// How long a meter remembers that a key was revoked: an hour. No request that read it before is still on its way then.
pub const REVOKED_KEY_MS: i64 = 60 * 60 * 1000;

/// What a meter is told of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterKey {
    /// Its id.
    pub id: ApiKeyId,
    /// The hash of its text.
    pub hash: SecretHash,
    /// What it may do.
    pub scopes: Scopes,
    /// How fast it may ask, beside the user's own limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateLimit>,
    /// The first instant at which it is no longer good; `None`: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// What a request brought with its reserve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The key it claims to be.
    pub key: ApiKeyId,
    /// The hash of the text that was sent.
    pub hash: SecretHash,
    /// What the request needs.
    pub scope: Scope,
}

/// The keys of a meter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Keys {
    known: BTreeMap<ApiKeyId, MeterKey>,
    /// Until when each revoked key is remembered, in milliseconds.
    revoked: BTreeMap<ApiKeyId, i64>,
}

impl Keys {
    /// Verifies what a request brought; answers the rate that the key is held to.
    ///
    /// # Errors
    /// [`Refusal`]. Of a key that is there, who does not hold it learns nothing but that it was refused.
    pub fn verify(&self, credential: &Credential, now: Timestamp) -> Result<Option<(Bucket, RateLimit)>, Refusal> {
        if self.revoked.contains_key(&credential.key) {
            return Err(Refusal::KeyRefused);
        }
        let key = self.known.get(&credential.key).ok_or(Refusal::KeyNotKnown)?;
        if key.hash != credential.hash {
            return Err(Refusal::KeyRefused);
        }
        if key.is_over(now) {
            return Err(Refusal::KeyNotKnown);
        }
        if !key.scopes.allow(credential.scope) {
            return Err(Refusal::ScopeMissing { scope: credential.scope });
        }
        Ok(key.rate.map(|limit| (Bucket::ApiKey(key.id), limit)))
    }

    /// What is to be remembered of a key that the meter is told of; `None` when nothing is news.
    pub(super) fn news(&self, told: &MeterKey, now: Timestamp) -> Option<MeterKey> {
        if self.revoked.contains_key(&told.id) {
            return None;
        }
        let Some(known) = self.known.get(&told.id) else {
            return (!told.is_over(now)).then(|| told.clone());
        };
        let expires_at = earlier(known.expires_at, told.expires_at);
        (expires_at != known.expires_at).then(|| MeterKey { expires_at, ..known.clone() })
    }

    pub(super) fn remember(&mut self, key: &MeterKey) {
        self.known.insert(key.id, key.clone());
    }

    pub(super) fn revoke(&mut self, key: ApiKeyId, until: Timestamp) {
        self.known.remove(&key);
        self.revoked.insert(key, until.as_millis());
    }

    /// Drops what no command can ask for any more.
    pub(super) fn forget(&mut self, now: Timestamp) {
        self.known.retain(|_, key| !key.is_over(now));
        self.revoked.retain(|_, until| *until > now.as_millis());
    }

    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty() && self.revoked.is_empty()
    }
}

impl MeterKey {
    fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
