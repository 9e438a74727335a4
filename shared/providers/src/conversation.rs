//! What the providers demand of tools, of calls and of their results.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::model::Provider;
use crate::request::{ChatRequest, InvalidRequest, InvalidRequestKind, Message, Role, Tool, ToolChoice};

/// Checks that every call has its result before the next word of the assistant, and every result its call.
///
/// # Errors
/// The call or the result that stands alone, by name.
pub(crate) fn check_results(messages: &[Message], may_end_with_calls: bool) -> Result<(), InvalidRequest> {
    // The calls that wait for their result: the places of each id, in their order.
    let mut waiting: BTreeMap<&str, VecDeque<(usize, usize)>> = BTreeMap::new();
    let unanswered = |waiting: &BTreeMap<&str, VecDeque<(usize, usize)>>| match waiting.values().flatten().min() {
        None => Ok(()),
        Some((message, call)) => {
            let at = format!("messages[{message}].tool_calls[{call}].id");
            let message = "must be answered by a tool message before the assistant speaks again.";
            Err(InvalidRequest::new(InvalidRequestKind::Missing, at, message))
        }
    };
    for (index, message) in messages.iter().enumerate() {
        match message.role {
            Role::System | Role::User | Role::Function => {}
            Role::Assistant => {
                unanswered(&waiting)?;
                waiting.clear();
                for (call, made) in message.tool_calls.iter().enumerate() {
                    waiting.entry(made.id.as_str()).or_default().push_back((index, call));
                }
            }
            Role::Tool => {
                let id = message.tool_call_id.as_deref().unwrap_or_default();
                if waiting.get_mut(id).and_then(VecDeque::pop_front).is_none() {
                    let message = "must be the id of a tool call in the assistant message before it, answered once.";
                    let field = format!("messages[{index}].tool_call_id");
                    return Err(InvalidRequest::new(InvalidRequestKind::OutOfRange, field, message));
                }
            }
        }
    }
    // A conversation may end with calls, but not in the middle of their results.
    let ends_with_calls = messages.last().is_some_and(|message| message.role == Role::Assistant);
    if may_end_with_calls && ends_with_calls { Ok(()) } else { unanswered(&waiting) }
}

/// Checks the names of tools, and that a choice has something to choose from.
///
/// # Errors
/// The name at fault.
pub(crate) fn check_tools(request: &ChatRequest, provider: Provider) -> Result<(), InvalidRequest> {
    let allowed = match provider {
        Provider::Gemini => "a letter or _, then letters, digits, _, -, . and :, at most 64 in all, for Google Gemini",
        _ => "of letters, digits, _ and -, at most 64",
    };
    let check = |name: &str, field: &dyn Fn() -> String| {
        if is_name(name, provider) { Ok(()) } else { Err(InvalidRequest::out_of_range(field(), allowed)) }
    };
    let mut names = BTreeSet::new();
    for (index, tool) in request.tools.iter().enumerate() {
        let Tool::Function { name, .. } = tool else { continue };
        let field = || format!("tools[{index}].function.name");
        check(name, &field)?;
        if !names.insert(name.as_str()) {
            return Err(InvalidRequest::out_of_range(field(), "another for each tool"));
        }
    }
    if provider != Provider::OpenAi {
        for (index, message) in request.messages.iter().enumerate() {
            for (call, made) in message.tool_calls.iter().enumerate().filter(|(_, made)| made.is_function) {
                check(&made.name, &|| format!("messages[{index}].tool_calls[{call}].function.name"))?;
            }
        }
    }
    match &request.tool_choice {
        Some(ToolChoice::Function(name)) if !names.contains(name.as_str()) => {
            Err(InvalidRequest::out_of_range("tool_choice.function.name", "one of the tools\u{2019} names"))
        }
        Some(ToolChoice::Required) if request.tools.is_empty() => {
            let message = "needs tools to choose from.";
            Err(InvalidRequest::new(InvalidRequestKind::OutOfRange, "tool_choice", message))
        }
        _ => Ok(()),
    }
}

fn is_name(name: &str, provider: Provider) -> bool {
    let others: &[u8] = if provider == Provider::Gemini { b"_-.:" } else { b"_-" };
    let is_begun = provider != Provider::Gemini || !name.starts_with(|c: char| c != '_' && !c.is_ascii_alphabetic());
    is_begun && (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || others.contains(&b))
}
