//! The one place that reads the clock.

use tollgate_domain::time::Timestamp;

use crate::settings::Settings;

/// The instant, shifted by `CLOCK_OFFSET_SECONDS` where that is set (local only).
///
/// In a Worker it moves only when something was waited for: two calls in one turn give the same instant.
pub fn now(settings: &Settings) -> Timestamp {
    wall().plus_millis(settings.clock_offset_ms)
}

/// The clock on the wall, for alarms: the runtime knows nothing of our offset.
pub fn wall() -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 are far below 2^53")]
    let millis = js_sys::Date::now() as i64;
    Timestamp::from_millis(millis)
}
