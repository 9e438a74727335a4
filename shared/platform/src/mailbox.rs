//! The one form of an address: the rule is [`tollgate_domain::account::Email::canonical`], the tables are the runtime's.

use js_sys::JsString;
use tollgate_domain::account::{Email, InvalidEmail, TextForms};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = URL)]
    type JsUrl;

    #[wasm_bindgen(constructor, js_class = "URL", catch)]
    fn new(address: &str) -> Result<JsUrl, JsValue>;

    #[wasm_bindgen(method, getter)]
    fn hostname(this: &JsUrl) -> String;
}

/// The runtime's tables.
struct Runtime;

fn normalized(text: &str, form: &str) -> String {
    // What is ASCII is its own form in each of them.
    if text.is_ascii() { text.to_owned() } else { JsString::from(text).normalize(form).into() }
}

impl TextForms for Runtime {
    fn nfc(&self, text: &str) -> String {
        normalized(text, "NFC")
    }

    fn nfd(&self, text: &str) -> String {
        normalized(text, "NFD")
    }

    fn nfkc(&self, text: &str) -> String {
        normalized(text, "NFKC")
    }

    fn host(&self, name: &str) -> Option<String> {
        JsUrl::new(&format!("http://{name}/")).ok().map(|url| url.hostname()).filter(|host| !host.is_empty())
    }
}

/// Reads an address that somebody typed into the one form of its mailbox.
///
/// # Errors
/// [`InvalidEmail`].
pub fn canonical(text: &str) -> Result<Email, InvalidEmail> {
    Email::canonical(text, &Runtime)
}

/// The one form of an address that is stored: accounts of earlier releases stand under other spellings.
pub fn stored(text: &str) -> Option<Email> {
    canonical(text).or_else(|_| Email::parse(text)).ok()
}

/// Every spelling under which an account of the mailbox may stand, the given one first.
pub fn spellings(email: &Email) -> Vec<String> {
    email.spellings(&Runtime)
}

/// A domain that somebody typed, in ASCII where it can be.
pub fn ascii_domain(text: &str) -> String {
    // What stands behind an address's `@` is a domain: the rules are the same.
    let address = canonical(&format!("x@{}", text.trim()));
    address
        .ok()
        .and_then(|email| Some(email.as_str().rsplit_once('@')?.1.to_owned()))
        .unwrap_or_else(|| text.to_owned())
}

/// A text with each letter in one part (NFC).
pub fn composed(text: &str) -> String {
    normalized(text, "NFC")
}
