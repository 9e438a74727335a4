//! How many pages a PDF has and how much text, from its bytes (ISO 32000-1).
//!
//! It is no reader of PDF: it counts at least what any reader finds. Pages are counted along the page tree, each as often as the tree leads
//! to it, and so is what they show: a content that several pages share, a form that is drawn a thousand times or draws others. A document
//! that a few bytes make to hundreds of thousands of tokens would otherwise be held at a page. What cannot be looked into is said, and
//! refused.

mod ascii85;
mod content;
mod objects;

use std::collections::HashMap;
use std::rc::Rc;

use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};

use content::{Content, Letters};
use objects::{Budget, Dictionary, Object, Objects, Value};

/// Most bytes that are unpacked of one document: ten times what a body may hold of it, about what one of a thousand pages has.
const MOST_UNPACKED: usize = 16 * 1024 * 1024;

/// A document in which no page is found is reckoned by its bytes: a scanned page takes this at least. A provider that finds none either
/// refuses it.
const SCANNED_PAGE_BYTES: usize = 50_000;

/// Bytes of shown text that a token stands for, at least: a letter is one byte, or two in the fonts of larger alphabets.
const TEXT_BYTES: u64 = 3;

/// The same where a font has letters that are tokens each.
const WIDE_TEXT_BYTES: u64 = 1;

/// Deepest tree of pages, and forms within forms, that are followed.
const DEEPEST: usize = 32;

/// What was counted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) pages: u64,
    pub(super) text_tokens: u64,
}

/// Whether it begins as one: readers look for the mark in the first kilobyte.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes[..bytes.len().min(1_024)].windows(5).any(|mark| mark == b"%PDF-")
}

/// Counts; `None` for what cannot be looked into.
pub(super) fn count(bytes: &[u8]) -> Option<Counted> {
    let mut pdf = Pdf::new(bytes);
    objects::find(bytes, &mut pdf.objects, &mut pdf.budget);
    pdf.unpack_objects();
    pdf.survey();
    let Tally { pages, text_bytes } = pdf.total();
    if pdf.budget.is_closed {
        return None;
    }
    let by_bytes = bytes.len().div_ceil(SCANNED_PAGE_BYTES) as u64;
    let bytes_a_token = if pdf.is_wide { WIDE_TEXT_BYTES } else { TEXT_BYTES };
    Some(Counted { pages: if pages == 0 { by_bytes } else { pages }, text_tokens: text_bytes.div_ceil(bytes_a_token) })
}

/// Pages, and the text on them.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    pages: u64,
    text_bytes: u64,
}

impl Tally {
    const fn and(self, other: Self) -> Self {
        Self {
            pages: self.pages.saturating_add(other.pages),
            text_bytes: self.text_bytes.saturating_add(other.text_bytes),
        }
    }

    /// Whichever is more of each.
    fn or(self, other: Self) -> Self {
        Self { pages: self.pages.max(other.pages), text_bytes: self.text_bytes.max(other.text_bytes) }
    }
}

/// Forms and images by the names they are drawn by.
type Drawables = HashMap<Vec<u8>, Vec<u32>>;

struct Pdf<'a> {
    bytes: &'a [u8],
    objects: Objects,
    budget: Budget,
    /// How many bytes may still be unpacked.
    unpackable: usize,
    /// All that can be drawn, for where it is not said what a name means.
    drawables: Drawables,
    /// A font has letters that are tokens each.
    is_wide: bool,
    contents: HashMap<u32, Rc<Content>>,
    /// What resources, and lists of what can be drawn, have in them, by their numbers.
    resources: HashMap<u32, Option<Rc<Drawables>>>,
    xobjects: HashMap<u32, Option<Rc<Drawables>>>,
    /// What was counted of pages and forms, `None` while it is.
    pages: HashMap<u32, Option<Tally>>,
    forms: HashMap<u32, Option<u64>>,
}

impl<'a> Pdf<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            objects: Objects::default(),
            budget: Budget::of(bytes),
            unpackable: MOST_UNPACKED,
            drawables: Drawables::new(),
            is_wide: false,
            contents: HashMap::new(),
            resources: HashMap::new(),
            xobjects: HashMap::new(),
            pages: HashMap::new(),
            forms: HashMap::new(),
        }
    }

    /// Closes it, and is nothing.
    fn close<T: Default>(&mut self) -> T {
        self.budget.is_closed = true;
        T::default()
    }

    /// Newer documents pack objects into streams of them.
    fn unpack_objects(&mut self) {
        for number in self.objects.numbers() {
            for object in self.objects.get(number).iter() {
                let Some(dictionary) = object.dictionary() else { continue };
                if object.stream.is_none() || !dictionary.says(b"Type", b"ObjStm") || self.budget.is_closed {
                    continue;
                }
                let number_of = |name| match dictionary.all(name).last() {
                    Some(Value::Number(number)) => Some(*number),
                    _ => None,
                };
                let unpacked = self.unpacked(object);
                let unpacked = unpacked.zip(number_of(b"N").zip(number_of(b"First")));
                let read = unpacked
                    .and_then(|(bytes, head)| objects::unpack(&bytes, head, &mut self.objects, &mut self.budget));
                self.budget.is_closed |= read.is_none();
            }
        }
    }

    /// Looks at every object once: what can be drawn, what its fonts say, whether it is encrypted.
    fn survey(&mut self) {
        for number in self.objects.numbers() {
            for object in self.objects.get(number).iter() {
                self.look_at(&object.value);
            }
        }
    }

    fn look_at(&mut self, value: &Value) {
        match value {
            Value::Dictionary(dictionary) => {
                self.budget.is_closed |= dictionary.has(b"Encrypt");
                // Those of an object that was seen are there.
                for xobjects in dictionary.all(b"XObject") {
                    let drawables = match xobjects {
                        Value::To(number) if self.xobjects.contains_key(number) => None,
                        xobjects => self.drawables_in(xobjects),
                    };
                    for (name, numbers) in drawables.iter().flat_map(|drawables| drawables.iter()) {
                        self.drawables.entry(name.clone()).or_default().extend(numbers);
                    }
                }
                for table in dictionary.all(b"ToUnicode") {
                    self.letters(table);
                }
                dictionary.iter().for_each(|(_, value)| self.look_at(value));
            }
            Value::List(list) => list.iter().for_each(|value| self.look_at(value)),
            _ => {}
        }
    }

    fn letters(&mut self, table: &Value) {
        let Value::To(number) = table else { return };
        for object in self.objects.get(*number).iter().filter(|object| object.stream.is_some()) {
            let Some(table) = self.unpacked(object) else { return self.close() };
            self.budget.spend(table.len());
            match content::letters(&table) {
                Letters::Few => {}
                Letters::Wide => self.is_wide = true,
                Letters::Many => self.budget.is_closed = true,
            }
        }
    }

    /// Whatever tree of pages there is, or all pages without one, whichever is more. Trees of names have kids as well, and are none.
    fn total(&mut self) -> Tally {
        let (mut trees, mut pages) = (Tally::default(), Tally::default());
        for number in self.objects.numbers() {
            for object in self.objects.get(number).iter() {
                let Some(dictionary) = object.dictionary() else { continue };
                if dictionary.says(b"Type", b"Pages") {
                    trees = trees.or(self.page(&Value::To(number), 0));
                }
                // A trailer may have its catalog in it.
                let inner = dictionary.all(b"Root").filter_map(|root| match root {
                    Value::Dictionary(catalog) => Some(catalog),
                    _ => None,
                });
                for tree in inner.chain([dictionary]).flat_map(|catalog| catalog.all(b"Pages")) {
                    trees = trees.or(self.page(tree, 0));
                }
            }
            if self.objects.get(number).iter().filter_map(Object::dictionary).any(|page| page.says(b"Type", b"Page")) {
                pages = pages.and(self.page(&Value::To(number), 0));
            }
        }
        let mut all = trees.or(pages);
        // Forms that no page draws are shown by fields and notes on it.
        for number in self.objects.numbers() {
            let is_form = |object: &Object| object.dictionary().is_some_and(|said| said.says(b"Subtype", b"Form"));
            if !self.forms.contains_key(&number) && self.objects.get(number).iter().any(is_form) {
                all.text_bytes = all.text_bytes.saturating_add(self.form(number, 0));
            }
        }
        all
    }

    /// A page, or a tree of them.
    fn page(&mut self, value: &Value, depth: usize) -> Tally {
        if depth > DEEPEST || !self.budget.spend(1) {
            return self.close();
        }
        match value {
            Value::Dictionary(dictionary) => self.page_of(dictionary, depth),
            Value::To(number) => {
                match self.pages.get(number) {
                    Some(Some(tally)) => return *tally,
                    // It leads to itself.
                    Some(None) => return self.close(),
                    None => {}
                }
                self.pages.insert(*number, None);
                // Of what is not there a reader may make a page, too.
                let mut tally = Tally { pages: 1, text_bytes: 0 };
                for (index, object) in self.objects.get(*number).iter().enumerate() {
                    let version = match object.dictionary() {
                        Some(dictionary) => self.page_of(dictionary, depth),
                        None => Tally::default(),
                    };
                    tally = if index == 0 { version } else { tally.or(version) };
                }
                self.pages.insert(*number, Some(tally));
                tally
            }
            _ => Tally::default(),
        }
    }

    fn page_of(&mut self, dictionary: &Dictionary, depth: usize) -> Tally {
        if dictionary.has(b"Kids") {
            let mut tally = Tally::default();
            for kids in dictionary.all(b"Kids") {
                for kid in self.listed(kids) {
                    tally = tally.and(self.page(&kid, depth + 1));
                }
            }
            return tally;
        }
        if dictionary.has(b"Pages") && !dictionary.says(b"Type", b"Page") {
            // A catalog: its trees are counted apart.
            return Tally::default();
        }
        let mut numbers = Vec::new();
        for contents in dictionary.all(b"Contents") {
            self.streams_in(contents, 0, &mut numbers);
        }
        let drawables = self.resources(dictionary);
        let text =
            numbers.iter().map(|number| self.text(*number, drawables.as_deref(), 0)).fold(0, u64::saturating_add);
        Tally { pages: 1, text_bytes: text }
    }

    /// What is in a list, wherever that stands.
    fn listed(&mut self, value: &Value) -> Vec<Value> {
        let lists: Vec<Value> = match value {
            Value::To(number) => self.objects.get(*number).iter().map(|object| object.value.clone()).collect(),
            other => vec![other.clone()],
        };
        let values: Vec<Value> =
            lists.into_iter().flat_map(|list| if let Value::List(list) = list { list } else { Vec::new() }).collect();
        if self.budget.spend(values.len()) { values } else { Vec::new() }
    }

    /// The streams of a page's contents: one, or a list of them.
    fn streams_in(&mut self, value: &Value, depth: usize, numbers: &mut Vec<u32>) {
        if depth > DEEPEST || !self.budget.spend(1) {
            return self.close();
        }
        match value {
            Value::To(number) => {
                let versions = self.objects.get(*number);
                if versions.iter().any(|object| object.stream.is_some()) {
                    numbers.push(*number);
                }
                for object in versions.iter().filter(|object| matches!(object.value, Value::List(_) | Value::To(_))) {
                    self.streams_in(&object.value, depth + 1, numbers);
                }
            }
            Value::List(list) => list.iter().for_each(|value| self.streams_in(value, depth + 1, numbers)),
            _ => {}
        }
    }

    /// What a page or form can draw; `None` where it does not say so itself.
    fn resources(&mut self, dictionary: &Dictionary) -> Option<Rc<Drawables>> {
        let mut all = None;
        for resources in dictionary.all(b"Resources") {
            let more = match resources {
                Value::Dictionary(resources) => self.xobjects(resources),
                Value::To(number) => self.resources_at(*number),
                _ => None,
            };
            all = self.merged(all, more);
        }
        all
    }

    /// The same of an object, which many pages may share.
    fn resources_at(&mut self, number: u32) -> Option<Rc<Drawables>> {
        if let Some(known) = self.resources.get(&number) {
            return known.clone();
        }
        let mut all = None;
        for resources in self.objects.get(number).iter().filter_map(Object::dictionary) {
            let more = self.xobjects(resources);
            all = self.merged(all, more);
        }
        self.resources.insert(number, all.clone());
        all
    }

    fn xobjects(&mut self, resources: &Dictionary) -> Option<Rc<Drawables>> {
        let mut all = None;
        for xobjects in resources.all(b"XObject") {
            let more = self.drawables_in(xobjects);
            all = self.merged(all, more);
        }
        all
    }

    fn drawables_in(&mut self, xobjects: &Value) -> Option<Rc<Drawables>> {
        match xobjects {
            Value::Dictionary(dictionary) => {
                let mut drawables = Drawables::new();
                for (name, value) in dictionary.iter() {
                    if let Value::To(number) = value
                        && self.budget.spend(1)
                    {
                        drawables.entry(name.to_vec()).or_default().push(*number);
                    }
                }
                Some(Rc::new(drawables))
            }
            Value::To(number) => {
                if let Some(known) = self.xobjects.get(number) {
                    return known.clone();
                }
                let mut all = None;
                for object in self.objects.get(*number).iter() {
                    if let Value::Dictionary(_) = object.value {
                        let more = self.drawables_in(&object.value);
                        all = self.merged(all, more);
                    }
                }
                self.xobjects.insert(*number, all.clone());
                all
            }
            _ => None,
        }
    }

    /// Both.
    fn merged(&mut self, one: Option<Rc<Drawables>>, other: Option<Rc<Drawables>>) -> Option<Rc<Drawables>> {
        match (one, other) {
            (Some(one), Some(other)) if self.budget.spend(one.len() + other.len()) => {
                let mut both = Rc::unwrap_or_clone(one);
                for (name, numbers) in other.iter() {
                    both.entry(name.clone()).or_default().extend(numbers);
                }
                Some(Rc::new(both))
            }
            (one, other) => one.or(other),
        }
    }

    /// What a content shows, with all that it draws.
    fn text(&mut self, number: u32, drawables: Option<&Drawables>, depth: usize) -> u64 {
        if depth > DEEPEST {
            return self.close();
        }
        let content = self.content(number);
        let mut text = content.shown;
        for (name, times) in &content.drawn {
            let meant = drawables.and_then(|drawables| drawables.get(name));
            let mut candidates = meant.or_else(|| self.drawables.get(name)).cloned().unwrap_or_default();
            if name.is_empty() {
                candidates = self.drawables.values().flatten().copied().collect();
            }
            if !self.budget.spend(1 + candidates.len()) {
                return 0;
            }
            let most = candidates.iter().map(|form| self.form(*form, depth + 1)).max().unwrap_or(0);
            text = text.saturating_add(most.saturating_mul(*times));
        }
        text
    }

    /// What a form shows each time it is drawn. Images show nothing.
    fn form(&mut self, number: u32, depth: usize) -> u64 {
        match self.forms.get(&number) {
            Some(Some(text)) => return *text,
            Some(None) => return self.close(),
            None => {}
        }
        let versions = self.objects.get(number);
        let is_image = |object: &Object| {
            object.dictionary().is_some_and(|dictionary| {
                dictionary.has(b"Subtype")
                    && dictionary.all(b"Subtype").all(|said| *said == Value::Name(b"Image".to_vec()))
            })
        };
        if versions.iter().all(is_image) {
            return 0;
        }
        self.forms.insert(number, None);
        let mut drawables = None;
        for dictionary in versions.iter().filter_map(Object::dictionary) {
            drawables = drawables.or_else(|| self.resources(dictionary));
        }
        let text = self.text(number, drawables.as_deref(), depth);
        self.forms.insert(number, Some(text));
        text
    }

    /// What is in a stream, whatever else it may be called.
    fn content(&mut self, number: u32) -> Rc<Content> {
        if let Some(content) = self.contents.get(&number) {
            return content.clone();
        }
        let mut all = Content::default();
        for object in self.objects.get(number).iter().filter(|object| object.stream.is_some()) {
            let Some(bytes) = self.unpacked(object) else { return self.close() };
            if !self.budget.spend(bytes.len()) {
                break;
            }
            let Content { shown, drawn } = Content::read(&bytes);
            all.shown = all.shown.max(shown);
            for (name, times) in drawn {
                let most = all.drawn.entry(name).or_default();
                *most = times.max(*most);
            }
        }
        let content = Rc::new(all);
        self.contents.insert(number, content.clone());
        content
    }

    /// The bytes of a stream; `None` where they are packed in a way that is not looked into, or where they are too many.
    fn unpacked(&mut self, object: &Object) -> Option<Vec<u8>> {
        let dictionary = object.dictionary().filter(|_| !self.budget.is_closed)?;
        let packed = self.stream(dictionary, object.stream?);
        let filters: Vec<Value> = dictionary.all(b"Filter").chain(dictionary.all(b"F")).cloned().collect();
        let filters: Vec<Value> = filters.into_iter().flat_map(|filter| self.filter(filter)).collect();
        // Restored from the rows before it.
        let has_parameters =
            dictionary.all(b"DecodeParms").chain(dictionary.all(b"DP")).any(|value| *value != Value::Other);
        let is = |name: &Value, long: &[u8], short: &[u8]| matches!(name, Value::Name(name) if name == long || name == short);
        let flate = |name: &Value| is(name, b"FlateDecode", b"Fl");
        let letters = |name: &Value| is(name, b"ASCII85Decode", b"A85");
        match filters.as_slice() {
            _ if has_parameters => None,
            [] => self.as_it_is(packed.to_vec()),
            [one] if flate(one) => self.inflated(packed),
            [one] if letters(one) => ascii85::decode(packed).and_then(|bytes| self.as_it_is(bytes)),
            [first, second] if letters(first) && flate(second) => {
                ascii85::decode(packed).and_then(|bytes| self.inflated(&bytes))
            }
            _ => None,
        }
    }

    fn as_it_is(&mut self, bytes: Vec<u8>) -> Option<Vec<u8>> {
        self.unpackable = self.unpackable.checked_sub(bytes.len())?;
        Some(bytes)
    }

    fn inflated(&mut self, packed: &[u8]) -> Option<Vec<u8>> {
        let unpacked = match decompress_to_vec_zlib_with_limit(packed, self.unpackable) {
            Ok(unpacked) => unpacked,
            Err(error) if error.status == TINFLStatus::HasMoreOutput => return None,
            // What is broken in its middle is shown up to there.
            Err(error) => error.output,
        };
        self.unpackable -= unpacked.len().min(self.unpackable);
        Some(unpacked)
    }

    /// Filters as they are named, in lists and elsewhere.
    fn filter(&self, filter: Value) -> Vec<Value> {
        match filter {
            Value::List(list) => list,
            Value::To(number) => {
                self.objects
                    .get(number)
                    .iter()
                    .flat_map(|object| {
                        if let Value::List(list) = &object.value { list.clone() } else { vec![object.value.clone()] }
                    })
                    .collect()
            }
            other => vec![other],
        }
    }

    /// A stream up to its end: the mark, or as long as it says if that is more.
    fn stream(&mut self, dictionary: &Dictionary, begin: usize) -> &'a [u8] {
        let rest = self.bytes.get(begin..).unwrap_or_default();
        let marked = rest.windows(9).position(|mark| mark == b"endstream").unwrap_or(rest.len());
        self.budget.spend(marked);
        let mut length = marked;
        for said in dictionary.all(b"Length") {
            match said {
                Value::Number(number) => length = length.max(*number),
                Value::To(at) => {
                    for object in self.objects.get(*at).iter() {
                        if let Value::Number(number) = object.value {
                            length = length.max(number);
                        }
                    }
                }
                _ => {}
            }
        }
        &rest[..length.min(rest.len())]
    }
}
