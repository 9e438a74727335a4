//! What is held for a prompt against what a real tokenizer counts, on texts of every kind in pieces of 1, 8 and 64 kB.
//!
//! The counts are those of `o200k_base`; `tools/tests/token-counts.test.mjs` compares them with the tokenizer.
//! `cargo nextest run -p tollgate-providers --no-capture the_estimate` prints the table.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use serde_json::json;
use tollgate_providers::ChatRequest;

/// What is held beside the text: three tokens for the answer's opening and four for the message.
const AROUND: u64 = 7;

/// How far off the estimate may be, in percent. The kinds that the issue names are held to what it says, piece by piece.
const NAMED: (i64, i64) = (-10, 30);
/// Other languages, and what only an attacker or a machine would send: not far under, and not so far over that it would be refused.
const OTHER: (i64, i64) = (-25, 60);
/// Runs of one character are a token for up to a hundred of it: a handful of tokens more or less.
const RUNS: (i64, i64) = (-10, 250);

fn texts() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/texts")
}

/// As `pieces` in `tools/lib/token-counts.mjs`.
fn pieces(text: &str, length: usize, size: usize) -> Vec<String> {
    let whole = text.repeat(length.div_ceil(text.len()));
    (0..length / size)
        .map(|index| {
            whole[whole.floor_char_boundary(index * size)..whole.floor_char_boundary((index + 1) * size)].to_owned()
        })
        .collect()
}

fn held(text: &str) -> u64 {
    let body = json!({"model": "openai/x", "messages": [{"role": "user", "content": text}]}).to_string();
    ChatRequest::parse(body.as_bytes()).map_or(0, |request| request.prompt_tokens_estimate() - AROUND)
}

fn percent_off(held: u64, counted: u64) -> i64 {
    (held.cast_signed() - counted.cast_signed()) * 100 / counted.cast_signed()
}

#[test]
fn the_estimate_is_within_its_bounds() {
    type Counts = BTreeMap<String, BTreeMap<usize, Vec<u64>>>;
    let counts: Counts = serde_json::from_str(&fs::read_to_string(texts().join("counts.json")).unwrap()).unwrap();
    let mut table = String::from("percent off o200k_base: least, middle, most\n");
    let mut wrong = Vec::new();
    for (name, by_size) in &counts {
        let text = fs::read_to_string(texts().join(format!("{name}.txt"))).unwrap();
        let (least, most) = match name.as_str() {
            "other-spaces" | "other-one-letter" => RUNS,
            other if other.starts_with("other-") => OTHER,
            _ => NAMED,
        };
        let _ = write!(table, "{name:28}");
        for (size, counted) in by_size {
            let pieces = pieces(&text, size * counted.len(), *size);
            assert_eq!(pieces.len(), counted.len());
            let mut off: Vec<i64> =
                pieces.iter().zip(counted).map(|(piece, counted)| percent_off(held(piece), *counted)).collect();
            off.sort_unstable();
            let (lowest, highest) = (off[0], off[off.len() - 1]);
            let _ = write!(table, "| {:>2} kB {lowest:+4} {:+4} {highest:+4} ", size / 1_024, off[off.len() / 2]);
            if lowest < least || highest > most {
                wrong.push(format!("{name}, {size} bytes: {lowest:+} to {highest:+}"));
            }
        }
        table.push('\n');
    }
    eprintln!("{table}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
