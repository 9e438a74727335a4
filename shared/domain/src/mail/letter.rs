//! The mails there are.

use super::render::{Rendered, render};
use crate::{account::Role, time::Timestamp};

/// A mail, before it is written out. Texts of somebody else's making are escaped where they must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letter<'a> {
    /// Is this address yours?
    VerifyEmail {
        /// Where to say so.
        link: &'a str,
    },
    /// Somebody forgot the password.
    ResetPassword {
        /// Where to set another.
        link: &'a str,
        /// How long the link is good for.
        minutes: i64,
    },
    /// The password was changed.
    PasswordChanged,
    /// The second factor was switched on.
    SecondFactorOn,
    /// The second factor was switched off.
    SecondFactorOff,
    /// A recovery code was used up.
    RecoveryCodeUsed {
        /// How many are left.
        left: usize,
    },
    /// Somebody signed in on a device that was not seen before.
    NewDevice {
        /// What it calls itself.
        device: &'a str,
        /// The address it came from, where that is known.
        address: Option<&'a str>,
        /// When.
        at: Timestamp,
    },
    /// An invitation into a team.
    Invitation {
        /// Whose team.
        team: &'a str,
        /// Who invites.
        inviter: &'a str,
        /// As what.
        role: Role,
        /// Where to accept.
        link: &'a str,
    },
}

/// What to do when it was somebody else.
const NOT_YOU: &str = "If it was not you, change your password at once and look at your sessions.";

impl Letter<'_> {
    /// The name of its kind: in the outbox, in preferences.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::VerifyEmail { .. } => "verify_email",
            Self::ResetPassword { .. } => "reset_password",
            Self::PasswordChanged => "password_changed",
            Self::SecondFactorOn => "totp_on",
            Self::SecondFactorOff => "totp_off",
            Self::RecoveryCodeUsed { .. } => "recovery_code_used",
            Self::NewDevice { .. } => "new_device",
            Self::Invitation { .. } => "invitation",
        }
    }

    /// Writes it out.
    pub fn rendered(&self) -> Rendered {
        match self {
            Self::VerifyEmail { link } => render(
                "Confirm your e-mail address",
                &["Please confirm that this address is yours."],
                Some(("Confirm", link)),
                &["If you did not register, somebody mistyped an address: do nothing, and nothing happens."],
            ),
            Self::ResetPassword { link, minutes } => render(
                "Set a new password",
                &["Somebody, probably you, asked for a new password for this account."],
                Some(("Set a new password", link)),
                &[
                    &format!("The link is good for {minutes} minutes, and once."),
                    "If it was not you, do nothing: your password stays as it is.",
                ],
            ),
            Self::PasswordChanged => render(
                "Your password was changed",
                &["The password of your account was changed, and other devices were signed out."],
                None,
                &["If it was not you, ask for a new password at once: whoever has your mailbox has your account."],
            ),
            Self::SecondFactorOn => render(
                "Two-step sign-in is on",
                &["Signing in to your account with its password takes a code of your authenticator app from now on."],
                None,
                &["Keep the recovery codes where you find them without your telephone.", NOT_YOU],
            ),
            Self::SecondFactorOff => render(
                "Two-step sign-in is off",
                &["Signing in to your account takes its password alone from now on."],
                None,
                &[NOT_YOU],
            ),
            Self::RecoveryCodeUsed { left } => render(
                "A recovery code was used",
                &[&format!("A recovery code of your account was used up. There are {left} left.")],
                None,
                &[NOT_YOU],
            ),
            Self::NewDevice { device, address, at } => {
                let from = address.map(|address| format!(" from {address}")).unwrap_or_default();
                render(
                    "A new device signed in",
                    &[&format!("{device} signed in to your account{from} at {at}.")],
                    None,
                    &["If it was you, there is nothing to do. If not, end that session and change your password."],
                )
            }
            Self::Invitation { team, inviter, role, link } => render(
                &format!("{inviter} invites you to {team}"),
                &[&format!("{inviter} invites you to join {team} as {}.", role.as_str())],
                Some(("Accept", link)),
                &["The invitation is good for seven days and for this address only."],
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_write_is_text_and_never_markup() {
        let letter = Letter::Invitation {
            team: "<script>alert(1)</script>\r\nBcc: x@example.com",
            inviter: "Eve & \"Co\"",
            role: Role::Admin,
            link: "https://example.com/?a=1&b=2",
        };
        let mail = letter.rendered();
        assert!(!mail.html.contains("<script>") && mail.html.contains("&lt;script&gt;"));
        assert!(
            mail.html.contains("Eve &amp; &quot;Co&quot;")
                && mail.html.contains("href=\"https://example.com/?a=1&amp;b=2\"")
        );
        assert!(mail.text.contains("https://example.com/?a=1&b=2"));
        assert!(!mail.subject.contains(['\r', '\n']), "a subject is one line: {:?}", mail.subject);
        assert_eq!(mail.links, ["https://example.com/?a=1&b=2"]);
    }

    #[test]
    fn each_has_a_subject_and_both_bodies_say_the_same() {
        let letters = [
            Letter::VerifyEmail { link: "https://x/" },
            Letter::ResetPassword { link: "https://x/", minutes: 30 },
            Letter::PasswordChanged,
            Letter::SecondFactorOn,
            Letter::SecondFactorOff,
            Letter::RecoveryCodeUsed { left: 9 },
            Letter::NewDevice { device: "curl", address: Some("192.0.2.1"), at: Timestamp::from_millis(0) },
            Letter::Invitation { team: "T", inviter: "I", role: Role::Member, link: "https://x/" },
        ];
        let mut kinds = std::collections::HashSet::new();
        for letter in letters {
            let mail = letter.rendered();
            assert!(kinds.insert(letter.kind()));
            assert!(!mail.subject.is_empty() && mail.subject.len() < 100);
            for line in mail.text.lines().filter(|line| !line.is_empty() && !line.contains("https://")) {
                assert!(mail.html.contains(line), "{line} is missing in {}", mail.html);
            }
        }
    }
}
