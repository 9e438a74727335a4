//! Instants in query parameters.

use tollgate_api::{Code, Problem};
use tollgate_domain::time::Timestamp;

/// The latest instant that is taken: the year 2100.
pub const LATEST_INSTANT: Timestamp = Timestamp::from_millis(4_102_444_800_000);

/// Reads the parameter of that name: an instant as in RFC 3339, or a day, which stands for its beginning in UTC.
///
/// # Errors
/// 400 with the parameter's name.
pub fn instant(name: &str, text: &str) -> Result<Timestamp, Problem> {
    let full = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    serde_json::from_value(serde_json::Value::String(full))
        .ok()
        .filter(|at: &Timestamp| (0..=LATEST_INSTANT.as_millis()).contains(&at.as_millis()))
        .ok_or_else(|| {
            Problem::new(
                Code::BadRequest,
                format!("{name} must be a day (2026-01-31) or an instant (2026-01-31T00:00:00Z)."),
            )
        })
}
