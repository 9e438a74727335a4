//! Bodies of requests: `application/x-www-form-urlencoded` with nested keys, `items[0][price]=price_1`.
//! Source: <https://docs.stripe.com/api> and the URL standard's `application/x-www-form-urlencoded` serializer.

use core::fmt::Write;

/// A body, or a query, that grows field by field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form(String);

impl Form {
    /// An empty one.
    pub const fn new() -> Self {
        Self(String::new())
    }

    /// The same with a field: `with("mode", …)`, `with("items[0][price]", …)`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl core::fmt::Display) -> Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        encode(&mut self.0, key);
        self.0.push('=');
        encode(&mut self.0, &value.to_string());
        self
    }

    /// The same with a field, where there is one.
    #[must_use]
    pub fn with_some(self, key: &str, value: Option<impl core::fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// The same with each field of a map: `metadata[tenant]=…`.
    #[must_use]
    pub fn with_map<'a>(self, name: &str, entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        entries.into_iter().fold(self, |form, (key, value)| form.with(&format!("{name}[{key}]"), value))
    }

    /// The text that is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Every byte but letters, digits and four marks as `%XX`. Brackets of keys stay as they are: Stripe takes both spellings,
/// and logs can be read.
fn encode(into: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' | b'[' | b']' => {
                into.push(char::from(byte));
            }
            // Writing to a string cannot fail.
            byte => drop(write!(into, "%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nested_keys_are_written_as_stripe_reads_them() {
        let form = Form::new()
            .with("mode", "subscription")
            .with("line_items[0][price]", "price_1")
            .with("line_items[0][quantity]", 3)
            .with_some("coupon", None::<&str>)
            .with_map("metadata", [("tenant", "ten_1"), ("what", "a & b = c")]);
        assert_eq!(
            form.as_str(),
            "mode=subscription&line_items[0][price]=price_1&line_items[0][quantity]=3&metadata[tenant]=ten_1\
             &metadata[what]=a%20%26%20b%20%3D%20c"
        );
    }

    proptest! {
        /// Nothing of a value ends its field or begins another.
        #[test]
        fn a_value_stays_one_value(value: String) {
            let form = Form::new().with("a", &value).with("b", 1);
            let (first, second) = form.as_str().split_once('&').unwrap();
            prop_assert_eq!(second, "b=1");
            let encoded = first.strip_prefix("a=").unwrap();
            let mut bytes = Vec::new();
            let mut rest = encoded.bytes();
            while let Some(byte) = rest.next() {
                bytes.push(if byte == b'%' {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(core::str::from_utf8(&digits).unwrap(), 16).unwrap()
                } else {
                    byte
                });
            }
            prop_assert_eq!(String::from_utf8(bytes).unwrap(), value);
        }
    }
}
