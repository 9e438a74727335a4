//! The text of an API key.
//!
//! ```text
//! tg_live_ P       TTTTTTTTTTTTTTTTTTTTTT UUUUUUUUUUUUUUUUUUUUUU KKKKKKKKKKKKKKKKKKKKKK SSS…SSS CCCCCC
//! prefix   product tenant                 user                   key                    secret  checksum
//!  8       1       22                     22                     22                     43      6         = 124 characters
//! ```
//!
//! The product (`a`gent, `c`hat, `g`mail) is the one whose plan pays: with tenant and user it names the meter, so that a
//! metered call looks nothing up. Ids are the 128 bits of their UUID, the secret is 256 random bits, the checksum is the CRC-32 (IEEE 802.3) of
//! everything before it; all in base 62, without the blanks. Prefix and checksum let secret scanners recognise a key
//! offline and clients a typo, as GitHub's do:
//! <https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/>. A CRC-32 finds
//! every error that spans at most 32 bits: any one character, any two neighbours that changed places. For a scanner:
//! `tg_live_[0-9A-Za-z]{116}`.

use core::fmt;

use crate::{
    base62::{self, ID_DIGITS, SECRET_DIGITS},
    catalogue::Product,
    id::{ApiKeyId, TenantId, UserId},
    secret_hash::SecretHash,
};

/// An API key as its holder has it: with the secret.
///
/// What it says of tenant and user is claimed, not verified: [`Token::claimed`] is for finding the row, and
/// [`super::ApiKey::verify`] makes claims count.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    product: Product,
    tenant: TenantId,
    user: UserId,
    key: ApiKeyId,
    secret: [u8; 32],
}

/// Why a text is not an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// It does not begin like one: something else was sent.
    #[error("is not an API key: those begin with {}", Token::PREFIX)]
    Prefix,
    /// Too short, too long, or with a character that is in no key.
    #[error("is not a whole API key")]
    Shape,
    /// A typo: the checksum does not fit.
    #[error("is an API key with a typo: its checksum does not fit")]
    Checksum,
}

const CHECKSUM_DIGITS: usize = 6;

/// How a product is written. Letters are for good: they stand in keys that were given out.
const fn letter(product: Product) -> char {
    match product {
        Product::Agent => 'a',
        Product::Chat => 'c',
        Product::Gmail => 'g',
    }
}

impl Token {
    /// What every key begins with.
    pub const PREFIX: &'static str = "tg_live_";

    /// The length of every key, in bytes; all are ASCII.
    pub const LENGTH: usize = Self::PREFIX.len() + 1 + 3 * ID_DIGITS + SECRET_DIGITS + CHECKSUM_DIGITS;

    /// A new key; `secret` is 32 bytes from the system's cryptographic source.
    pub const fn new(product: Product, tenant: TenantId, user: UserId, key: ApiKeyId, secret: [u8; 32]) -> Self {
        Self { product, tenant, user, key, secret }
    }

    /// Whether a text is meant to be an API key, and not an access token.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(Self::PREFIX)
    }

    /// Reads the text form. No look-up, no secret is compared: this tells a typo from a key, not a good key from a bad
    /// one.
    ///
    /// # Errors
    /// See [`InvalidToken`]. A single changed character is always one.
    pub fn parse(text: &str) -> Result<Self, InvalidToken> {
        let digits = text.strip_prefix(Self::PREFIX).ok_or(InvalidToken::Prefix)?;
        if text.len() != Self::LENGTH || !digits.bytes().all(|digit| digit.is_ascii_alphanumeric()) {
            return Err(InvalidToken::Shape);
        }
        let (body, checksum) = text.split_at(Self::LENGTH - CHECKSUM_DIGITS);
        if base62::decode::<4>(checksum) != Some(crc32(body.as_bytes()).to_be_bytes()) {
            return Err(InvalidToken::Checksum);
        }
        Self::read(body).ok_or(InvalidToken::Shape)
    }

    fn read(body: &str) -> Option<Self> {
        let (product, rest) = body.strip_prefix(Self::PREFIX)?.split_at_checked(1)?;
        let (tenant, rest) = rest.split_at_checked(ID_DIGITS)?;
        let (user, rest) = rest.split_at_checked(ID_DIGITS)?;
        let (key, secret) = rest.split_at_checked(ID_DIGITS)?;
        Some(Self {
            product: Product::ALL.into_iter().find(|known| product.starts_with(letter(*known)))?,
            tenant: TenantId::from_bytes(base62::decode(tenant)?),
            user: UserId::from_bytes(base62::decode(user)?),
            key: ApiKeyId::from_bytes(base62::decode(key)?),
            secret: base62::decode(secret)?,
        })
    }

    /// The text form, to be shown to its holder once.
    pub fn reveal(&self) -> String {
        let mut text = self.body();
        base62::encode(&crc32(text.as_bytes()).to_be_bytes(), CHECKSUM_DIGITS, &mut text);
        text
    }

    fn body(&self) -> String {
        let mut text = String::with_capacity(Self::LENGTH);
        text.push_str(Self::PREFIX);
        text.push(letter(self.product));
        base62::encode(&self.tenant.to_bytes(), ID_DIGITS, &mut text);
        base62::encode(&self.user.to_bytes(), ID_DIGITS, &mut text);
        base62::encode(&self.key.to_bytes(), ID_DIGITS, &mut text);
        base62::encode(&self.secret, SECRET_DIGITS, &mut text);
        text
    }

    /// Where to look for its row: the tenant and the key it claims to be. Of what is named after these before the key is
    /// verified, nothing is answered: see [`Token::payer`].
    pub const fn claimed(&self) -> (TenantId, ApiKeyId) {
        (self.tenant, self.key)
    }

    /// The user and the product it claims to be for: with the tenant they name the meter, which verifies the key itself
    /// before it does anything.
    pub const fn payer(&self) -> (UserId, Product) {
        (self.user, self.product)
    }

    /// The last four characters, for its holder to tell keys apart. They are the checksum's and open nothing.
    pub fn last_four(&self) -> String {
        self.reveal().split_off(Self::LENGTH - 4)
    }

    /// What is stored. The ids are hashed with the secret: a hash that is copied to another row fits no key.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of("api_key", self.body().as_bytes())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("key", &self.key).finish_non_exhaustive()
    }
}

/// CRC-32 as in IEEE 802.3, zip and PNG (reflected, polynomial 0xEDB88320).
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc >>= 1;
            if carry == 1 {
                crc ^= 0xedb8_8320;
            }
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_token() -> impl Strategy<Value = Token> {
        any::<(u8, [u8; 16], [u8; 16], [u8; 16], [u8; 32])>().prop_map(|(product, tenant, user, key, secret)| {
            let product = Product::ALL[usize::from(product) % 3];
            Token::new(
                product,
                TenantId::from_bytes(tenant),
                UserId::from_bytes(user),
                ApiKeyId::from_bytes(key),
                secret,
            )
        })
    }

    fn token() -> Token {
        let (tenant, user) = (TenantId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        Token::new(Product::Agent, tenant, user, ApiKeyId::from_bytes([3; 16]), [4; 32])
    }

    #[test]
    fn the_checksum_is_the_one_of_zip() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn the_text_is_pinned() {
        // Keys outlive releases: this text must be read by every later one.
        let text = token().reveal();
        assert_eq!(text.len(), Token::LENGTH);
        assert_eq!(Token::LENGTH, 124);
        assert_eq!(text, format!("{}{PINNED}", Token::PREFIX), "keys that were given out would no longer be read");
        assert_eq!(Token::parse(&text), Ok(token()));
    }

    // Computed apart from this code, with Python's integers and `zlib.crc32`. Without its prefix, for secret scanners.
    const PINNED: &str = "a01tRy6czI6jAOLpZvq3hw103mtwDFyaDSKmhf9rg7Ps205gLuJsxsKBVB3UjnWB7o3\
        0x2Q90BnVwyqXEBh5rWMRG4VSIFBhkjcMWcdTlnmW8a0zjsvv";

    #[test]
    fn what_is_shown_in_logs_is_not_the_secret() {
        let text = token().reveal();
        assert!(!format!("{:?}", token()).contains(&text[75..118]));
    }

    #[test]
    fn other_texts_say_what_is_wrong_with_them() {
        let text = token().reveal();
        assert_eq!(Token::parse(""), Err(InvalidToken::Prefix));
        assert_eq!(Token::parse("eyJhbGciOiJFZERTQSJ9.e30.c2ln"), Err(InvalidToken::Prefix));
        assert_eq!(Token::parse("sk-live_abc"), Err(InvalidToken::Prefix));
        assert_eq!(Token::parse(Token::PREFIX), Err(InvalidToken::Shape));
        assert_eq!(Token::parse(&text[..123]), Err(InvalidToken::Shape));
        assert_eq!(Token::parse(&format!("{text}0")), Err(InvalidToken::Shape));
        assert_eq!(Token::parse(&format!(" {text}")), Err(InvalidToken::Prefix));
        assert_eq!(Token::parse(&text.replace('0', "é")), Err(InvalidToken::Shape));
    }

    #[test]
    fn the_hash_is_of_the_ids_too() {
        let other = Token { key: ApiKeyId::from_bytes([9; 16]), ..token() };
        assert_ne!(other.hash(), token().hash());
        assert_eq!(Token::parse(&token().reveal()).unwrap().hash(), token().hash());
    }

    proptest! {
        #[test]
        fn any_key_round_trips(token in any_token()) {
            prop_assert_eq!(Token::parse(&token.reveal()), Ok(token));
        }

        #[test]
        fn any_changed_character_is_refused(token in any_token(), at in 0_usize..124, to in prop::char::range('\u{20}', '\u{7e}')) {
            let mut changed: Vec<char> = token.reveal().chars().collect();
            prop_assume!(changed[at] != to);
            changed[at] = to;
            let changed: String = changed.into_iter().collect();
            prop_assert!(Token::parse(&changed).is_err());
        }

        #[test]
        fn neighbours_that_changed_places_are_refused(token in any_token(), at in 0_usize..123) {
            let mut changed: Vec<char> = token.reveal().chars().collect();
            prop_assume!(changed[at] != changed[at + 1]);
            changed.swap(at, at + 1);
            let changed: String = changed.into_iter().collect();
            prop_assert!(Token::parse(&changed).is_err());
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Token::parse(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn no_text_that_looks_like_one_panics(digits in "[acg0-9A-Za-z]{116}|\\PC{0,130}") {
            // What parses has one spelling.
            let text = format!("{}{digits}", Token::PREFIX);
            if let Ok(token) = Token::parse(&text) {
                prop_assert_eq!(token.reveal(), text);
            }
        }

        #[test]
        fn a_body_with_a_good_checksum_has_one_spelling(digits in "[acg][0-9A-Za-z]{109}") {
            let mut text = format!("{}{digits}", Token::PREFIX);
            base62::encode(&crc32(text.as_bytes()).to_be_bytes(), CHECKSUM_DIGITS, &mut text);
            if let Ok(token) = Token::parse(&text) {
                prop_assert_eq!(token.reveal(), text);
            }
        }
    }
}
