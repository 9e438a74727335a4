//! The queue of ledger rows: what comes is written to the analytics copy, and the ledger is told.

use std::collections::HashMap;

use crate::warnings;
use tollgate_platform::{
    Scope, log,
    meter::{ExportBatch, MeterReply, MeterRequest, Owner, PoolReply, PoolRequest, call},
    store,
};
use worker::{Context, Env, MessageBatch, MessageExt, Result, event};

/// Writes each message's rows; one that cannot be written comes again, and its ledger waits.
#[event(queue)]
async fn queue(batch: MessageBatch<ExportBatch>, env: Env, _: Context) -> Result<()> {
    let scope = match Scope::background(env) {
        Ok(scope) => scope,
        Err(error) => {
            log::error("usage_queue", &format!("{error:?}"), None);
            batch.retry_all();
            return Ok(());
        }
    };
    let mut written: HashMap<String, (Owner, Vec<(u64, u64)>)> = HashMap::new();
    for message in batch.raw_iter() {
        let Ok(export) = serde_wasm_bindgen::from_value::<ExportBatch>(message.body()) else {
            // Nobody can ever read it; the rows it stood for are sent again.
            log::error("usage_queue", "a message that is none", Some(&scope));
            message.ack();
            continue;
        };
        match store::write_export(&scope, &export).await {
            // A warning that cannot be asked for brings the rows again: they are known, and it is asked for again.
            Ok(()) if warnings::tell(&scope, &export).await.is_err() => message.retry(),
            Ok(()) => {
                let arrived = written.entry(export.owner.object_name()).or_insert((export.owner, Vec::new()));
                arrived.1.push((export.after, export.through));
                message.ack();
            }
            Err(_) => message.retry(),
        }
    }
    for (name, (owner, arrived)) in written {
        confirm(&scope, &name, &owner, arrived).await;
    }
    Ok(())
}

/// A word that is lost is no harm: the rows come again and are known.
async fn confirm(scope: &Scope, name: &str, owner: &Owner, arrived: Vec<(u64, u64)>) {
    let told = if owner.user.is_some() {
        call(scope.env(), "METER", name, &MeterRequest::Exported(arrived))
            .await
            .map(|reply: MeterReply| reply == MeterReply::Done)
    } else {
        call(scope.env(), "POOL", name, &PoolRequest::Exported(arrived))
            .await
            .map(|reply: PoolReply| reply == PoolReply::Done)
    };
    if !matches!(told, Ok(true)) {
        log::warn("usage_queue", &format!("{name} could not be told that its rows arrived: {told:?}"), Some(scope));
    }
}
