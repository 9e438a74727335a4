//! What is old is cleared, a few hundred rows at a time.

use tollgate_domain::{
    id::Shard,
    time::{DAY_MS, Timestamp},
};
use tollgate_platform::{
    Problem, Scope,
    store::{
        self,
        directory_jobs::{self, Old},
    },
};

use crate::jobs::{Next, Step};

/// Rows of one step.
const PAGE: u32 = 500;

/// How old something must be, in days: counted from where [`Old`] says.
const fn days(old: Old) -> i64 {
    match old {
        // An answer is good for a day; a token of a mail is dead at its end.
        Old::Answers | Old::MailTokens => 1,
        // A session that has ended tells a device that was seen before from a new one.
        Old::Sessions | Old::StripeEvents => 30,
        Old::Mails | Old::MailTexts | Old::Runs => 90,
    }
}

fn before(old: Old, now: Timestamp) -> Timestamp {
    now.plus_millis(-days(old) * DAY_MS)
}

/// Clears one kind of rows on one shard; the cursor is `<shard>.<kind>`.
///
/// # Errors
/// When a database cannot be reached. What was cleared until then is gone.
pub async fn step(scope: &Scope, cursor: Option<&str>) -> Result<Step, Problem> {
    let (shard_at, kind_at) = cursor.and_then(place).unwrap_or((0, 0));
    let shards: Vec<Shard> = store::shards(scope).collect();
    let (Some(shard), Some(old)) = (shards.get(shard_at), Old::ALL.get(kind_at)) else {
        return Ok(Step { done: 0, next: Next::Rest(None) });
    };
    let done = directory_jobs::clear(scope, *shard, *old, before(*old, scope.now()), PAGE).await?;
    let next = if done >= PAGE {
        Next::From(format!("{shard_at}.{kind_at}"))
    } else if kind_at + 1 < Old::ALL.len() {
        Next::From(format!("{shard_at}.{}", kind_at + 1))
    } else if shard_at + 1 < shards.len() {
        Next::From(format!("{}.0", shard_at + 1))
    } else {
        Next::Rest(None)
    };
    Ok(Step { done, next })
}

fn place(text: &str) -> Option<(usize, usize)> {
    let (shard, kind) = text.split_once('.')?;
    Some((shard.parse().ok()?, kind.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_cleared_before_its_time() {
        let now = Timestamp::from_millis(1_775_001_600_000);
        for old in Old::ALL {
            assert!(before(old, now) <= now.plus_days(-1), "{old:?}");
        }
        assert_eq!(before(Old::Mails, now), now.plus_days(-90));
    }

    #[test]
    fn a_place_that_is_none_is_the_beginning() {
        assert_eq!(place("1.3"), Some((1, 3)));
        for text in ["", "1", "x.1", "1.x", "-1.0"] {
            assert_eq!(place(text), None, "{text}");
        }
    }
}
