//! `from` and `to`.

use tollgate_domain::time::Timestamp;
use tollgate_platform::{
    Code, Problem,
    http::{LATEST_INSTANT, instant},
};

/// A span: from an instant on, and before another. Days stand for their beginning in UTC; what is left out is open.
///
/// # Errors
/// 400 with the parameter that is wrong.
pub fn span(from: Option<&str>, to: Option<&str>) -> Result<(Timestamp, Timestamp), Problem> {
    let from = from.map_or(Ok(Timestamp::from_millis(0)), |text| instant("from", text))?;
    let to = to.map_or(Ok(LATEST_INSTANT), |text| instant("to", text))?;
    if from >= to {
        return Err(Problem::new(Code::BadRequest, "from must be before to."));
    }
    Ok((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_instants_and_nothing() {
        let day = |text: &str| instant("from", text).unwrap();
        assert_eq!(span(None, None).unwrap(), (Timestamp::from_millis(0), LATEST_INSTANT));
        assert_eq!(
            span(Some("2023-11-01"), Some("2023-11-01T13:00:00+02:00")).unwrap(),
            (day("2023-11-01T00:00:00Z"), day("2023-11-01T11:00:00Z"))
        );
        for (from, to) in [("x", "2023-11-02"), ("2023-11-02", "2023-11-02"), ("2023-11-03", "2023-11-02")] {
            assert!(span(Some(from), Some(to)).is_err(), "{from} {to}");
        }
    }
}
