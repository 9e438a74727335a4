//! Settings of a user: an object of the client's own making, within limits.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::input::{FieldError, Validate};

/// The most bytes of all settings, written as JSON without blanks.
pub const MAX_CONFIG_BYTES: usize = 16 * 1024;

/// The most settings.
pub const MAX_CONFIG_KEYS: usize = 64;

/// The longest name of a setting, in characters.
pub const MAX_CONFIG_KEY_CHARS: usize = 64;

/// `PUT /user/config`: at most 64 settings, 16 KiB in all. A name has 1 to 64 letters, digits, `_`, `-` and `.`, and begins with a
/// letter; a value is any JSON.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object, example = json!({"theme": "dark", "editor.tabs": 4}))]
pub struct ConfigIn(Map<String, Value>);

impl ConfigIn {
    /// The settings as they are stored.
    pub fn into_json(self) -> String {
        Value::Object(self.0).to_string()
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= MAX_CONFIG_KEY_CHARS
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
}

impl Validate for ConfigIn {
    fn validate(&self) -> Result<(), Vec<FieldError>> {
        if let Some(name) = self.0.keys().find(|name| !is_name(name)) {
            // A name that is cut says where to look, and does not fill the answer.
            let shown: String = name.chars().take(MAX_CONFIG_KEY_CHARS).collect();
            let rule = format!(
                "must have a name of 1 to {MAX_CONFIG_KEY_CHARS} letters, digits, _, - and ., beginning with a letter"
            );
            return Err(vec![FieldError::new(shown, rule)]);
        }
        if self.0.len() > MAX_CONFIG_KEYS {
            return Err(vec![FieldError::new("body", format!("must have at most {MAX_CONFIG_KEYS} members"))]);
        }
        let bytes = serde_json::to_vec(&self.0).map_or(usize::MAX, |body| body.len());
        if bytes > MAX_CONFIG_BYTES {
            return Err(vec![FieldError::new("body", format!("must take at most {MAX_CONFIG_BYTES} bytes as JSON"))]);
        }
        Ok(())
    }
}

/// Which version a writer has seen, out of `If-Match` and `If-None-Match` (RFC 9110, section 13.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// Any.
    None,
    /// One that was stored.
    Stored,
    /// This one; 0 while nothing was stored.
    Version(i64),
}

impl Precondition {
    /// Reads the two headers.
    ///
    /// # Errors
    /// The header that is malformed. An `ETag` that is not one of ours is none: it matches nothing.
    pub fn read(if_match: Option<&str>, if_none_match: Option<&str>) -> Result<Self, &'static str> {
        match (if_match.map(str::trim), if_none_match.map(str::trim)) {
            (None, None) => Ok(Self::None),
            (Some("*"), None) => Ok(Self::Stored),
            (Some(tag), None) => {
                // A proxy that compresses an answer makes its tag a weak one, and clients send it back as it came.
                let tag = tag.strip_prefix("W/").unwrap_or(tag);
                let inner = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or("If-Match")?;
                if inner.contains('"') {
                    return Err("If-Match");
                }
                Ok(Self::Version(inner.parse().ok().filter(|version| (0..=1 << 50).contains(version)).unwrap_or(-1)))
            }
            (None, Some("*")) => Ok(Self::Version(0)),
            (_, Some(_)) => Err("If-None-Match"),
        }
    }
}

/// The `ETag` of a version.
pub fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::from_json;

    fn refused(body: &str) -> String {
        let problem = from_json::<ConfigIn>(body.as_bytes()).unwrap_err();
        assert_eq!(problem.status, 422, "{body}");
        problem.errors.first().map(|error| error.field.clone()).unwrap_or_default()
    }

    #[test]
    fn settings_are_taken_within_their_limits() {
        let taken = from_json::<ConfigIn>(br#"{"theme": "dark", "a.b_c-1": {"x": [1, null]}}"#).unwrap();
        assert_eq!(taken.into_json(), r#"{"a.b_c-1":{"x":[1,null]},"theme":"dark"}"#);
        assert!(from_json::<ConfigIn>(b"{}").is_ok());
        let named = |count: usize| {
            let members: Vec<_> = (0..count).map(|at| format!("\"k{at}\":1")).collect();
            format!("{{{}}}", members.join(","))
        };
        assert!(from_json::<ConfigIn>(named(MAX_CONFIG_KEYS).as_bytes()).is_ok());
        assert_eq!(refused(&named(MAX_CONFIG_KEYS + 1)), "body");
        let long = |bytes: usize| format!("{{\"k\":\"{}\"}}", "x".repeat(bytes - 8));
        assert!(from_json::<ConfigIn>(long(MAX_CONFIG_BYTES).as_bytes()).is_ok());
        assert_eq!(refused(&long(MAX_CONFIG_BYTES + 1)), "body");
        for name in ["", "1a", "a b", "ä", ".a", &"a".repeat(65)] {
            assert_eq!(refused(&format!("{{\"{name}\":1}}")), name.chars().take(64).collect::<String>(), "{name}");
        }
        for body in ["[]", "3", "null", "\"a\""] {
            assert_eq!(refused(body), "body");
        }
    }

    #[test]
    fn preconditions_are_read_and_foreign_tags_match_nothing() {
        assert_eq!(Precondition::read(None, None), Ok(Precondition::None));
        assert_eq!(Precondition::read(Some("*"), None), Ok(Precondition::Stored));
        assert_eq!(Precondition::read(Some(&etag(3)), None), Ok(Precondition::Version(3)));
        assert_eq!(Precondition::read(None, Some("*")), Ok(Precondition::Version(0)));
        for foreign in ["\"x\"", "\"-1\"", "\"99999999999999999999\"", "\"\""] {
            assert_eq!(Precondition::read(Some(foreign), None), Ok(Precondition::Version(-1)), "{foreign}");
        }
        for wrong in ["3", "\"1\", \"2\"", ""] {
            assert_eq!(Precondition::read(Some(wrong), None), Err("If-Match"), "{wrong}");
        }
        assert_eq!(Precondition::read(None, Some("\"1\"")), Err("If-None-Match"));
        assert_eq!(Precondition::read(Some("*"), Some("*")), Err("If-None-Match"));
    }
}
