//! Refresh tokens, tokens in mails and invitations: one spelling each.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_domain::team::InvitationToken;
use tollgate_fuzz::text;
use tollgate_platform::identity::{MailToken, MailTokenKind, RefreshToken, TagKey};

fuzz_target!(|bytes: &[u8]| {
    let Some(text) = text(bytes) else { return };
    if let Some(token) = RefreshToken::parse(text) {
        assert_eq!(token.reveal(), text);
        assert!(!token.is_ours(&TagKey::new([7; 32])), "an invented token was ours");
    }
    if let Some((first, second)) = text.split_once(' ')
        && let Some(token) = RefreshToken::parse(first)
    {
        // What is stored beside a token is opened with it, whatever stands there; what it was sealed from comes back.
        if let Some(secret) = token.open(second) {
            assert_eq!(token.open(&token.seal(&secret)), Some(secret));
        }
    }
    if let Some(key) = TagKey::parse(text) {
        assert_eq!(key.reveal(), text);
    }
    for kind in [MailTokenKind::VerifyEmail, MailTokenKind::ResetPassword] {
        if let Some(token) = MailToken::parse(kind, text) {
            assert_eq!(token.reveal(), text);
        }
    }
    if let Some(token) = InvitationToken::parse(text) {
        assert_eq!(token.reveal(), text);
    }
});
