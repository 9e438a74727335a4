//! How long an answer may become whose length nobody has named.
//!
//! What a provider may still produce has to be held, or a hard limit is none: a hundred requests at once that each hold a
//! short answer and may each become a long one order a hundred times what is left. So the meter grants room, holds it, and
//! exactly that is sent to the provider as its limit.

use serde::{Deserialize, Serialize};

/// What an answer wants beside its request's fixed amounts, in tokens, all choices together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerRoom {
    /// The longest that the model can become: more is never held.
    pub wanted: u64,
    /// The least that is worth asking for; what is held where no hard limit stands.
    pub least: u64,
}

/// One answer alone gets a quarter of what is left, the next a fifth of the rest, and so on: the share of whoever comes
/// next shrinks with those who are under way. A fixed share would give one alone too little or leave a crowd nothing.
const SHARES_KEPT_FREE: u64 = 3;

impl AnswerRoom {
    /// What is granted where `left` remains of a hard limit after the request's fixed amounts, and `under_way` others hold
    /// something. `None` when not even the least fits.
    ///
    /// Never more than what is left, never more than what is wanted.
    pub fn granted(self, left: u64, under_way: usize) -> Option<u64> {
        let least = self.least.min(self.wanted);
        if least > left {
            return None;
        }
        let under_way = u64::try_from(under_way).unwrap_or(u64::MAX);
        let share = left / (SHARES_KEPT_FREE + 1).saturating_add(under_way);
        Some(share.clamp(least, self.wanted.max(least)).min(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: AnswerRoom = AnswerRoom { wanted: 16_384, least: 256 };

    #[test]
    fn one_alone_gets_a_quarter_and_a_crowd_smaller_shares() {
        assert_eq!(ROOM.granted(50_000, 0), Some(12_500));
        assert_eq!(ROOM.granted(37_500, 1), Some(7_500));
        assert_eq!(ROOM.granted(1_000_000, 0), Some(16_384), "no more than the model can answer");
        assert_eq!(ROOM.granted(1_000, 0), Some(256), "no less than is worth asking for");
        assert_eq!(ROOM.granted(256, 90), Some(256));
        assert_eq!(ROOM.granted(255, 0), None);
        assert_eq!(AnswerRoom { wanted: 100, least: 256 }.granted(120, 5), Some(100));
        assert_eq!(ROOM.granted(u64::MAX, usize::MAX), Some(256));
    }

    proptest::proptest! {
        #[test]
        fn what_is_granted_is_never_more_than_is_left(wanted: u64, least: u64, left: u64, under_way: usize) {
            if let Some(granted) = (AnswerRoom { wanted, least }).granted(left, under_way) {
                assert!(granted <= left && granted <= wanted);
            }
        }
    }
}
