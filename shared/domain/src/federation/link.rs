//! Whose account a sign-in at a provider opens.
//!
//! A provider's word about an address counts when it says that the address is verified. An account with that address whose
//! owner has confirmed it too is the same person's: it is linked. One that nobody has confirmed may have been made by
//! anybody, to wait for the owner of the address: the owner takes it over, and what the other knew or held opens nothing any
//! more.

use crate::account::Email;

/// What the provider said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The address, if there is one.
    pub email: Option<Email>,
    /// Whether the provider says that it is theirs.
    pub email_verified: bool,
}

/// What is known here of whoever signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// This provider's subject has an account.
    Identity,
    /// It has none, but the address has.
    Address {
        /// Whether its owner has confirmed it here.
        verified: bool,
    },
    /// Neither.
    Nobody,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The account of the identity.
    SignIn,
    /// The account of the address is connected with the identity.
    Link,
    /// The same, and everything of before ends: password, sessions, keys.
    TakeOver,
    /// A new account.
    Register {
        /// Whether its address counts as confirmed.
        verified: bool,
    },
}

/// Why nothing does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusedLink {
    /// There is no address to make an account with.
    #[error("the provider did not tell an e-mail address")]
    NoAddress,
    /// The address has an account, and the provider does not say that it is theirs.
    #[error("the provider does not vouch for the e-mail address, and it is registered here")]
    NotVouchedFor,
}

/// Decides whose account it is.
///
/// # Errors
/// [`RefusedLink`].
pub const fn decide(person: &Person, known: Known) -> Result<Way, RefusedLink> {
    match (known, person.email.is_some(), person.email_verified) {
        (Known::Identity, _, _) => Ok(Way::SignIn),
        (_, false, _) => Err(RefusedLink::NoAddress),
        (Known::Address { verified: true }, _, true) => Ok(Way::Link),
        (Known::Address { verified: false }, _, true) => Ok(Way::TakeOver),
        (Known::Address { .. }, _, false) => Err(RefusedLink::NotVouchedFor),
        (Known::Nobody, _, verified) => Ok(Way::Register { verified }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(email: Option<&str>, email_verified: bool) -> Person {
        Person { email: email.map(|text| Email::parse(text).unwrap()), email_verified }
    }

    #[test]
    fn an_account_of_somebody_else_is_never_opened_on_an_address_nobody_vouches_for() {
        for verified in [true, false] {
            let known = Known::Address { verified };
            assert_eq!(decide(&person(Some("a@example.com"), false), known), Err(RefusedLink::NotVouchedFor));
            assert_eq!(decide(&person(None, true), known), Err(RefusedLink::NoAddress));
        }
    }

    #[test]
    fn an_unconfirmed_account_is_taken_over_and_a_confirmed_one_linked() {
        let vouched = person(Some("a@example.com"), true);
        assert_eq!(decide(&vouched, Known::Address { verified: true }), Ok(Way::Link));
        assert_eq!(decide(&vouched, Known::Address { verified: false }), Ok(Way::TakeOver));
    }

    #[test]
    fn who_is_known_signs_in_whatever_the_address_says_today() {
        for person in [person(None, false), person(Some("b@example.com"), false)] {
            assert_eq!(decide(&person, Known::Identity), Ok(Way::SignIn));
        }
    }

    #[test]
    fn a_new_account_is_as_confirmed_as_the_provider_says() {
        for verified in [true, false] {
            assert_eq!(decide(&person(Some("a@example.com"), verified), Known::Nobody), Ok(Way::Register { verified }));
        }
        assert_eq!(decide(&person(None, false), Known::Nobody), Err(RefusedLink::NoAddress));
    }
}
