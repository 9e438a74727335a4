//! API keys: one spelling, and a typo is found.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_domain::{
    api_key::{Scopes, Token},
    catalogue::Product,
    id::ApiKeyId,
};
use tollgate_fuzz::{NOW, ids, text};

fuzz_target!(|bytes: &[u8]| {
    if let Some(text) = text(bytes) {
        if let Ok(token) = Token::parse(text) {
            assert!(Token::is_meant(text));
            assert_eq!(token.reveal(), text);
            let _ = (token.claimed(), token.payer(), token.last_four(), token.hash());
        }
        if let Ok(scopes) = Scopes::parse(text.split(' ')) {
            assert_eq!(Scopes::parse_stored(&scopes.to_string()), Ok(scopes));
        }
    }
    // A good key with one letter changed is never taken.
    let [at, letter, ..] = *bytes else { return };
    let (tenant, user, _) = ids();
    let good = Token::new(Product::Agent, tenant, user, ApiKeyId::new(NOW, [4; 10]), [at; 32]).reveal();
    let mut changed = good.clone().into_bytes();
    let at = usize::from(at) % changed.len();
    changed[at] = letter;
    if let Ok(changed) = core::str::from_utf8(&changed) {
        assert_eq!(Token::parse(changed).is_ok(), changed == good, "{changed}");
    }
});
