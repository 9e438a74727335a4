//! The object: one for each account, and one for each address that tries.

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    outgoing_rates::Bucket,
    sign_in_guard::{AccountGuard, AddressGuard, Attempt, Backoff, Decision, Policy},
    time::Timestamp,
};
use tollgate_platform::{
    clock,
    guard::{GuardReply, GuardRequest},
    log,
    settings::Settings,
};
use wasm_bindgen::prelude::*;
use worker::{DurableObject, Env, Request, Response, Result, SqlStorageValue, State, durable_object};

/// How long after the latest attempt it is looked at whether everything is forgotten.
const LOOK_AFTER_MS: i64 = 6 * 60 * 60 * 1000;

/// What an object keeps: one of them, by its name.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    account: AccountGuard,
    address: AddressGuard,
    bucket: Bucket,
    counted: Backoff,
    /// How `counted` forgets.
    forget_one_ms: i64,
}

impl Kept {
    fn answer(&self, request: GuardRequest, now: Timestamp) -> (GuardReply, Self) {
        let mut after = self.clone();
        let reply = match request {
            GuardRequest::Known(device) => {
                let attempt = Attempt { device: Some(device) };
                if !self.account.knows(attempt) {
                    return (GuardReply::NotKnown, after);
                }
                let (decision, account) = self.account.attempt(attempt, now);
                after.account = account;
                told(decision)
            }
            GuardRequest::Stranger => {
                let (decision, account) = self.account.attempt(Attempt { device: None }, now);
                after.account = account;
                told(decision)
            }
            GuardRequest::Succeeded { brought, device } => {
                after.account = self.account.succeeded(Attempt { device: brought }, device, now);
                GuardReply::Allow
            }
            GuardRequest::Address => {
                let (decision, address) = self.address.attempt(now);
                after.address = address;
                told(decision)
            }
            GuardRequest::AddressGivenBack => {
                after.address = self.address.given_back();
                GuardReply::Allow
            }
            GuardRequest::Rated { free, forget_one_ms } => match self.bucket.take(free, forget_one_ms, now) {
                Ok(bucket) => {
                    after.bucket = bucket;
                    GuardReply::Allow
                }
                Err(wait_ms) => GuardReply::Wait(wait_ms),
            },
            GuardRequest::Counted { free, forget_one_ms } => {
                let forget_one_ms = forget_one_ms.max(1);
                let (decision, counted) = self.counted.attempt(Policy { free, forget_one_ms }, now);
                (after.counted, after.forget_one_ms) = (counted, forget_one_ms);
                told(decision)
            }
        };
        (reply, after)
    }

    fn counted_is_forgotten(&self, now: Timestamp) -> bool {
        self.counted.is_forgotten(Policy { free: 0, forget_one_ms: self.forget_one_ms.max(1) }, now)
    }

    /// Whether nothing will change by waiting.
    fn is_quiet(&self, now: Timestamp) -> bool {
        self.account.is_quiet(now)
            && self.address.is_forgotten(now)
            && self.bucket.is_empty(now)
            && self.counted_is_forgotten(now)
    }

    fn is_forgotten(&self, now: Timestamp) -> bool {
        self.is_quiet(now) && self.account.is_forgotten(now)
    }
}

const fn told(decision: Decision) -> GuardReply {
    match decision {
        Decision::Allow => GuardReply::Allow,
        Decision::Wait { retry_after_ms } => GuardReply::Wait(retry_after_ms),
    }
}

/// Counts what was tried at one account, or from one address.
#[durable_object(alarm)]
pub struct SignInGuard {
    state: State,
    env: Env,
}

impl DurableObject for SignInGuard {
    fn new(state: State, env: Env) -> Self {
        Self { state, env }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let request: GuardRequest = serde_json::from_slice(&request.bytes().await?)?;
        let reply = match self.answer(request).await {
            Ok(reply) => reply,
            Err(error) => {
                log::error("sign_in_guard", &error.to_string(), None);
                GuardReply::Failed
            }
        };
        Response::from_json(&reply)
    }

    async fn alarm(&self) -> Result<Response> {
        let now = self.now();
        let kept = self.kept()?;
        if kept.is_forgotten(now) {
            self.state.storage().delete_all().await?;
        } else if !kept.is_quiet(now) {
            self.state.storage().set_alarm(LOOK_AFTER_MS).await?;
        }
        Response::empty()
    }
}

impl SignInGuard {
    fn now(&self) -> Timestamp {
        clock::now(&Settings::of(&self.env))
    }

    /// Read, decided and written without a pause: of a thousand at once each sees what those before it have used.
    async fn answer(&self, request: GuardRequest) -> Result<GuardReply> {
        let now = self.now();
        let before = self.kept()?;
        let (reply, after) = before.answer(request, now);
        self.state.storage().sql().exec(
            "INSERT OR REPLACE INTO kept (id, body) VALUES (1, ?)",
            vec![SqlStorageValue::String(serde_json::to_string(&after)?)],
        )?;
        if self.state.storage().get_alarm().await?.is_none() {
            self.state.storage().set_alarm(LOOK_AFTER_MS).await?;
        }
        Ok(reply)
    }

    fn kept(&self) -> Result<Kept> {
        let sql = self.state.storage().sql();
        sql.exec("CREATE TABLE IF NOT EXISTS kept (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL)", None)?;
        let row = sql.exec("SELECT body FROM kept", None)?.raw().next().transpose()?;
        match row.as_deref() {
            Some([SqlStorageValue::String(body)]) => Ok(serde_json::from_str(body)?),
            _ => Ok(Kept::default()),
        }
    }
}
