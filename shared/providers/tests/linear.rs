//! Work grows no faster than what is sent. Counted are allocations: they are exact, and what is done for each word,
//! member or part allocates. What compares without allocating is bounded by a count (`members`, `json_shape`).
//!
//! The counter is the thread's, and each test has its own.

use serde_json::{Value, json};
use tollgate_allocations::{Counting, cost};
use tollgate_providers::{
    ChatRequest, CompletionMeta, Endpoint, ModelRef, StreamDecoder, StreamEnd, decode_completion, encode_request,
    extractive,
};

#[global_allocator]
static COUNTING: Counting = Counting;

/// A kind of input: what it is called, what is done with it, and the body of a size.
type Input<'a> = (&'a str, &'a dyn Fn(String), Box<dyn Fn(usize) -> String>);

fn ask(system: &str, question: &str) -> String {
    json!({"model": "tollgate/extractive", "messages": [{"role": "system", "content": system}, {"role": "user", "content": question}]})
        .to_string()
}

fn words(from: usize, count: usize) -> String {
    (from..from + count).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ")
}

fn sentences(count: usize) -> String {
    (0..count).map(|n| format!("w{n} is here.")).collect::<Vec<_>>().join(" ")
}

#[test]
fn twice_as_much_is_at_most_a_little_more_than_twice_the_work() {
    let meta = CompletionMeta { id: "x".into(), created: 0, model: "m".into() };
    let answer = |body: String| {
        let request = ChatRequest::parse(body.as_bytes()).unwrap();
        drop(extractive::answer(&request, &meta));
    };
    let read = |body: String| drop(ChatRequest::parse(body.as_bytes()));
    let member = |n: usize| format!("\"k{n}\":{n}");
    let inputs: Vec<Input> = vec![
        ("many words and many sentences", &answer, Box::new(|n| ask(&sentences(n), &format!("{}?", words(0, n))))),
        ("one long word", &answer, Box::new(|n| ask(&"x".repeat(10 * n), &"x".repeat(10 * n)))),
        ("many lines", &answer, Box::new(|n| ask(&"a\n".repeat(n), &"b\n".repeat(n)))),
        (
            "the same sentence again and again",
            &answer,
            Box::new(|n| ask(&"The gate is open. ".repeat(n), "Is the gate open?")),
        ),
        (
            "many messages",
            &read,
            Box::new(|n| {
                json!({"model": "m", "messages": vec![json!({"role": "user", "content": "x"}); n]}).to_string()
            }),
        ),
        (
            "many parts",
            &read,
            Box::new(|n| {
                json!({"model": "m", "messages": [{"role": "user", "content": vec![json!({"type": "text", "text": "x"}); n]}]}).to_string()
            }),
        ),
        (
            "many members of one message",
            &read,
            Box::new(move |n| {
                format!(
                    r#"{{"model":"m","messages":[{{"role":"user","content":"x",{}}}]}}"#,
                    (0..n).map(member).collect::<Vec<_>>().join(",")
                )
            }),
        ),
        (
            "many members of a tool's schema",
            &read,
            Box::new(move |n| {
                format!(
                    r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"tools":[{{"type":"function","function":{{"name":"f","parameters":{{{}}}}}}}]}}"#,
                    (0..n).map(member).collect::<Vec<_>>().join(",")
                )
            }),
        ),
        (
            "many members of the body",
            &read,
            Box::new(move |n| format!("{{{}}}", (0..n).map(member).collect::<Vec<_>>().join(","))),
        ),
        (
            "a long list of numbers",
            &read,
            Box::new(|n| format!(r#"{{"model":"m","messages":[{}]}}"#, vec!["0"; n].join(","))),
        ),
    ];
    for (what, work, body) in inputs {
        let costs: Vec<_> = [500, 1_000, 2_000, 4_000, 8_000, 64_000, 128_000]
            .into_iter()
            .map(|n| {
                let body = body(n);
                (body.len() as u64, cost(|| work(body)))
            })
            .collect();
        for (size, (allocations, bytes)) in &costs {
            // Two allocations for a byte and two hundred bytes: what the shortest line, or a value, costs.
            assert!(*allocations <= 2_000 + size * 2, "{what}: {allocations} allocations for {size} bytes");
            assert!(*bytes <= 200_000 + size * 200, "{what}: {bytes} bytes allocated for {size} bytes sent");
        }
        // Above the bounds it costs no more than at them.
        let (_, (at_64_000, _)) = costs[5];
        let (_, (at_128_000, _)) = costs[6];
        assert!(at_128_000 <= 2 * at_64_000 + 1_000, "{what}: {at_64_000} allocations, then {at_128_000}");
    }
}

/// A kind of input, and one of a size.
type Kind<'a> = (&'a str, &'a dyn Fn(usize) -> String);

const MODELS: [&str; 3] = ["openai/m", "anthropic/m", "gemini/m"];

/// Works through inputs of twice the size each: the work is at most twice as much, and a tenth and what grows in steps.
fn doubling(what: &str, work: &dyn Fn(String), input: &dyn Fn(usize) -> String) {
    let costs: Vec<_> = [1_000, 2_000, 4_000, 8_000]
        .into_iter()
        .map(|n| {
            let input = input(n);
            cost(|| work(input))
        })
        .collect();
    for pair in costs.windows(2) {
        let ((allocations, bytes), (more_allocations, more_bytes)) = (pair[0], pair[1]);
        assert!(
            more_allocations <= allocations * 22 / 10 + 200,
            "{what}: {allocations} allocations, then {more_allocations}"
        );
        // A buffer that doubles may do so once more.
        assert!(more_bytes <= bytes * 3 + 20_000, "{what}: {bytes} bytes allocated, then {more_bytes}");
    }
}

fn encode(body: &str) {
    let endpoint = Endpoint { base_url: "http://h".into(), api_key: "k".into() };
    if let Ok(request) = ChatRequest::parse(body.as_bytes()) {
        for model in MODELS.into_iter().filter_map(|model| ModelRef::parse(model).ok()) {
            let _ = encode_request(&request, &model, &endpoint, Some(9));
        }
    }
}

fn conversation(messages: &[Value]) -> String {
    json!({"model": "m", "messages": messages}).to_string()
}

#[test]
fn what_is_sent_on_grows_as_what_was_sent() {
    let user = || json!({"role": "user", "content": "x"});
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "y"});
    let turn = |ids: &[String]| {
        let calls: Vec<Value> = ids.iter().map(|id| call(id)).collect();
        let results = ids.iter().map(|id| result(id));
        let messages: Vec<Value> =
            [user(), json!({"role": "assistant", "tool_calls": calls})].into_iter().chain(results).collect();
        conversation(&messages)
    };
    let schema = |schema: String| {
        let tool = |strict: bool| {
            format!(
                r#"{{"type":"function","function":{{"name":"f{strict}","strict":{strict},"parameters":{schema}}}}}"#
            )
        };
        format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"tools":[{},{}],"response_format":{{"type":"json_schema","json_schema":{{"name":"n","strict":true,"schema":{schema}}}}}}}"#,
            tool(true),
            tool(false)
        )
    };
    let properties = |n: usize| (0..n).map(|n| format!(r#""p{n}":{{}}"#)).collect::<Vec<_>>().join(",");
    let required = |n: usize| (0..n).map(|n| format!(r#""p{n}""#)).collect::<Vec<_>>().join(",");
    let kinds: [Kind; 9] = [
        ("many calls and their results", &|n| turn(&(0..n / 8).map(|n| format!("c{n}")).collect::<Vec<_>>())),
        ("many calls with one id", &|n| turn(&vec!["call".to_owned(); n / 8])),
        ("calls whose ids are what those of others become", &|n| {
            let taken = (n / 16 + 1..n / 8).map(|n| format!("call_{n}"));
            turn(&taken.chain((0..n / 16).map(|_| "call".to_owned())).collect::<Vec<_>>())
        }),
        ("many short turns", &|n| conversation(&(0..n).map(|_| user()).collect::<Vec<_>>())),
        ("a schema of many properties, all required", &|n| {
            schema(format!(r#"{{"type":"object","properties":{{{}}},"required":[{}]}}"#, properties(n), required(n)))
        }),
        ("many schemas below a long name", &|n| {
            let name = "n".repeat(n * 20);
            let schema = format!(r#"{{"$defs":{{"{name}":{{"properties":{{{}}}}}}}}}"#, properties(n));
            format!(
                r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"response_format":{{"type":"json_schema","json_schema":{{"name":"n","schema":{schema}}}}}}}"#
            )
        }),
        ("a long text below many levels", &|n| {
            let levels = 20;
            let text = "t".repeat(n * 10);
            schema(format!(r#"{}{{"description":"{text}"}}{}"#, r#"{"items":"#.repeat(levels), "}".repeat(levels)))
        }),
        ("many images", &|n| {
            let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}});
            conversation(&[
                json!({"role": "user", "content": vec![image; n.min(100)]}),
                json!({"role": "user", "content": "x".repeat(n)}),
            ])
        }),
        ("many stop sequences", &|n| json!({"model": "m", "messages": [user()], "stop": vec!["s"; n]}).to_string()),
    ];
    for (what, input) in kinds {
        doubling(what, &|body| encode(&body), input);
    }
}

#[test]
fn what_a_provider_streams_costs_what_it_is_long() {
    let request =
        ChatRequest::parse(br#"{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true,"n":8}"#).unwrap();
    let meta = || CompletionMeta { id: "x".into(), created: 0, model: "m".into() };
    let stream = |text: String| {
        for model in MODELS.into_iter().filter_map(|model| ModelRef::parse(model).ok()) {
            let mut decoder = StreamDecoder::new(&request, &model, meta());
            for piece in text.as_bytes().chunks(999) {
                drop(decoder.push(piece));
            }
            drop(decoder.finish(StreamEnd::Closed));
            drop(decode_completion(&request, &model, 200, None, text.as_bytes(), &meta()));
        }
    };
    let frames = |n: usize, frame: &dyn Fn(usize) -> String| {
        (0..n).flat_map(|n| ["data: ".to_owned(), frame(n), "\n\n".to_owned()]).collect::<String>()
    };
    let kinds: [Kind; 8] = [
        ("chunks of text", &|n| frames(n, &|_| r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#.into())),
        ("finishes again and again", &|n| {
            frames(n, &|n| format!(r#"{{"choices":[{{"index":{n},"delta":{{}},"finish_reason":"stop"}}]}}"#))
        }),
        ("blocks that are begun and not ended", &|n| {
            frames(n, &|n| {
                let begun = json!({"type": "content_block_start", "index": n, "content_block": {"type": "tool_use", "id": "i", "name": "f"}});
                let more = json!({"type": "content_block_delta", "index": n, "delta": {"type": "input_json_delta", "partial_json": "1"}});
                format!("{begun}\n\ndata: {more}")
            })
        }),
        ("candidates without end", &|n| {
            frames(n, &|n| {
                json!({"candidates": [{"index": n, "finishReason": "STOP", "content": {"parts": [{"functionCall": {"name": "f"}}]}}]}).to_string()
            })
        }),
        ("empty events", &|n| "data:\n\n".repeat(n)),
        ("comments", &|n| ": x\n".repeat(n)),
        ("one event of many lines", &|n| "data: 1\n".repeat(n)),
        ("one long line", &|n| format!("data: {}", "x".repeat(20 * n))),
    ];
    for (what, input) in kinds {
        doubling(what, &stream, input);
    }
}
