//! Before the provider is asked: the reservation.

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use futures::future::{Either, select};
use http::StatusCode;
use sha2::{Digest, Sha256};
use tollgate_domain::{
    catalogue::chat_estimate,
    id::{ApiKeyId, ReservationId},
    meter::{Admitted, Amounts, Decision, MeterName, Reserve, Settle, Standing, UsageDetail},
};
use tollgate_platform::{
    Code, Problem, Scope,
    http::Reply,
    identity::Asker,
    meter::{Answer, End, MeterClient, TrialHold, WORKING_LEASE_MS, Worked},
    random,
};
use tollgate_providers::{ChatRequest, ModelRef, Provider, Usage, price};
use worker::Delay;

use crate::trials;

/// How often the meter hears of work under an idempotency key: three times in what it waits.
const SIGN_OF_LIFE: Duration = Duration::from_millis(WORKING_LEASE_MS.unsigned_abs() / 3);

/// What is held at most for the answer of a model that the price table does not know; under a hard limit it is sent, too.
const UNKNOWN_MODEL_MAX_OUTPUT: u64 = 16_384;

/// What `tollgate/extractive` answers at most: three quotes and what stands around them.
const EXTRACTIVE_MAX_OUTPUT: u64 = 2_048;

/// What a model can answer at most.
fn longest_answer(model: &ModelRef) -> u64 {
    match model.provider {
        Provider::Tollgate => EXTRACTIVE_MAX_OUTPUT,
        _ => price::max_output_tokens(model).unwrap_or(UNKNOWN_MODEL_MAX_OUTPUT),
    }
}

/// What became of a request for admission.
pub enum Admission {
    /// The work may begin.
    Go(Hold),
    /// It was done before under the same key: this is the answer.
    Replay(Reply),
}

/// A reservation with what is needed to end it.
pub struct Hold {
    meter: MeterClient,
    admitted: Admitted,
    prompt_estimate: u64,
    choices: u64,
    /// The client's idempotency key.
    pub key: Option<String>,
    /// Who works on it, where a key may bring several.
    attempt: ReservationId,
    /// The API key it was asked for with.
    api_key: Option<ApiKeyId>,
    /// What is held of what all trials may cost today.
    trial: Option<TrialHold>,
}

/// How the work ended.
pub struct Finished<'a> {
    /// What the model took.
    pub usage: Usage,
    /// `completed`, `cut`, `client_gone`, `failed`.
    pub outcome: &'a str,
    /// What was sent, where a key wants it kept: status, content type, body.
    pub answer: Option<(u16, &'a str, String)>,
}

/// Reserves one request and the tokens it may take.
pub async fn admit(
    scope: &Scope,
    caller: &Asker,
    request: &ChatRequest,
    model: &ModelRef,
    body: &[u8],
    ttl_ms: i64,
) -> Result<Admission, Problem> {
    let key = scope.idempotency_key()?;
    let prompt_estimate = request.prompt_tokens_estimate();
    let fingerprint =
        if key.is_some() { Base64UrlUnpadded::encode_string(&Sha256::digest(body)) } else { String::new() };
    let longest = longest_answer(model);
    let (amounts, answer) = chat_estimate(prompt_estimate, request.requested_max_tokens(), request.choices(), longest);
    let reserve = Reserve {
        id: ReservationId::new(scope.now(), random::entropy()?),
        amounts,
        answer,
        request_id: scope.request_id().to_string(),
        needs_confirmed: trials::costs(model) && trials::need_confirmed(scope),
        ttl_ms,
        credential: caller.credential(),
        session: caller.session(),
        key: key.clone(),
        fingerprint,
    };
    let meter = MeterClient::of(caller);
    match meter.reserve(scope, caller, &reserve).await? {
        Worked::Decided(Decision::Admitted(admitted) | Decision::AdmittedBefore(admitted)) => {
            let mut hold = Hold {
                meter,
                admitted,
                prompt_estimate,
                choices: request.choices(),
                key,
                attempt: reserve.id,
                api_key: caller.credential().map(|credential| credential.key),
                trial: None,
            };
            if hold.admitted.trial_ends_at.is_some() && trials::costs(model) {
                let answer = hold.held_tokens().saturating_sub(prompt_estimate);
                hold.trial = match trials::hold(scope, model, prompt_estimate, answer).await {
                    Ok(trial) => trial,
                    Err(problem) => {
                        hold.release(scope, &problem);
                        return Err(problem);
                    }
                };
            }
            Ok(Admission::Go(hold))
        }
        Worked::Decided(Decision::Refused(refusal)) => {
            Err(Problem::refusal(&refusal, scope.now(), &scope.settings().public_url))
        }
        Worked::Replayed(answer) => Ok(Admission::Replay(replay(&answer))),
        Worked::InProgress => Err(Problem {
            retry_after_seconds: Some(2),
            ..Problem::new(
                Code::IdempotencyKeyInProgress,
                "The first request with this Idempotency-Key is still running. Ask again with the same key for its answer.",
            )
        }),
        Worked::NotKept => Err(Problem::new(
            Code::IdempotencyAnswerGone,
            "This Idempotency-Key was answered and charged once, but the answer was too large to keep.",
        )),
        Worked::Decided(Decision::Done | Decision::Short { .. }) => Err(Problem::dependency("meter")),
    }
}

fn replay(answer: &Answer) -> Reply {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let reply = Reply::bytes(status, &answer.content_type, answer.body.clone()).with("idempotent-replayed", "true");
    match answer.cost_microusd {
        Some(cost) => reply.with("x-tollgate-cost-microusd", &cost.to_string()),
        None => reply,
    }
}

impl Hold {
    /// The `max_tokens` to send to the provider for each choice, so that an answer cannot run far past a hard limit;
    /// `None` to send what the client sent.
    pub fn output_cap(&self, requested: Option<u64>, model: &ModelRef) -> Option<u64> {
        let standing = self.standing(MeterName::Tokens)?;
        let left = standing.admissible()?;
        let held = self.admitted.amounts.tokens.saturating_sub(self.prompt_estimate);
        // Above a soft limit what is left to the ceiling is no promise to anybody; under a hard one what is held is all.
        let room = if standing.ceiling == standing.limit { held } else { left.saturating_add(held) };
        output_cap(room / self.choices.max(1), requested, longest_answer(model), standing.ceiling == standing.limit)
    }

    /// All that is held, in tokens.
    pub const fn held_tokens(&self) -> u64 {
        self.admitted.amounts.tokens
    }

    fn standing(&self, meter: MeterName) -> Option<&Standing> {
        self.admitted.standing.iter().find(|standing| standing.meter == meter)
    }

    fn remaining(&self, meter: MeterName) -> Option<u64> {
        self.standing(meter)?.remaining()
    }

    /// The headers that tell what is left, and until when in a trial: before the answer is known, or after.
    pub fn with_remaining(&self, mut reply: Reply, used: Option<&Usage>) -> Reply {
        if let Some(end) = self.admitted.trial_ends_at {
            reply = reply.with("x-tollgate-trial-ends-at", &end.to_string());
        }
        if let Some(requests) = self.remaining(MeterName::Requests) {
            reply = reply.with("x-tollgate-requests-remaining", &requests.to_string());
        }
        if let Some(tokens) = self.remaining(MeterName::Tokens) {
            let tokens = match used {
                Some(usage) => (tokens.saturating_add(self.admitted.amounts.tokens)).saturating_sub(usage.total()),
                None => tokens,
            };
            reply = reply.with("x-tollgate-tokens-remaining", &tokens.to_string());
        }
        reply
    }

    /// The id of the answer.
    pub fn completion_id(&self) -> String {
        let id = self.admitted.id.to_string();
        format!("chatcmpl-{}", id.trim_start_matches(ReservationId::PREFIX).replace('-', ""))
    }

    /// Does the work under this reservation. Where others may wait for its answer under the same key, the meter hears
    /// that it goes on.
    pub async fn carry_out<T>(&self, scope: &Scope, work: impl Future<Output = T>) -> T {
        if self.key.is_none() {
            return work.await;
        }
        let mut work = Box::pin(work);
        loop {
            match select(work, Delay::from(SIGN_OF_LIFE)).await {
                Either::Left((done, _)) => return done,
                Either::Right(((), unfinished)) => work = unfinished,
            }
            let (meter, sender) = (self.meter.clone(), scope.clone());
            let (id, attempt) = (self.admitted.id, self.attempt);
            scope.wait_until(async move { meter.working(&sender, id, attempt).await });
        }
    }

    /// Settles: the work was done, or as much of it as was delivered.
    pub fn settle(&self, scope: &Scope, model: &ModelRef, finished: Finished<'_>) {
        let Finished { usage, outcome, answer } = finished;
        let cost_microusd = price::cost_microusd(model, &usage, scope.now().as_seconds());
        if let Some(trial) = self.trial {
            trial.end(cost_microusd);
        }
        let settle = Settle {
            id: self.admitted.id,
            amounts: Amounts { requests: 1, tokens: usage.total(), emails: 0 },
            detail: UsageDetail {
                function: "chat".into(),
                model: model.to_string(),
                prompt_tokens: usage.prompt_tokens,
                completion_tokens: usage.completion_tokens,
                estimated: usage.estimated,
                cost_microusd,
                request_id: scope.request_id().to_string(),
                outcome: outcome.into(),
                api_key: self.api_key,
            },
        };
        let answer = answer.map(|(status, content_type, body)| Answer {
            status,
            content_type: content_type.into(),
            body,
            cost_microusd,
        });
        self.meter.end(scope, End::Settle { settle, answer });
    }

    /// Gives the reservation back: nothing is charged. Those who wait for the same key get the same problem.
    pub fn release(&self, scope: &Scope, problem: &Problem) {
        if let Some(trial) = self.trial {
            trial.end(Some(0));
        }
        let answer = self.key.is_some().then(|| Answer {
            status: problem.status,
            content_type: "application/problem+json".into(),
            body: Problem { request_id: scope.request_id().to_string(), ..problem.clone() }.to_json(true),
            cost_microusd: None,
        });
        self.meter
            .end(scope, End::Release { id: self.admitted.id, attempt: self.attempt, key: self.key.clone(), answer });
    }
}

fn output_cap(room: u64, requested: Option<u64>, longest: u64, is_hard: bool) -> Option<u64> {
    match requested {
        // Held in full, so it is never more than what is left.
        Some(_) => None,
        // What is held is never more than the model can answer, which some providers would refuse.
        None if is_hard => Some(room.max(1)),
        None => (room <= longest).then_some(room.max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::output_cap;

    #[test]
    fn what_is_sent_as_max_tokens_never_exceeds_what_is_left() {
        // Under a hard limit what is held is sent, whatever the model could answer.
        assert_eq!(output_cap(300, None, 4_096, true), Some(300));
        assert_eq!(output_cap(4_096, None, 4_096, true), Some(4_096));
        assert_eq!(output_cap(0, None, 4_096, true), Some(1));
        // Elsewhere a limit is sent near the ceiling alone.
        assert_eq!(output_cap(300, None, 4_096, false), Some(300));
        assert_eq!(output_cap(50_000, None, 4_096, false), None);
        assert_eq!(output_cap(300, Some(100), 4_096, true), None);
    }
}
