//! Links that switch a kind of mails off: RFC 8058, one click and no sign-in.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Category;
use crate::id::{TenantId, UserId};

/// What a link says: whose mails of which kind are not wanted any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsubscribe {
    /// The tenant, which carries its shard.
    pub tenant: TenantId,
    /// Whose mails.
    pub user: UserId,
    /// Which.
    pub category: Category,
}

/// A link that was read and is not proven yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproven {
    said: Unsubscribe,
    mac: Vec<u8>,
}

impl Unsubscribe {
    const PREFIX: &'static str = "tgu_";

    fn mac(&self, key: &str) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
        for part in [&self.tenant.to_string(), &self.user.to_string(), self.category.as_str()] {
            mac.update(part.as_bytes());
            mac.update(&[0]);
        }
        Some(mac)
    }

    /// The token of a link: `tgu_<tenant uuid>.<user uuid>.<kind>.<HMAC-SHA-256 in hexadecimal>`. `key` is the user's own; an
    /// empty one signs nothing.
    pub fn signed(&self, key: &str) -> Option<String> {
        let mac = self.mac(key).filter(|_| !key.is_empty())?.finalize().into_bytes();
        let mut token = format!(
            "{}{}.{}.{}.",
            Self::PREFIX,
            self.tenant.to_string().trim_start_matches(TenantId::PREFIX),
            self.user.to_string().trim_start_matches(UserId::PREFIX),
            self.category.as_str(),
        );
        for byte in mac {
            let _ = write!(token, "{byte:02x}");
        }
        Some(token)
    }

    /// Reads a token; `None` when it has another shape.
    pub fn read(text: &str) -> Option<Unproven> {
        let mut parts = text.strip_prefix(Self::PREFIX)?.split('.');
        let tenant = format!("{}{}", TenantId::PREFIX, parts.next()?).parse().ok()?;
        let user = format!("{}{}", UserId::PREFIX, parts.next()?).parse().ok()?;
        let category = Category::parse(parts.next()?)?;
        let hex = parts.next().filter(|hex| hex.len() == 64 && hex.is_ascii())?;
        let byte = |at: usize| hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let mac = (0..64).step_by(2).map(byte).collect::<Option<_>>()?;
        parts.next().is_none().then_some(Unproven { said: Self { tenant, user, category }, mac })
    }
}

impl Unproven {
    /// Whose key proves it.
    pub const fn whose(&self) -> (TenantId, UserId) {
        (self.said.tenant, self.said.user)
    }

    /// What the link says, when it was signed with that key. Compared in constant time.
    pub fn proven(self, key: &str) -> Option<Unsubscribe> {
        let mac = self.said.mac(key).filter(|_| !key.is_empty())?;
        mac.verify_slice(&self.mac).is_ok().then_some(self.said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn said(category: Category) -> Unsubscribe {
        let now = Timestamp::from_millis(1_775_001_600_000);
        Unsubscribe { tenant: TenantId::new(now, [1; 10]), user: UserId::new(now, [2; 10]), category }
    }

    #[test]
    fn a_link_is_good_for_its_user_and_its_kind_and_only_as_it_was_signed() {
        let token = said(Category::Summary).signed("key").unwrap();
        let read = Unsubscribe::read(&token).unwrap();
        assert_eq!(read.whose(), (said(Category::Summary).tenant, said(Category::Summary).user));
        assert_eq!(read.clone().proven("key"), Some(said(Category::Summary)));
        assert_eq!(read.clone().proven("other"), None);
        assert_eq!(read.proven(""), None, "a user without a key has signed nothing");
        assert_eq!(said(Category::Summary).signed(""), None);
        let other = token.replace("summary", "reminders");
        assert_eq!(Unsubscribe::read(&other).unwrap().proven("key"), None);
        let stranger = token.replacen("01", "02", 1);
        assert!(Unsubscribe::read(&stranger).is_none_or(|read| read.proven("key").is_none()));
    }

    proptest::proptest! {
        #[test]
        fn no_text_upsets_it(text in "\\PC*|tgu_[0-9a-f.-]{0,200}|tgu_\\PC*") {
            proptest::prop_assert!(Unsubscribe::read(&text).is_none_or(|read| read.proven("key").is_none()));
        }
    }
}
