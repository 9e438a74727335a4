//! Query parameters.

use axum::extract::FromRequestParts;
use http::{Uri, request::Parts};
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
        let value = read(&parts.uri)?;
        match unread::<T>(parts.uri.query().unwrap_or_default()) {
            None => Ok(Self(value)),
            Some(name) => Err(unknown(&name)),
        }
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for OpenQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read(&parts.uri).map(Self)
    }
}

fn read<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    axum::extract::Query::try_from_uri(uri)
        .map(|axum::extract::Query(value)| value)
        .map_err(|error| unreadable(&error.body_text()))
}

/// The first parameter that `T` has no member for.
fn unread<T: DeserializeOwned>(query: &str) -> Option<String> {
    let mut first = None;
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    // It was read before, so that only what is passed over is of interest.
    let _ = serde_ignored::deserialize::<_, _, T>(pairs, |path| {
        first.get_or_insert_with(|| path.to_string());
    });
    first
}

/// The longest name of a parameter that is told back, in characters.
const NAME_CHARS: usize = 64;

fn unknown(name: &str) -> Problem {
    let name: String = name.chars().take(NAME_CHARS).collect();
    let shown = if name.is_empty() { "the query" } else { name.as_str() };
    Problem::invalid(vec![FieldError::new(shown, "is no parameter of this address")])
}

/// The parameter that is wrong, out of the framework's sentence: `…: <parameter>: <why>`, or a name in backticks.
fn unreadable(text: &str) -> Problem {
    let why = text.split_once("query string: ").map_or(text, |(_, why)| why);
    let (name, message) = match why.split_once("duplicate field `").and_then(|(_, rest)| rest.split_once('`')) {
        Some((name, _)) => (name, "is given twice"),
        None => (why.split_once(": ").map_or("the query", |(name, _)| name), "cannot be read"),
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
    fn the_parameter_is_named_and_nothing_of_the_framework() {
        let prefix = "Failed to deserialize query string: ";
        for (text, detail) in [
            ("limit: invalid digit found in string", "limit cannot be read."),
            ("duplicate field `limit`", "limit is given twice."),
            ("something else", "the query cannot be read."),
        ] {
            assert_eq!(unreadable(&format!("{prefix}{text}")).detail, detail);
        }
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
        assert!(
            read::<Asked>(&Uri::from_static("/x?limit=2&user_id=u"))
                .is_ok_and(|asked| { asked.limit == Some(2) && asked.user.as_deref() == Some("u") })
        );
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
            assert_eq!(unread::<Asked>(query).as_deref(), found, "{query}");
            let none = (!query.is_empty()).then(|| query.split(['=', '&']).next().unwrap_or_default());
            let decoded = none.map(|name| name.replace("%20", " "));
            assert_eq!(unread::<NoParameters>(query), decoded, "{query}");
        }
    }

    #[test]
    fn a_name_is_told_back_cut_short() {
        assert_eq!(unknown(&"ä".repeat(500)).errors[0].field, "ä".repeat(64));
        assert_eq!(unknown("").errors[0].field, "the query");
    }
}
