//! The Cookie header: our value is found where it stands, and nowhere else.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_fuzz::text;
use tollgate_platform::http::cookie;

const NAME: &str = "tollgate_device";

fuzz_target!(|bytes: &[u8]| {
    let Some(text) = text(bytes) else { return };
    if let Some(value) = cookie(text, NAME) {
        assert!(text.contains(&format!("{NAME}={value}")));
        assert!(!value.contains(';'));
    }
    // Behind other cookies ours is found, unless one of them has its name.
    if cookie(text, NAME).is_none() {
        assert_eq!(cookie(&format!("{text}; {NAME}=AAAA"), NAME), Some("AAAA"));
    }
    assert_eq!(cookie(&format!("{NAME}=AAAA; {text}"), NAME), Some("AAAA"));
});
