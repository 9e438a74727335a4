use super::*;

const TAKEN: &[&str] = &["image/png", "image/jpeg"];

fn inline(url: &str) -> Option<(String, String)> {
    match read(url, TAKEN, String::new) {
        Ok(Image::Inline { media_type, base64 }) => Some((media_type, base64.into_owned())),
        _ => None,
    }
}

#[test]
fn data_urls_are_read_in_any_case_and_with_parameters() {
    for (url, media_type, base64) in [
        ("data:image/png;base64,iVBORw0=", "image/png", "iVBORw0="),
        ("DATA:Image/PNG;charset=utf-8;base64,iVBORw0=", "image/png", "iVBORw0="),
        ("Data:IMAGE/JPG;BASE64,/9j/", "image/jpeg", "/9j/"),
        ("data:image/png; charset=utf-8 ; Base64,iVBO\n Rw0=", "image/png", "iVBORw0="),
        ("data:image/png;base64,iV%2BORw0%3D", "image/png", "iV+ORw0="),
        ("data:image/png;base64,iV-_Rw0=", "image/png", "iV+/Rw0="),
    ] {
        assert_eq!(inline(url), Some((media_type.into(), base64.into())), "{url}");
    }
    for url in [
        "data:image/png,abc",
        "data:image/png;base64,",
        "data:image/png;base64",
        "data:;base64,iVBO",
        "data:text/plain;base64,iVBO",
        "data:image/tiff;base64,iVBO",
        "data:image/png;base64,\u{fc}",
        "http://h/a.png",
        "ftp://h/a.png",
        "",
    ] {
        assert!(read(url, TAKEN, String::new).is_err(), "{url}");
    }
    assert_eq!(read("HTTPS://h/a.png", TAKEN, String::new), Ok(Image::Remote("HTTPS://h/a.png")));
}

#[test]
fn the_extension_tells_the_type() {
    assert_eq!(media_type_of("https://h/a.JPG?x=1.png#y"), Some("image/jpeg"));
    assert_eq!(media_type_of("https://h/a"), None);
}
