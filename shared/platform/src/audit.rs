//! Writing the audit log.
//!
//! Each entry follows the one before it, so of many at once each has to wait for the others. Within an instance they stand in
//! line; between instances whoever was overtaken tries again a little later, at random.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    time::Duration,
};

use tollgate_domain::{
    audit::{Action, Actor, Entry, Outcome, Source, Target, append},
    id::TenantId,
};

use worker::Delay;

use crate::{
    Scope, clock, log, random,
    store::{self, StoreError},
};

/// How often an entry is tried: some twenty seconds in all, which is less than the runtime gives to what comes after an answer.
const TRIES: u32 = 24;

/// The pause after the first try that was overtaken, in milliseconds at most; it doubles up to [`LONGEST_PAUSE_MS`].
const FIRST_PAUSE_MS: u64 = 8;

/// The longest pause between two tries.
const LONGEST_PAUSE_MS: u64 = 1_024;

/// How long whoever writes holds up the line: a request that was ended in between leaves its place behind.
const TURN_MS: i64 = 5_000;

/// How long to stand in line before trying all the same.
const PATIENCE_MS: i64 = 10_000;

thread_local! {
    /// Who writes to which tenant's log now, since when.
    static TURNS: RefCell<HashMap<TenantId, (u64, i64)>> = RefCell::default();
    static TICKETS: Cell<u64> = const { Cell::new(0) };
}

/// The right to write to a tenant's log, among the requests of this instance.
struct Turn {
    tenant: TenantId,
    ticket: u64,
}

impl Turn {
    async fn of(tenant: TenantId) -> Self {
        let ticket = TICKETS.get().wrapping_add(1);
        TICKETS.set(ticket);
        let since = clock::wall().as_millis();
        loop {
            let now = clock::wall().as_millis();
            let mine = TURNS.with(|turns| {
                let mut turns = turns.borrow_mut();
                let is_free = turns.get(&tenant).is_none_or(|(_, begun)| (now - begun).abs() > TURN_MS);
                if is_free || now - since > PATIENCE_MS {
                    turns.insert(tenant, (ticket, now));
                    return true;
                }
                false
            });
            if mine {
                return Self { tenant, ticket };
            }
            pause(16).await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        TURNS.with(|turns| {
            let mut turns = turns.borrow_mut();
            if turns.get(&self.tenant).is_some_and(|(ticket, _)| *ticket == self.ticket) {
                turns.remove(&self.tenant);
            }
        });
    }
}

/// Waits at random, at most so long.
async fn pause(at_most_ms: u64) {
    let drawn = random::bytes::<8>().map_or(at_most_ms, |bytes| u64::from_be_bytes(bytes) % at_most_ms.max(1));
    Delay::from(Duration::from_millis(drawn + 1)).await;
}

/// From where a request comes: address, device, id.
pub fn source(scope: &Scope) -> Source {
    Source {
        ip: scope.header("cf-connecting-ip"),
        user_agent: scope.header("user-agent"),
        request_id: Some(scope.request_id()),
    }
}

/// An entry about this request.
pub fn entry(scope: &Scope, actor: Actor, action: Action, kind: &str, id: Option<String>, outcome: Outcome) -> Entry {
    Entry::new(actor, action, Target { kind: kind.to_owned(), id }, source(scope), outcome)
}

/// Notes, after the answer, that somebody of the tenant asked for what is not theirs to do.
pub fn denied(scope: &Scope, tenant: TenantId, actor: Actor, why: &str) {
    let operation = format!("{} {}", scope.request().method(), scope.path());
    let entry = entry(scope, actor, Action::AccessDeny, "operation", Some(operation), Outcome::Denied).with("why", why);
    let writer = scope.clone();
    scope.wait_until(async move { record(&writer, tenant, &entry).await });
}

/// Appends an entry to a tenant's log. What was done stands either way: an entry that cannot be written is in the log of the
/// function, whole.
pub async fn record(scope: &Scope, tenant: TenantId, entry: &Entry) {
    let _turn = Turn::of(tenant).await;
    for tried in 0..TRIES {
        let written = match store::audit_head(scope, tenant).await {
            Ok(head) => match append(head, entry, scope.now()) {
                Some((row, _)) => store::append_audit(scope, tenant, entry, &row).await,
                None => Err(StoreError::Failed),
            },
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => return,
            Err(StoreError::Taken(_)) => pause((FIRST_PAUSE_MS << tried.min(7)).min(LONGEST_PAUSE_MS)).await,
            Err(StoreError::Failed) => break,
        }
    }
    let body = entry.to_body().unwrap_or_default();
    log::error("audit", &format!("an entry of {tenant} could not be written: {body}"), Some(scope));
}
