//! Prefixed, time-ordered identifiers: `usr_` + UUIDv7 (RFC 9562, section 5.7).
//!
//! One newtype for each thing, so that a user's id cannot be passed where a tenant's is meant. They are parsed
//! at the edge and carried as types from there on.

use core::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::time::Timestamp;

/// Why a text is not an identifier of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not an identifier of the form {prefix}<uuid>")]
pub struct InvalidId {
    /// The prefix that was wanted, with its underscore.
    pub prefix: &'static str,
}

/// Ten random bytes for a new identifier, drawn by the shell.
pub type Entropy = [u8; 10];

fn uuid_v7(now: Timestamp, entropy: Entropy) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(now.as_millis().unsigned_abs(), &entropy).into_uuid()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// What the text form starts with.
            pub const PREFIX: &'static str = $prefix;

            /// A new identifier for this instant.
            pub fn new(now: Timestamp, entropy: Entropy) -> Self {
                Self(uuid_v7(now, entropy))
            }

            /// The 128 bits of its UUID.
            pub const fn to_bytes(self) -> [u8; 16] {
                *self.0.as_bytes()
            }

            /// The identifier of these 128 bits.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut buffer = [0_u8; uuid::fmt::Hyphenated::LENGTH];
                f.write_str(Self::PREFIX)?;
                f.write_str(self.0.hyphenated().encode_lower(&mut buffer))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                // One spelling each: `Uuid` alone would also take braces, urn: and upper case.
                text.strip_prefix(Self::PREFIX)
                    .filter(|rest| rest.len() == 36 && !rest.bytes().any(|b| b.is_ascii_uppercase()))
                    .and_then(|rest| Uuid::try_parse(rest).ok())
                    .map(Self)
                    .ok_or(InvalidId { prefix: Self::PREFIX })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(/// A person with a sign-in.
    UserId, "usr_");
id!(/// The owner of rows: one person by default, or a team. Carries its D1 shard, see [`TenantId::shard`].
    TenantId, "ten_");
id!(/// One device signed in.
    SessionId, "ses_");
id!(/// A hold on one or more meters, from reserve to settle.
    ReservationId, "res_");
id!(/// A key of the API.
    ApiKeyId, "key_");
id!(/// An invitation to a team.
    InvitationId, "inv_");
id!(/// A subject of another party, linked with an account.
    IdentityId, "idn_");
id!(/// Extra amounts on a meter: a top-up that was bought, goodwill that was given.
    GrantId, "grt_");
id!(/// One run of a job.
    RunId, "run_");
id!(/// The deletion of a user.
    DeletionId, "del_");
id!(/// One HTTP request, as answered in `X-Request-Id`.
    RequestId, "req_");

/// The D1 database a tenant's rows live in: 0 to 4095.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u16);

impl Shard {
    /// The shard of that number; `None` above 4095.
    pub const fn new(number: u16) -> Option<Self> {
        if number < 4096 { Some(Self(number)) } else { None }
    }

    /// The first shard, which every installation has.
    pub const FIRST: Self = Self(0);

    /// Its number, as in the binding's name (`DB_0`).
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl TenantId {
    /// A new tenant on a shard. The number stands in the 12 bits after the version (`rand_a` of RFC 9562), so
    /// that the id alone says where the rows are and no look-up stands on the way.
    pub fn on_shard(now: Timestamp, mut entropy: Entropy, shard: Shard) -> Self {
        let [high, low] = shard.0.to_be_bytes();
        entropy[0] = high & 0x0f;
        entropy[1] = low;
        Self(uuid_v7(now, entropy))
    }

    /// The shard this tenant's rows live on.
    pub fn shard(self) -> Shard {
        let bytes = self.0.as_bytes();
        Shard(u16::from_be_bytes([bytes[6] & 0x0f, bytes[7]]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_text_form_is_prefix_and_hyphenated_uuid_v7() {
        let id = UserId::new(Timestamp::from_millis(1_700_000_000_000), [7; 10]);
        let text = id.to_string();
        assert!(text.starts_with("usr_018bcfe5-6800-7"), "{text}");
        assert_eq!(text.parse(), Ok(id));
    }

    #[test]
    fn another_kind_or_spelling_is_refused() {
        let id = UserId::new(Timestamp::from_millis(1), [7; 10]).to_string();
        assert!(id.parse::<TenantId>().is_err());
        assert!(id.to_uppercase().parse::<UserId>().is_err());
        assert!(id.replace('-', "").parse::<UserId>().is_err());
        assert!("usr_".parse::<UserId>().is_err());
        assert!("usr_{018bcfe5-6800-7707-8707-070707070707}".parse::<UserId>().is_err());
    }

    proptest! {
        #[test]
        fn a_tenant_keeps_its_shard(ms in 0_i64..(1 << 47), entropy: [u8; 10], number in 0_u16..4096) {
            let shard = Shard::new(number).unwrap();
            let id = TenantId::on_shard(Timestamp::from_millis(ms), entropy, shard);
            prop_assert_eq!(id.shard(), shard);
            prop_assert_eq!(id.to_string().parse::<TenantId>(), Ok(id));
        }

        #[test]
        fn later_ids_sort_after_earlier_ones(a in 0_i64..(1 << 40), step in 1_i64..(1 << 40), x: [u8; 10], y: [u8; 10]) {
            let first = UserId::new(Timestamp::from_millis(a), x).to_string();
            let second = UserId::new(Timestamp::from_millis(a + step), y).to_string();
            prop_assert!(first < second);
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = text.parse::<TenantId>();
        }
    }
}
