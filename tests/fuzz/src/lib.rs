//! What the fuzz targets check, beyond that nothing panics: what is taken has one spelling, and comes back as it went in.

use base64ct::{Base64UrlUnpadded, Encoding};
use tollgate_domain::{
    id::{SessionId, TenantId, UserId},
    time::Timestamp,
};

/// The instant of every run.
pub const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A tenant, a user and a session.
pub fn ids() -> (TenantId, UserId, SessionId) {
    (TenantId::new(NOW, [2; 10]), UserId::new(NOW, [1; 10]), SessionId::new(NOW, [3; 10]))
}

/// The input as text, where it is one.
pub fn text(bytes: &[u8]) -> Option<&str> {
    core::str::from_utf8(bytes).ok()
}

/// Bytes as a part of a token.
pub fn base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}
