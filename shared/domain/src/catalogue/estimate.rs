//! What a request is reckoned at before it is made.

use crate::meter::{Amounts, AnswerRoom};

/// What one chat request holds before the model is asked: one request, and its prompt in tokens, with the longest answer that
/// the client asked for, for each choice. Where it named none, the meter grants room for the answer.
///
/// `longest_answer` is what the model can answer at most.
pub fn chat_estimate(
    prompt_tokens: u64,
    answer_tokens: Option<u64>,
    choices: u64,
    longest_answer: u64,
) -> (Amounts, Option<AnswerRoom>) {
    let choices = choices.max(1);
    let all = |tokens: u64| tokens.saturating_mul(choices);
    let named = answer_tokens.map_or(0, all);
    let room = AnswerRoom { wanted: all(longest_answer), least: all(TYPICAL_ANSWER_TOKENS.min(longest_answer)) };
    let amounts = Amounts { requests: 1, tokens: prompt_tokens.saturating_add(named), emails: 0 };
    (amounts, answer_tokens.is_none().then_some(room))
}

/// What an answer is reckoned at when the request does not say (`max_tokens`): a few paragraphs.
pub const TYPICAL_ANSWER_TOKENS: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_request_holds_its_prompt_and_its_answer() {
        let held = |tokens| Amounts { requests: 1, tokens, emails: 0 };
        let room = |wanted, least| Some(AnswerRoom { wanted, least });
        assert_eq!(chat_estimate(10, None, 1, 4_096), (held(10), room(4_096, 256)));
        assert_eq!(chat_estimate(10, None, 2, 100), (held(10), room(200, 200)));
        assert_eq!(chat_estimate(10, Some(5), 2, 4_096), (held(20), None));
        assert_eq!(chat_estimate(u64::MAX, Some(u64::MAX), 8, 1), (held(u64::MAX), None));
    }
}
