//! Reading single members of the body. An explicit null counts as absent, as it does for OpenAI.

use serde_json::Value;

use super::InvalidRequest;
use crate::members::Members;

pub(super) fn value(members: &Members, name: &str) -> Result<Option<Value>, InvalidRequest> {
    match members.get(name) {
        None | Some("null") => Ok(None),
        // The text was checked as JSON before; what can fail here is nesting beyond serde_json's limit of 128, and what
        // JSON's grammar allows but no value can hold.
        Some(raw) => serde_json::from_str(raw).map(Some).map_err(|error| {
            let too_deep = error.to_string().contains("recursion limit");
            let wanted =
                if too_deep { "nested less deeply" } else { "without lone surrogates and numbers beyond 64 bits" };
            InvalidRequest::out_of_range(name, wanted)
        }),
    }
}

pub(super) fn text(members: &Members, name: &str) -> Result<Option<String>, InvalidRequest> {
    match value(members, name)? {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(InvalidRequest::wrong_type(name, "a string")),
    }
}

pub(super) fn boolean(members: &Members, name: &str) -> Result<Option<bool>, InvalidRequest> {
    match value(members, name)? {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(flag)),
        Some(_) => Err(InvalidRequest::wrong_type(name, "a boolean")),
    }
}

pub(super) fn integer(members: &Members, name: &str, least: u64, most: u64) -> Result<Option<u64>, InvalidRequest> {
    let Some(value) = value(members, name)? else {
        return Ok(None);
    };
    if !value.is_number() {
        return Err(InvalidRequest::wrong_type(name, "an integer"));
    }
    if value.as_f64().is_some_and(|number| number.fract() != 0.0) {
        return Err(InvalidRequest::wrong_type(name, "an integer"));
    }
    match value.as_u64() {
        Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
        _ => Err(InvalidRequest::out_of_range(name, &format!("between {least} and {most}"))),
    }
}

pub(super) fn number(members: &Members, name: &str, least: f64, most: f64) -> Result<Option<f64>, InvalidRequest> {
    let Some(value) = value(members, name)? else {
        return Ok(None);
    };
    match value.as_f64() {
        Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
        Some(_) => Err(InvalidRequest::out_of_range(name, &format!("between {least} and {most}"))),
        None => Err(InvalidRequest::wrong_type(name, "a number")),
    }
}
