//! Paragraphs and a link as plain text and as HTML.

use std::fmt::Write;

/// A mail as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML, with nothing to load from elsewhere.
    pub html: String,
    /// The links in it.
    pub links: Vec<String>,
}

impl Rendered {
    /// The same with a last line that says how to get no more of its kind.
    #[must_use]
    pub fn with_unsubscribe(mut self, link: &str) -> Self {
        let _ = write!(self.text, "\nNo more mails of this kind: {link}\n");
        let end = "</body></html>";
        let kept = self.html.strip_suffix(end).unwrap_or(&self.html).len();
        self.html.truncate(kept);
        let _ = write!(self.html, "<p><a href=\"{}\">No more mails of this kind</a></p>{end}", escaped(link));
        self
    }
}

/// The longest subject, in characters.
const MAX_SUBJECT_CHARS: usize = 90;

pub(super) fn render(subject: &str, before: &[&str], link: Option<(&str, &str)>, after: &[&str]) -> Rendered {
    let words = |paragraphs: &[&str]| paragraphs.iter().map(|words| one_line(words)).collect::<Vec<_>>();
    let (before, after) = (words(before), words(after));
    let address = link.map(|(_, address)| address.to_owned());
    let text: Vec<&str> = before.iter().chain(&address).chain(&after).map(String::as_str).collect();
    let paragraph = |words: &String| format!("<p>{}</p>", escaped(words));
    let anchor = link.map(|(label, address)| format!("<p><a href=\"{}\">{}</a></p>", escaped(address), escaped(label)));
    let html: String =
        before.iter().map(paragraph).chain(anchor).chain(after.iter().map(paragraph)).collect::<Vec<_>>().concat();
    Rendered {
        subject: one_line(subject).chars().take(MAX_SUBJECT_CHARS).collect(),
        text: format!("{}\n", text.join("\n\n")),
        html: format!("<!doctype html><html><body>{html}</body></html>"),
        links: address.into_iter().collect(),
    }
}

/// A line break in a subject would begin another header.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
