//! Tokens that are sent by mail: opaque, stored hashed, good for one use and a short time.

use base64ct::{Base64UrlUnpadded, Encoding};
use tollgate_domain::{
    id::{TenantId, UserId},
    secret_hash::SecretHash,
};

/// What a mailed token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTokenKind {
    /// Confirming an address, within three days.
    VerifyEmail,
    /// Setting another password, within half an hour.
    ResetPassword,
}

impl MailTokenKind {
    /// Its name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
        }
    }

    /// How long it is good.
    pub const fn lives_ms(self) -> i64 {
        match self {
            Self::VerifyEmail => 3 * 24 * 60 * 60 * 1000,
            Self::ResetPassword => 30 * 60 * 1000,
        }
    }
}

/// `tgm_<tenant uuid>.<user uuid>.<secret>`: the ids say where to look, the secret proves it. What it is good for stands in its
/// hash, so that one kind does not pass for another.
#[derive(Clone, PartialEq, Eq)]
pub struct MailToken {
    /// What it is good for.
    pub kind: MailTokenKind,
    /// The tenant, which carries its shard.
    pub tenant: TenantId,
    /// Whose mailbox it went to.
    pub user: UserId,
    secret: [u8; 32],
}

impl MailToken {
    const PREFIX: &'static str = "tgm_";

    /// A new token with a random secret.
    pub const fn new(kind: MailTokenKind, tenant: TenantId, user: UserId, secret: [u8; 32]) -> Self {
        Self { kind, tenant, user, secret }
    }

    /// Reads the text form; `None` when it has another shape.
    pub fn parse(kind: MailTokenKind, text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(Self::PREFIX)?.split('.');
        let tenant = format!("{}{}", TenantId::PREFIX, parts.next()?).parse().ok()?;
        let user = format!("{}{}", UserId::PREFIX, parts.next()?).parse().ok()?;
        let mut secret = [0; 32];
        let decoded = Base64UrlUnpadded::decode(parts.next()?, &mut secret).ok()?.len();
        (decoded == 32 && parts.next().is_none()).then_some(Self { kind, tenant, user, secret })
    }

    /// The text form, for the mail only.
    pub fn reveal(&self) -> String {
        let (tenant, user) = (self.tenant.to_string(), self.user.to_string());
        format!(
            "{}{}.{}.{}",
            Self::PREFIX,
            tenant.trim_start_matches(TenantId::PREFIX),
            user.trim_start_matches(UserId::PREFIX),
            Base64UrlUnpadded::encode_string(&self.secret)
        )
    }

    /// What is stored.
    pub fn hash(&self) -> String {
        SecretHash::of(self.kind.as_str(), &self.secret).to_string()
    }
}

impl core::fmt::Debug for MailToken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("MailToken").field("kind", &self.kind).field("user", &self.user).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_domain::time::Timestamp;

    #[test]
    fn the_text_form_round_trips_and_nothing_else_parses() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        let kind = MailTokenKind::VerifyEmail;
        let token = MailToken::new(kind, TenantId::new(now, [1; 10]), UserId::new(now, [2; 10]), [3; 32]);
        let text = token.reveal();
        assert_eq!(MailToken::parse(kind, &text), Some(token.clone()));
        assert!(!format!("{token:?}").contains(text.rsplit('.').next().unwrap()));
        for wrong in
            ["", "tgm_", "tgm_a.b.c", &text[4..], &format!("{text}.x"), &text[..text.len() - 2], &format!("{text}AAAA")]
        {
            assert_eq!(MailToken::parse(kind, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn one_kind_does_not_pass_for_another() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        let of = |kind| MailToken::new(kind, TenantId::new(now, [1; 10]), UserId::new(now, [2; 10]), [3; 32]).hash();
        assert_ne!(of(MailTokenKind::VerifyEmail), of(MailTokenKind::ResetPassword));
    }
}
