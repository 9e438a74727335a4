//! How many pages a PDF has and how much text, from its bytes (ISO 32000-1): in one pass, and one over what it has packed.
//!
//! It is no reader of PDF: it counts what any reader must find. A page is an object of the type `Page` or an entry in a list of
//! `Kids`, whichever are more; newer documents pack them into compressed object streams. Text is what is shown between `BT` and
//! `ET` in the pages' contents. What cannot be looked into is said, and refused.

use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};

use crate::operations;

/// Most bytes that are unpacked of one document: ten times what a body may hold of it, about what one of a thousand pages has.
const MOST_UNPACKED: usize = 16 * 1024 * 1024;

/// A document in which no page is found is reckoned by its bytes: a scanned page takes this at least. A provider that finds none either
/// refuses it.
const SCANNED_PAGE_BYTES: usize = 50_000;

/// Bytes of shown text that a token stands for, at least: a letter is one byte, or two in the fonts of larger alphabets.
const TEXT_BYTES: u64 = 3;

/// What was counted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) pages: u64,
    pub(super) text_tokens: u64,
}

/// Whether it begins as one: readers look for the mark in the first kilobyte.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes[..bytes.len().min(1_024)].windows(5).any(|mark| mark == b"%PDF-")
}

/// Counts; `None` for what cannot be looked into.
pub(super) fn count(bytes: &[u8]) -> Option<Counted> {
    let mut pdf = Pdf { unpackable: MOST_UNPACKED, ..Pdf::default() };
    pdf.objects(bytes, true);
    if pdf.is_closed {
        return None;
    }
    let pages = pdf.pages.max(pdf.kids);
    let by_bytes = bytes.len().div_ceil(SCANNED_PAGE_BYTES) as u64;
    Some(Counted { pages: if pages == 0 { by_bytes } else { pages }, text_tokens: pdf.text_bytes.div_ceil(TEXT_BYTES) })
}

#[derive(Default)]
struct Pdf {
    pages: u64,
    kids: u64,
    text_bytes: u64,
    /// How many bytes may still be unpacked.
    unpackable: usize,
    /// Something could not be looked into.
    is_closed: bool,
}

/// What the names of an object say about its stream.
#[derive(Default)]
struct Stream {
    /// How often it is deflated.
    flate: u8,
    /// Packed in another way, or text that must be restored from the rows before it.
    is_closed: bool,
    /// Other objects are packed in it.
    holds_objects: bool,
    /// An image, a font, a table of places: neither pages nor text.
    is_data: bool,
}

impl Pdf {
    /// Looks through objects, and with `streams` into what they hold.
    fn objects(&mut self, bytes: &[u8], streams: bool) {
        let (mut stream, mut in_kids, mut after_type) = (Stream::default(), false, false);
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            operations::count(1);
            match byte {
                b'/' => {
                    let (name, end) = name(bytes, at + 1);
                    at = end;
                    match name.as_slice() {
                        b"Page" if after_type => self.pages += 1,
                        b"Kids" => in_kids = true,
                        b"Encrypt" => self.is_closed = true,
                        other => stream.read(other),
                    }
                    after_type = name == b"Type";
                    continue;
                }
                b']' => in_kids = false,
                b'R' if in_kids => self.kids += 1,
                b's' if streams && bytes[at..].starts_with(b"stream") && !bytes[..at].ends_with(b"end") => {
                    let begin = at + b"stream".len();
                    let begin =
                        begin + bytes[begin..].iter().take(2).take_while(|b| matches!(b, b'\r' | b'\n')).count();
                    let end = find(bytes, begin, b"endstream").unwrap_or(bytes.len());
                    operations::count(end - begin);
                    self.stream(&bytes[begin..end], &std::mem::take(&mut stream));
                    at = end;
                    continue;
                }
                b'o' if bytes[at..].starts_with(b"obj") && !bytes[..at].ends_with(b"end") => {
                    stream = Stream::default();
                    in_kids = false;
                }
                _ => {}
            }
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0 | 0xc) {
                after_type = false;
            }
            at += 1;
        }
    }

    fn stream(&mut self, packed: &[u8], stream: &Stream) {
        if stream.is_data {
            return;
        }
        if stream.is_closed || stream.flate > 1 {
            self.is_closed = true;
            return;
        }
        let unpacked;
        let content = if stream.flate == 0 {
            packed
        } else {
            unpacked = match decompress_to_vec_zlib_with_limit(packed, self.unpackable) {
                Ok(unpacked) => unpacked,
                Err(error) => {
                    self.is_closed |= error.status == TINFLStatus::HasMoreOutput;
                    // What is broken in its middle is shown up to there.
                    error.output
                }
            };
            self.unpackable -= unpacked.len().min(self.unpackable);
            &unpacked
        };
        operations::count(content.len());
        if stream.holds_objects {
            self.objects(content, false);
        } else {
            self.text_bytes += shown(content);
        }
    }
}

impl Stream {
    fn read(&mut self, name: &[u8]) {
        match name {
            b"FlateDecode" | b"Fl" => self.flate = self.flate.saturating_add(1),
            b"LZWDecode" | b"LZW" | b"ASCII85Decode" | b"A85" | b"ASCIIHexDecode" | b"AHx" | b"RunLengthDecode"
            | b"RL" | b"Crypt" | b"Predictor" => self.is_closed = true,
            b"ObjStm" => self.holds_objects = true,
            b"Image" | b"XRef" | b"Length1" | b"Type1C" | b"CIDFontType0C" | b"OpenType" | b"Metadata"
            | b"DCTDecode" | b"JPXDecode" | b"CCITTFaxDecode" | b"JBIG2Decode" | b"FunctionType" | b"ShadingType" => {
                self.is_data = true;
            }
            _ => {}
        }
    }
}

/// Longest name that means anything here.
const LONGEST_NAME: usize = 16;

/// A name and where it ends. Its characters may be written as `#` and two digits.
fn name(bytes: &[u8], begin: usize) -> (Vec<u8>, usize) {
    let is_part = |byte: &u8| !byte.is_ascii_whitespace() && *byte != 0 && !b"()<>[]{}/%".contains(byte);
    let length = bytes[begin..].iter().take_while(|byte| is_part(byte)).count();
    let raw = &bytes[begin..begin + length.min(3 * LONGEST_NAME)];
    let mut out = Vec::with_capacity(LONGEST_NAME);
    let mut at = 0;
    while let Some(byte) = raw.get(at) {
        let digits = raw.get(at + 1..at + 3).and_then(|two| std::str::from_utf8(two).ok());
        let escaped = digits.filter(|_| *byte == b'#').and_then(|two| u8::from_str_radix(two, 16).ok());
        out.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    (out, begin + length)
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    bytes[from..].windows(what.len()).position(|window| window == what).map(|at| from + at)
}

/// Bytes of the strings that a content shows.
fn shown(content: &[u8]) -> u64 {
    let (mut in_text, mut depth, mut escaped, mut in_hex) = (false, 0_u32, false, false);
    let (mut bytes, mut digits) = (0_u64, 0_u64);
    for (at, byte) in content.iter().enumerate() {
        if depth > 0 {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            bytes += u64::from(depth > 0);
        } else if in_hex {
            in_hex = *byte != b'>';
            digits += u64::from(byte.is_ascii_hexdigit());
        } else {
            match byte {
                b'(' if in_text => depth = 1,
                b'<' if in_text && content.get(at + 1) != Some(&b'<') && (at == 0 || content[at - 1] != b'<') => {
                    in_hex = true;
                }
                b'T' if at > 0 && content[at - 1] == b'B' => in_text = true,
                b'T' if at > 0 && content[at - 1] == b'E' => in_text = false,
                _ => {}
            }
        }
    }
    bytes + digits.div_ceil(2)
}
