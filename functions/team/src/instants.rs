//! `from` and `to`.

use tollgate_domain::time::Timestamp;
use tollgate_platform::{Code, Problem};

/// The instant after which there is none: the year 2100.
const LATEST: Timestamp = Timestamp::from_millis(4_102_444_800_000);

/// A span: from an instant on, and before another. Days stand for their beginning in UTC; what is left out is open.
///
/// # Errors
/// 400 with the parameter that is wrong.
pub fn span(from: Option<&str>, to: Option<&str>) -> Result<(Timestamp, Timestamp), Problem> {
    let from = from.map_or(Ok(Timestamp::from_millis(0)), |text| instant("from", text))?;
    let to = to.map_or(Ok(LATEST), |text| instant("to", text))?;
    if from >= to {
        return Err(Problem::new(Code::BadRequest, "from must be before to."));
    }
    Ok((from, to))
}

fn instant(name: &str, text: &str) -> Result<Timestamp, Problem> {
    let full = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    serde_json::from_value(serde_json::Value::String(full))
        .ok()
        .filter(|at: &Timestamp| (0..=LATEST.as_millis()).contains(&at.as_millis()))
        .ok_or_else(|| {
            Problem::new(
                Code::BadRequest,
                format!("{name} must be a day (2026-01-31) or an instant (2026-01-31T00:00:00Z)."),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_instants_and_nothing() {
        let day = |text: &str| instant("from", text).unwrap();
        assert_eq!(span(None, None).unwrap(), (Timestamp::from_millis(0), LATEST));
        assert_eq!(
            span(Some("2023-11-01"), Some("2023-11-01T13:00:00+02:00")).unwrap(),
            (day("2023-11-01T00:00:00Z"), day("2023-11-01T11:00:00Z"))
        );
        for (from, to) in [("x", "2023-11-02"), ("2023-11-02", "2023-11-02"), ("2023-11-03", "2023-11-02")] {
            assert!(span(Some(from), Some(to)).is_err(), "{from} {to}");
        }
    }
}
