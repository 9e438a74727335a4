//! `Idempotency-Key` on calls that change something in the database (draft-ietf-httpapi-idempotency-key-header-07, and
//! Stripe's rules where it is silent).
//!
//! | what stands under the key | what a request with it gets |
//! |---|---|
//! | nothing | its work is done; what was answered is kept for a day |
//! | an answer to the same request | that answer, with `Idempotent-Replayed: true` |
//! | an answer to another request | 422 `idempotency_key_reused` |
//! | work that goes on | 503 `idempotency_key_in_progress`, which clients retry |
//! | work not heard of for a minute | its work is done: the first one may have broken off half way |
//!
//! A problem is not kept: nothing was done, and the next try may do better. A key belongs to its user. Calls of the meter
//! (chat) have their own, in the object that decides.
//!
//! Answers are kept sealed, `Once<Sealed>`; those in which nothing is secret may be kept as they are, `Once<Plain>`.

use core::marker::PhantomData;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::Serialize;
use tollgate_domain::{
    id::{TenantId, UserId},
    secret_hash::SecretHash,
    time::{DAY_MS, Timestamp},
};

use crate::{
    Code, Problem, Scope,
    http::Reply,
    log,
    store::idempotent_answers::{self, Work},
    vault::{Place, Vault},
};

/// How long an answer is kept.
const KEPT_MS: i64 = DAY_MS;

/// After how long work that has not answered counts as broken off.
const SILENT_MS: i64 = 60_000;

/// The `Idempotency-Key` of a request, where it has one.
#[derive(Debug)]
pub struct Once<K = Sealed>(Option<String>, PhantomData<K>);

/// How an answer is kept.
pub trait Keeping {
    /// As it is stored.
    fn kept(scope: &Scope, work: Work<'_>, body: Vec<u8>) -> impl Future<Output = Result<String, Problem>>;
    /// As it was.
    fn read(scope: &Scope, work: Work<'_>, stored: String) -> impl Future<Output = Result<Vec<u8>, Problem>>;
}

/// Under the tenant's key: there are secrets in it.
#[derive(Debug)]
pub struct Sealed;

/// As it is: nothing in it is secret.
#[derive(Debug)]
pub struct Plain;

impl Keeping for Sealed {
    async fn kept(scope: &Scope, work: Work<'_>, body: Vec<u8>) -> Result<String, Problem> {
        Vault::of(scope, work.tenant).await?.seal(place(work.key_hash), &body)
    }

    async fn read(scope: &Scope, work: Work<'_>, stored: String) -> Result<Vec<u8>, Problem> {
        Vault::of(scope, work.tenant).await?.open(scope, place(work.key_hash), &stored)
    }
}

impl Keeping for Plain {
    async fn kept(_: &Scope, _: Work<'_>, body: Vec<u8>) -> Result<String, Problem> {
        String::from_utf8(body).map_err(|_| Problem::internal())
    }

    async fn read(_: &Scope, _: Work<'_>, stored: String) -> Result<Vec<u8>, Problem> {
        Ok(stored.into_bytes())
    }
}

impl<S: Sync, K> FromRequestParts<S> for Once<K> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let scope = parts.extensions.get::<Scope>().ok_or_else(Problem::internal)?;
        Ok(Self(scope.idempotency_key()?, PhantomData))
    }
}

impl<K: Keeping> Once<K> {
    /// Does the work unless it was done under this key before. `input` is what was asked, as it was read.
    ///
    /// # Errors
    /// As the table above says, and what the work says.
    pub async fn answer<T: Serialize>(
        &self,
        scope: &Scope,
        (tenant, user): (TenantId, UserId),
        input: &T,
        work: impl Future<Output = Result<Reply, Problem>>,
    ) -> Result<Reply, Problem> {
        let Some(key) = &self.0 else { return work.await };
        let (key_hash, fingerprint) = (
            SecretHash::of("idempotency_key", key.as_bytes()).to_string(),
            fingerprint(&scope.request().method(), &scope.request().url(), input)?,
        );
        let request_id = scope.request_id().to_string();
        let this = Work { tenant, user, key_hash: &key_hash, request_id: &request_id };
        let now = scope.now();
        let limits = (now.plus_millis(-SILENT_MS), now.plus_millis(-KEPT_MS));
        let standing = idempotent_answers::begin(scope, this, &fingerprint, now, limits).await?;
        let standing = standing.ok_or_else(|| Problem::dependency("database"))?;
        if standing.request_id != request_id {
            return replay::<K>(scope, this, &fingerprint, standing).await;
        }
        match work.await {
            Ok(reply) => {
                let (reply, kept) = reply.copied().await;
                self.keep(scope, this, kept, now).await;
                Ok(reply)
            }
            Err(problem) => {
                if idempotent_answers::forget(scope, this).await.is_err() {
                    log::warn("once", "a key stays taken for a minute: the database did not forget it", Some(scope));
                }
                Err(problem)
            }
        }
    }

    /// What was done is done: when its answer cannot be kept the log says so, and the client has it all the same.
    async fn keep(&self, scope: &Scope, work: Work<'_>, (status, body): (u16, Vec<u8>), now: Timestamp) {
        let kept = async {
            let kept = K::kept(scope, work, body).await?;
            Ok::<_, Problem>(idempotent_answers::finish(scope, work, status, &kept).await?)
        };
        if kept.await.is_err() {
            log::error("once", "an answer could not be kept under its key", Some(scope));
        }
        let (tidier, tenant, user) = (scope.clone(), work.tenant, work.user);
        scope.wait_until(async move {
            // What is left is forgotten with the next one.
            let _ = idempotent_answers::forget_old(&tidier, tenant, user, now.plus_millis(-KEPT_MS)).await;
        });
    }
}

async fn replay<K: Keeping>(
    scope: &Scope,
    work: Work<'_>,
    fingerprint: &str,
    standing: idempotent_answers::Standing,
) -> Result<Reply, Problem> {
    if standing.fingerprint != fingerprint {
        return Err(Problem::new(
            Code::IdempotencyKeyReused,
            "This Idempotency-Key was sent with another request before. Use a new key for a new request.",
        ));
    }
    let (Some(status), Some(stored)) = (standing.status, standing.answer) else {
        return Err(Problem {
            retry_after_seconds: Some(2),
            ..Problem::new(
                Code::IdempotencyKeyInProgress,
                "The first request with this Idempotency-Key is still running. Ask again with the same key for its answer.",
            )
        });
    };
    let body = K::read(scope, work, stored).await?;
    let status = http::StatusCode::from_u16(status).map_err(|_| Problem::internal())?;
    Ok(Reply::bytes(status, "application/json", body).with("idempotent-replayed", "true"))
}

const fn place(key_hash: &str) -> Place<'_> {
    Place { table: "idempotent_answers", column: "answer", row: key_hash }
}

fn fingerprint<T: Serialize>(method: &str, url: &str, input: &T) -> Result<String, Problem> {
    let asked = serde_json::to_vec(&(method, url, input)).map_err(|_| Problem::internal())?;
    Ok(SecretHash::of("idempotent_request", &asked).to_string())
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    #[test]
    fn another_call_has_another_fingerprint() {
        let one = fingerprint("POST", "http://h/a", &("x", 1)).unwrap();
        assert_eq!(fingerprint("POST", "http://h/a", &("x", 1)).unwrap(), one);
        for (method, url, input) in [("PUT", "http://h/a", 1), ("POST", "http://h/b", 1), ("POST", "http://h/a", 2)] {
            assert_ne!(fingerprint(method, url, &("x", input)).unwrap(), one);
        }
    }
}
