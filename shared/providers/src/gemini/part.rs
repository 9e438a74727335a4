//! What comes back from Gemini: the same shape for a whole answer and for a frame of a stream.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::completion::CompletionMeta;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    #[serde(default)]
    pub(super) candidates: Vec<Candidate>,
    #[serde(default)]
    pub(super) prompt_feedback: Option<PromptFeedback>,
    #[serde(default)]
    pub(super) usage_metadata: Option<Value>,
    #[serde(default)]
    pub(super) error: Option<Value>,
}

impl Answer {
    /// Why the prompt itself was refused, in which case there are no candidates.
    pub(super) fn is_blocked(&self) -> bool {
        self.prompt_feedback.as_ref().is_some_and(|feedback| feedback.block_reason.is_some())
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PromptFeedback {
    #[serde(default)]
    block_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate {
    #[serde(default)]
    pub(super) index: u64,
    #[serde(default)]
    pub(super) content: Option<Content>,
    #[serde(default)]
    pub(super) finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Content {
    #[serde(default)]
    pub(super) parts: Vec<Part>,
}

/// A part is text (or thinking), or a call; what else there is (images, code runs) has no place in a chat completion.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part {
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) thought: bool,
    #[serde(default)]
    pub(super) function_call: Option<FunctionCall>,
    #[serde(default)]
    pub(super) thought_signature: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct FunctionCall {
    #[serde(default)]
    id: Option<String>,
    pub(super) name: String,
    #[serde(default)]
    args: Option<Value>,
}

impl FunctionCall {
    pub(super) fn arguments(&self) -> String {
        self.args.as_ref().map_or_else(|| "{}".to_owned(), Value::to_string)
    }

    /// The call as an entry of `tool_calls`. Older models send no id, but OpenAI's clients answer to one: it is made from the
    /// completion's id, which is unique, and the call's place.
    pub(super) fn to_openai(&self, place: u64, signature: Option<&str>, meta: &CompletionMeta) -> Value {
        let own_id = || format!("call_{}_{place}", meta.id.trim_start_matches("chatcmpl-"));
        let id = self.id.clone().filter(|id| !id.is_empty()).unwrap_or_else(own_id);
        let function = json!({"name": self.name, "arguments": self.arguments()});
        let mut call = json!({"id": id, "type": "function", "function": function});
        if let Some(signature) = signature {
            // Where Google's own OpenAI layer puts it; the client sends it back with the call.
            call["extra_content"] = json!({"google": {"thought_signature": signature}});
        }
        call
    }
}

/// Reasons that are faults of the model or of the protocol: there is no answer that a client could use
/// (<https://ai.google.dev/api/generate-content#FinishReason>).
pub(super) fn is_fault(reason: &str) -> bool {
    matches!(
        reason,
        "MALFORMED_FUNCTION_CALL"
            | "MALFORMED_RESPONSE"
            | "UNEXPECTED_TOOL_CALL"
            | "TOO_MANY_TOOL_CALLS"
            | "MISSING_THOUGHT_SIGNATURE"
    )
}

/// OpenAI's finish reason. Gemini says STOP for tool calls too.
pub(super) fn finish_reason(reason: &str, has_tool_calls: bool) -> &'static str {
    match reason {
        "MAX_TOKENS" => "length",
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => "content_filter",
        _ if has_tool_calls => "tool_calls",
        _ => "stop",
    }
}
