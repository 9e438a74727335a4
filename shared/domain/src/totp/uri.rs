//! The address that the QR code shows.

use super::code::{PERIOD_SECONDS, Secret};

/// `otpauth://totp/<issuer>:<account>?secret=...&issuer=...&algorithm=SHA1&digits=6&period=30`, as apps read it:
/// <https://github.com/google/google-authenticator/wiki/Key-Uri-Format>.
///
/// `issuer` is what the installation is called, `account` the sign-in name. Everything but letters, digits and `-._~` is
/// percent-encoded (RFC 3986, section 2.3), so that neither can end its part; a colon in the issuer becomes a blank,
/// because the label is split there even when it is encoded.
pub fn otpauth_uri(secret: &Secret, issuer: &str, account: &str) -> String {
    let issuer = encoded(&issuer.replace(':', " "));
    format!(
        "otpauth://totp/{issuer}:{}?secret={}&issuer={issuer}&algorithm=SHA1&digits=6&period={PERIOD_SECONDS}",
        encoded(account),
        secret.reveal(),
    )
}

fn encoded(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(DIGITS[usize::from(byte >> 4)]));
            encoded.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: Secret = Secret::new(*b"12345678901234567890");

    #[test]
    fn the_address_is_the_one_apps_read() {
        assert_eq!(
            otpauth_uri(&SECRET, "Acme: AI", "ada@example.com"),
            "otpauth://totp/Acme%20%20AI:ada%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Acme%20%20AI&algorithm=SHA1&digits=6&period=30"
        );
    }

    proptest! {
        #[test]
        fn no_name_breaks_out_of_its_part(issuer: String, account: String) {
            let uri = otpauth_uri(&SECRET, &issuer, &account);
            let rest = uri.strip_prefix("otpauth://totp/").unwrap();
            prop_assert_eq!(rest.matches(':').count(), 1);
            prop_assert_eq!(rest.matches('?').count(), 1);
            prop_assert_eq!(rest.matches('&').count(), 4);
            prop_assert_eq!(rest.matches('=').count(), 5);
            prop_assert!(rest.is_ascii() && !rest.contains([' ', '#', '/', '"']));
        }
    }
}
