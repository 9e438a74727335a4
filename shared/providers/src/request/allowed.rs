//! What of a request reaches a provider under the operator's own key: a list, each with its reason. What costs apart, or
//! acts on the operator's account, is refused by name, and so is what is not known: a member of tomorrow may be either.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat/create>, and for what compatible servers add,
//! <https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html>.

use serde_json::Value;

use super::InvalidRequest;
use crate::members::Members;

/// What is done with a member.
enum Rule {
    /// It is passed on, or read here: it costs what its tokens cost.
    Passed,
    /// It is never passed on; what it says is said otherwise, or not at all.
    Dropped,
    /// Only these values are taken, with what is wrong about the others.
    Only(fn(&Value) -> bool, &'static str),
}

use Rule::{Dropped, Only, Passed};

/// What is wrong with asking for more than text.
const NOT_PRICED: &str = "costs apart from tokens, and is not offered here";
/// What is wrong with using the operator's account.
const OPERATORS_ACCOUNT: &str = "acts on the account of whoever runs this service, and is not offered here";

const MEMBERS: &[(&str, Rule)] = &[
    // Read here.
    ("model", Passed),
    ("messages", Passed),
    ("stream", Passed),
    ("stream_options", Passed),
    ("n", Passed),
    ("max_tokens", Passed),
    ("max_completion_tokens", Passed),
    ("tools", Passed),
    ("tool_choice", Passed),
    ("response_format", Passed),
    ("stop", Passed),
    ("temperature", Passed),
    ("top_p", Passed),
    // They change what is said, and the tokens are counted.
    ("parallel_tool_calls", Passed),
    ("functions", Passed),
    ("function_call", Passed),
    ("seed", Passed),
    ("logit_bias", Passed),
    ("logprobs", Passed),
    ("top_logprobs", Passed),
    ("frequency_penalty", Passed),
    ("presence_penalty", Passed),
    ("reasoning_effort", Passed),
    ("verbosity", Passed),
    // Its rejected tokens are part of the answer's tokens, and it counts in the prompt's estimate.
    ("prediction", Passed),
    // What compatible servers know beside them: sampling and thinking, counted in the answer's tokens.
    ("top_k", Passed),
    ("min_p", Passed),
    ("top_a", Passed),
    ("repetition_penalty", Passed),
    ("chat_template_kwargs", Passed),
    ("enable_thinking", Passed),
    // A hint for the provider's cache, which only makes a prompt cheaper.
    ("prompt_cache_key", Passed),
    // The tier costs another price, and the answer says which it was.
    ("service_tier", Only(|value| matches!(value.as_str(), Some("auto" | "default")), NOT_PRICED)),
    ("modalities", Only(|value| value.as_array().is_some_and(|list| list.iter().all(|one| one == "text")), NOT_PRICED)),
    ("audio", Only(|_| false, NOT_PRICED)),
    ("web_search_options", Only(|_| false, NOT_PRICED)),
    // `n` says how many answers there are; this would make the provider write others and throw them away.
    ("best_of", Only(|value| value.as_u64() == Some(1), NOT_PRICED)),
    ("store", Only(|value| value == &Value::Bool(false), OPERATORS_ACCOUNT)),
    ("metadata", Only(|value| value.as_object().is_some_and(serde_json::Map::is_empty), OPERATORS_ACCOUNT)),
    ("prompt_cache_retention", Only(|value| value == "in_memory", OPERATORS_ACCOUNT)),
    // Who asks is told to the provider by us, under a pseudonym: one that abuses it is blocked alone.
    ("user", Dropped),
    ("safety_identifier", Dropped),
];

/// Checks the members of a request's body.
///
/// # Errors
/// The first that is not taken, by name.
pub(super) fn check(members: &Members) -> Result<(), InvalidRequest> {
    for (name, raw) in members.iter() {
        match MEMBERS.iter().find(|(known, _)| *known == name) {
            Some((_, Passed | Dropped)) => {}
            Some((_, Only(taken, otherwise))) => {
                if !serde_json::from_str::<Value>(raw).is_ok_and(|value| taken(&value)) {
                    return Err(InvalidRequest::unsupported(name, format!("{otherwise}.")));
                }
            }
            None => {
                let name: String = name.chars().take(80).collect();
                return Err(InvalidRequest::unsupported(name, "is not known; GET /api/docs names what is taken."));
            }
        }
    }
    Ok(())
}

/// The members that are not passed on: what only we may say.
pub(crate) fn dropped() -> impl Iterator<Item = &'static str> {
    MEMBERS.iter().filter(|(_, rule)| matches!(rule, Dropped)).map(|(name, _)| *name)
}
