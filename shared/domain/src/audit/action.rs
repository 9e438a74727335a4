//! What can stand in the audit log.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)+) => {
        /// What was done. Names are for good: they stand in stored entries.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $($(#[$doc])* $variant,)+
        }

        impl Action {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name: what it was done to, and what was done.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

actions! {
    /// An account was made.
    Register => "account.register",
    /// Somebody signed in, or tried to.
    SignIn => "account.sign_in",
    /// A session was ended by its holder.
    SignOut => "account.sign_out",
    /// A session was ended from elsewhere.
    SessionRevoke => "account.session_revoke",
    /// A refresh token was used twice, and its session ended.
    RefreshReuse => "account.refresh_reuse",
    /// An address was confirmed.
    EmailVerify => "account.email_verify",
    /// A password was asked to be reset.
    PasswordForgot => "account.password_forgot",
    /// A password was reset by mail.
    PasswordReset => "account.password_reset",
    /// A password was changed by who knew it.
    PasswordChange => "account.password_change",
    /// The second factor was switched on.
    TotpEnable => "account.totp_enable",
    /// The second factor was switched off.
    TotpDisable => "account.totp_disable",
    /// A recovery code was used.
    RecoveryCodeUse => "account.recovery_code_use",
    /// New recovery codes took the place of the old ones.
    RecoveryCodesRenew => "account.recovery_codes_renew",
    /// Another provider's sign-in was connected.
    IdentityLink => "account.identity_link",
    /// Another provider's sign-in was taken off.
    IdentityUnlink => "account.identity_unlink",
    /// Name or settings were changed.
    ProfileChange => "account.profile_change",
    /// All about a user was exported.
    AccountExport => "account.export",
    /// A user was deleted.
    AccountDelete => "account.delete",
    /// A key was made.
    ApiKeyCreate => "api_key.create",
    /// A key was replaced.
    ApiKeyRotate => "api_key.rotate",
    /// A key was revoked.
    ApiKeyRevoke => "api_key.revoke",
    /// The team's name or settings were changed.
    TeamChange => "team.change",
    /// Somebody was invited.
    TeamInvite => "team.invite",
    /// An invitation was taken back.
    TeamInviteRevoke => "team.invite_revoke",
    /// Somebody joined.
    TeamJoin => "team.join",
    /// Somebody has another role.
    TeamRoleChange => "team.role_change",
    /// Somebody was put out.
    TeamRemove => "team.remove",
    /// Somebody left.
    TeamLeave => "team.leave",
    /// The team was handed on.
    TeamTransfer => "team.transfer",
    /// Single sign-on was set up or changed.
    SsoChange => "team.sso_change",
    /// Single sign-on was removed.
    SsoRemove => "team.sso_remove",
    /// A domain was claimed.
    DomainClaim => "team.domain_claim",
    /// A domain was proven to be the team's.
    DomainVerify => "team.domain_verify",
    /// A domain was given up.
    DomainRemove => "team.domain_remove",
    /// A checkout was begun.
    BillingCheckout => "billing.checkout",
    /// The portal was opened.
    BillingPortal => "billing.portal",
    /// The plan, its seats or its status changed.
    BillingChange => "billing.change",
    /// Usage was exported.
    UsageExport => "usage.export",
    /// The audit log was exported.
    AuditExport => "audit.export",
    /// Somebody asked for what their role, or their key's scopes, do not allow.
    AccessDeny => "access.deny",
    /// A third party's credential was stored or replaced.
    SecretStore => "secret.store",
    /// A third party's credential was removed.
    SecretRemove => "secret.remove",
}

impl Action {
    /// The action of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.as_str() == name)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&name).ok_or_else(|| D::Error::custom("no action of this release"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_action_has_a_name_of_its_own_in_two_parts() {
        let names: BTreeSet<_> = Action::ALL.iter().map(|action| action.as_str()).collect();
        assert_eq!(names.len(), Action::ALL.len());
        for name in names {
            let (thing, done) = name.split_once('.').unwrap();
            let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            assert!(plain(thing) && plain(done), "{name}");
            assert_eq!(Action::parse(name).unwrap().as_str(), name);
        }
    }
}
