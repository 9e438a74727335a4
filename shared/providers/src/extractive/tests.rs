use serde_json::{Value, json};

use super::*;

fn meta() -> CompletionMeta {
    CompletionMeta { id: "chatcmpl-x".into(), created: 7, model: "tollgate/extractive".into() }
}

#[expect(clippy::needless_pass_by_value, reason = "json!({}) is handed over as it is")]
fn request(members: Value) -> ChatRequest {
    let mut body = json!({"model": "tollgate/extractive", "messages": [
        {"role": "system", "content": "Acme ships parcels to 40 countries. Refunds take five working days. The office is in Zürich."},
        {"role": "user", "content": "I live in Bern."},
        {"role": "assistant", "content": "Good to know!"},
        {"role": "user", "content": "How long does a refund take?"}]});
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    ChatRequest::parse(body.to_string().as_bytes()).unwrap()
}

fn asked(system: &str, question: &str) -> String {
    content(&answer(
        &request(json!({"messages": [{"role": "system", "content": system}, {"role": "user", "content": question}]})),
        &meta(),
    ))
}

fn content(completion: &Completion) -> String {
    let body: Value = serde_json::from_str(&completion.body).unwrap();
    body["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
}

#[test]
fn the_best_passage_is_quoted_and_the_answer_says_what_it_is() {
    let answer = content(&answer(&request(json!({})), &meta()));
    assert_eq!(answer, format!("{FOUND}\n\n> Refunds take five working days."));
    assert!(answer.contains("no model was called"));
}

#[test]
fn nothing_found_is_said() {
    assert_eq!(asked("Acme ships parcels.", "Who won the match?"), NOT_FOUND);
    assert_eq!(asked("", "?"), NOT_FOUND);
    let completion = answer_with(
        &request(json!({"messages": [{"role": "user", "content": "Qqq?"}]})),
        &[Passage { source: "s".into(), text: "Other.".into() }],
        &meta(),
    );
    assert_eq!(content(&completion), NOT_FOUND_ANYWHERE);
}

#[test]
fn a_question_is_not_its_own_answer() {
    assert_eq!(asked("Hello.", "What is a flux capacitor?"), NOT_FOUND);
}

#[test]
fn a_text_pasted_with_the_question_is_searched() {
    let pasted = "The invoice is from May. It is due on 4 June. Payment is by transfer. When is the invoice due?";
    let answer = asked("", pasted);
    assert!(answer.contains("> It is due on 4 June.") && !answer.contains("> When"), "{answer}");
}

#[test]
fn many_scripts_can_be_asked_in() {
    assert!(
        asked("東京は日本の首都です。大阪は西にあります。", "首都はどこですか？").contains("> 東京は日本の首都です。")
    );
    assert!(
        asked("Москва столица России. Казань стоит на Волге.", "Где стоит Казань?")
            .contains("> Казань стоит на Волге.")
    );
    assert!(
        asked("Die Rückgabe dauert fünf Tage. Wir sind in Bern.", "Wie lange dauert die RÜCKGABE?")
            .contains("> Die Rückgabe dauert fünf Tage.")
    );
}

#[test]
fn at_most_three_quotes_best_first_and_none_twice() {
    let text = "Cats sleep. Cats purr and cats sleep a lot. Cats hunt. Cats eat. Cats sleep. Dogs bark.";
    let answer = asked(text, "Where do cats sleep?");
    assert_eq!(answer.matches("\n> ").count(), answer.matches("> ").count());
    assert!((1..=3).contains(&answer.matches("> ").count()), "{answer}");
    assert!(answer.starts_with(&format!("{FOUND}\n\n> Cats sleep.")), "{answer}");
    assert_eq!(answer.matches("> Cats sleep.").count(), 1);
    assert!(!answer.contains("Dogs"));
}

#[test]
fn documents_are_quoted_with_their_source() {
    let passages = [Passage {
        source: "handbook.md".into(),
        text: "Holiday: 25 days. Refund requests go to Ann within a refund period.".into(),
    }];
    let answer = content(&answer_with(
        &request(json!({"messages": [{"role": "user", "content": "Who gets refund requests?"}]})),
        &passages,
        &meta(),
    ));
    assert!(answer.ends_with("> Refund requests go to Ann within a refund period. — handbook.md"), "{answer}");
}

#[test]
fn the_limit_on_tokens_holds() {
    let completion = answer(&request(json!({"max_tokens": 4})), &meta());
    assert_eq!(content(&completion), "This is an extract");
    assert_eq!(completion.usage.completion_tokens, 4);
    assert!(completion.body.contains("\"finish_reason\":\"length\""));
}

#[test]
fn n_answers_are_n_times_the_tokens() {
    let one = answer(&request(json!({})), &meta());
    let three = answer(&request(json!({"n": 3})), &meta());
    assert_eq!(three.usage.completion_tokens, 3 * one.usage.completion_tokens);
    assert_eq!(serde_json::from_str::<Value>(&three.body).unwrap()["choices"].as_array().unwrap().len(), 3);
}

#[test]
fn a_stream_says_the_same_in_several_chunks() {
    for include_usage in [false, true] {
        let request = request(json!({"stream": true, "stream_options": {"include_usage": include_usage}}));
        let (sse, usage) = stream(&request, &meta());
        let whole = answer(&request, &meta());
        assert_eq!(usage, whole.usage);
        assert!(!usage.estimated && usage.completion_tokens > 0);
        let events: Vec<&str> =
            sse.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap()).collect();
        let (done, chunks) = events.split_last().unwrap();
        assert_eq!(*done, "[DONE]");
        let chunks: Vec<Value> = chunks.iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect();
        let text: String =
            chunks.iter().filter_map(|chunk| chunk.pointer("/choices/0/delta/content")?.as_str()).collect();
        assert_eq!(text, content(&whole));
        assert!(chunks.len() > 4);
        assert_eq!(chunks.iter().filter(|chunk| !chunk["usage"].is_null()).count(), 1);
        assert_eq!(chunks.last().unwrap()["choices"].as_array().unwrap().is_empty(), include_usage);
    }
}

#[test]
fn text_is_split_where_sentences_end() {
    let sentences: Vec<&str> = rank::sentences("One. Two? 3.5 is three and a half!\nFour… 五。六").collect();
    assert_eq!(sentences, ["One.", "Two?", "3.5 is three and a half!", "Four…", "五。", "六"]);
    let long = "word ".repeat(1_000);
    assert!(rank::sentences(&long).all(|part| part.len() <= 600 + 5));
    assert!(rank::sentences(&"x".repeat(5_000)).all(|part| part.len() <= 1_200));
}

#[test]
fn words_are_runs_of_letters_and_digits() {
    assert_eq!(rank::words("Größe: 42kg, REFUNDS/glass"), ["größe", "42kg", "refund", "glass"]);
    assert_eq!(rank::words("日本語"), ["日本", "本語"]);
    assert_eq!(rank::words("…"), Vec::<String>::new());
}

#[test]
fn pieces_are_whole_and_not_empty() {
    for text in ["", "a", &"wört ".repeat(50), &"世界\u{3000}".repeat(50), &"x".repeat(200)] {
        let all: Vec<&str> = pieces(text).collect();
        assert_eq!(all.concat(), *text);
        assert!(all.iter().all(|piece| !piece.is_empty()));
    }
}

#[test]
fn what_it_cannot_do_is_refused_by_name() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    for (members, field) in [
        (json!({"response_format": {"type": "json_object"}}), "response_format"),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}}),
            "response_format",
        ),
        (json!({"response_format": {"type": "grammar"}}), "response_format"),
        (json!({"tools": tools}), "tools"),
        (json!({"tool_choice": "required"}), "tool_choice"),
        (json!({"functions": [{"name": "f"}]}), "functions"),
        (json!({"function_call": {"name": "f"}}), "function_call"),
        (json!({"logprobs": true}), "logprobs"),
        (json!({"top_logprobs": 3}), "top_logprobs"),
    ] {
        let error = check(&request(members.clone())).expect_err(&members.to_string());
        assert_eq!((error.field.as_str(), error.kind), (field, crate::InvalidRequestKind::Unsupported), "{members}");
    }
    for members in [
        json!({"response_format": {"type": "text"}, "tools": [], "tool_choice": "none", "logprobs": false}),
        json!({"modalities": ["text"], "temperature": 0.3, "seed": 4, "functions": [], "function_call": "none"}),
    ] {
        assert_eq!(check(&request(members.clone())), Ok(()), "{members}");
    }
}

#[test]
fn it_ends_before_a_stop_word() {
    let text = content(&answer(&request(json!({"stop": ["five"]})), &meta()));
    assert_eq!(text, format!("{FOUND}\n\n> Refunds take "));
}

#[test]
fn of_a_long_conversation_the_end_is_looked_at_and_it_says_so() {
    let filler = "Nothing is said here about it. ".repeat(12_000);
    let ask = |early: &str, late: &str| asked(&format!("{early} {filler} {late}"), "Where is the harbour?");
    assert!(ask("", "The harbour is in the north.").contains("> The harbour is in the north."));
    let lost = ask("The harbour is in the north.", "");
    assert!(!lost.contains("north") && lost.ends_with(NOT_ALL), "{lost}");
}

#[test]
fn words_and_sentences_are_gone_through_once() {
    let steps = |n: usize| {
        let sentences = (0..n).map(|k| format!("w{k} is here.")).collect::<Vec<_>>().join(" ");
        let words = (0..n).map(|k| format!("w{k}")).collect::<Vec<_>>().join(" ");
        let request = request(json!({"messages": [
            {"role": "system", "content": sentences}, {"role": "user", "content": format!("{words} ?")}]}));
        crate::operations::of(|| drop(answer(&request, &meta())))
    };
    let measured: Vec<_> = [250, 500, 1_000, 2_000].into_iter().map(steps).collect();
    for pair in measured.windows(2) {
        assert!(pair[1] <= pair[0] * 21 / 10, "{measured:?}");
    }
    // Beyond what is looked at it costs nothing more, but for cutting the texts off.
    assert!(steps(200_000) <= steps(20_000) * 2, "{} {}", steps(20_000), steps(200_000));
}
