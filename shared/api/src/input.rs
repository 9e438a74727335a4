//! Reading what a client sent: JSON that names the field that is wrong.

use core::fmt;

use serde::{Serialize, de::DeserializeOwned};
use tollgate_domain::json_shape::{self, Bounds};

use crate::problem::{Code, Problem};

/// A field and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Its path, such as `messages[2].role`; `body` for the whole.
    pub field: String,
    /// What is wrong, as the end of a sentence that begins with the field.
    pub message: String,
}

impl FieldError {
    /// What is wrong with a field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.message)
    }
}

/// Rules on values that their types do not express.
pub trait Validate {
    /// Every field that is wrong.
    fn validate(&self) -> Result<(), Vec<FieldError>> {
        Ok(())
    }
}

/// Reads JSON into a type and checks it.
///
/// # Errors
/// 400 `bad_request` when it is not JSON, 422 `invalid_input` with the field when a type or a value is wrong.
pub fn from_json<T: DeserializeOwned + Validate>(body: &[u8]) -> Result<T, Problem> {
    json_shape::measure(body, Bounds::ORDINARY)
        .map_err(|too_much| Problem::invalid(vec![FieldError::new("body", too_much.to_string())]))?;
    // serde reads an array as a struct, field by field; no client means that.
    if body.trim_ascii_start().first() == Some(&b'[') {
        let _: serde::de::IgnoredAny = serde_json::from_slice(body).map_err(|error| not_json(&error))?;
        return Err(Problem::invalid(vec![FieldError::new("body", "must be an object")]));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value: T = serde_path_to_error::deserialize(&mut reader).map_err(|error| describe(&error))?;
    reader.end().map_err(|error| not_json(&error))?;
    value.validate().map_err(Problem::invalid)?;
    Ok(value)
}

fn not_json(error: &serde_json::Error) -> Problem {
    Problem::new(
        Code::BadRequest,
        format!("The body is not valid JSON: line {}, column {}.", error.line(), error.column()),
    )
}

fn describe(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    use serde_json::error::Category;
    match error.inner().classify() {
        Category::Syntax | Category::Eof | Category::Io => not_json(error.inner()),
        Category::Data => {
            let path = error.path().to_string();
            let message = error.inner().to_string();
            // serde's text ends in a position that says nothing to somebody who sent one line.
            let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(text, _)| text);
            let missing = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
            let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
            let duplicate = message.strip_prefix("duplicate field `").and_then(|rest| rest.strip_suffix('`'));
            let inside = |name: &str| {
                if path == "." { name.to_owned() } else { format!("{path}.{name}") }
            };
            Problem::invalid(vec![match (missing, unknown, duplicate) {
                (Some(name), _, _) => FieldError::new(inside(name), "is missing"),
                (_, Some(name), _) => FieldError::new(
                    path.rsplit_once('.').map_or_else(|| name.to_owned(), |_| path.clone()),
                    "is not known",
                ),
                (_, _, Some(name)) => FieldError::new(inside(name), "is given twice"),
                _ => FieldError::new(if path == "." { "body".into() } else { path }, must_be(message)),
            }])
        }
    }
}

/// serde's sentence in words that a client knows: no type of ours, and nothing of what was sent (it may be a secret).
fn must_be(message: &str) -> String {
    let Some((_, expected)) = message.rsplit_once(", expected ") else {
        return format!("is not right: {message}");
    };
    let name = match expected.split(' ').next().unwrap_or_default() {
        "struct" | "map" => "an object",
        "sequence" | "tuple" => "an array",
        "u8" | "u16" | "u32" | "u64" | "usize" => "an integer in its range, not below 0",
        "i8" | "i16" | "i32" | "i64" | "isize" => "an integer in its range",
        "f32" | "f64" => "a number",
        "enum" | "variant" => "one of its known values",
        _ => match expected {
            "a map" => "an object",
            "a sequence" => "an array",
            other => other,
        },
    };
    format!("must be {name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize, Debug)]
    struct In {
        name: String,
        #[serde(default)]
        #[expect(dead_code, reason = "only read")]
        items: Vec<Item>,
    }
    #[derive(Deserialize, Debug)]
    struct Item {
        #[expect(dead_code, reason = "only read")]
        size: u8,
    }
    impl Validate for In {
        fn validate(&self) -> Result<(), Vec<FieldError>> {
            if self.name.is_empty() { Err(vec![FieldError::new("name", "must not be empty")]) } else { Ok(()) }
        }
    }

    fn field(body: &str) -> (u16, String) {
        let problem = from_json::<In>(body.as_bytes()).unwrap_err();
        (problem.status, problem.errors.first().map_or_else(String::new, ToString::to_string))
    }

    #[test]
    fn the_field_is_named() {
        assert_eq!(field("{}"), (422, "name is missing".into()));
        assert_eq!(field(r#"{"name":1}"#).1, "name must be a string");
        assert_eq!(
            field(r#"{"name":"a","items":[{"size":1},{"size":300}]}"#).1,
            "items[1].size must be an integer in its range, not below 0"
        );
        assert_eq!(field(r#"{"name":"a","items":[{}]}"#).1, "items[0].size is missing");
        assert_eq!(field(r#"{"name":""}"#).1, "name must not be empty");
        assert_eq!(field(r#"{"name":"a","name":"b"}"#).1, "name is given twice");
        assert_eq!(field(r#"{"name":"a","items":[3]}"#).1, "items[0] must be an object");
        assert_eq!(field(r#"{"name":"a","items":3}"#).1, "items must be an array");
        assert!(from_json::<In>(br#"{"name":"a","items":[{"size":1}]}"#).is_ok());
    }

    #[test]
    fn only_an_object_is_a_body() {
        for body in [r#"["a"]"#, " []", "3", "\"a\"", "null", "true"] {
            assert_eq!(field(body), (422, "body must be an object".into()), "{body}");
        }
        assert_eq!(field("[").0, 400);
    }

    #[test]
    fn what_is_not_json_is_a_400() {
        for body in ["", "{", "nope", "{\"name\":\"a\"} x", "{\"name\":\"\u{1}\"}"] {
            assert_eq!(field(body).0, 400, "{body}");
        }
        assert_eq!(from_json::<In>(b"{\"name\":\"\xff\"}").unwrap_err().status, 400);
    }
}
