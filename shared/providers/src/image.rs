//! Images in requests: `data:` URLs taken apart, media types guessed.

use std::borrow::Cow;

use crate::request::InvalidRequest;

/// Where an image is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Image<'a> {
    Inline { media_type: String, base64: Cow<'a, str> },
    Remote(&'a str),
}

/// Reads an image URL. `data:[<media type>][;<parameter>]*[;base64],<data>` is RFC 2397; scheme, types and parameters' names are the
/// same in any case. Only base64 is of use to the providers, and of types those in `taken`.
pub(crate) fn read<'a>(url: &'a str, taken: &[&str], field: impl Fn() -> String) -> Result<Image<'a>, InvalidRequest> {
    if begins_with(url, "https://") {
        return Ok(Image::Remote(url));
    }
    if !begins_with(url, "data:") {
        return Err(InvalidRequest::unsupported(field(), "must be an https: or a data: URL for this provider."));
    }
    let (head, data) = url["data:".len()..].split_once(',').unwrap_or_default();
    let mut parts = head.split(';').map(str::trim);
    let media_type = match parts.next().unwrap_or_default().to_ascii_lowercase() {
        jpeg if jpeg == "image/jpg" || jpeg == "image/pjpeg" => "image/jpeg".to_owned(),
        other => other,
    };
    let base64 = plain_base64(data);
    let is_base64 = parts.any(|part| part.eq_ignore_ascii_case("base64"))
        && !base64.is_empty()
        && base64.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
    if !is_base64 || !media_type.starts_with("image/") {
        return Err(InvalidRequest::out_of_range(field(), "of the form data:image/<type>;base64,<data>"));
    }
    if !taken.contains(&media_type.as_str()) {
        let message = format!("must be of one of the types this provider takes: {}.", taken.join(", "));
        return Err(InvalidRequest::unsupported(field(), message));
    }
    Ok(Image::Inline { media_type, base64 })
}

/// Whether a URL has this scheme, in any case.
pub(crate) fn begins_with(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
}

/// Base64 in the one alphabet that every provider reads, without the line breaks and escapes that URLs bring along.
pub(crate) fn plain_base64(data: &str) -> Cow<'_, str> {
    if data.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b)) {
        return Cow::Borrowed(data);
    }
    let mut plain = data.to_owned();
    for (escaped, character) in
        [("%2B", "+"), ("%2b", "+"), ("%2F", "/"), ("%2f", "/"), ("%3D", "="), ("%3d", "="), ("%0A", ""), ("%0D", "")]
    {
        plain = plain.replace(escaped, character);
    }
    plain.retain(|c| !c.is_ascii_whitespace());
    Cow::Owned(plain.replace('-', "+").replace('_', "/"))
}

/// The media type a URL's extension promises, for Gemini, which wants one and does not always look for itself.
pub(crate) fn media_type_of(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let extension = path.rsplit_once('.')?.1.to_ascii_lowercase();
    match extension.as_str() {
        "png" => Some("image/png"),
        "jpg" | "jpeg" => Some("image/jpeg"),
        "webp" => Some("image/webp"),
        "gif" => Some("image/gif"),
        "heic" => Some("image/heic"),
        "heif" => Some("image/heif"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
