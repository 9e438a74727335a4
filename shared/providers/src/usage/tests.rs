use super::*;

fn read(json: &str) -> Usage {
    in_object(&serde_json::from_str(json).unwrap()).unwrap()
}

#[test]
fn details_may_be_absent_or_null() {
    let plain = Usage { prompt_tokens: 5, completion_tokens: 7, ..Usage::default() };
    assert_eq!(read(r#"{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}"#), plain);
    assert_eq!(read(r#"{"prompt_tokens":5,"completion_tokens":7,"prompt_tokens_details":null}"#), plain);
    assert_eq!(
        read(
            r#"{"prompt_tokens":5,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":6}}"#
        ),
        Usage { cached_tokens: 3, reasoning_tokens: 6, ..plain }
    );
}

#[test]
fn an_estimate_is_marked_and_never_free() {
    assert_eq!(Usage::estimated(0, 0), Usage { prompt_tokens: 1, estimated: true, ..Usage::default() });
}

#[test]
fn only_impossible_counts_are_repaired() {
    let sound = Usage { prompt_tokens: 5, completion_tokens: 7, ..Usage::default() };
    assert_eq!(sound.repaired(100, 100), sound);
    // Nothing was delivered: an empty answer is possible.
    let empty = Usage { completion_tokens: 0, ..sound };
    assert_eq!(empty.repaired(100, 0), empty);
    assert_eq!(empty.repaired(100, 9), Usage { completion_tokens: 9, estimated: true, ..sound });
    let no_prompt = Usage { prompt_tokens: 0, ..sound };
    assert_eq!(no_prompt.repaired(100, 9), Usage { prompt_tokens: 100, estimated: true, ..sound });
}

#[test]
fn the_wire_has_a_total() {
    let usage = Usage {
        prompt_tokens: 5,
        completion_tokens: 7,
        cached_tokens: 3,
        reasoning_tokens: 2,
        estimated: true,
        ..Usage::default()
    };
    assert_eq!(usage.total(), 12);
    let wire = usage.to_openai();
    assert_eq!(wire["total_tokens"], 12);
    assert_eq!(wire["completion_tokens_details"]["reasoning_tokens"], 2);
}
