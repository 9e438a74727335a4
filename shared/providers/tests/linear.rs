//! Work grows no faster than what is sent. Counted are allocations: they are exact, and what is done for each word,
//! member or part allocates. What compares without allocating is bounded by a count (`members`, `json_shape`).
//!
//! One test in this file only: the counter is the whole program's.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicU64, Ordering},
};

use serde_json::json;
use tollgate_providers::{ChatRequest, CompletionMeta, extractive};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait; it hands everything to the system's")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size() as u64, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A kind of input: what it is called, what is done with it, and the body of a size.
type Input<'a> = (&'a str, &'a dyn Fn(String), Box<dyn Fn(usize) -> String>);

/// Allocations and their bytes.
fn cost(work: impl FnOnce()) -> (u64, u64) {
    let before = (ALLOCATIONS.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
    work();
    (ALLOCATIONS.load(Ordering::Relaxed) - before.0, BYTES.load(Ordering::Relaxed) - before.1)
}

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
