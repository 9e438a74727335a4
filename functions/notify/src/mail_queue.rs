//! The queue of mails.

use tollgate_platform::{Scope, log, mail::Mail, store};
use worker::{Context, Env, MessageBatch, MessageExt, Result, event};

use crate::deliver::{Delivery, deliver};

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
            Delivery::Done | Delivery::Refused => message.ack(),
            Delivery::Later => message.retry(),
        }
    }
    Ok(())
}

async fn send(scope: &Scope, mail: &Mail) -> Delivery {
    // Mails carry secrets: only a developer's own machine keeps them.
    let body = scope.settings().is_local().then(|| serde_json::to_string(mail).unwrap_or_default());
    match store::mail_asked(scope, mail, body.as_deref(), scope.now()).await {
        Ok(true) => {}
        Ok(false) => return Delivery::Done,
        Err(_) => return Delivery::Later,
    }
    let delivery = deliver(scope, mail).await;
    if matches!(delivery, Delivery::Done)
        && store::mail_sent(scope, mail.tenant, &mail.event, scope.now()).await.is_err()
    {
        // The provider knows the event, too: asking it again sends nothing again.
        return Delivery::Later;
    }
    delivery
}
