//! The objects of a PDF, found by looking through all of its bytes and not where its table says: a table can point anywhere, also into what
//! looks like an image.

use std::collections::HashMap;
use std::rc::Rc;

use crate::operations;

/// Deeper than this no document nests.
const DEEPEST: u32 = 64;

/// Most values that are kept of a document: one of a thousand pages has some fifty thousand.
const MOST_VALUES: usize = 300_000;

/// What matters of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Dictionary(Dictionary),
    List(Vec<Self>),
    /// A reference to the object of a number.
    To(u32),
    Name(Vec<u8>),
    Number(usize),
    Other,
}

/// Entries in their order; a name may come twice, and readers differ in which one counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Dictionary(Vec<(Vec<u8>, Value)>);

impl Dictionary {
    pub(super) fn all<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value)
    }

    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.all(name).next().is_some()
    }

    /// Whether it says so, at least once.
    pub(super) fn says(&self, name: &[u8], what: &[u8]) -> bool {
        self.all(name).any(|value| matches!(value, Value::Name(said) if said == what))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &Value)> {
        self.0.iter().map(|(key, value)| (key.as_slice(), value))
    }
}

/// An object, and where its stream begins if it has one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) value: Value,
    pub(super) stream: Option<usize>,
}

impl Object {
    pub(super) fn dictionary(&self) -> Option<&Dictionary> {
        match &self.value {
            Value::Dictionary(dictionary) => Some(dictionary),
            _ => None,
        }
    }
}

/// All that was found: each number with its versions, of which a reader takes one.
#[derive(Debug, Default)]
pub(super) struct Objects(HashMap<u32, Rc<Vec<Object>>>);

impl Objects {
    pub(super) fn get(&self, number: u32) -> Rc<Vec<Object>> {
        self.0.get(&number).cloned().unwrap_or_default()
    }

    pub(super) fn numbers(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = self.0.keys().copied().collect();
        numbers.sort_unstable();
        numbers
    }

    fn add(&mut self, number: u32, object: Object, budget: &mut Budget) {
        match Rc::get_mut(self.0.entry(number).or_default()) {
            Some(versions) => versions.push(object),
            // A stream of objects that has itself in it.
            None => budget.is_closed = true,
        }
    }
}

/// The numbers that no object has: those of the trailers.
const FIRST_UNNUMBERED: u32 = 1 << 31;

/// What may still be done with a document: more than any honest one needs, and no more than in proportion to its bytes.
#[derive(Debug)]
pub(super) struct Budget {
    steps: usize,
    values: usize,
    /// Something could not be looked into, or there was too much of it.
    pub(super) is_closed: bool,
}

impl Budget {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { steps: bytes.len().saturating_mul(32).saturating_add(100_000), values: MOST_VALUES, is_closed: false }
    }

    /// So many steps are made; whether they may be.
    pub(super) fn spend(&mut self, steps: usize) -> bool {
        operations::count(steps);
        self.is_closed |= steps > self.steps;
        self.steps = self.steps.saturating_sub(steps);
        !self.is_closed
    }

    fn keep(&mut self) {
        self.is_closed |= self.values == 0;
        self.values = self.values.saturating_sub(1);
    }
}

/// Every object that begins anywhere in these bytes, in streams as well, and the trailers.
pub(super) fn find(bytes: &[u8], objects: &mut Objects, budget: &mut Budget) {
    let mut trailers = FIRST_UNNUMBERED;
    let mut at = 0;
    operations::count(bytes.len());
    while let Some(found) = bytes[at..].iter().position(|byte| matches!(byte, b'o' | b't')).map(|more| at + more) {
        at = found + 1;
        if bytes[found..].starts_with(b"trailer") {
            let mut parser = Parser::new(bytes, found + b"trailer".len(), budget);
            let value = parser.value(0);
            objects.add(trailers, Object { value, stream: None }, budget);
            trailers += 1;
        } else if is_word(bytes, found, b"obj") {
            let Some(number) = number_before(bytes, found) else {
                // A comment may stand between a number and the word.
                budget.is_closed |= found > 0 && is_blank(bytes[found - 1]);
                continue;
            };
            let mut parser = Parser::new(bytes, found + b"obj".len(), budget);
            let value = parser.value(0);
            let stream = parser.stream();
            objects.add(number, Object { value, stream }, budget);
        }
        if budget.is_closed {
            return;
        }
    }
}

/// The objects that a stream of objects has, by the numbers and places in its head.
pub(super) fn unpack(
    bytes: &[u8],
    (count, first): (usize, usize),
    objects: &mut Objects,
    budget: &mut Budget,
) -> Option<()> {
    let mut head = Parser::new(bytes.get(..first)?, 0, budget);
    let mut places = Vec::new();
    for _ in 0..count {
        if !head.budget.spend(1) {
            return None;
        }
        let (Value::Number(number), Value::Number(place)) = (head.value(0), head.value(0)) else { return None };
        places.push((u32::try_from(number).ok()?, first.checked_add(place)?));
    }
    for (number, place) in places {
        let value = Parser::new(bytes, place.min(bytes.len()), budget).value(0);
        objects.add(number, Object { value, stream: None }, budget);
    }
    Some(())
}

pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0 | 0xc)
}

/// Whether a byte is part of a word or name.
pub(super) fn is_regular(byte: u8) -> bool {
    !is_blank(byte) && !b"()<>[]{}/%".contains(&byte)
}

/// Whether a word stands there that nothing is added to. It may follow a number without a blank.
fn is_word(bytes: &[u8], at: usize, word: &[u8]) -> bool {
    bytes[at..].starts_with(word)
        && !bytes.get(at + word.len()).is_some_and(|byte| is_regular(*byte))
        && !(at > 0 && is_regular(bytes[at - 1]) && !bytes[at - 1].is_ascii_digit())
}

/// Most bytes between an object's number and the word, and most digits.
const LONGEST_HEAD: usize = 40;

/// The first of the two numbers before a place.
fn number_before(bytes: &[u8], at: usize) -> Option<u32> {
    let before = &bytes[at.saturating_sub(LONGEST_HEAD)..at];
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let blanks = |bytes: &[u8]| bytes.iter().rev().take_while(|byte| is_blank(**byte)).count();
    let digits = |bytes: &[u8]| bytes.iter().rev().take_while(|byte| is_digit(byte)).count();
    let before = &before[..before.len() - blanks(before)];
    let generation = digits(before);
    let before = &before[..before.len() - generation];
    let between = blanks(before);
    let before = &before[..before.len() - between];
    let number = &before[before.len() - digits(before)..];
    let is_there = generation > 0 && between > 0 && !number.is_empty();
    is_there.then(|| std::str::from_utf8(number).ok()?.parse().ok()).flatten()
}

/// Reads values one after the other.
struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    budget: &'a mut Budget,
}

impl<'a> Parser<'a> {
    const fn new(bytes: &'a [u8], at: usize, budget: &'a mut Budget) -> Self {
        Self { bytes, at, budget }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Over so many bytes.
    fn step(&mut self, bytes: usize) {
        self.budget.spend(bytes);
        self.at += bytes;
    }

    /// Over blanks and comments.
    fn skip(&mut self) {
        while let Some(byte) = self.peek() {
            if is_blank(byte) {
                self.step(1);
            } else if byte == b'%' {
                let line = self.rest().iter().take_while(|byte| !matches!(byte, b'\r' | b'\n')).count();
                self.step(line);
            } else {
                break;
            }
            if self.budget.is_closed {
                break;
            }
        }
    }

    fn value(&mut self, depth: u32) -> Value {
        self.skip();
        self.budget.is_closed |= depth > DEEPEST;
        if self.budget.is_closed {
            return Value::Other;
        }
        match self.peek() {
            Some(b'<') if self.rest().starts_with(b"<<") => {
                self.step(2);
                Value::Dictionary(self.dictionary(depth + 1))
            }
            Some(b'<') => {
                let length = self.rest().iter().take_while(|byte| **byte != b'>').count();
                self.step(length + 1);
                Value::Other
            }
            Some(b'[') => {
                self.step(1);
                Value::List(self.list(depth + 1))
            }
            Some(b'(') => {
                self.text();
                Value::Other
            }
            Some(b'/') => Value::Name(self.name()),
            Some(byte) if byte.is_ascii_digit() => self.number(),
            Some(byte) if is_regular(byte) => {
                let length = self.rest().iter().take_while(|byte| is_regular(**byte)).count();
                self.step(length);
                Value::Other
            }
            _ => {
                self.step(1);
                Value::Other
            }
        }
    }

    /// Whether what was opened ends here, and be it without its sign.
    fn ends(&mut self, sign: &[u8]) -> bool {
        self.skip();
        let rest = self.rest();
        if rest.starts_with(sign) {
            self.step(sign.len());
            return true;
        }
        rest.is_empty() || self.budget.is_closed || rest.starts_with(b"endobj") || rest.starts_with(b"stream")
    }

    fn dictionary(&mut self, depth: u32) -> Dictionary {
        let mut entries = Vec::new();
        while !self.ends(b">>") {
            if self.peek() != Some(b'/') {
                drop(self.value(depth));
                continue;
            }
            let key = self.name();
            let value = self.value(depth);
            if matters(&key, &value) {
                self.budget.keep();
                entries.push((key, value));
            }
        }
        Dictionary(entries)
    }

    fn list(&mut self, depth: u32) -> Vec<Value> {
        let mut values = Vec::new();
        while !self.ends(b"]") {
            let value = self.value(depth);
            if !matches!(value, Value::Other | Value::Number(_)) {
                self.budget.keep();
                values.push(value);
            }
        }
        values
    }

    fn text(&mut self) {
        let (mut depth, mut escaped, mut length) = (0_usize, false, 0);
        for byte in self.rest() {
            length += 1;
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        self.step(length);
    }

    /// A name. Its characters may be written as `#` and two digits.
    fn name(&mut self) -> Vec<u8> {
        self.step(1);
        let (name, length) = name(self.rest());
        self.step(length);
        name
    }

    /// A number, or a reference of two numbers and an R.
    fn number(&mut self) -> Value {
        let Some(number) = self.digits() else { return Value::Other };
        let after = self.at;
        self.skip();
        if self.peek().is_some_and(|byte| byte.is_ascii_digit()) && self.digits().is_some() {
            self.skip();
            if is_word(self.bytes, self.at, b"R") {
                self.step(1);
                return u32::try_from(number).map_or(Value::Other, Value::To);
            }
        }
        self.at = after;
        Value::Number(number)
    }

    /// A whole number; a fraction is none.
    fn digits(&mut self) -> Option<usize> {
        let length = self.rest().iter().take_while(|byte| is_regular(**byte)).count();
        let word = &self.rest()[..length];
        self.step(length);
        std::str::from_utf8(word).ok()?.parse().ok()
    }

    /// Where the stream begins that follows what was read.
    fn stream(&mut self) -> Option<usize> {
        self.skip();
        if !self.rest().starts_with(b"stream") {
            return None;
        }
        let begin = self.at + b"stream".len();
        let ends_of_line = self.bytes[begin..].iter().take(2).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        Some(begin + ends_of_line)
    }
}

/// Whether an entry is kept: what leads on, and what says what an object is.
fn matters(key: &[u8], value: &Value) -> bool {
    match value {
        Value::Dictionary(_) | Value::To(_) => true,
        Value::List(list) => !list.is_empty(),
        Value::Name(_) => [&b"Type"[..], b"Subtype", b"Filter", b"F"].contains(&key),
        Value::Number(_) => [&b"Length"[..], b"N", b"First"].contains(&key),
        Value::Other => false,
    }
}

/// A name after its slash, and how long it is as it is written.
pub(super) fn name(bytes: &[u8]) -> (Vec<u8>, usize) {
    let length = bytes.iter().take_while(|byte| is_regular(**byte)).count();
    let mut name = Vec::new();
    let mut at = 0;
    while at < length {
        let digits = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'#' && at + 3 <= length);
        let escaped = digits.and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        name.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    (name, length)
}
