use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::request::InvalidRequestKind;

fn encode(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks(3)
        .flat_map(|three| {
            let group =
                three.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
            (0..4).map(
                move |at| {
                    if at > three.len() { '=' } else { char::from(LETTERS[(group >> (18 - 6 * at) & 63) as usize]) }
                },
            )
        })
        .collect()
}

fn image(bytes: &[u8]) -> String {
    format!("data:image/png;base64,{}", encode(bytes))
}

fn png(width: u32, height: u32) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &width.to_be_bytes(), &height.to_be_bytes(), &[8, 2, 0, 0, 0]]
        .concat()
}

fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let exif = [&[0xff, 0xe1, 0x40, 0x02][..], &[7; 0x4000]].concat();
    [&[0xff, 0xd8][..], &exif, &[0xff, 0xc0, 0, 17, 8], &height.to_be_bytes(), &width.to_be_bytes(), &[3; 9]].concat()
}

fn gif(width: u16, height: u16) -> Vec<u8> {
    gif_with_picture((width, height), (width, height))
}

/// A screen with a table of two colours, a comment, and a picture.
fn gif_with_picture(screen: (u16, u16), picture: (u16, u16)) -> Vec<u8> {
    let size = |(width, height): (u16, u16)| [width.to_le_bytes(), height.to_le_bytes()].concat();
    let head = [b"GIF89a".as_slice(), &size(screen), &[0x80, 0, 0], &[0; 6], b"\x21\xfe\x02,!\0"].concat();
    [head, b"\x2c\0\0\0\0".to_vec(), size(picture)].concat()
}

fn webp(width: u32, height: u32) -> Vec<u8> {
    let (w, h) = ((width - 1).to_le_bytes(), (height - 1).to_le_bytes());
    [b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0".as_slice(), &w[..3], &h[..3]].concat()
}

#[test]
fn an_image_s_size_is_read_from_its_header() {
    for bytes in [png(1_024, 768), jpeg(1_024, 768), gif(1_024, 768), webp(1_024, 768)] {
        assert_eq!(dimensions::read(&Base64::new(&encode(&bytes)).unwrap()), Some((1_024, 768)));
        // Half a header is none, and nothing is read beyond it.
        for cut in 0..8 {
            assert_eq!(dimensions::read(&Base64::new(&encode(&bytes[..cut])).unwrap()), None, "{cut}");
        }
    }
    assert_eq!(dimensions::read(&Base64::new(&encode(&png(0, 5))).unwrap()), None);
    // A picture may be larger than the screen that it is drawn on.
    let large = gif_with_picture((1, 1), (5_000, 4_000));
    assert_eq!(dimensions::read(&Base64::new(&encode(&large)).unwrap()), Some((5_000, 4_000)));
    assert_eq!(dimensions::read(&Base64::new(&encode(&large[..22])).unwrap()), None);
}

#[test]
fn images_take_what_the_providers_documents_say() {
    let of = |model: &str, size: (u32, u32), detail| {
        image_tokens(&image(&png(size.0, size.1)), detail, ModelRef::parse(model).ok().as_ref())
    };
    for (model, size, detail, tokens) in [
        // The examples of OpenAI's page.
        ("openai/gpt-4o", (1_024, 1_024), Detail::High, 765),
        ("openai/gpt-4o", (2_048, 4_096), Detail::High, 1_105),
        ("openai/gpt-4o", (4_096, 8_192), Detail::Low, 85),
        ("openai/gpt-4o-2024-11-20", (100, 100), Detail::Original, 255),
        ("openai/gpt-4o-mini", (1_024, 1_024), Detail::High, 25_501),
        ("openai/gpt-5", (1_024, 1_024), Detail::Original, 630),
        ("openai/gpt-5.4", (1_024, 1_024), Detail::High, 1_229),
        ("openai/gpt-5.4", (2_048, 2_048), Detail::High, 3_000),
        ("openai/gpt-6-astra", (2_048, 2_048), Detail::Original, 4_916),
        ("openai/gpt-6-astra", (60_000, 60_000), Detail::Original, 36_000),
        ("openai/gpt-5.5", (8_000, 8_000), Detail::Low, 308),
        // Anthropic's table, by patches of 28 pixels.
        ("anthropic/claude-sonnet-4-6", (1_000, 1_000), Detail::High, 1_296),
        ("anthropic/claude-sonnet-4-6", (4_000, 3_000), Detail::Low, 1_568),
        ("anthropic/claude-opus-4-7", (1_920, 1_080), Detail::High, 2_691),
        ("anthropic/claude-opus-4-8", (4_000, 4_000), Detail::High, 4_784),
        // Google's.
        ("gemini/gemini-2.5-flash", (384, 384), Detail::High, 258),
        ("gemini/gemini-2.5-flash", (960, 540), Detail::High, 1_548),
        ("gemini/gemini-3.5-flash", (5_000, 5_000), Detail::High, 1_120),
    ] {
        assert_eq!(of(model, size, detail), tokens, "{model} {size:?} {detail:?}");
    }
}

#[test]
fn an_image_whose_size_is_not_known_takes_as_much_as_any() {
    for model in
        ["openai/gpt-4o", "openai/gpt-5.4", "openai/llava", "anthropic/claude-opus-5", "gemini/gemini-2.5-pro", "x"]
    {
        let model = ModelRef::parse(model).ok();
        for detail in [Detail::Low, Detail::High, Detail::Original] {
            let most = (1..=80_u32)
                .flat_map(|width| (1..=80_u32).map(move |height| (width * 113, height * 127)))
                .map(|(width, height)| image_tokens(&image(&png(width, height)), detail, model.as_ref()))
                .max();
            for unknown in
                ["https://example.com/a.png", "data:image/heic;base64,AAAA", "data:image/png;base64,%%%", "data:"]
            {
                let tokens = image_tokens(unknown, detail, model.as_ref());
                assert!(Some(tokens) >= most && tokens <= 36_000, "{model:?} {unknown} {detail:?}: {tokens}, {most:?}");
            }
        }
    }
}

fn file(members: &serde_json::Value) -> Result<Attachment, InvalidRequest> {
    read_file(&mut members.as_object().unwrap().clone(), "f")
}

fn pdf_file(bytes: &[u8]) -> Result<Attachment, InvalidRequest> {
    file(&json!({"filename": "a.pdf", "file_data": format!("data:application/pdf;base64,{}", encode(bytes))}))
}

fn stored(content: &[u8]) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec_zlib(content, 6)
}

fn object(number: usize, dictionary: &str, stream: Option<&[u8]>) -> Vec<u8> {
    let stream = stream.map_or(Vec::new(), |data| [b"\nstream\r\n".as_slice(), data, b"\nendstream"].concat());
    [format!("{number} 0 obj\n<<{dictionary}>>").as_bytes(), &stream, b"\nendobj\n"].concat()
}

fn pdf(objects: &[Vec<u8>]) -> Vec<u8> {
    [b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec(), objects.concat(), b"trailer <</Root 1 0 R>>\n%%EOF".to_vec()].concat()
}

fn counted(bytes: &[u8]) -> Option<(u64, u64)> {
    match pdf_file(bytes) {
        Ok(Attachment::Document { pages, text_tokens }) => Some((pages, text_tokens)),
        other => {
            assert_eq!(other.unwrap_err().kind, InvalidRequestKind::Unsupported);
            None
        }
    }
}

#[test]
fn a_pdf_counts_its_pages_and_its_text_wherever_they_are() {
    let content = stored(b"BT /F1 12 Tf (Hello \\(you\\)) Tj <00480065> Tj ET (not shown)");
    let plain =
        [object(3, "/Type /Page /Contents 4 0 R", None), object(4, "/Filter /FlateDecode", Some(&content))].concat();
    let tree = object(2, "/Type /Pages /Count 1 /Kids [3 0 R]", None);
    // 13 bytes in brackets, 4 in digits and 9 in brackets again: 26, and three make a token.
    assert_eq!(counted(&pdf(&[tree.clone(), plain.clone()])), Some((1, 9)));
    // As newer programs write: the objects are packed themselves.
    let page = "<</Type/Page/Contents 7 0 R>> ";
    let head = (0..30).fold(String::new(), |head, n| head + &format!("{} {} ", 100 + n, n * page.len()));
    let packed = stored((head.clone() + &page.repeat(30)).as_bytes());
    let packed = object(9, &format!("/Type /ObjStm /N 30 /First {} /Filter/FlateDecode", head.len()), Some(&packed));
    assert_eq!(counted(&pdf(std::slice::from_ref(&packed))), Some((30, 0)));
    // What they show is shown on each.
    assert_eq!(counted(&pdf(&[packed, object(7, "", Some(b"BT (Hello you) Tj ET"))])), Some((30, 90)));
    // One page that is named again and again is as many; and names may be written otherwise.
    let kids = "3 0 R ".repeat(500);
    assert_eq!(
        counted(&pdf(&[object(2, &format!("/Type/Pages/Kids[{kids}]"), None), plain])).map(|(p, _)| p),
        Some(500)
    );
    assert_eq!(
        counted(&pdf(&[object(3, "/T#79pe /P#61ge", None), object(4, "/Type\n/Page", None)])).map(|(p, _)| p),
        Some(2)
    );
    // Images and fonts are neither.
    let image = object(5, "/Subtype /Image /Filter /DCTDecode", Some(&vec![b'('; 300_000]));
    assert_eq!(counted(&pdf(&[object(3, "/Type /Page", None), image])), Some((1, 0)));
}

#[test]
fn a_pdf_that_cannot_be_looked_into_is_refused() {
    let page = object(3, "/Type /Page /Contents 4 0 R", None);
    for closed in [
        object(4, "/Filter /LZWDecode", Some(b"xyz")),
        object(4, "/Filter [/FlateDecode /FlateDecode]", Some(&stored(&stored(b"x")))),
        object(4, "/Type /ObjStm /Filter /FlateDecode /DecodeParms <</Predictor 12>>", Some(&stored(b"x"))),
        b"trailer <</Encrypt 5 0 R>>".to_vec(),
        // A bomb: 64 MB in 64 kB.
        object(4, "/Filter /FlateDecode", Some(&stored(&vec![b' '; 64 << 20]))),
    ] {
        assert_eq!(counted(&pdf(&[page.clone(), closed])), None);
    }
}

#[test]
fn a_stream_may_be_written_in_letters() {
    let document = |filter: &str, content: &[u8]| {
        counted(&pdf(&[object(3, "/Type/Page/Contents 4 0 R", None), object(4, filter, Some(content))]))
    };
    // `(Hello you) Tj` as Python writes it, with blanks; as it is written here; and the same deflated.
    assert_eq!(document("/Filter/ASCII85Decode", b"-qIoc Ci:GA\nDfmKO<,)~>"), Some((1, 3)));
    assert_eq!(document("/Filter/ASCII85Decode", &letters_of(b"(Hello you) Tj")), Some((1, 3)));
    let packed = letters_of(&stored(b"(Hello you) Tj"));
    assert_eq!(document("/Filter[/A85 /Fl]", &packed), Some((1, 3)));
    for broken in [&b"abc"[..], b"a~>", b"<~~>x", b"vvvvv~>", b"abzde~>", b"uuuuu~>"] {
        assert_eq!(document("/Filter/ASCII85Decode", broken), None);
    }
}

/// Bytes in letters, a group after the other.
fn letters_of(bytes: &[u8]) -> Vec<u8> {
    let mut letters = Vec::new();
    for group in bytes.chunks(4) {
        let mut four = [0; 4];
        four[..group.len()].copy_from_slice(group);
        let number = u32::from_be_bytes(four);
        let digits = [52_200_625, 614_125, 7_225, 85, 1].map(|place| (number / place % 85) as u8 + b'!');
        letters.extend(&digits[..=group.len()]);
    }
    [letters, b"~>".to_vec()].concat()
}

/// A document with one page of this content, which may draw what is under these names, and more objects.
fn page_of(content: &[u8], xobjects: &str, more: &[Vec<u8>]) -> Vec<u8> {
    let page = format!("/Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F 5 0 R>>/XObject<<{xobjects}>>>>");
    let own = [
        object(1, "/Type/Catalog/Pages 2 0 R", None),
        object(2, "/Type/Pages/Count 1/Kids[3 0 R]", None),
        object(3, &page, None),
        object(4, "", Some(content)),
    ];
    pdf(&[own.concat(), more.concat()])
}

/// 30 bytes of text, ten tokens.
const SHOWN: &[u8] = b"BT /F 12 Tf (The toll is paid at the gate. ) Tj ET ";

/// What `pypdf` and `pdfium` read of such documents, as of 2026-11: as much as is asserted here, or less.
#[test]
fn what_is_shown_often_is_counted_as_often() {
    let form = |number, content: &[u8], xobjects: &str| {
        object(number, &format!("/Type/XObject/Subtype/Form/Resources<</XObject<<{xobjects}>>>>"), Some(content))
    };
    assert_eq!(counted(&page_of(SHOWN, "", &[])), Some((1, 10)));
    // A form that is drawn again and again.
    let drawn = page_of(&b"/X Do\n".repeat(1_000), "/X 6 0 R", &[form(6, SHOWN, "")]);
    assert_eq!(counted(&drawn), Some((1, 10_000)));
    // Forms in forms: ten of ten of ten.
    let ten = b"/X Do ".repeat(10);
    let nested = [form(6, &ten, "/X 7 0 R"), form(7, &ten, "/X 8 0 R"), form(8, SHOWN, "")];
    assert_eq!(counted(&page_of(&ten, "/X 6 0 R", &nested)), Some((1, 10_000)));
    // The name is of somewhere else, written otherwise, or cannot be told: then it is the largest.
    for draws in [&b"/X Do"[..], b"/#58 Do", b"/X %\nDo", b"BI ID ( EI /X Do )"] {
        let (image, large) = (object(9, "/Subtype/Image", Some(&[b'('; 999])), form(6, &SHOWN.repeat(5), ""));
        let elsewhere = object(10, "/XObject<</X 6 0 R/I 9 0 R>>", None);
        let counted = counted(&page_of(draws, "", &[image, large, elsewhere])).unwrap();
        assert!(counted.1 >= 50, "{counted:?}");
    }
    // What a field shows, and no page draws.
    let field = [form(6, SHOWN, ""), object(7, "/Subtype/Widget/AP<</N 6 0 R>>", None)];
    assert_eq!(counted(&page_of(SHOWN, "", &field)), Some((1, 20)));
    // An image shows nothing, and what is drawn where it stands counts once.
    let image = object(6, "/Subtype /Image", Some(SHOWN));
    assert_eq!(counted(&page_of(b"/X Do", "/X 6 0 R", &[image])), Some((1, 0)));
    assert_eq!(counted(&page_of(b"/X Do", "/X 6 0 R", &[form(6, SHOWN, "")])), Some((1, 10)));
    // One content again and again, on one page and on a hundred.
    let contents = "4 0 R ".repeat(50);
    let again = object(3, &format!("/Type/Page/Contents[{contents}]"), None);
    assert_eq!(counted(&pdf(&[again, object(4, "", Some(SHOWN))])), Some((1, 500)));
    let kids = "[".to_owned() + &"3 0 R ".repeat(100) + "]";
    let page = [
        object(3, "/Type/Page/Contents 8 0 R", None),
        b"8 0 obj [4 0 R 4 0 R] endobj ".to_vec(),
        object(4, "", Some(SHOWN)),
    ]
    .concat();
    let direct = object(2, &format!("/Type/Pages/Kids{kids}"), None);
    assert_eq!(counted(&pdf(&[direct, page.clone()])), Some((100, 2_000)));
    // Names may stand in a tree as well.
    let names = object(13, &format!("/Limits[(a)(b)]/Kids{kids}"), None);
    assert_eq!(counted(&page_of(SHOWN, "", &[names])), Some((1, 10)));
    // The list of pages is elsewhere.
    let list = format!("9 0 obj {kids} endobj ").into_bytes();
    let tree = [object(2, "/Type/Pages/Kids 9 0 R", None), list, page].concat();
    assert_eq!(counted(&pdf(std::slice::from_ref(&tree))), Some((100, 2_000)));
    // A tree of such trees.
    let top = object(12, "/Type/Pages/Kids[2 0 R 2 0 R 2 0 R]", None);
    assert_eq!(counted(&pdf(&[top, tree])), Some((300, 6_000)));
}

#[test]
fn text_is_not_hidden_from_the_count() {
    let text = b"(The toll is paid at the gate. ) Tj ";
    for content in [
        [b"BT /ET 12 Tf ".as_slice(), text].concat(),
        [b"/F 12 Tf ".as_slice(), text].concat(),
        [b"% < ( \nBT ".as_slice(), text].concat(),
        [b"<41 ".as_slice(), text].concat(),
        [b"BT <".as_slice(), &b"41x".repeat(40), b"> Tj"].concat(),
        [b"BI /W 1 /H 1 ID < EI BT ".as_slice(), text].concat(),
        [b"% endstream endobj\n".as_slice(), text].concat(),
    ] {
        let length = content.len();
        for names in ["", "/Subtype/Image", "/Length1 9", "/Type/XRef"] {
            let hidden = object(4, &format!("{names}/Length {length}"), Some(&content));
            let (pages, tokens) = counted(&pdf(&[object(3, "/Type/Page/Contents 4 0 R", None), hidden])).unwrap();
            assert!(pages == 1 && tokens >= 10, "{names} {}: {tokens}", String::from_utf8_lossy(&content));
        }
    }
    // In what looks like an image, where a table may point.
    let inner = [object(3, "/Type/Page/Contents 4 0 R", None), object(4, "", Some(SHOWN))].concat();
    assert_eq!(counted(&pdf(&[object(9, "/Subtype/Image/Filter/DCTDecode", Some(&inner))])), Some((1, 10)));
    // A trailer that has all in it.
    let trailer = b"trailer <</Root<</Type/Catalog/Pages<</Kids[<</Contents 4 0 R>>]>>>>>>".to_vec();
    assert_eq!(counted(&pdf(&[object(4, "", Some(SHOWN)), trailer])), Some((1, 10)));
    // An object that is begun as none is.
    assert_eq!(counted(&pdf(&[b"4 0 %\nobj <</Length 9>> endobj".to_vec(), object(3, "/Type/Page", None)])), None);
}

#[test]
fn what_letters_stand_for_is_bounded() {
    let document = |table: &[u8]| {
        let font = object(5, "/Type/Font/ToUnicode 20 0 R", None);
        counted(&page_of(SHOWN, "", &[font, object(20, "/Filter/FlateDecode", Some(&stored(table)))]))
    };
    let codes = "begincodespacerange <0000> <ffff> endcodespacerange";
    let table = |stands_for: &str| format!("{codes} 1 beginbfchar <41> <{stands_for}> endbfchar").into_bytes();
    // What a table says of itself is none of it, and a sign that is no digit is passed over.
    let said = b"/CIDSystemInfo << /Registry (decade cafe facade beefed) /Ordering (deed) >> def".to_vec();
    assert_eq!(document(&[said, table("0041")].concat()), Some((1, 10)));
    assert_eq!(document(&table(&"00x48".repeat(100))), None);
    // A ligature, and an emoji.
    assert_eq!(document(&table("006600660069")), Some((1, 10)));
    assert_eq!(document(&table("d83dde00")), Some((1, 10)));
    // Chinese characters are about a token each.
    assert_eq!(document(&table("4e16")), Some((1, 30)));
    // A text for a letter, or several signs.
    assert_eq!(document(&table("4e164e16")), None);
    assert_eq!(document(&table("d83dde00d83dde00")), None);
    assert_eq!(document(&[b"begincodespacerange ".to_vec(), table("4e164e16")].concat()), None);
    assert_eq!(document(&table(&"0048".repeat(100))), None);
}

#[test]
fn a_pdf_that_leads_in_circles_or_is_made_to_take_long_is_refused() {
    let form = |number, content: &[u8], to: u32| {
        object(number, &format!("/Subtype/Form/Resources<</XObject<</X {to} 0 R>>>>"), Some(content))
    };
    assert_eq!(counted(&page_of(b"/X Do", "/X 6 0 R", &[form(6, b"/X Do", 7), form(7, b"/X Do", 6)])), None);
    assert_eq!(counted(&pdf(&[object(2, "/Type/Pages/Kids[3 0 R]", None), object(3, "/Kids[2 0 R]", None)])), None);
    let deep: Vec<Vec<u8>> = (0..100).map(|n| object(n, &format!("/Type/Pages/Kids[{} 0 R]", n + 1), None)).collect();
    assert_eq!(counted(&pdf(&deep)), None);
    assert_eq!(counted(&pdf(&[object(3, &"/A<<".repeat(1_000), None)])), None);
    // However large the numbers get.
    let ten = b"/X Do ".repeat(1_000);
    let nested: Vec<Vec<u8>> =
        (6..26).map(|n| form(n, &[&ten, SHOWN].concat(), u32::try_from(n + 1).unwrap())).collect();
    assert!(counted(&page_of(&ten, "/X 6 0 R", &nested)).unwrap().1 > 1 << 60);
}

#[test]
fn a_pdf_of_a_megabyte_is_reckoned_by_its_pages() {
    // Three scanned pages of 350 kB each.
    let pages: Vec<Vec<u8>> = (0..3)
        .flat_map(|n| {
            [
                object(n, "/Type /Page", None),
                object(n + 3, "/Subtype/Image/Filter/DCTDecode", Some(&vec![0x5a; 350_000])),
            ]
        })
        .collect();
    let scanned = pdf_file(&pdf(&pages)).unwrap();
    let gpt_5 = ModelRef::parse("openai/gpt-5").ok();
    assert_eq!(scanned.tokens(gpt_5.as_ref()), 3 * (70 + 6 * 140));
    // Where no page is found it is reckoned as scanned ones.
    let found_none = pdf_file(&[b"%PDF-1.7".to_vec(), vec![0; 1_000_000]].concat()).unwrap();
    assert_eq!(found_none.tokens(gpt_5.as_ref()), 21 * 910);
}

#[test]
fn text_is_counted_as_text_and_nothing_is_taken_for_what_it_is_not() {
    let data = |kind: &str, bytes: &[u8]| format!("data:{kind};base64,{}", encode(bytes));
    let text = "One line of a document. ".repeat(1_000);
    let Ok(Attachment::Document { pages: 0, text_tokens }) =
        file(&json!({"file_data": data("text/plain", text.as_bytes())}))
    else {
        panic!("text is taken");
    };
    assert_eq!(text_tokens, tokens::estimate(&text));
    // Without a scheme it is base64 as it is.
    assert!(file(&json!({"file_data": encode(b"a,b,c"), "filename": "a.csv"})).is_ok());
    let pdf = pdf(&[object(3, "/Type /Page", None)]);
    for (members, field) in [
        (json!({"file_id": "file-abc"}), "f.file_id"),
        (json!({"file_id": "file-abc", "file_data": "QUJD"}), "f.file_id"),
        (json!({"file_url": "https://example.com/a.pdf"}), "f.file_url"),
        (json!({"filename": "a.pdf"}), "f.file_data"),
        (json!({"file_data": ""}), "f.file_data"),
        (json!({"file_data": "data:application/pdf;base64,"}), "f.file_data"),
        (json!({"file_data": "no base64!"}), "f.file_data"),
        (json!({"file_data": data("application/zip", b"PK\x03\x04\xff\xff")}), "f.file_data"),
        (json!({"file_data": data("text/plain", &pdf)}), "f.file_data"),
        (json!({"filename": "a.docx", "file_data": data("application/pdf", &pdf)}), "f.file_data"),
        (json!({"filename": "a.docx", "file_data": data("text/plain", b"PK")}), "f.file_data"),
    ] {
        assert_eq!(file(&members).unwrap_err().field, field, "{members}");
    }
}

#[test]
fn recordings_are_reckoned_by_their_length() {
    let wav = |format: u16, rate: u32| {
        let fields = [
            &format.to_le_bytes()[..],
            &1_u16.to_le_bytes(),
            &rate.to_le_bytes(),
            &(2 * rate).to_le_bytes(),
            &[2, 0, 16, 0],
        ];
        [b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec(), fields.concat(), vec![0; 32_000 * 60]].concat()
    };
    let tokens = |bytes: &[u8]| {
        read_audio(&mut json!({"data": encode(bytes), "format": "wav"}).as_object().unwrap().clone(), "a")
            .unwrap()
            .tokens(None)
    };
    // A minute of 16 kHz.
    assert_eq!(tokens(&wav(1, 16_000)), 60 * 12 + 1);
    // Of 1 Hz it would be eleven days; of what is compressed nobody knows.
    assert!(tokens(&wav(1, 1)) > 10_000_000);
    assert_eq!(tokens(&wav(85, 16_000)), tokens(&vec![0xff; wav(1, 1).len()]));
    assert_eq!(tokens(&vec![0xff; 60_000]), 720);
    let nothing = read_audio(&mut serde_json::Map::new(), "a").unwrap_err();
    assert_eq!(nothing.field, "a.data");
}

#[test]
fn a_pdf_is_counted_in_one_pass() {
    let steps = |make: &dyn Fn(usize) -> Vec<u8>, n: usize| {
        let bytes = pdf(&[make(n)]);
        crate::operations::of(|| assert!(pdf::count(&bytes).is_some()))
    };
    let steps_of = |make: &dyn Fn(usize) -> Vec<u8>, n: usize| {
        let bytes = pdf(&[make(n)]);
        crate::operations::of(|| {
            let _ = pdf::count(&bytes);
        })
    };
    // Each of these would be quadratic: it is given up in proportion to its bytes.
    let refused: [&dyn Fn(usize) -> Vec<u8>; 6] = [
        &|n| b"1 0 obj(".repeat(n),
        &|n| b"1 0 obj<</A<".repeat(n),
        &|n| b"1 0 obj<</Filter/FlateDecode/Type/ObjStm>>stream ".repeat(n),
        &|n| {
            [
                object(1, "/Type/Page/Contents 2 0 R/Resources 3 0 R", None).repeat(n),
                object(2, "", Some(&b"/X Do ".repeat(n))),
                object(3, &"/A 1 0 R".repeat(n), None),
            ]
            .concat()
        },
        &|n| {
            (0..n)
                .flat_map(|at| object(at + 9, "/Type/Page/Contents[2 0 R]/Resources<</XObject 3 0 R>>", None))
                .chain(object(
                    2,
                    "",
                    Some(&(0..n).flat_map(|at| format!("/X{at} Do ").into_bytes()).collect::<Vec<u8>>()),
                ))
                .chain(object(3, &(0..n).fold(String::new(), |all, at| all + &format!("/X{at} 4 0 R")), None))
                .collect()
        },
        &|n| {
            (0..n)
                .flat_map(|at| object(at + 9, "/Type/Pages/Kids 2 0 R", None))
                .chain(format!("2 0 obj[{}]", "4 0 R ".repeat(n)).into_bytes())
                .collect()
        },
    ];
    for (kind, make) in refused.iter().enumerate() {
        let (once, twice) = (steps_of(*make, 2_000), steps_of(*make, 4_000));
        assert!(twice <= 3 * once + 400_000, "{kind}: {once} steps, then {twice}");
    }
    let kinds: [&dyn Fn(usize) -> Vec<u8>; 7] = [
        &|n| object(3, "/Type /Page", None).repeat(n),
        &|n| b"stream ".repeat(n),
        &|n| b"stream\nendstream ".repeat(n),
        &|n| b"7 0 obj ".repeat(n),
        &|n| b"/Kids[R R".repeat(n),
        &|n| [b"/".to_vec(), b"#41".repeat(n)].concat(),
        &|n| object(3, "/Filter /FlateDecode", Some(&stored(&b"BT (x) Tj ET ".repeat(n)))),
    ];
    for (kind, make) in kinds.iter().enumerate() {
        let (once, twice) = (steps(*make, 4_000), steps(*make, 8_000));
        assert!(twice <= 2 * once + 200, "{kind}: {once} steps, then {twice}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), at in 0_usize..400) {
        let mut document = pdf(&[object(3, "/Type /Page /Filter /FlateDecode /Kids [1 0 R]", Some(&stored(b"BT (x) Tj <41> ET")))]);
        let at = at.min(document.len());
        drop(document.splice(at..(at + bytes.len()).min(document.len()), bytes.iter().copied()));
        let _ = pdf::count(&document);
        let packed = object(9, "/Type/ObjStm/N 2/First 9", Some(b"5 0 6 18 <</ToUnicode 7 0 R>> [4 0 R]"));
        let more = [packed, object(7, "", Some(b"<41> <0041>")), object(8, "/Subtype/Form", Some(SHOWN))];
        let mut document = page_of(b"/X Do BT <41> Tj (x) Tj", "/X 8 0 R", &more);
        let at = at.min(document.len());
        drop(document.splice(at..(at + bytes.len()).min(document.len()), bytes.iter().copied()));
        let _ = pdf::count(&document);
        for head in [&b"%PDF-"[..], b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xd8", b"GIF8", b"RIFF\0\0\0\0WEBPVP8 ", b"RIFF\0\0\0\0WEBPVP8L", b"RIFF\0\0\0\0WAVEfmt "] {
            let bytes = [head, &bytes].concat();
            let _ = document_of(&bytes);
            for model in ["openai/gpt-4o", "openai/x", "anthropic/x", "gemini/gemini-2.5-pro"] {
                let tokens = image_tokens(&image(&bytes), Detail::Original, ModelRef::parse(model).ok().as_ref());
                prop_assert!((1..=36_000).contains(&tokens));
            }
            let _ = recording::tokens(&bytes);
        }
    }

    #[test]
    fn base64_is_read_as_it_was_written(bytes in proptest::collection::vec(any::<u8>(), 0..50), text in "\\PC{0,40}") {
        prop_assert_eq!(Base64::new(&encode(&bytes)).map(|data| data.bytes()), Some(bytes));
        let _ = Base64::new(&text).map(|data| data.bytes());
    }
}

fn document_of(bytes: &[u8]) -> Option<Attachment> {
    document(bytes, "application/pdf", "a.pdf")
}
