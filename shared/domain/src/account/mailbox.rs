//! One mailbox, one address: the form in which an address is stored and compared, whichever way it was typed.
//!
//! `josé` may be written with one letter or with two, `bücher.example` is `xn--bcher-kva.example` in the DNS, and an input method
//! may send full-width letters. All of these reach one mailbox, so all of them are one sign-in name: the local part in NFKC and
//! lower case, the domain in ASCII (UTS 46).
//!
//! The tables of Unicode are the caller's ([`TextForms`]): JavaScript has them, and in WASM they would be a tenth of a function.

use super::{Email, InvalidEmail, is_combining, is_dot};
use crate::trial::person::punycode;

/// Forms of text that Unicode defines by tables.
pub trait TextForms {
    /// Composed (NFC; <https://www.unicode.org/reports/tr15/>).
    fn nfc(&self, text: &str) -> String;
    /// Decomposed (NFD).
    fn nfd(&self, text: &str) -> String;
    /// Composed, with what only differs in width or style made plain (NFKC).
    fn nfkc(&self, text: &str) -> String;
    /// A host's name in ASCII (<https://www.unicode.org/reports/tr46/>); `None` for what is no host.
    fn host(&self, name: &str) -> Option<String>;
}

/// Whether no table is needed: what has one spelling but for its case.
fn is_plain(address: &str) -> bool {
    address.is_ascii() && !address.contains("xn--")
}

impl Email {
    /// Reads an address into the one form of its mailbox.
    ///
    /// # Errors
    /// [`InvalidEmail`].
    pub fn canonical(text: &str, forms: &impl TextForms) -> Result<Self, InvalidEmail> {
        let read = Self::parse(text)?;
        if is_plain(&read.0) {
            return Ok(read);
        }
        // Lower case may take a letter apart, and the plain form of a letter may be a capital one.
        let whole = forms.nfkc(&forms.nfkc(&read.0).to_lowercase());
        let (local, domain) = whole.rsplit_once('@').ok_or(InvalidEmail)?;
        let domain: String = domain.chars().map(|c| if is_dot(c) { '.' } else { c }).collect();
        Self::parse(&format!("{local}@{}", ascii_host(&domain, forms)))
    }

    /// Every spelling of its mailbox under which an account may stand that was made before there was one form: as it is, then the
    /// one form, then with letters in one and in two parts and the domain in its own script.
    pub fn spellings(&self, forms: &impl TextForms) -> Vec<String> {
        let mut found = vec![self.0.clone()];
        if is_plain(&self.0) {
            return found;
        }
        let mut add = |spelling: String| {
            if !found.contains(&spelling) {
                found.push(spelling);
            }
        };
        let canonical = Self::canonical(&self.0, forms).map_or_else(|_| self.0.clone(), |email| email.0);
        add(canonical.clone());
        let (own_local, own_domain) = self.0.rsplit_once('@').unwrap_or_default();
        let (local, domain) = canonical.rsplit_once('@').unwrap_or_default();
        let in_script = domain
            .split('.')
            .map(|label| label.strip_prefix("xn--").and_then(punycode::decode).unwrap_or_else(|| label.to_owned()));
        let in_script = in_script.collect::<Vec<_>>().join(".");
        for local in
            [own_local.to_owned(), local.to_owned(), forms.nfc(own_local), forms.nfd(own_local), forms.nfd(local)]
        {
            for domain in [own_domain, domain, &in_script] {
                add(format!("{local}@{domain}"));
            }
        }
        found
    }
}

/// A domain in ASCII where it is one; what is no host stays as it was typed.
pub(crate) fn ascii_host(domain: &str, forms: &impl TextForms) -> String {
    let is_name = domain.chars().all(|c| c.is_alphanumeric() || c == '-' || is_dot(c) || is_combining(c));
    if is_plain(domain) || !is_name {
        return domain.to_owned();
    }
    forms.host(domain).unwrap_or_else(|| domain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the tables what these tests need.
    struct Few;

    const PAIRS: [(&str, &str); 3] = [("e\u{301}", "é"), ("u\u{308}", "ü"), ("o\u{308}", "ö")];

    impl TextForms for Few {
        fn nfc(&self, text: &str) -> String {
            PAIRS.iter().fold(text.to_owned(), |text, (two, one)| text.replace(two, one))
        }

        fn nfd(&self, text: &str) -> String {
            PAIRS.iter().fold(text.to_owned(), |text, (two, one)| text.replace(one, two))
        }

        fn nfkc(&self, text: &str) -> String {
            let narrow = |c: char| match u32::from(c) {
                code @ 0xFF01..=0xFF5E => char::from_u32(code - 0xFEE0).unwrap(),
                _ => c,
            };
            self.nfc(&text.chars().map(narrow).collect::<String>())
        }

        fn host(&self, name: &str) -> Option<String> {
            let ascii = |label: &str| {
                if label.is_ascii() { label.to_owned() } else { format!("xn--{}", punycode::encode(label)) }
            };
            Some(self.nfkc(name).to_lowercase().split('.').map(ascii).collect::<Vec<_>>().join("."))
        }
    }

    fn canonical(text: &str) -> String {
        Email::canonical(text, &Few).unwrap().to_string()
    }

    #[test]
    fn every_spelling_of_a_mailbox_is_one_address() {
        for (address, spellings) in [
            (
                "josé@xn--bcher-kva.example",
                &[
                    "josé@bücher.example",
                    "jose\u{301}@bu\u{308}cher.example",
                    "JOSÉ@BÜCHER.example",
                    " JOSE\u{301}@XN--BCHER-KVA.Example ",
                    "ｊｏｓé@ｂücher.example",
                    "josé＠bücher．example",
                    "josé@bücher。example",
                ][..],
            ),
            ("ada@example.com", &["ADA@Example.COM", "ａｄａ@example.com", "ＡＤＡ＠ＥＸＡＭＰＬＥ．ＣＯＭ"]),
        ] {
            for spelling in spellings {
                assert_eq!(canonical(spelling), address, "{spelling}");
            }
            assert_eq!(canonical(address), address, "its own form");
        }
        assert_ne!(canonical("jose@example.com"), canonical("josé@example.com"));
    }

    #[test]
    fn what_turns_into_no_address_is_none() {
        for text in ["a＠b@example.com", "a＜@example.com", "a@exam／ple.com"] {
            assert_eq!(Email::canonical(text, &Few), Err(InvalidEmail), "{text}");
        }
    }

    #[test]
    fn accounts_of_before_are_looked_for_under_each_spelling_that_was_taken() {
        let typed = Email::parse("josé@xn--bcher-kva.example").unwrap().spellings(&Few);
        for stored in ["josé@bücher.example", "jose\u{301}@bücher.example", "jose\u{301}@xn--bcher-kva.example"] {
            assert!(typed.contains(&stored.to_owned()), "{stored} in {typed:?}");
        }
        // One's own spelling comes first: of two accounts of before each is opened by its own.
        let own = Email::parse("jose\u{301}@bücher.example").unwrap().spellings(&Few);
        assert_eq!(own[..2], ["jose\u{301}@bücher.example", "josé@xn--bcher-kva.example"]);
        assert_eq!(Email::parse("Ada@example.com").unwrap().spellings(&Few), ["ada@example.com"]);
    }
}
