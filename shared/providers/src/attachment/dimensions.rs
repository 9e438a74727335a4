//! An image's width and height, from its header.

use super::base64::Base64;

/// Most segments of a JPEG that are passed over before the one with its size: cameras write some twenty.
const MOST_SEGMENTS: usize = 1_000;

/// The size of a PNG, JPEG, GIF or WebP; `None` for anything else, and where the header is not whole.
pub(super) fn read(image: &Base64) -> Option<(u64, u64)> {
    let is = |at: usize, what: &[u8]| what.iter().enumerate().all(|(index, byte)| image.get(at + index) == Some(*byte));
    let size = if is(0, b"\x89PNG\r\n\x1a\n") && is(12, b"IHDR") {
        Some((number(image, &[16, 17, 18, 19])?, number(image, &[20, 21, 22, 23])?))
    } else if is(0, b"GIF8") {
        gif(image)
    } else if is(0, b"RIFF") && is(8, b"WEBP") {
        webp(image, &is)
    } else if is(0, &[0xff, 0xd8]) {
        jpeg(image)
    } else {
        None
    };
    size.filter(|(width, height)| *width > 0 && *height > 0)
}

/// The bytes at these places as a number, the largest first.
fn number(image: &Base64, places: &[usize]) -> Option<u64> {
    places.iter().try_fold(0, |number, place| Some(number << 8 | u64::from(image.get(*place)?)))
}

/// The screen, or its first picture where that reaches beyond: readers make the screen larger then. Without a picture it is none.
/// <https://www.w3.org/Graphics/GIF/spec-gif89a.txt>
fn gif(image: &Base64) -> Option<(u64, u64)> {
    let (width, height) = (number(image, &[7, 6])?, number(image, &[9, 8])?);
    let flags = image.get(10)?;
    let colours = if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut at = 13 + colours;
    let mut in_extension = false;
    for _ in 0..MOST_SEGMENTS {
        match image.get(at)? {
            // Blocks with their lengths, and one of none at the end.
            length if in_extension => {
                in_extension = length > 0;
                at += 1 + usize::from(length);
            }
            0x21 => {
                in_extension = true;
                at += 2;
            }
            0x2c => {
                let far = |begin: usize, length: usize| {
                    let low_first = |place: usize| number(image, &[at + place + 1, at + place]);
                    Some(low_first(begin)? + low_first(length)?)
                };
                return Some((width.max(far(1, 5)?), height.max(far(3, 7)?)));
            }
            _ => return None,
        }
    }
    None
}

/// <https://developers.google.com/speed/webp/docs/riff_container>
fn webp(image: &Base64, is: &dyn Fn(usize, &[u8]) -> bool) -> Option<(u64, u64)> {
    if is(12, b"VP8X") {
        return Some((number(image, &[26, 25, 24])? + 1, number(image, &[29, 28, 27])? + 1));
    }
    if is(12, b"VP8L") {
        let bits = number(image, &[24, 23, 22, 21])?;
        return Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1));
    }
    if is(12, b"VP8 ") && is(23, &[0x9d, 0x01, 0x2a]) {
        return Some((number(image, &[27, 26])? & 0x3fff, number(image, &[29, 28])? & 0x3fff));
    }
    None
}

/// Segment by segment to the frame's header (ITU T.81, annex B).
fn jpeg(image: &Base64) -> Option<(u64, u64)> {
    let mut at = 2;
    for _ in 0..MOST_SEGMENTS {
        let marker = image.get(at + 1)?;
        match (image.get(at)?, marker) {
            // Markers may be filled up.
            (0xff, 0xff) => at += 1,
            (0xff, 0xc0..=0xcf) if ![0xc4, 0xc8, 0xcc].contains(&marker) => {
                return Some((number(image, &[at + 7, at + 8])?, number(image, &[at + 5, at + 6])?));
            }
            // Markers without a length.
            (0xff, 0x01 | 0xd0..=0xd8) => at += 2,
            (0xff, _) => at += 2 + usize::try_from(number(image, &[at + 2, at + 3])?).ok()?.max(2),
            _ => return None,
        }
    }
    None
}
