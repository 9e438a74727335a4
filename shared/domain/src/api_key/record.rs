//! The stored key.

use super::{scope::Scopes, token::Token};
use crate::{
    catalogue::Product,
    id::{ApiKeyId, TenantId, UserId},
    meter::{MeterKey, RateLimit},
    secret_hash::SecretHash,
    time::{DAY_MS, Timestamp},
};

/// The longest life of a key that has an end: five years. One without an end lives until it is revoked.
pub const MAX_LIFETIME_MS: i64 = 5 * 365 * DAY_MS;

/// How long the old key goes on working after a rotation, unless said otherwise: a day, for a deployment to follow.
pub const DEFAULT_OVERLAP_MS: i64 = DAY_MS;

/// The longest overlap: seven days.
pub const MAX_OVERLAP_MS: i64 = 7 * DAY_MS;

/// A key as it is stored: without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The tenant it belongs to.
    pub tenant: TenantId,
    /// The user it acts for.
    pub user: UserId,
    /// The product whose plan pays.
    pub product: Product,
    /// Its id.
    pub id: ApiKeyId,
    /// The hash of its text.
    pub hash: SecretHash,
    /// What it may do.
    pub scopes: Scopes,
    /// How fast it may ask, beside the user's own limit.
    pub rate: Option<RateLimit>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The first instant at which it is no longer good; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The key that takes its place.
    pub replaced_by: Option<ApiKeyId>,
}

/// What a new key is made of.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// What it may do.
    pub scopes: Scopes,
    /// How fast it may ask.
    pub rate: Option<RateLimit>,
    /// When it ends; `None`: never.
    pub expires_at: Option<Timestamp>,
}

/// Why an end is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidExpiry {
    /// It is now or was before.
    #[error("must be in the future")]
    Past,
    /// It is more than [`MAX_LIFETIME_MS`] away.
    #[error("must be within five years; leave it out for a key without an end")]
    TooFar,
}

/// Who asks, once a key was found good. There is no other way to one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The tenant: names of objects, rows and keys derive from it.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
    /// The product whose plan pays.
    pub product: Product,
    /// The key.
    pub key: ApiKeyId,
    /// What it may do.
    pub scopes: Scopes,
    /// When it ends: nothing may remember the verification for longer.
    pub expires_at: Option<Timestamp>,
}

/// Why a key is not good. To the client all three are the same 401: which one it is, is for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The row is another key's, or the secret is wrong.
    #[error("the API key is not known")]
    Unknown,
    /// It was revoked.
    #[error("the API key was revoked")]
    Revoked,
    /// Its time is over.
    #[error("the API key has expired")]
    Expired,
}

/// Why a key cannot be rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RotateRefusal {
    /// It is no longer good itself.
    #[error("the API key is revoked or expired; make a new one")]
    Dead,
    /// It was rotated before: its successor is the one to rotate.
    #[error("the API key was rotated already")]
    Replaced,
    /// Negative, or more than [`MAX_OVERLAP_MS`].
    #[error("the overlap must be between 0 and 7 days")]
    Overlap,
}

/// A rotation: both rows are to be written in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The old key, which ends with the overlap.
    pub old: ApiKey,
    /// The new one, with the same rights.
    pub new: ApiKey,
}

impl ApiKey {
    /// The row of a new key.
    ///
    /// # Errors
    /// [`InvalidExpiry`].
    pub fn issue(token: &Token, new: &NewApiKey, now: Timestamp) -> Result<Self, InvalidExpiry> {
        match new.expires_at {
            Some(end) if end <= now => return Err(InvalidExpiry::Past),
            Some(end) if end > now.plus_millis(MAX_LIFETIME_MS) => return Err(InvalidExpiry::TooFar),
            _ => {}
        }
        Ok(Self::row(token, new, now))
    }

    fn row(token: &Token, new: &NewApiKey, now: Timestamp) -> Self {
        let ((tenant, id), (user, product)) = (token.claimed(), token.payer());
        Self {
            tenant,
            user,
            product,
            id,
            hash: token.hash(),
            scopes: new.scopes,
            rate: new.rate,
            created_at: now,
            expires_at: new.expires_at,
            revoked_at: None,
            replaced_by: None,
        }
    }

    fn standing(&self, now: Timestamp) -> Result<(), Refusal> {
        if self.revoked_at.is_some() {
            Err(Refusal::Revoked)
        } else if self.expires_at.is_some_and(|end| end <= now) {
            Err(Refusal::Expired)
        } else {
            Ok(())
        }
    }

    /// Whether it is good at that instant.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.standing(now).is_ok()
    }

    /// Verifies what a request brought against this row.
    ///
    /// # Errors
    /// [`Refusal`]. A wrong secret is found first: who does not hold the key learns nothing about it.
    pub fn verify(&self, token: &Token, now: Timestamp) -> Result<Verified, Refusal> {
        let same = token.claimed() == (self.tenant, self.id) && token.payer() == (self.user, self.product);
        if !same || token.hash() != self.hash {
            return Err(Refusal::Unknown);
        }
        self.standing(now)?;
        Ok(Verified {
            tenant: self.tenant,
            user: self.user,
            product: self.product,
            key: self.id,
            scopes: self.scopes,
            expires_at: self.expires_at,
        })
    }

    /// What its meter is told of it.
    pub const fn for_meter(&self) -> MeterKey {
        MeterKey { id: self.id, hash: self.hash, scopes: self.scopes, rate: self.rate, expires_at: self.expires_at }
    }

    /// Revokes it; doing it again keeps the first instant.
    #[must_use]
    pub fn revoked(self, now: Timestamp) -> Self {
        Self { revoked_at: self.revoked_at.or(Some(now)), ..self }
    }

    /// Replaces it by a new key with the same rights. Both are good for `overlap_ms`, or until the old one would have
    /// ended anyway; a rotation prolongs nothing: the new key ends when the old one was to.
    ///
    /// `secret` is 32 bytes from the system's cryptographic source.
    ///
    /// # Errors
    /// [`RotateRefusal`].
    pub fn rotate(
        &self,
        new: ApiKeyId,
        secret: [u8; 32],
        overlap_ms: i64,
        now: Timestamp,
    ) -> Result<(Rotated, Token), RotateRefusal> {
        if !self.is_good(now) {
            return Err(RotateRefusal::Dead);
        }
        if self.replaced_by.is_some() {
            return Err(RotateRefusal::Replaced);
        }
        if !(0..=MAX_OVERLAP_MS).contains(&overlap_ms) {
            return Err(RotateRefusal::Overlap);
        }
        let token = Token::new(self.product, self.tenant, self.user, new, secret);
        let rights = NewApiKey { scopes: self.scopes, rate: self.rate, expires_at: self.expires_at };
        let last = now.plus_millis(overlap_ms);
        let old_ends = self.expires_at.map_or(last, |end| end.min(last));
        let old = Self { expires_at: Some(old_ends), replaced_by: Some(new), ..self.clone() };
        Ok((Rotated { old, new: Self::row(&token, &rights, now) }, token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_key::{Resource, Scope};
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn token(secret: u8) -> Token {
        let (tenant, user) = (TenantId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        Token::new(Product::Agent, tenant, user, ApiKeyId::from_bytes([3; 16]), [secret; 32])
    }

    fn key(expires_at: Option<Timestamp>) -> ApiKey {
        let scopes = Scopes::parse(["chat", "usage:read"]).unwrap();
        let rate = Some(RateLimit { per_minute: 60, burst: 5 });
        ApiKey::issue(&token(7), &NewApiKey { scopes, rate, expires_at }, NOW).unwrap()
    }

    #[test]
    fn a_good_key_says_who_asks_and_what_for() {
        let verified = key(None).verify(&token(7), NOW).unwrap();
        assert_eq!(verified.tenant, TenantId::from_bytes([1; 16]));
        assert_eq!((verified.product, verified.key), (Product::Agent, ApiKeyId::from_bytes([3; 16])));
        assert!(verified.scopes.allow(Scope::read(Resource::Usage)));
        assert!(!verified.scopes.allow(Scope::full(Resource::Usage)));
    }

    #[test]
    fn a_wrong_secret_or_another_id_is_unknown_even_when_the_key_is_dead() {
        let dead = key(None).revoked(NOW);
        assert_eq!(dead.verify(&token(8), NOW), Err(Refusal::Unknown));
        assert_eq!(dead.verify(&token(7), NOW), Err(Refusal::Revoked));
        let elsewhere = ApiKey { tenant: TenantId::from_bytes([9; 16]), ..key(None) };
        assert_eq!(elsewhere.verify(&token(7), NOW), Err(Refusal::Unknown));
        let another_plan = ApiKey { product: Product::Chat, ..key(None) };
        assert_eq!(another_plan.verify(&token(7), NOW), Err(Refusal::Unknown));
        let somebody_else = ApiKey { user: UserId::from_bytes([9; 16]), ..key(None) };
        assert_eq!(somebody_else.verify(&token(7), NOW), Err(Refusal::Unknown));
    }

    #[test]
    fn a_key_ends_at_its_instant() {
        let key = key(Some(NOW.plus_days(1)));
        assert!(key.verify(&token(7), NOW.plus_days(1).plus_millis(-1)).is_ok());
        assert_eq!(key.verify(&token(7), NOW.plus_days(1)), Err(Refusal::Expired));
    }

    #[test]
    fn an_end_is_in_the_future_and_not_too_far() {
        let new = |expires_at| NewApiKey { scopes: Scopes::everything(), rate: None, expires_at: Some(expires_at) };
        let issue = |expires_at| ApiKey::issue(&token(7), &new(expires_at), NOW).map(drop);
        assert_eq!(issue(NOW), Err(InvalidExpiry::Past));
        assert_eq!(issue(NOW.plus_millis(MAX_LIFETIME_MS + 1)), Err(InvalidExpiry::TooFar));
        assert_eq!(issue(NOW.plus_millis(MAX_LIFETIME_MS)), Ok(()));
    }

    #[test]
    fn revoking_again_keeps_the_first_instant() {
        let revoked = key(None).revoked(NOW).revoked(NOW.plus_days(1));
        assert_eq!(revoked.revoked_at, Some(NOW));
    }

    #[test]
    fn both_keys_are_good_during_the_overlap_and_one_after_it() {
        let old = key(None);
        let (rotated, new) = old.rotate(ApiKeyId::from_bytes([4; 16]), [9; 32], DEFAULT_OVERLAP_MS, NOW).unwrap();
        let last = NOW.plus_millis(DEFAULT_OVERLAP_MS - 1);
        assert!(rotated.old.verify(&token(7), last).is_ok() && rotated.new.verify(&new, last).is_ok());
        assert_eq!(rotated.old.verify(&token(7), last.plus_millis(1)), Err(Refusal::Expired));
        assert!(rotated.new.verify(&new, last.plus_millis(1)).is_ok());
        assert_eq!((rotated.new.scopes, rotated.new.rate), (old.scopes, old.rate));
        let again = |key: &ApiKey, overlap| key.rotate(ApiKeyId::from_bytes([5; 16]), [1; 32], overlap, NOW).map(drop);
        assert_eq!(again(&rotated.old, 0), Err(RotateRefusal::Replaced));
        assert_eq!(again(&old, MAX_OVERLAP_MS + 1), Err(RotateRefusal::Overlap));
        assert_eq!(again(&old, -1), Err(RotateRefusal::Overlap));
        assert_eq!(again(&old.revoked(NOW), 0), Err(RotateRefusal::Dead));
    }

    proptest! {
        #[test]
        fn a_rotation_prolongs_nothing(life in proptest::option::of(1..MAX_LIFETIME_MS), overlap in 0..=MAX_OVERLAP_MS, after in 0..MAX_LIFETIME_MS) {
            let old = key(life.map(|life| NOW.plus_millis(life)));
            let now = NOW.plus_millis(after);
            match old.rotate(ApiKeyId::from_bytes([4; 16]), [9; 32], overlap, now) {
                Ok((rotated, _)) => {
                    prop_assert!(old.is_good(now));
                    prop_assert!(rotated.old.expires_at <= old.expires_at || old.expires_at.is_none());
                    prop_assert!(rotated.old.expires_at <= Some(now.plus_millis(overlap)));
                    prop_assert_eq!(rotated.new.expires_at, old.expires_at);
                }
                Err(refusal) => {
                    prop_assert_eq!(refusal, RotateRefusal::Dead);
                    prop_assert!(!old.is_good(now));
                }
            }
        }
    }
}
