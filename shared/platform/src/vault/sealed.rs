//! The text form of a ciphertext: `v1.<key's version>.<nonce>.<ciphertext and tag>`, the bytes in unpadded base64url.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use base64ct::{Base64UrlUnpadded, Encoding};

/// Twelve bytes that are used once with a key: random ones, new for each sealing.
pub type Nonce = [u8; 12];

/// The format, before the first dot.
const FORMAT: &str = "v1";

/// Why a ciphertext is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is no ciphertext of ours.
    #[error("is not of the form v1.<version>.<nonce>.<ciphertext>")]
    Malformed,
    /// It was sealed under a key that is not there (any more).
    #[error("was sealed under version {0} of the key, which is not there")]
    UnknownVersion(u32),
    /// It was changed, cut, or belongs to another tenant, column or row: which, nobody can tell.
    #[error("does not open here")]
    Refused,
}

/// A 256-bit key.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key(pub(super) [u8; 32]);

/// A ciphertext, read.
pub(super) struct Sealed {
    pub(super) version: u32,
    nonce: Nonce,
    ciphertext: Vec<u8>,
}

impl Sealed {
    /// Reads the text form; each ciphertext has one spelling.
    pub(super) fn parse(text: &str) -> Result<Self, OpenError> {
        Self::read(text).ok_or(OpenError::Malformed)
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        if parts.next()? != FORMAT {
            return None;
        }
        let version = parts.next()?;
        let number: u32 = version.parse().ok()?;
        if number.to_string() != version {
            return None;
        }
        let mut nonce = Nonce::default();
        let decoded = Base64UrlUnpadded::decode(parts.next()?, &mut nonce).ok()?.len();
        let ciphertext = Base64UrlUnpadded::decode_vec(parts.next()?).ok()?;
        (decoded == nonce.len() && parts.next().is_none()).then_some(Self { version: number, nonce, ciphertext })
    }
}

/// The version of the key that a ciphertext names; `None` when it is none of ours.
pub(super) fn version_of(text: &str) -> Option<u32> {
    Sealed::read(text).map(|sealed| sealed.version)
}

impl Key {
    /// Seals bytes. `None` when there are more than AES-GCM takes (64 GiB).
    pub(super) fn seal(&self, version: u32, nonce: Nonce, associated: &[u8], plain: &[u8]) -> Option<String> {
        let cipher = Aes256Gcm::new(&self.0.into());
        let ciphertext = cipher.encrypt(&nonce.into(), Payload { msg: plain, aad: associated }).ok()?;
        Some(format!(
            "{FORMAT}.{version}.{}.{}",
            Base64UrlUnpadded::encode_string(&nonce),
            Base64UrlUnpadded::encode_string(&ciphertext)
        ))
    }

    pub(super) fn open(&self, sealed: &Sealed, associated: &[u8]) -> Result<Vec<u8>, OpenError> {
        let cipher = Aes256Gcm::new(&self.0.into());
        let payload = Payload { msg: &sealed.ciphertext, aad: associated };
        cipher.decrypt(&sealed.nonce.into(), payload).map_err(|_| OpenError::Refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cipher_is_aes_256_gcm() {
        // McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, test case 16 (256-bit key, associated data).
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
        };
        let key = Key(hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308").try_into().unwrap());
        let nonce = hex("cafebabefacedbaddecaf888").try_into().unwrap();
        let plain = hex(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        );
        let expected = hex(
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
        );
        let associated = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let sealed = key.seal(7, nonce, &associated, &plain).unwrap();
        let read = Sealed::parse(&sealed).unwrap();
        assert_eq!((read.version, &read.ciphertext), (7, &expected));
        assert_eq!(key.open(&read, &associated), Ok(plain));
    }

    #[test]
    fn other_texts_are_malformed() {
        for text in [
            "",
            "v1",
            "v2.1.AAAAAAAAAAAAAAAA.AAAA",
            "v1.01.AAAAAAAAAAAAAAAA.AAAA",
            "v1.-1.AAAAAAAAAAAAAAAA.AAAA",
            "v1.4294967296.AAAAAAAAAAAAAAAA.AAAA",
            "v1.1.AAAAAAAAAAAAAAA.AAAA",
            "v1.1.AAAAAAAAAAAAAAAA",
            "v1.1.AAAAAAAAAAAAAAAA.AAAA.",
            "v1.1.AAAAAAAAAAAAAAAA.AA==",
            "v1.1.AAAAAAAAAAAAAAAA.AB",
            " v1.1.AAAAAAAAAAAAAAAA.AAAA",
        ] {
            assert!(matches!(Sealed::parse(text), Err(OpenError::Malformed)), "{text}");
        }
    }
}
