use super::*;

fn parse(text: &[u8]) -> Vec<String> {
    let mut parser = SseParser::default();
    let mut frames = Vec::new();
    parser.push(text, &mut frames).unwrap();
    frames
}

#[test]
fn events_end_at_blank_lines_of_any_kind() {
    assert_eq!(parse(b"data: a\n\ndata: b\r\n\r\ndata: c\r\rdata: open"), ["a", "b", "c"]);
}

#[test]
fn a_carriage_return_and_line_feed_are_one_line_end_even_when_cut_apart() {
    assert_eq!(parse(b"data: a\r\ndata: b\r\n\r\n"), ["a\nb"]);
    let mut parser = SseParser::default();
    let mut frames = Vec::new();
    for byte in b"data: a\r\ndata: b\r\n\r\n" {
        parser.push(&[*byte], &mut frames).unwrap();
    }
    assert_eq!(frames, ["a\nb"]);
}

#[test]
fn fields_other_than_data_and_comments_are_skipped() {
    assert_eq!(parse(b": ping\nevent: x\nid: 1\ndatabase: no\ndata:no blank\ndata:  two\n\n"), ["no blank\n two"]);
}

#[test]
fn an_event_without_data_is_none_and_one_with_an_empty_line_is_one() {
    assert_eq!(parse(b"event: x\n\n\n\ndata\n\ndata:\n\n"), ["", ""]);
}

#[test]
fn a_byte_order_mark_is_skipped_at_the_start_only() {
    assert_eq!(parse(b"\xEF\xBB\xBFdata: a\n\n\xEF\xBB\xBFdata: b\n\n"), ["a"]);
}

#[test]
fn bytes_that_are_not_utf8_do_not_stop_the_stream() {
    assert_eq!(parse(b"data: \xFF\n\ndata: b\n\n"), ["\u{FFFD}", "b"]);
}

#[test]
fn an_unfinished_event_counts_at_the_end() {
    let mut parser = SseParser::default();
    let mut frames = Vec::new();
    parser.push(b"data: a\ndata: b", &mut frames).unwrap();
    assert!(frames.is_empty());
    parser.finish(&mut frames);
    assert_eq!(frames, ["a\nb"]);
}

#[test]
fn a_frame_may_be_a_mebibyte_long_and_no_longer_however_it_is_cut() {
    for (length, fits) in [(LONGEST_FRAME, true), (LONGEST_FRAME + 1, false)] {
        let line = [b"data: ", "a".repeat(length - 6).as_bytes(), b"\n\n"].concat();
        for size in [line.len(), 4096, 1001] {
            let mut parser = SseParser::default();
            let mut frames = Vec::new();
            let result = line.chunks(size).try_for_each(|piece| parser.push(piece, &mut frames));
            assert_eq!(result.is_ok(), fits, "{length} in pieces of {size}");
            assert_eq!(frames.len(), usize::from(fits));
        }
    }
}

#[test]
fn many_short_lines_of_one_event_are_bounded_too() {
    let mut parser = SseParser::default();
    let line = [b"data: ", "a".repeat(1000).as_bytes(), b"\n"].concat();
    let result = (0..1100).try_for_each(|_| parser.push(&line, &mut Vec::new()));
    assert_eq!(result, Err(FrameTooLong));
}
