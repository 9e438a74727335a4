//! Cursors, ids and instants in addresses: one spelling, in range.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_domain::{
    id::{ApiKeyId, InvitationId, SessionId, TenantId, UserId},
    page::{NumberCursor, UsageCursor},
};
use tollgate_fuzz::text;
use tollgate_platform::http::{LATEST_INSTANT, instant};

macro_rules! one_spelling {
    ($text:ident: $($kind:ty),*) => {$(
        if let Ok(value) = $text.parse::<$kind>() {
            assert_eq!(value.to_string(), $text);
        }
    )*};
}

fuzz_target!(|bytes: &[u8]| {
    let Some(text) = text(bytes) else { return };
    one_spelling!(text: UsageCursor, NumberCursor, TenantId, UserId, SessionId, ApiKeyId, InvitationId);
    if let Ok(tenant) = text.parse::<TenantId>() {
        let _ = tenant.shard();
    }
    if let Ok(at) = instant("from", text) {
        assert!(at.as_millis() >= 0 && at <= LATEST_INSTANT, "{at}");
    }
});
