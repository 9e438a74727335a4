//! What a request is reckoned at before it is made.

use crate::meter::Amounts;

/// What one chat request holds before the model is asked: one request, and its prompt plus its answer in tokens.
///
/// `answer_tokens` is what the client asked for at most; without it the typical answer of
/// [`TYPICAL_ANSWER_TOKENS`] is held, per choice.
pub fn chat_estimate(prompt_tokens: u64, answer_tokens: Option<u64>, choices: u64) -> Amounts {
    let answer = answer_tokens.unwrap_or(TYPICAL_ANSWER_TOKENS).saturating_mul(choices.max(1));
    Amounts { requests: 1, tokens: prompt_tokens.saturating_add(answer), emails: 0 }
}

/// What an answer is reckoned at when the request does not say (`max_tokens`): a few paragraphs.
pub const TYPICAL_ANSWER_TOKENS: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_request_holds_its_prompt_and_its_answer() {
        assert_eq!(chat_estimate(10, None, 1), Amounts { requests: 1, tokens: 266, emails: 0 });
        assert_eq!(chat_estimate(10, Some(5), 2), Amounts { requests: 1, tokens: 20, emails: 0 });
        assert_eq!(chat_estimate(u64::MAX, Some(u64::MAX), 8).tokens, u64::MAX);
    }
}
