//! Refresh tokens: opaque, stored hashed, good for one use.
//!
//! A token is a random secret and a tag. The tag is made of the secret and of a key that the session's row holds, and says one
//! thing: this token was ours once. So a token that is not the latest one is either an older one of ours, and then somebody
//! holds a copy and the session is ended; or it is invented, and then nothing happens to the session. The tag lets nobody in:
//! that takes the secret of the latest token, which is stored as a hash only.
//!
//! For [`GRACE_MS`] the token that was replaced last is answered with the very token that replaced it. A client that refreshes
//! twice at once, or whose connection broke before the answer arrived, is not signed out. The replacement is random, and
//! stored sealed under the secret of the token it replaced, which nobody but its holders has. A thief who is as quick gains no
//! more than a thief who comes first: both hold the same token from then on, and whoever uses it second, after the grace, ends
//! the session. Reuse is found one refresh later, never not.

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};
use tollgate_domain::id::{SessionId, TenantId};

/// How long a session lives without being refreshed: 30 days.
pub const REFRESH_TOKEN_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// How long a token that was replaced is answered with the one that replaced it.
pub const GRACE_MS: i64 = 10_000;

const SECRET_BYTES: usize = 32;
const TAG_BYTES: usize = 16;

/// The key of a session's tags.
#[derive(Clone, PartialEq, Eq)]
pub struct TagKey([u8; 32]);

impl TagKey {
    /// A new one from random bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads what was stored.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let length = Base64UrlUnpadded::decode(text, &mut bytes).ok()?.len();
        (length == 32).then_some(Self(bytes))
    }

    /// What is stored.
    pub fn reveal(&self) -> String {
        Base64UrlUnpadded::encode_string(&self.0)
    }

    /// Both parts have a fixed length, and half of the digest is cut off: nothing can be appended to what was hashed.
    fn tag(&self, secret: &[u8; SECRET_BYTES]) -> [u8; TAG_BYTES] {
        let mut sha = Sha256::new();
        sha.update(b"refresh_tag\0");
        sha.update(self.0);
        sha.update(secret);
        let mut tag = [0; TAG_BYTES];
        for (byte, digest) in tag.iter_mut().zip(sha.finalize()) {
            *byte = digest;
        }
        tag
    }
}

impl core::fmt::Debug for TagKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("TagKey(..)")
    }
}

/// `tgr_<tenant uuid>.<session uuid>.<secret and tag>`: the ids say where to look, the secret proves it.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// The tenant, which carries its shard.
    pub tenant: TenantId,
    /// The session it continues.
    pub session: SessionId,
    secret: [u8; SECRET_BYTES],
    tag: [u8; TAG_BYTES],
}

impl RefreshToken {
    const PREFIX: &'static str = "tgr_";

    /// A new token with a random secret.
    pub fn new(tenant: TenantId, session: SessionId, key: &TagKey, secret: [u8; SECRET_BYTES]) -> Self {
        Self { tenant, session, secret, tag: key.tag(&secret) }
    }

    /// Reads the text form; `None` when it has another shape.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(Self::PREFIX)?.split('.');
        let tenant = format!("{}{}", TenantId::PREFIX, parts.next()?).parse().ok()?;
        let session = format!("{}{}", SessionId::PREFIX, parts.next()?).parse().ok()?;
        let mut bytes = [0; SECRET_BYTES + TAG_BYTES];
        let decoded = Base64UrlUnpadded::decode(parts.next()?, &mut bytes).ok()?.len();
        let (secret, tag) = bytes.split_at(SECRET_BYTES);
        let (secret, tag) = (secret.try_into().ok()?, tag.try_into().ok()?);
        (decoded == bytes.len() && parts.next().is_none()).then_some(Self { tenant, session, secret, tag })
    }

    /// The text form, for the client only.
    pub fn reveal(&self) -> String {
        let tenant = self.tenant.to_string();
        let session = self.session.to_string();
        format!(
            "{}{}.{}.{}",
            Self::PREFIX,
            tenant.trim_start_matches(TenantId::PREFIX),
            session.trim_start_matches(SessionId::PREFIX),
            Base64UrlUnpadded::encode_string(&[self.secret.as_slice(), &self.tag].concat())
        )
    }

    /// What is stored. The secret is 256 random bits: a plain SHA-256 cannot be searched.
    pub fn hash(&self) -> String {
        Base64UrlUnpadded::encode_string(&Sha256::digest(self.secret))
    }

    /// Whether it was made for its session, now or before. The comparison takes the same time whatever it finds.
    pub fn is_ours(&self, key: &TagKey) -> bool {
        let difference = key.tag(&self.secret).iter().zip(self.tag).fold(0, |all, (a, b)| all | (a ^ b));
        core::hint::black_box(difference) == 0
    }

    /// A token's secret sealed under this one's, which it replaces: a one-time pad, as each token is replaced once.
    pub fn seal(&self, successor: &[u8; SECRET_BYTES]) -> String {
        Base64UrlUnpadded::encode_string(&self.padded(successor))
    }

    /// The secret of the token that replaced this one.
    pub fn open(&self, sealed: &str) -> Option<[u8; SECRET_BYTES]> {
        let mut bytes = [0; SECRET_BYTES];
        let length = Base64UrlUnpadded::decode(sealed, &mut bytes).ok()?.len();
        (length == SECRET_BYTES).then(|| self.padded(&bytes))
    }

    fn padded(&self, bytes: &[u8; SECRET_BYTES]) -> [u8; SECRET_BYTES] {
        let mut sha = Sha256::new();
        sha.update(b"refresh_successor\0");
        sha.update(self.secret);
        let mut padded = *bytes;
        for (byte, pad) in padded.iter_mut().zip(sha.finalize()) {
            *byte ^= pad;
        }
        padded
    }
}

impl core::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RefreshToken").field("session", &self.session).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_domain::time::Timestamp;

    const KEY: TagKey = TagKey::new([9; 32]);

    fn token(secret: u8) -> RefreshToken {
        let now = Timestamp::from_millis(1_700_000_000_000);
        RefreshToken::new(TenantId::new(now, [1; 10]), SessionId::new(now, [2; 10]), &KEY, [secret; 32])
    }

    #[test]
    fn the_text_form_round_trips_and_nothing_else_parses() {
        let token = token(3);
        let text = token.reveal();
        assert_eq!(RefreshToken::parse(&text), Some(token.clone()));
        assert!(!format!("{token:?}").contains(text.rsplit('.').next().unwrap()));
        for wrong in
            ["", "tgr_", "tgr_a.b.c", &text[4..], &format!("{text}.x"), &text[..text.len() - 2], &format!("{text}AAAA")]
        {
            assert_eq!(RefreshToken::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_token_is_known_by_its_tag_and_an_invented_one_is_not() {
        let token = token(3);
        assert!(token.is_ours(&KEY));
        assert!(!token.is_ours(&TagKey::new([8; 32])), "another session's");
        for bit in 0..(SECRET_BYTES + TAG_BYTES) * 8 {
            let mut changed = token.clone();
            let bytes = changed.secret.iter_mut().chain(&mut changed.tag);
            for byte in bytes.skip(bit / 8).take(1) {
                *byte ^= 1 << (bit % 8);
            }
            assert!(!changed.is_ours(&KEY), "bit {bit}");
        }
        assert_eq!(TagKey::parse(&KEY.reveal()), Some(KEY));
        assert_eq!(TagKey::parse("AAAA"), None);
    }

    #[test]
    fn a_successor_opens_under_the_token_it_replaced_and_no_other() {
        let (token, other) = (token(3), token(4));
        let sealed = token.seal(&[7; 32]);
        assert_eq!(token.open(&sealed), Some([7; 32]));
        assert_ne!(other.open(&sealed), Some([7; 32]));
        assert_eq!(token.open("AAAA"), None);
    }
}
