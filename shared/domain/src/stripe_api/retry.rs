//! Which answers are worth another try, and when. Every POST carries an idempotency key, so that another try is never a
//! second charge (<https://docs.stripe.com/api/idempotent_requests>, <https://docs.stripe.com/error-low-level>).

/// How often a request is sent at most.
pub const MAX_TRIES: u32 = 4;

/// The pause after the first try, in milliseconds; it doubles with each.
const FIRST_PAUSE_MS: u64 = 400;
/// The longest pause of our own choice, in milliseconds.
const LONGEST_PAUSE_MS: u64 = 3_000;
/// The longest that Stripe may tell us to wait within one request, in milliseconds: somebody waits for the answer.
const LONGEST_TOLD_MS: u64 = 5_000;

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer.
    Answered {
        /// The HTTP status.
        status: u16,
        /// `Stripe-Should-Retry`, where it was sent: it has the last word.
        should_retry: Option<bool>,
        /// `Retry-After` in seconds, where it was sent.
        retry_after_seconds: Option<u64>,
    },
    /// With none: the connection was lost, or it took too long.
    Lost,
}

/// How long to wait before the next try, in milliseconds; `None` when there is none. `tries` were made, this one
/// included; `random` is drawn anew for each pause, so that many who failed together do not come back together.
pub fn pause_ms(outcome: Outcome, tries: u32, random: u32) -> Option<u64> {
    if tries >= MAX_TRIES {
        return None;
    }
    let mut told = 0;
    if let Outcome::Answered { status, should_retry, retry_after_seconds } = outcome {
        // 409: another request with the same key is on its way, or the object is locked.
        if !should_retry.unwrap_or(matches!(status, 409 | 429 | 500..)) {
            return None;
        }
        told = retry_after_seconds.unwrap_or(0).saturating_mul(1_000);
        if told > LONGEST_TOLD_MS {
            return None;
        }
    }
    let whole = FIRST_PAUSE_MS.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(LONGEST_PAUSE_MS);
    // Half of it and some of the other half.
    Some((whole / 2 + u64::from(random) % (whole / 2 + 1)).max(told))
}

/// How often an event is processed before it counts as dead: nearly seven hours of tries.
pub const MAX_EVENT_TRIES: u32 = 14;

/// How long an event that could not be processed waits for its next try, in seconds, after so many; `None` when it is dead.
pub fn event_pause_seconds(tries: u32) -> Option<u32> {
    if tries >= MAX_EVENT_TRIES { None } else { Some((10 << tries.min(9)).min(3_600)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn answered(status: u16) -> Outcome {
        Outcome::Answered { status, should_retry: None, retry_after_seconds: None }
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_is_refused_is_not() {
        for status in [409, 429, 500, 502, 503, 504] {
            assert!(pause_ms(answered(status), 1, 0).is_some(), "{status}");
        }
        for status in [200, 400, 401, 402, 403, 404, 422] {
            assert_eq!(pause_ms(answered(status), 1, 0), None, "{status}");
        }
        assert!(pause_ms(Outcome::Lost, 1, 0).is_some());
    }

    #[test]
    fn stripe_has_the_last_word() {
        let told = |should_retry, status| Outcome::Answered {
            status,
            should_retry: Some(should_retry),
            retry_after_seconds: None,
        };
        assert_eq!(pause_ms(told(false, 500), 1, 0), None);
        assert!(pause_ms(told(true, 400), 1, 0).is_some());
        let wait = |seconds| Outcome::Answered { status: 429, should_retry: None, retry_after_seconds: Some(seconds) };
        assert_eq!(pause_ms(wait(2), 1, 0), Some(2_000));
        assert_eq!(pause_ms(wait(60), 1, 0), None, "nobody waits a minute for an answer");
    }

    #[test]
    fn pauses_double_and_end() {
        let pauses: Vec<_> = (1..=MAX_TRIES).map(|tries| pause_ms(Outcome::Lost, tries, 0)).collect();
        assert_eq!(pauses, [Some(200), Some(400), Some(800), None]);
        assert_eq!(pause_ms(Outcome::Lost, 1, 200), Some(400));
    }

    #[test]
    fn an_event_is_tried_for_hours_and_then_shown_to_somebody() {
        let pauses: Vec<_> = (1..).map_while(event_pause_seconds).collect();
        assert_eq!(pauses.len() + 1, MAX_EVENT_TRIES as usize);
        assert_eq!(pauses[..3], [20, 40, 80]);
        assert!(pauses.iter().all(|pause| *pause <= 3_600) && pauses.iter().sum::<u32>() > 6 * 3_600);
    }

    proptest! {
        #[test]
        fn bounded_whatever_comes(status: u16, should: Option<bool>, after: Option<u64>, tries: u32, random: u32) {
            let outcome = Outcome::Answered { status, should_retry: should, retry_after_seconds: after };
            if let Some(pause) = pause_ms(outcome, tries, random) {
                prop_assert!(tries < MAX_TRIES && (200..=LONGEST_TOLD_MS).contains(&pause));
            }
        }
    }
}
