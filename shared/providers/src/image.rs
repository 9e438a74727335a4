//! Images in requests: `data:` URLs taken apart, media types guessed.

use crate::request::InvalidRequest;

/// Where an image is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Image<'a> {
    Inline { media_type: &'a str, base64: &'a str },
    Remote(&'a str),
}

/// Reads an image URL. `data:[<media type>][;base64],<data>` is RFC 2397; only base64 is of use to the providers.
pub(crate) fn read(url: &str, field: impl Fn() -> String) -> Result<Image<'_>, InvalidRequest> {
    if url.starts_with("https://") {
        return Ok(Image::Remote(url));
    }
    let Some(rest) = url.strip_prefix("data:") else {
        return Err(InvalidRequest::unsupported(field(), "must be an https: or a data: URL for this provider."));
    };
    match rest.split_once(',').and_then(|(head, data)| Some((head.strip_suffix(";base64")?, data))) {
        Some((media_type, base64)) if media_type.starts_with("image/") => Ok(Image::Inline { media_type, base64 }),
        _ => Err(InvalidRequest::out_of_range(field(), "of the form data:image/<type>;base64,<data>")),
    }
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
