//! What opens where, and what does not.

use base64ct::{Base64UrlUnpadded, Encoding};
use proptest::prelude::*;
use tollgate_domain::id::TenantId;

use super::*;

const PLACE: Place<'static> = Place { table: "connections", column: "refresh_token", row: "con_1" };

fn tenant(byte: u8) -> TenantId {
    TenantId::from_bytes([byte; 16])
}

fn setting(versions: &[u8]) -> String {
    let entry = |version: &u8| format!("{version}:{}", Base64UrlUnpadded::encode_string(&[*version; 32]));
    versions.iter().map(entry).collect::<Vec<_>>().join(",")
}

fn masters(versions: &[u8]) -> MasterKeys {
    MasterKeys::parse(&setting(versions)).unwrap()
}

fn data_key(of: u8) -> DataKey {
    DataKey::new(tenant(of), 1, [42; 32])
}

#[test]
fn a_value_opens_in_its_place_and_nowhere_else() {
    let sealed = data_key(1).seal(PLACE, b"a secret", [1; 12]).unwrap();
    assert_eq!(data_key(1).open(PLACE, &sealed), Ok(b"a secret".to_vec()));
    for elsewhere in [
        Place { table: "sessions", ..PLACE },
        Place { column: "access_token", ..PLACE },
        Place { row: "con_2", ..PLACE },
        Place { table: "connectionsrefresh", column: "_token", ..PLACE },
    ] {
        assert_eq!(data_key(1).open(elsewhere, &sealed), Err(OpenError::Refused), "{elsewhere:?}");
    }
    // The same key bytes for another tenant, and another key.
    assert_eq!(data_key(2).open(PLACE, &sealed), Err(OpenError::Refused));
    assert_eq!(DataKey::new(tenant(1), 1, [43; 32]).open(PLACE, &sealed), Err(OpenError::Refused));
    assert_eq!(DataKey::new(tenant(1), 2, [42; 32]).open(PLACE, &sealed), Err(OpenError::UnknownVersion(1)));
    let renamed = sealed.replacen("v1.1.", "v1.2.", 1);
    assert_eq!(DataKey::new(tenant(1), 2, [42; 32]).open(PLACE, &renamed), Err(OpenError::Refused));
}

#[test]
fn a_data_key_is_its_tenant_s() {
    let wrapped = masters(&[1]).seal(&data_key(1), [1; 12]).unwrap();
    assert!(wrapped.starts_with("v1.1."));
    assert_eq!(masters(&[1]).open(tenant(1), &wrapped), Ok(data_key(1)));
    assert_eq!(masters(&[1]).open(tenant(2), &wrapped), Err(OpenError::Refused));
    // A wrapped key is no value and a value is no wrapped key, even under the same bytes.
    let as_value = DataKey::new(tenant(1), 1, [1; 32]);
    assert_eq!(as_value.open(PLACE, &wrapped), Err(OpenError::Refused));
    let value = as_value.seal(PLACE, &[0; 36], [1; 12]).unwrap();
    assert_eq!(masters(&[1]).open(tenant(1), &value), Err(OpenError::Refused));
}

#[test]
fn rotating_the_master_key_rewraps_data_keys_and_leaves_values() {
    let value = data_key(1).seal(PLACE, b"a secret", [1; 12]).unwrap();
    let old = masters(&[1]).seal(&data_key(1), [1; 12]).unwrap();
    // Both versions are there: the old one opens, and is sealed anew under the new one.
    let both = masters(&[1, 2]);
    assert_eq!(both.newest(), 2);
    assert_eq!(both.open(tenant(1), &old), Ok(data_key(1)));
    let new = both.rewrap(tenant(1), &old, [2; 12]).unwrap().unwrap();
    assert!(new.starts_with("v1.2."));
    assert_eq!(both.rewrap(tenant(1), &new, [3; 12]), Ok(None), "done already: the job can stop and go on");
    // The old version is taken out.
    let only_new = masters(&[2]);
    let key = only_new.open(tenant(1), &new).unwrap();
    assert_eq!(key.open(PLACE, &value), Ok(b"a secret".to_vec()));
    assert_eq!(only_new.open(tenant(1), &old), Err(OpenError::UnknownVersion(1)));
    assert_eq!(only_new.rewrap(tenant(1), &old, [3; 12]), Err(OpenError::UnknownVersion(1)));
    assert_eq!(both.rewrap(tenant(2), &old, [3; 12]), Err(OpenError::Refused));
}

#[test]
fn the_setting_says_what_is_wrong_with_it_and_not_what_it_is() {
    let good = setting(&[3]);
    assert_eq!(MasterKeys::parse("").unwrap_err(), InvalidMasterKeys::Missing);
    assert_eq!(MasterKeys::parse(&format!("{good},{good}")).unwrap_err(), InvalidMasterKeys::Twice(3));
    for wrong in ["1", "1:", "1:AAAA", "x:AAAA", &good[2..], &format!("0{good}"), &format!("{good}A")] {
        assert_eq!(MasterKeys::parse(wrong).unwrap_err(), InvalidMasterKeys::Malformed(1), "{wrong}");
    }
    assert_eq!(MasterKeys::parse(&format!(" {good} ,1:x")).unwrap_err(), InvalidMasterKeys::Malformed(2));
    assert_eq!(masters(&[2, 10, 1]).newest(), 10);
}

#[test]
fn nothing_secret_is_shown() {
    let shown = format!("{:?} {:?}", masters(&[1, 2]), data_key(1));
    assert!(!shown.contains("42, 42") && !shown.contains("1, 1, 1") && shown.contains("versions: [1, 2]"), "{shown}");
}

proptest! {
    #[test]
    fn values_round_trip(key: [u8; 32], nonce: [u8; 12], plain in proptest::collection::vec(any::<u8>(), 0..200), row: String) {
        let key = DataKey::new(tenant(1), 1, key);
        let place = Place { row: &row, ..PLACE };
        let sealed = key.seal(place, &plain, nonce).unwrap();
        prop_assert_eq!(key.open(place, &sealed), Ok(plain));
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused(plain in proptest::collection::vec(any::<u8>(), 0..40), at: prop::sample::Index, bit in 0_u8..8) {
        let sealed = data_key(1).seal(PLACE, &plain, [9; 12]).unwrap();
        let mut parts: Vec<String> = sealed.split('.').map(str::to_owned).collect();
        let mut bytes: Vec<Vec<u8>> = parts[2..].iter().map(|part| Base64UrlUnpadded::decode_vec(part).unwrap()).collect();
        let index = at.index(bytes[0].len() + bytes[1].len());
        let (part, place) = if index < 12 { (0, index) } else { (1, index - 12) };
        bytes[part][place] ^= 1 << bit;
        parts[2] = Base64UrlUnpadded::encode_string(&bytes[0]);
        parts[3] = Base64UrlUnpadded::encode_string(&bytes[1]);
        prop_assert_eq!(data_key(1).open(PLACE, &parts.join(".")), Err(OpenError::Refused));
    }

    #[test]
    fn a_changed_character_is_never_opened(at in 0_usize..60, to in prop::char::range('\u{20}', '\u{7e}')) {
        let sealed = data_key(1).seal(PLACE, b"a secret", [9; 12]).unwrap();
        let mut changed: Vec<char> = sealed.chars().collect();
        let at = at % changed.len();
        prop_assume!(changed[at] != to);
        changed[at] = to;
        let changed: String = changed.into_iter().collect();
        prop_assert!(data_key(1).open(PLACE, &changed).is_err(), "{changed}");
    }

    #[test]
    fn a_truncated_value_is_never_opened(cut in 1_usize..60) {
        let sealed = data_key(1).seal(PLACE, b"a secret", [9; 12]).unwrap();
        let end = sealed.len().saturating_sub(cut);
        prop_assert!(data_key(1).open(PLACE, &sealed[..end]).is_err());
    }

    #[test]
    fn no_text_panics(text in "(v1\\.[0-9]{1,3}\\.)?\\PC{0,60}") {
        let _ = data_key(1).open(PLACE, &text);
        let _ = masters(&[1]).rewrap(tenant(1), &text, [0; 12]);
        let _ = MasterKeys::parse(&text);
    }
}
