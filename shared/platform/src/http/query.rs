//! Query parameters.

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::{Deserialize, de::DeserializeOwned};
use tollgate_api::{Code, FieldError, Problem};

/// Query parameters as a type. A bad one is a 400 that says why, and one that nothing reads is a 422 that names it: a
/// filter with a slip in its name would otherwise answer everything, and nobody would see that it did not filter.
#[derive(Debug)]
pub struct Query<T>(pub T);

/// No query parameters: a list that takes none says so too.
#[derive(Debug, Deserialize)]
pub struct NoParameters {}

/// Query parameters of an address that other programs build on: providers add theirs to a callback, mail programs and
/// campaigns to a link. What is not known is passed over.
#[derive(Debug)]
pub struct OpenQuery<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match read(parts.uri.query())? {
            (value, None) => Ok(Self(value)),
            (_, Some(name)) => Err(unknown(&name)),
        }
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for OpenQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read(parts.uri.query()).map(|(value, _)| Self(value))
    }
}

/// The parameters, and the name of the first that `T` has no member for.
fn read<T: DeserializeOwned>(query: Option<&str>) -> Result<(T, Option<String>), Problem> {
    let mut unread = None;
    let mut note = |path: serde_ignored::Path<'_>| {
        unread.get_or_insert_with(|| path.to_string());
    };
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.unwrap_or_default().as_bytes()));
    let value = serde_path_to_error::deserialize(serde_ignored::Deserializer::new(pairs, &mut note));
    value.map(|value| (value, unread)).map_err(|error| unreadable(&error))
}

/// The longest name of a parameter that is told back, in characters.
const NAME_CHARS: usize = 64;

fn unknown(name: &str) -> Problem {
    let name: String = name.chars().take(NAME_CHARS).collect();
    let shown = if name.is_empty() { "the query" } else { name.as_str() };
    Problem::invalid(vec![FieldError::new(shown, "is no parameter of this address")])
}

/// What is wrong, by the parameter that is. A parameter that is given twice is no error at a path: its name is in the text.
fn unreadable(error: &serde_path_to_error::Error<serde::de::value::Error>) -> Problem {
    let (path, text) = (error.path().to_string(), error.inner().to_string());
    let twice = text.strip_prefix("duplicate field `").and_then(|rest| rest.split_once('`'));
    let (name, message) = match twice {
        Some((name, _)) => (name, "is given twice"),
        None if path == "." => ("the query", "cannot be read"),
        None => (path.as_str(), "cannot be read"),
    };
    Problem {
        errors: vec![FieldError::new(name, message)],
        ..Problem::new(Code::BadRequest, format!("{name} {message}."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameter_that_is_wrong_is_named() {
        for (query, detail) in [
            ("limit=x", "limit cannot be read."),
            ("limit=-1", "limit cannot be read."),
            ("limit=1&limit=2", "limit is given twice."),
            ("user_id=a&unknown=1&user_id=b", "user_id is given twice."),
        ] {
            let refused = read::<Asked>(Some(query)).unwrap_err();
            assert_eq!((refused.status, refused.detail.as_str()), (400, detail), "{query}");
        }
        assert_eq!(read::<u32>(Some("a=1")).unwrap_err().detail, "the query cannot be read.");
    }

    #[derive(Debug, Deserialize)]
    struct Asked {
        #[serde(default)]
        limit: Option<u32>,
        #[serde(default, rename = "user_id")]
        user: Option<String>,
    }

    #[test]
    fn what_nothing_reads_is_found() {
        let (asked, unread) = read::<Asked>(Some("limit=2&user_id=u")).unwrap();
        assert_eq!((asked.limit, asked.user.as_deref(), unread), (Some(2), Some("u"), None));
        assert!(read::<Asked>(None).is_ok_and(|(asked, unread)| asked.limit.is_none() && unread.is_none()));
        for (query, found) in [
            ("", None),
            ("limit=2&user_id=u", None),
            ("limits=2", Some("limits")),
            ("limit=2&user=u", Some("user")),
            ("Limit=2", Some("Limit")),
            ("limit%20=2", Some("limit ")),
            ("limit[]=2", Some("limit[]")),
            ("x", Some("x")),
            ("=2", Some("")),
        ] {
            assert_eq!(read::<Asked>(Some(query)).unwrap().1.as_deref(), found, "{query}");
            let none = (!query.is_empty()).then(|| query.split(['=', '&']).next().unwrap_or_default());
            let decoded = none.map(|name| name.replace("%20", " "));
            assert_eq!(read::<NoParameters>(Some(query)).unwrap().1, decoded, "{query}");
        }
    }

    #[test]
    fn a_name_is_told_back_cut_short() {
        assert_eq!(unknown(&"ä".repeat(500)).errors[0].field, "ä".repeat(64));
        assert_eq!(unknown("").errors[0].field, "the query");
    }
}
