//! Who had a trial, as it is remembered: a digest that outlives the account.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::PersonKey;
use crate::catalogue::Product;

/// By what somebody is known to have had a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimant<'a> {
    /// A person, by their address.
    Person(&'a PersonKey),
    /// A card, by the fingerprint that Stripe gives it: the same for the same number, whoever enters it.
    Card(&'a str),
    /// A company, by a domain that its team has proven, as [`PersonKey::domain`] writes it.
    Domain(&'a str),
}

/// What stands in the claim of somebody who may claim twice, by their id (`sub_...`, `ten_...`): the same each time, and it
/// leads to nobody. A registration claims once, with something random.
pub fn claim_of(id: &str) -> String {
    hex(&["trial claim"], id)
}

/// `SHA-256(prefix ‖ 0 ‖ … ‖ last)` in hexadecimal.
fn hex(prefix: &[&str], last: &str) -> String {
    let mut sha = Sha256::new();
    for part in prefix {
        sha.update(part);
        sha.update([0]);
    }
    sha.update(last);
    sha.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Claimant<'_> {
    /// What is stored of a trial of a product: `SHA-256("trial" ‖ 0 ‖ product ‖ 0 ‖ kind ‖ 0 ‖ key)` in hexadecimal. Nobody is
    /// written to with it; whoever knows the address can tell whether it is this one.
    pub fn digest(&self, product: Product) -> String {
        let (kind, key) = match self {
            Self::Person(key) => ("person", key.as_str()),
            Self::Card(fingerprint) => ("card", *fingerprint),
            Self::Domain(domain) => ("domain", *domain),
        };
        hex(&["trial", product.as_str(), kind], key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Email;

    #[test]
    fn one_for_each_product_and_kind_and_none_that_names_anybody() {
        let key = |address: &str| PersonKey::of(&Email::parse(address).unwrap());
        let (ada, spelled) = (key("ada.l@gmail.com"), key("A.da.L+x@googlemail.com"));
        let agent = Claimant::Person(&ada).digest(Product::Agent);
        assert_eq!(agent, Claimant::Person(&spelled).digest(Product::Agent));
        let others = [
            Claimant::Person(&ada).digest(Product::Gmail),
            Claimant::Card(ada.as_str()).digest(Product::Agent),
            Claimant::Domain(ada.as_str()).digest(Product::Agent),
            Claimant::Person(&key("bob@gmail.com")).digest(Product::Agent),
        ];
        assert!(!others.contains(&agent) && agent.len() == 64 && agent.bytes().all(|b| b.is_ascii_hexdigit()));
        let expected: [u8; 32] = Sha256::digest(b"trial\0agent\0person\0adal@gmail.com").into();
        assert_eq!(agent, crate::ledger::Hash(expected).to_string());
    }

    #[test]
    fn who_claims_twice_claims_the_same_and_is_not_to_be_read_in_it() {
        let claim = claim_of("sub_1");
        assert_eq!(claim, claim_of("sub_1"));
        assert_ne!(claim, claim_of("sub_2"));
        assert!(claim.len() == 64 && !claim.contains("sub_1"));
    }

    #[test]
    fn a_proven_domain_is_that_of_its_addresses() {
        use crate::federation::TeamDomain;
        for (domain, address) in [
            ("Acme.Example", "ada@ACME.example"),
            ("xn--bcher-kva.example", "ada@bücher.example"),
            ("xn--bcher-kva.example", "ada+x@xn--bcher-kva.example"),
        ] {
            let proven = TeamDomain::parse(domain).unwrap();
            let person = PersonKey::of(&Email::parse(address).unwrap());
            assert_eq!(person.domain(), proven.as_str());
        }
        // A domain that looks like a host where anybody has an address is proven for itself alone.
        let alike = TeamDomain::parse("xn--gmil-63d.com").unwrap();
        assert_ne!(PersonKey::of(&Email::parse("ada@gmail.com").unwrap()).domain(), alike.as_str());
    }
}
