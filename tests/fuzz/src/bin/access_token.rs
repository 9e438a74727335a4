//! Access tokens: whatever is sent, nobody gets in without a signature of ours; with one, only claims of ours are taken.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use tollgate_domain::{account::Role, catalogue::Product};
use tollgate_fuzz::{NOW, ids, text};
use tollgate_platform::identity::{AccessClaims, SigningKey, TokenError, VerifyingKeys, issue, verify};

// The key pair of RFC 8037, appendix A.
const PRIVATE: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"k1","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const PUBLIC: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

struct Known {
    good: String,
    claims: AccessClaims,
}

fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let (tenant, user, session) = ids();
        let claims = AccessClaims { user, tenant, session, role: Role::Member, product: Product::Agent };
        let key = SigningKey::from_jwk(PRIVATE).expect("the key is one");
        Known { good: issue(&key, claims, NOW).expect("it signs"), claims }
    })
}

fuzz_target!(|bytes: &[u8]| {
    let Some(text) = text(bytes) else { return };
    let keys = VerifyingKeys::from_jwks(PUBLIC);
    let known = known();
    let (head, signature) = known.good.rsplit_once('.').expect("a token has dots");
    let (header, claims) = head.split_once('.').expect("a token has two");
    // As it is; as each part of a good token; after a good token.
    for token in [
        text.to_owned(),
        format!("{text}.{claims}.{signature}"),
        format!("{header}.{text}.{signature}"),
        format!("{header}.{claims}.{text}"),
        format!("{}{text}", known.good),
    ] {
        match verify(&keys, &token, NOW) {
            Ok(taken) => assert!(token == known.good && taken == known.claims, "{token} was taken"),
            Err(TokenError::Invalid) => {}
            Err(TokenError::Expired) => panic!("{token} was called expired: nobody signed it"),
        }
    }
    // Keys come from a setting: whatever stands there, it is read or it is not.
    let _ = VerifyingKeys::from_jwks(text);
    let _ = SigningKey::from_jwk(text);
});
