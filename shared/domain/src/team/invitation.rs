//! Invitations, and the token in the link.
//!
//! ```text
//!            accept            within 7 days, by whom it was sent to
//!  pending ─────────▶ accepted
//!     │ │    revoke
//!     │ └───────────▶ revoked
//!     ▼ 7 days
//!  expired
//! ```

use core::fmt;

use crate::{
    account::{Email, Role},
    base62::{self, ID_DIGITS, SECRET_DIGITS},
    id::{InvitationId, TenantId, UserId},
    secret_hash::SecretHash,
    time::{DAY_MS, Timestamp},
};

/// How long an invitation can be accepted: seven days.
pub const INVITATION_MS: i64 = 7 * DAY_MS;

/// An invitation, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Whom it was sent to.
    pub email: Email,
    /// What they are to be.
    pub role: Role,
    /// Who invited.
    pub invited_by: UserId,
    /// The hash of the token in the link.
    pub token_hash: SecretHash,
    /// The first instant at which it can no longer be accepted.
    pub expires_at: Timestamp,
    /// Who accepted it.
    pub accepted_by: Option<UserId>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

/// Where an invitation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvitationStatus {
    /// It can be accepted; it holds a seat.
    Pending,
    /// Somebody joined with it.
    Accepted,
    /// It was taken back, by an admin or because its inviter may no longer give the role.
    Revoked,
    /// Nobody came in time.
    Expired,
}

impl InvitationStatus {
    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

impl Invitation {
    /// Where it stands at that instant.
    pub fn status(&self, now: Timestamp) -> InvitationStatus {
        if self.accepted_by.is_some() {
            InvitationStatus::Accepted
        } else if self.revoked_at.is_some() {
            InvitationStatus::Revoked
        } else if now >= self.expires_at {
            InvitationStatus::Expired
        } else {
            InvitationStatus::Pending
        }
    }

    /// Whether it can be accepted at that instant.
    pub fn is_pending(&self, now: Timestamp) -> bool {
        self.status(now) == InvitationStatus::Pending
    }
}

/// What the link of an invitation carries: `tgi_`, tenant, invitation and 256 random bits in base 62. The ids say where
/// to look, the secret proves it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InvitationToken {
    tenant: TenantId,
    invitation: InvitationId,
    secret: [u8; 32],
}

impl InvitationToken {
    const PREFIX: &'static str = "tgi_";

    /// A new one; `secret` is 32 bytes from the system's cryptographic source.
    pub const fn new(tenant: TenantId, invitation: InvitationId, secret: [u8; 32]) -> Self {
        Self { tenant, invitation, secret }
    }

    /// Reads the text form; `None` when it has another shape.
    pub fn parse(text: &str) -> Option<Self> {
        let (tenant, rest) = text.strip_prefix(Self::PREFIX)?.split_at_checked(ID_DIGITS)?;
        let (invitation, secret) = rest.split_at_checked(ID_DIGITS)?;
        (secret.len() == SECRET_DIGITS).then_some(())?;
        Some(Self {
            tenant: TenantId::from_bytes(base62::decode(tenant)?),
            invitation: InvitationId::from_bytes(base62::decode(invitation)?),
            secret: base62::decode(secret)?,
        })
    }

    /// The text form, for the mail only.
    pub fn reveal(&self) -> String {
        let mut text = Self::PREFIX.to_owned();
        base62::encode(&self.tenant.to_bytes(), ID_DIGITS, &mut text);
        base62::encode(&self.invitation.to_bytes(), ID_DIGITS, &mut text);
        base62::encode(&self.secret, SECRET_DIGITS, &mut text);
        text
    }

    /// Where to look: claimed, not proven.
    pub const fn claimed(&self) -> (TenantId, InvitationId) {
        (self.tenant, self.invitation)
    }

    /// What is stored; see [`crate::secret_hash`].
    pub fn hash(&self) -> SecretHash {
        SecretHash::of("invitation", self.reveal().as_bytes())
    }
}

impl fmt::Debug for InvitationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvitationToken").field("invitation", &self.invitation).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_token_round_trips_and_shows_no_secret(tenant: [u8; 16], invitation: [u8; 16], secret: [u8; 32]) {
            let token = InvitationToken::new(TenantId::from_bytes(tenant), InvitationId::from_bytes(invitation), secret);
            let text = token.reveal();
            prop_assert_eq!(InvitationToken::parse(&text), Some(token));
            let shown = format!("{token:?}");
            prop_assert!(!shown.contains(&text[48..]));
            prop_assert_eq!(InvitationToken::parse(&text[..text.len() - 1]), None);
            let longer = format!("{text}0");
            prop_assert_eq!(InvitationToken::parse(&longer), None);
        }

        #[test]
        fn no_text_panics(text in "(tgi_)?\\PC{0,100}") {
            let _ = InvitationToken::parse(&text);
        }
    }
}
