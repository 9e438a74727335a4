//! What a part that is no text takes in tokens, before it is sent: a bound that is right for its kind, from its own bytes.
//!
//! What cannot be bounded is refused by name. A limit that is held with a guess is none: 40 calls with a file's id held 21,520 tokens
//! and took twelve million.

mod base64;
mod dimensions;
mod image_cost;
mod pdf;
mod recording;

use serde_json::{Map, Value};

use crate::image;
use crate::model::ModelRef;
use crate::request::InvalidRequest;
use crate::tokens;
use base64::Base64;

/// A part beside text and images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Attachment {
    /// A document: its text, and each page as an image too
    /// (<https://developers.openai.com/api/docs/guides/pdf-files>: "both the extracted text and an image of each page").
    Document {
        pages: u64,
        text_tokens: u64,
    },
    Recording {
        tokens: u64,
    },
}

impl Attachment {
    pub(crate) fn tokens(&self, model: Option<&ModelRef>) -> u64 {
        match self {
            Self::Document { pages, text_tokens } => {
                text_tokens.saturating_add(pages.saturating_mul(image_cost::of_page(model)))
            }
            Self::Recording { tokens } => *tokens,
        }
    }
}

/// How closely the model shall look at an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    Low,
    High,
    /// Also what is not said: newer models take an image as large as it is then.
    Original,
}

/// What an image takes. Of one that is elsewhere, or whose size its header does not tell, as much as any of this detail.
pub(crate) fn image_tokens(url: &str, detail: Detail, model: Option<&ModelRef>) -> u64 {
    let data = image::begins_with(url, "data:").then(|| url.split_once(',')).flatten().map(|(_, data)| data);
    let size = data.and_then(|data| dimensions::read(&Base64::new(data)?));
    image_cost::tokens(size, detail, model)
}

/// Reads the `file` of a part.
///
/// # Errors
/// For a file that is only named, and for one that cannot be counted.
pub(crate) fn read_file(file: &mut Map<String, Value>, at: &str) -> Result<Attachment, InvalidRequest> {
    let mut text = |name: &str| match file.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(InvalidRequest::wrong_type(format!("{at}.{name}"), "a string")),
    };
    if text("file_id")?.is_some() {
        // Files are uploaded with the operator's key alone: the id of one leads to what belongs to somebody else.
        let message = "is a file on the account of whoever runs this service, and is not offered here: send its content as file_data.";
        return Err(InvalidRequest::unsupported(format!("{at}.file_id"), message));
    }
    let (data, name) = (text("file_data")?, text("filename")?.unwrap_or_default());
    if let Some(unknown) = file.iter().find(|(_, value)| !value.is_null()).map(|(name, _)| name) {
        let name: String = unknown.chars().take(80).collect();
        let message = "is not known: send the file's content as file_data.";
        return Err(InvalidRequest::unsupported(format!("{at}.{name}"), message));
    }
    let data = data.ok_or_else(|| InvalidRequest::missing(format!("{at}.file_data")))?;
    let field = || format!("{at}.file_data");
    let (head, encoded) = match image::begins_with(&data, "data:").then(|| data["data:".len()..].split_once(',')) {
        Some(parts) => parts.unwrap_or_default(),
        None => ("", data.as_str()),
    };
    let media_type = head.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let bytes = Base64::new(encoded).map(|data| data.bytes()).filter(|bytes| !bytes.is_empty());
    let bytes = bytes.ok_or_else(|| InvalidRequest::out_of_range(field(), "of the form data:<type>;base64,<data>"))?;
    document(&bytes, &media_type, &name).ok_or_else(|| {
        let message = "must be text, or a PDF that can be counted before it is sent (not encrypted, compressed in the usual way): \
                       send the text of other documents, or their pages as images.";
        InvalidRequest::unsupported(field(), message)
    })
}

/// A document of bytes, which both its media type and its name must call what it is: a provider goes by any of the three.
fn document(bytes: &[u8], media_type: &str, name: &str) -> Option<Attachment> {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    let text = std::str::from_utf8(bytes).ok();
    let text_tokens = text.map(tokens::estimate);
    if !pdf::is_one(bytes) {
        let is_packed = ["pdf", "docx", "xlsx", "pptx", "odt", "ods", "odp", "zip"].contains(&ending.as_str());
        return text_tokens.filter(|_| !is_packed).map(|text_tokens| Attachment::Document { pages: 0, text_tokens });
    }
    let is_called_one = ["", "application/pdf", "application/octet-stream"].contains(&media_type)
        && ["", "pdf"].contains(&ending.as_str());
    let counted = pdf::count(bytes).filter(|_| is_called_one)?;
    Some(Attachment::Document {
        pages: counted.pages,
        // Readable as text as well and not called a PDF, it may be taken for that.
        text_tokens: counted
            .text_tokens
            .max(text_tokens.filter(|_| ending != "pdf" && media_type != "application/pdf").unwrap_or(0)),
    })
}

/// Reads the `input_audio` of a part.
///
/// # Errors
/// When there is no data.
pub(crate) fn read_audio(audio: &mut Map<String, Value>, at: &str) -> Result<Attachment, InvalidRequest> {
    let Some(Value::String(data)) = audio.remove("data") else {
        return Err(InvalidRequest::missing(format!("{at}.data")));
    };
    let encoded = match image::begins_with(&data, "data:").then(|| data.split_once(',')).flatten() {
        Some((_, encoded)) => encoded,
        None => data.as_str(),
    };
    let bytes = Base64::new(encoded).map(|data| data.bytes()).filter(|bytes| !bytes.is_empty());
    let bytes = bytes.ok_or_else(|| InvalidRequest::out_of_range(format!("{at}.data"), "a recording in base64"))?;
    Ok(Attachment::Recording { tokens: recording::tokens(&bytes) })
}

#[cfg(test)]
mod tests;
