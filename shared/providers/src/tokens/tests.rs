use super::*;

#[test]
fn tokens_end_where_they_must() {
    assert_eq!(estimate(""), 0);
    assert_eq!(estimate("a"), 1);
    assert_eq!(estimate("12"), 1);
    assert_eq!(estimate("1234567"), 3);
    assert!((2..=3).contains(&estimate("one two")));
    assert_eq!(estimate("世界"), 2);
    assert_eq!(estimate("a1b2c3"), 6);
    assert!((2..=4).contains(&estimate("привет")));
}

#[test]
fn long_runs_of_one_character_are_few_tokens_and_rare_characters_many() {
    assert!((100..2_000).contains(&estimate(&" ".repeat(50_000))));
    assert!((6_000..7_000).contains(&estimate(&"x".repeat(50_000))));
    assert!(estimate(&"龘".repeat(1_000)) >= 2_000);
}

#[test]
fn a_text_counts_the_same_in_pieces() {
    let text = "Grüße, 世界!  fn main() { let x = 1234567; } aGVsbG8gd29ybGQ= \n\n -- 👍👍";
    for cut in text.char_indices().map(|(at, _)| at) {
        let mut tally = TextTally::default();
        tally.add(&text[..cut]);
        tally.add(&text[cut..]);
        assert_eq!(tally.tokens(), estimate(text));
    }
}

#[test]
fn texts_apart_do_not_join() {
    let mut tally = TextTally::default();
    for _ in 0..1_000 {
        tally.add("a");
        tally.gap();
    }
    assert_eq!(tally.tokens(), 1_000);
}
