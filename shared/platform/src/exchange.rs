//! Questions to parties that are not trusted with anything: a small answer in a short time, and no redirects. A redirect
//! would lead from an address that was checked to one that was not.

use std::time::Duration;

use crate::{
    Scope,
    outgoing::{self, Outgoing, Unreachable},
};

/// The largest answer that is read.
const MAX_BYTES: usize = 256 * 1024;

/// How long the other party may take for the head of its answer, and again for the rest.
const PATIENCE: Duration = Duration::from_secs(5);

/// A question.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Where to.
    pub url: &'a str,
    /// Its headers.
    pub headers: &'a [(&'a str, &'a str)],
    /// A form: then it is a POST; else a GET.
    pub form: Option<&'a [(&'a str, &'a str)]>,
}

/// Asks, and answers status and body.
///
/// # Errors
/// When the other party cannot be reached, redirects, is too slow, or says too much.
pub async fn ask(scope: &Scope, question: &Question<'_>) -> Result<(u16, Vec<u8>), Unreachable> {
    let form = question.form.map(form);
    let mut headers = vec![("accept", "application/json")];
    headers.extend_from_slice(question.headers);
    if form.is_some() {
        headers.push(("content-type", "application/x-www-form-urlencoded"));
    }
    let method = if form.is_some() { "POST" } else { "GET" };
    let call = Outgoing { method, url: question.url, headers: &headers, body: form.as_deref() };
    let answer = outgoing::send(scope, &call, PATIENCE).await?;
    Ok((answer.status(), answer.bytes(MAX_BYTES, PATIENCE).await?))
}

/// Members as `application/x-www-form-urlencoded`, and as a query: blanks are `%20`, which both read.
pub fn form(members: &[(&str, &str)]) -> String {
    let pair = |(name, value): &(&str, &str)| format!("{}={}", encoded(name), encoded(value));
    members.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// A text as a part of a query. Everything but RFC 3986's unreserved characters is percent-encoded.
pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            encoded.push('%');
            encoded.push(char::from(DIGITS[usize::from(byte >> 4)]));
            encoded.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::form;

    #[test]
    fn what_means_something_in_a_query_is_encoded() {
        assert_eq!(form(&[("a", "b c&d=e"), ("ü", "~+/")]), "a=b%20c%26d%3De&%C3%BC=~%2B%2F");
        assert_eq!(form(&[]), "");
    }
}
