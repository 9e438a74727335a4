//! Refresh tokens: opaque, stored hashed, good for one use.

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};
use tollgate_domain::id::{SessionId, TenantId};

/// How long a session lives without being refreshed: 30 days.
pub const REFRESH_TOKEN_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// `tgr_<tenant uuid>.<session uuid>.<secret>`: the ids say where to look, the secret proves it.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// The tenant, which carries its shard.
    pub tenant: TenantId,
    /// The session it continues.
    pub session: SessionId,
    secret: [u8; 32],
}

impl RefreshToken {
    const PREFIX: &'static str = "tgr_";

    /// A new token with a random secret.
    pub const fn new(tenant: TenantId, session: SessionId, secret: [u8; 32]) -> Self {
        Self { tenant, session, secret }
    }

    /// Reads the text form; `None` when it has another shape.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(Self::PREFIX)?.split('.');
        let tenant = format!("{}{}", TenantId::PREFIX, parts.next()?).parse().ok()?;
        let session = format!("{}{}", SessionId::PREFIX, parts.next()?).parse().ok()?;
        let mut secret = [0; 32];
        let decoded = Base64UrlUnpadded::decode(parts.next()?, &mut secret).ok()?.len();
        (decoded == 32 && parts.next().is_none()).then_some(Self { tenant, session, secret })
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
            Base64UrlUnpadded::encode_string(&self.secret)
        )
    }

    /// What is stored. The secret is 256 random bits: a plain SHA-256 cannot be searched.
    pub fn hash(&self) -> String {
        Base64UrlUnpadded::encode_string(&Sha256::digest(self.secret))
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

    #[test]
    fn the_text_form_round_trips_and_nothing_else_parses() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        let token = RefreshToken::new(TenantId::new(now, [1; 10]), SessionId::new(now, [2; 10]), [3; 32]);
        let text = token.reveal();
        assert_eq!(RefreshToken::parse(&text), Some(token.clone()));
        assert!(!format!("{token:?}").contains(text.rsplit('.').next().unwrap()));
        for wrong in
            ["", "tgr_", "tgr_a.b.c", &text[4..], &format!("{text}.x"), &text[..text.len() - 2], &format!("{text}AAAA")]
        {
            assert_eq!(RefreshToken::parse(wrong), None, "{wrong}");
        }
    }
}
