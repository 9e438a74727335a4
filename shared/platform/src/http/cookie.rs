//! The Cookie header.

/// The value of the first cookie of that name (RFC 6265, section 5.4): exactly as it was sent.
pub fn cookie<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(named, _)| *named == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::cookie;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        assert_eq!(cookie("a=1; b=2=3;c=4", "b"), Some("2=3"));
        assert_eq!(cookie("a=1; b=2; b=3", "b"), Some("2"));
        for header in ["", "b", "xb=1", "a=b", "B=1"] {
            assert_eq!(cookie(header, "b"), None, "{header}");
        }
    }
}
