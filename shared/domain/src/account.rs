//! E-mail addresses, passwords and roles.

mod mailbox;

pub use mailbox::TextForms;

use core::fmt;

use serde::{Deserialize, Serialize};

/// What a member may do in a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Uses the product.
    Member,
    /// Also invites and removes members.
    Admin,
    /// Also pays, and can give the tenant away.
    Owner,
}

impl Role {
    /// Its name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Member, Self::Admin, Self::Owner].into_iter().find(|role| role.as_str() == name)
    }
}

/// An e-mail address as a sign-in name: trimmed, with the case of the whole folded, because nobody owns two
/// mailboxes that differ in case alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Email(String);

/// Why a text is not an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an e-mail address")]
pub struct InvalidEmail;

impl Email {
    /// The longest address that can be delivered to (RFC 5321, section 4.5.3.1.3, less the angle brackets).
    pub const MAX_BYTES: usize = 254;

    /// Checks the shape only: one `@`, a local part, a domain with a dot and without blanks. Whether it exists is
    /// found out by writing to it.
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        let text = text.trim();
        // Who types in full width types this one, too.
        let wide = if text.contains('@') { None } else { Some(text.replace('\u{ff20}', "@")) };
        let text = wide.as_deref().unwrap_or(text);
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidEmail)?;
        let labels_are_sound = domain.split(is_dot).count() >= 2
            && domain.split(is_dot).all(|label| {
                !label.is_empty()
                    && label.len() <= 63
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label.chars().all(|c| c.is_alphanumeric() || c == '-' || is_combining(c))
            });
        let local_is_sound = !local.is_empty()
            && local.len() <= 64
            && !local.contains('@')
            && !local.chars().any(|c| c.is_whitespace() || c.is_control() || is_unseen(c) || is_special(c));
        if text.len() <= Self::MAX_BYTES && labels_are_sound && local_is_sound {
            Ok(Self(text.to_lowercase()))
        } else {
            Err(InvalidEmail)
        }
    }

    /// The folded address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The dots between labels: the plain one, and those that count as it (UTS 46).
const fn is_dot(c: char) -> bool {
    matches!(c, '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}')
}

/// Marks of letters that are written in two parts, of the scripts in which such letters also have one of their own.
const fn is_combining(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{3099}' | '\u{309a}' | '\u{ff9e}' | '\u{ff9f}')
}

/// What RFC 5322 keeps for itself outside of quotes, comments among it; nobody's mailbox is called so.
const fn is_special(c: char) -> bool {
    matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | '"' | ',' | ';' | ':' | '\\')
}

/// What is not drawn, so that two addresses look the same: default ignorable code points
/// (<https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point>).
const fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands in the place of a password's hash where there is no password: a hash with the usual parameters that nothing is
/// known to fit, so that a wrong guess at such an account takes as long as at any other.
pub const NO_PASSWORD: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm8gcGFzc3dvcmQgc2V0IQ$\
     dGhpcyBhY2NvdW50IGhhcyBubyBwYXNzd29yZC4gLi4";

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Fewer than 12 characters.
    #[error("must have at least {} characters", MIN_PASSWORD_CHARS)]
    TooShort,
    /// More than 128 characters.
    #[error("must have at most {} characters", MAX_PASSWORD_CHARS)]
    TooLong,
    /// On the list of those that attackers try first.
    #[error("is one of the passwords that attackers try first; choose another")]
    WellKnown,
    /// In a breach of another service.
    #[error("was seen in a breach of another service; choose another")]
    Breached,
    /// The address itself, or one character over and over.
    #[error("is too easy to guess; choose another")]
    Guessable,
}

/// The fewest characters a password has.
pub const MIN_PASSWORD_CHARS: usize = 12;
/// The most characters a password has: a bound on what is hashed.
pub const MAX_PASSWORD_CHARS: usize = 128;

/// Checks a new password: length, and what attackers try first. No rules on character classes, they make
/// passwords worse (NIST SP 800-63B, section 3.1.1.2).
pub fn check_password(password: &str, email: &Email) -> Result<(), WeakPassword> {
    let length = password.chars().count();
    if length < MIN_PASSWORD_CHARS {
        return Err(WeakPassword::TooShort);
    }
    if length > MAX_PASSWORD_CHARS {
        return Err(WeakPassword::TooLong);
    }
    let folded = password.to_lowercase();
    let mut chars = folded.chars();
    let first = chars.next();
    let local = email.0.split('@').next().unwrap_or_default();
    if folded == email.0 || folded.replace(local, "").is_empty() || chars.all(|c| Some(c) == first) {
        return Err(WeakPassword::Guessable);
    }
    if WELL_KNOWN_PASSWORDS.lines().any(|known| known == folded) {
        return Err(WeakPassword::WellKnown);
    }
    Ok(())
}

/// The commonest passwords of twelve characters and more, in lower case, one a line.
const WELL_KNOWN_PASSWORDS: &str = include_str!("well_known_passwords.txt");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn email() -> Email {
        Email::parse("Ada.Lovelace@Example.com ").unwrap()
    }

    #[test]
    fn an_address_is_folded() {
        assert_eq!(email().as_str(), "ada.lovelace@example.com");
        assert!(Email::parse("ü@bücher.example").is_ok());
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "a",
            "a@b",
            "@example.com",
            "a@b@example.com",
            "a b@example.com",
            "a@exa mple.com",
            "a@.com",
            "a@example.",
            "a@-x.com",
            "<a@example.com>",
            "a\u{200b}@example.com",
            "a\u{ad}b@example.com",
            "a\u{202e}b@example.com",
            "a(x)@example.com",
            "a:b@example.com",
        ] {
            assert_eq!(Email::parse(text), Err(InvalidEmail), "{text}");
        }
        assert!(Email::parse(&format!("{}@example.com", "a".repeat(65))).is_err());
    }

    #[test]
    fn passwords_are_judged_by_length_and_by_what_is_tried_first() {
        let email = email();
        assert_eq!(check_password("correct horse battery", &email), Ok(()));
        assert_eq!(check_password("elevenchars", &email), Err(WeakPassword::TooShort));
        assert_eq!(check_password(&"é".repeat(129), &email), Err(WeakPassword::TooLong));
        assert_eq!(check_password("Password1234", &email), Err(WeakPassword::WellKnown));
        assert_eq!(check_password("qwertyuiop123", &email), Err(WeakPassword::WellKnown));
        assert_eq!(check_password("aaaaaaaaaaaaaa", &email), Err(WeakPassword::Guessable));
        assert_eq!(check_password("ada.lovelace@example.com", &email), Err(WeakPassword::Guessable));
    }

    proptest! {
        #[test]
        fn nothing_panics(text: String) {
            if let Ok(email) = Email::parse(&text) {
                let _ = check_password(&text, &email);
            }
            let _ = check_password(&text, &Email("a@example.com".into()));
        }
    }
}
