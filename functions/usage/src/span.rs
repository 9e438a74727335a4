//! `from` and `to` of a report.

use tollgate_domain::time::{DAY_MS, Period, Timestamp};
use tollgate_platform::{Code, Problem, http::instant, store::usage_reports::HOUR_MS};

/// The longest span of a report.
const MAX_DAYS: i64 = 400;

/// Reads `from` (in) and `to` (out): instants as RFC 3339 or days; 30 days until now when left out. Widened to whole
/// hours, which is what is added up.
///
/// # Errors
/// 400 with the parameter that is wrong.
pub fn parse(from: Option<&str>, to: Option<&str>, now: Timestamp) -> Result<Period, Problem> {
    let to_given = to.map(|text| instant("to", text)).transpose()?;
    let end = ceil_hour(to_given.unwrap_or(now).as_millis().saturating_add(i64::from(to_given.is_none())));
    let start = match from {
        Some(text) => floor_hour(instant("from", text)?.as_millis()),
        None => floor_hour(end.saturating_sub(30 * DAY_MS)),
    };
    if start >= end {
        return Err(Problem::new(Code::BadRequest, "from must be before to."));
    }
    if end - start > MAX_DAYS * DAY_MS {
        return Err(Problem::new(Code::BadRequest, format!("from and to may be {MAX_DAYS} days apart at most.")));
    }
    Ok(Period { start: Timestamp::from_millis(start), end: Timestamp::from_millis(end) })
}

const fn floor_hour(millis: i64) -> i64 {
    millis.div_euclid(HOUR_MS) * HOUR_MS
}

const fn ceil_hour(millis: i64) -> i64 {
    floor_hour(millis.saturating_add(HOUR_MS - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000); // 2023-11-14T22:13:20Z

    fn span(from: Option<&str>, to: Option<&str>) -> (String, String) {
        let span = parse(from, to, NOW).unwrap();
        (span.start.to_string(), span.end.to_string())
    }

    #[test]
    fn days_instants_and_nothing() {
        assert_eq!(
            span(Some("2023-11-01"), Some("2023-11-02")),
            ("2023-11-01T00:00:00Z".into(), "2023-11-02T00:00:00Z".into())
        );
        assert_eq!(
            span(Some("2023-11-01T10:20:30Z"), Some("2023-11-01T13:00:00+02:00")),
            ("2023-11-01T10:00:00Z".into(), "2023-11-01T11:00:00Z".into())
        );
        assert_eq!(span(None, None), ("2023-10-15T23:00:00Z".into(), "2023-11-14T23:00:00Z".into()));
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for (from, to) in [
            ("x", "2023-11-02"),
            ("2023-11-02", "2023-11-02"),
            ("2023-11-03", "2023-11-02"),
            ("2020-01-01", "2023-11-02"),
            ("2023-13-01", "2023-11-02"),
            ("+262142-01-01T00:00:00Z", "2023-11-02"),
        ] {
            assert!(parse(Some(from), Some(to), NOW).is_err(), "{from} {to}");
        }
    }
}
