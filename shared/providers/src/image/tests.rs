use super::*;

#[test]
fn data_urls_are_taken_apart() {
    let at = || "f".to_owned();
    assert_eq!(read("data:image/png;base64,iVBO", at), Ok(Image::Inline { media_type: "image/png", base64: "iVBO" }));
    assert_eq!(read("https://x/y.png", at), Ok(Image::Remote("https://x/y.png")));
    for url in ["data:image/png,iVBO", "data:text/plain;base64,iVBO", "data:", "http://x/y.png", ""] {
        assert_eq!(read(url, at).unwrap_err().field, "f", "{url}");
    }
}

#[test]
fn media_types_come_from_the_extension() {
    assert_eq!(media_type_of("https://x/a.JPG?size=1.png#f"), Some("image/jpeg"));
    assert_eq!(media_type_of("https://x/a"), None);
}
