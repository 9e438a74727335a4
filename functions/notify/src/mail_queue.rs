//! The queue of mails.

use tollgate_domain::mail::carries_secret;
use tollgate_platform::{Scope, log, mail::Mail, store};
use worker::{Context, Env, MessageBatch, MessageExt, QueueRetryOptionsBuilder, Result, event};

use crate::deliver::{Delivery, deliver};

/// How often a mail is tried before it is given up, and waits for the operator: for three hours.
const TRIES: u32 = 12;

/// The pause after the first try, in seconds; each next one is twice as long.
const FIRST_PAUSE_S: u32 = 5;

/// What is to become of a message.
enum After {
    /// It is done with.
    Ack,
    /// It comes again, after so many seconds.
    Retry(u32),
}

/// Sends each; what fails comes again, with growing pauses.
#[event(queue)]
async fn queue(batch: MessageBatch<Mail>, env: Env, _: Context) -> Result<()> {
    let scope = match Scope::background(env) {
        Ok(scope) => scope,
        Err(error) => {
            log::error("mail_queue", &format!("{error:?}"), None);
            batch.retry_all();
            return Ok(());
        }
    };
    for message in batch.raw_iter() {
        let Ok(mail) = serde_wasm_bindgen::from_value::<Mail>(message.body()) else {
            log::error("mail_queue", "a message that is none", Some(&scope));
            message.ack();
            continue;
        };
        match send(&scope, &mail).await {
            After::Ack => message.ack(),
            After::Retry(seconds) => {
                message.retry_with_options(&QueueRetryOptionsBuilder::new().with_delay_seconds(seconds).build());
            }
        }
    }
    Ok(())
}

async fn send(scope: &Scope, mail: &Mail) -> After {
    let is_local = scope.settings().is_local();
    // Mails carry secrets: only a developer's own machine keeps every one.
    let body = serde_json::to_string(mail).unwrap_or_default();
    let kept = is_local.then_some(body.as_str());
    let tries = match store::mail_asked(scope, mail, kept, scope.now()).await {
        Ok(Some(tries)) => tries,
        Ok(None) => return After::Ack,
        Err(_) => return After::Retry(FIRST_PAUSE_S),
    };
    let (why, given_up) = match deliver(scope, mail).await {
        Delivery::Done => {
            return match store::mail_sent(scope, mail.tenant, &mail.event, is_local, scope.now()).await {
                Ok(()) => After::Ack,
                // The provider knows the event, too: asking it again sends nothing again.
                Err(_) => After::Retry(FIRST_PAUSE_S),
            };
        }
        Delivery::Later(why) => (why, tries + 1 >= TRIES),
        Delivery::Refused(why) => (why, true),
    };
    let failed_at = given_up.then(|| scope.now());
    // For the operator's replay, unless somebody who reads the database could use it.
    let text = (given_up && !carries_secret(&mail.kind)).then_some(body.as_str());
    if store::mail_tried(scope, (mail.tenant, &mail.event), &why, failed_at, text).await.is_err() {
        return After::Retry(FIRST_PAUSE_S);
    }
    if given_up {
        log::error("mail_queue", &format!("a {} mail was given up: {why}", mail.kind), Some(scope));
        return After::Ack;
    }
    After::Retry(pause(tries))
}

/// How long until the next try, in seconds: 5, 10, 20, and on.
const fn pause(tries: u32) -> u32 {
    FIRST_PAUSE_S << if tries < TRIES { tries } else { TRIES }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_stay_within_what_a_queue_takes() {
        assert_eq!([pause(0), pause(1), pause(2)], [5, 10, 20]);
        // Cloudflare's longest delay is twelve hours.
        assert!((0..=TRIES).all(|tries| pause(tries) <= 12 * 3_600));
    }
}
