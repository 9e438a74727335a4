use super::*;

#[test]
fn four_ascii_bytes_or_three_others_make_a_token() {
    assert_eq!(estimate(""), 0);
    assert_eq!(estimate("a"), 1);
    assert_eq!(estimate("abcd"), 1);
    assert_eq!(estimate("abcde"), 2);
    assert_eq!(estimate("世界"), 2);
    assert_eq!(estimate("привет"), 4);
    // 2/4 + 3/3: rounded up together, not each for itself.
    assert_eq!(estimate("ab世"), 2);
}

#[test]
fn a_text_counts_the_same_in_pieces() {
    let mut tally = TextTally::default();
    for piece in ["Grü", "ße, ", "世", "界"] {
        tally.add(piece);
    }
    assert_eq!(tally.tokens(), estimate("Grüße, 世界"));
}
