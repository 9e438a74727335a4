//! An incremental parser of Server-Sent Events (<https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>).
//!
//! Bytes may be cut anywhere: in a line ending, in a UTF-8 character, in a field name. Only `data` is kept; none of the providers
//! says anything in `event`, `id` or `retry` that is not in the data too.

use std::borrow::Cow;

use crate::surrogates;

/// Longest event, in bytes. A provider's largest frames (a whole Gemini answer) are some hundred kilobytes.
pub(crate) const LONGEST_FRAME: usize = 1024 * 1024;

/// The event being received is longer than [`LONGEST_FRAME`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FrameTooLong;

#[derive(Debug, Default)]
pub(crate) struct SseParser {
    /// The part of a line that arrived so far.
    line: Vec<u8>,
    /// The data lines of the event so far.
    data: Vec<u8>,
    has_data: bool,
    /// The last byte was a carriage return: a line feed that follows belongs to it.
    after_cr: bool,
    past_first_line: bool,
}

impl SseParser {
    /// Takes bytes and appends the data of every event that is complete now to `frames`.
    pub(crate) fn push(&mut self, mut bytes: &[u8], frames: &mut Vec<String>) -> Result<(), FrameTooLong> {
        while !bytes.is_empty() {
            if self.after_cr && bytes[0] == b'\n' {
                self.after_cr = false;
                bytes = &bytes[1..];
                continue;
            }
            self.after_cr = false;
            let Some(end) = bytes.iter().position(|b| *b == b'\n' || *b == b'\r') else {
                self.check_length(bytes.len())?;
                self.line.extend_from_slice(bytes);
                return Ok(());
            };
            self.check_length(end)?;
            self.after_cr = bytes[end] == b'\r';
            if self.line.is_empty() {
                self.end_of_line(&bytes[..end], frames);
            } else {
                self.line.extend_from_slice(&bytes[..end]);
                let mut line = std::mem::take(&mut self.line);
                self.end_of_line(&line, frames);
                line.clear();
                self.line = line;
            }
            bytes = &bytes[end + 1..];
        }
        Ok(())
    }

    /// The stream has ended: an event that lacks only its blank line still counts (some servers forget it; whether the
    /// data is whole is for the JSON parser to say).
    pub(crate) fn finish(&mut self, frames: &mut Vec<String>) {
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.end_of_line(&line, frames);
        }
        self.dispatch(frames);
    }

    /// Before `more` bytes are added to the line. The same sum wherever the bytes were cut.
    fn check_length(&self, more: usize) -> Result<(), FrameTooLong> {
        if self.line.len() + self.data.len() + more > LONGEST_FRAME { Err(FrameTooLong) } else { Ok(()) }
    }

    fn end_of_line(&mut self, line: &[u8], frames: &mut Vec<String>) {
        let line = if self.past_first_line { line } else { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) };
        self.past_first_line = true;
        if line.is_empty() {
            return self.dispatch(frames);
        }
        let value = match line.strip_prefix(b"data") {
            Some([b':', b' ', value @ ..] | [b':', value @ ..]) => value,
            Some([]) => &[],
            _ => return,
        };
        if self.has_data {
            self.data.push(b'\n');
        }
        self.has_data = true;
        self.data.extend_from_slice(value);
    }

    fn dispatch(&mut self, frames: &mut Vec<String>) {
        if std::mem::take(&mut self.has_data) {
            let data = std::mem::take(&mut self.data);
            let text = String::from_utf8(data).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
            frames.push(match surrogates::mended(&text) {
                Cow::Owned(mended) => mended,
                Cow::Borrowed(_) => text,
            });
        }
    }
}

#[cfg(test)]
mod tests;
