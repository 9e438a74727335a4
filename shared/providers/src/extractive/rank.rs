//! Sentences, words, and Okapi BM25 over them (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009).

use std::collections::{HashMap, HashSet};

use crate::operations;

/// A sentence that may be quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sentence<'a> {
    pub(super) text: &'a str,
    pub(super) source: Option<&'a str>,
}

/// Longer stretches without an end are quoted in parts.
const LONGEST_SENTENCE: usize = 600;

/// Splits text into sentences: at line ends, after `. ! ?` before a blank, and after the full stops of scripts that set no blank.
pub(super) fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (sentence, tail) = rest.split_at(sentence_end(rest));
            rest = tail;
            let sentence = sentence.trim();
            if !sentence.is_empty() {
                return Some(sentence);
            }
        }
        None
    })
}

fn sentence_end(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let after = at + c.len_utf8();
        let next_is_blank = chars.peek().is_none_or(|(_, next)| next.is_whitespace());
        let ends = match c {
            '\n' | '。' | '！' | '？' | '।' | '॥' => true,
            '.' | '!' | '?' | '…' | '؟' | '۔' => next_is_blank,
            _ => after >= LONGEST_SENTENCE && c.is_whitespace() || after >= 2 * LONGEST_SENTENCE,
        };
        if ends {
            return after;
        }
    }
    text.len()
}

/// The words of a text in lower case. A word is a run of letters and digits, in any script; scripts that set no blanks between words
/// are cut into pairs of characters, which is how search engines without a dictionary do it.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for run in text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty()) {
        if run.chars().any(is_unspaced) {
            let chars: Vec<char> = run.chars().collect();
            let pairs = chars.windows(2).map(|pair| pair.iter().collect::<String>());
            words.extend(pairs);
            if let [single] = chars.as_slice() {
                words.push(single.to_string());
            }
        } else {
            words.push(stem(run.to_lowercase()));
        }
    }
    words
}

/// Han, kana, Thai, Lao, Khmer, Burmese.
fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c), 0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x3040..=0x30FF | 0x3400..=0x9FFF | 0x20000..=0x3FFFF)
}

/// Takes the plural s off, in English and the languages that share it: the one ending that hides most matches.
fn stem(word: String) -> String {
    match word.strip_suffix('s') {
        Some(singular) if singular.chars().count() > 2 && !singular.ends_with('s') => singular.to_owned(),
        _ => word,
    }
}

/// Words that say nothing about what is asked, as [`words`] leaves them.
const EMPTY_WORDS: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "can", "could", "did", "do", "doe", "does", "for", "from",
    "had", "has", "have", "how", "i", "in", "is", "it", "its", "me", "my", "of", "on", "or", "our", "please", "shall",
    "should", "so", "tell", "that", "the", "their", "them", "then", "there", "these", "they", "this", "to", "u", "us",
    "was", "we", "were", "what", "when", "where", "which", "who", "why", "will", "with", "would", "you", "your",
    "about", "not", "no", "if", // English
    "der", "die", "das", "den", "dem", "de", "ein", "eine", "einen", "einer", "und", "oder", "ist", "sind", "war",
    "wie", "wer", "wo", "wann", "warum", "welche", "welcher", "im", "mit", "von", "zu", "zum", "zur", "auf", "für",
    "nicht", "es", "ich", "wir", "sie", // German
    "le", "la", "les", "un", "une", "et", "ou", "est", "sont", "qui", "que", "quoi", "quel", "quelle", "dans", "du",
    "au", "aux", "ce", "ne", "pas", "pour", "sur", "je", "nou", "vou", "il", "elle", "comment", "quand",
    "où", // French
    "el", "los", "lo", "una", "y", "o", "en", "con", "por", "para", "qué", "quién", "cuál", "cómo", "cuándo", "dónde",
    "no", "se", "su", // Spanish
];

/// The sentences that match a question best, best first. A sentence counts when it shares a word with the question, and when it is
/// at least half as good as the best.
pub(super) fn best<'a>(question: &str, sentences: &[Sentence<'a>], most: usize) -> Vec<Sentence<'a>> {
    const K1: f64 = 1.2;
    const B: f64 = 0.75;
    let wanted: HashSet<String> =
        words(question).into_iter().filter(|word| !EMPTY_WORDS.contains(&word.as_str())).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let documents: Vec<Document> = sentences.iter().map(|sentence| Document::count(sentence.text, &wanted)).collect();
    let length: usize = documents.iter().map(|document| document.length).sum();
    let average = as_float(length) / as_float(documents.len().max(1));
    // How many sentences have each word, counted from what the sentences have: words times sentences would take seconds.
    let mut holding: HashMap<&str, usize> = HashMap::new();
    for word in documents.iter().flat_map(|document| document.counts.keys()) {
        operations::count(1);
        *holding.entry(word).or_insert(0) += 1;
    }
    let weight: HashMap<&str, f64> = holding
        .into_iter()
        .map(|(word, holding)| {
            let holding = as_float(holding);
            (word, (1.0 + (as_float(documents.len()) - holding + 0.5) / (holding + 0.5)).ln())
        })
        .collect();
    let score = |document: &Document| -> f64 {
        let norm = K1 * (1.0 - B + B * as_float(document.length) / average.max(1.0));
        let part = |(word, count): (&String, &usize)| {
            weight.get(word.as_str()).map_or(0.0, |idf| idf * as_float(*count) * (K1 + 1.0) / (as_float(*count) + norm))
        };
        // Summed in the order of the words, so that rounding does not depend on a hash.
        operations::count(document.counts.len());
        let mut parts: Vec<_> = document.counts.iter().collect();
        parts.sort_unstable();
        parts.into_iter().map(part).sum()
    };
    let mut ranked: Vec<(f64, Sentence<'a>)> = documents.iter().map(score).zip(sentences.iter().copied()).collect();
    ranked.retain(|(score, _)| *score > 0.0);
    // A stable sort: of equals the earlier one comes first.
    ranked.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    let floor = ranked.first().map_or(0.0, |(best, _)| best / 2.0);
    let mut chosen: Vec<Sentence<'a>> = Vec::new();
    for (score, sentence) in ranked {
        if chosen.len() == most || score < floor {
            break;
        }
        if !chosen.iter().any(|known| known.text == sentence.text) {
            chosen.push(sentence);
        }
    }
    chosen
}

/// How often a sentence has the words that are asked for.
struct Document {
    length: usize,
    counts: HashMap<String, usize>,
}

impl Document {
    fn count(text: &str, wanted: &HashSet<String>) -> Self {
        let words = words(text);
        let length = words.len();
        let mut counts = HashMap::new();
        operations::count(length);
        for word in words.into_iter().filter(|word| wanted.contains(word)) {
            *counts.entry(word).or_insert(0) += 1;
        }
        Self { length, counts }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of words; 2^52 of them do not fit in memory")]
fn as_float(count: usize) -> f64 {
    count as f64
}
